"""What the gRPC layer needs beside the ports of the ledger and of the projections."""

from typing import Protocol

import msgspec


class SweepResult(msgspec.Struct, frozen=True):
    """What a sweep did."""

    commands: int
    """How many commands it posted."""
    remaining: int
    """How many members and stock items still have something due."""


class Sweeper(Protocol):
    """Posts what is due: expiries, time-outs of holds and locks."""

    async def sweep(self, programme: str, limit: int, min_position: int) -> SweepResult:
        """Post what is due in a programme by its clock, for at most `limit` members and stock items."""
