"""What the ledger needs from the world, and what it offers to it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec

from ledger.calendar import Instant
from ledger.commands import Request
from ledger.errors import LedgerError
from ledger.receipts import Outcome
from ledger.records import Record


class Head(msgspec.Struct, frozen=True):
    """Where a shard stands: what the next append goes on top of."""

    epoch: int
    position: int
    """Of the last record; 0 when there is none."""
    hash: bytes
    """Of the last record."""
    batch: int
    """The number of the last batch."""
    batch_hash: bytes
    recorded_at: Instant


class Batch(msgspec.Struct, frozen=True):
    """What one transaction appends: records, outcomes and the batch's own record in the chain."""

    number: int
    first_position: int
    """The position of the first record, or of the one that would have come next."""
    rows: bytes
    """The records as rows of binary COPY: image, then hash."""
    events: int
    outcomes: bytes
    """The outcomes as rows of binary COPY."""
    commands: int
    outcomes_digest: bytes
    head: Head
    """Where the shard stands afterwards."""


StoredEvent = tuple[str, str, Instant, bytes]
"""Stream, topic, occurred_at and stored JSON of an event."""


class StoredStream(msgspec.Struct, frozen=True):
    """What is stored of a stream: a snapshot if there is a fitting one, and the events after it."""

    snapshot: bytes | None
    version: int
    """The version that the snapshot is of; 0 without one."""
    events: list[tuple[int, str, Instant, bytes]]
    """Version, topic, occurred_at and stored JSON of each event after the snapshot."""


class Snapshot(msgspec.Struct, frozen=True):
    """A state as it was at a version of its stream, packed; used only while its shape has this fingerprint."""

    stream: str
    version: int
    fingerprint: str
    state: bytes


class Store(Protocol):
    """The append-only store of one shard, as its writer sees it."""

    async def acquire(self) -> Head:
        """Wait until this writer leads the shard under a new epoch; fences every earlier writer."""

    async def renew(self, epoch: int) -> None:
        """Say that the writer is alive; raises Fenced when it no longer leads."""

    async def append(self, batch: Batch, previous: Head) -> None:
        """Commit a batch on top of `previous`.

        Raises Fenced when another writer came between, Unavailable when it failed or its outcome is unknown.
        """

    async def outcomes(self, ids: Sequence[bytes]) -> dict[bytes, Outcome]:
        """The stored outcomes among these command ids."""

    async def business_keys(self, keys: Sequence[bytes]) -> set[bytes]:
        """Which of these business keys are taken."""

    async def accepted(self, ids: Sequence[bytes]) -> dict[bytes, list[StoredEvent]]:
        """What the accepted ones among these commands led to, in order."""

    async def streams(self, fingerprints: Mapping[str, str]) -> dict[str, StoredStream]:
        """The streams of these names that have events; a snapshot is used if it has the fingerprint given."""

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep snapshots for later loads; only committed versions are passed."""

    async def close(self) -> None:
        """Give up the lead and all connections."""


class Clock(Protocol):
    """The wall clock."""

    def now(self) -> Instant:
        """The present instant."""


class Ledger(Protocol):
    """What the write side offers: the one path that every command takes."""

    async def execute(self, requests: Sequence[Request]) -> Sequence[Outcome | LedgerError]:
        """Decide and record requests in order; each is answered by itself, after the commit."""


class Log(Protocol):
    """The log, read by auditors, channels and projections."""

    async def outcome(self, command_id: bytes) -> Outcome | None:
        """What became of a command id, and its programme; None: nothing was ever stored under it."""

    def records(
        self,
        after: int,
        *,
        programme: str = "",
        stream: str = "",
        topics: Sequence[str] = (),
        follow: bool = True,
    ) -> AsyncIterator[Sequence[Record]]:
        """Records after a position in batches, in order; with `follow` it then waits for new ones for ever."""
