"""The rows about a member with ten thousand open lots: what loading its state takes, and spending from it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from adapters.app.writer import WallClock
from adapters.cli.bench import workload
from adapters.cli.bench.table import Row, percentiles
from adapters.grpc.client import uuid7
from adapters.postgres.store import PostgresStore
from ledger.calendar import DAY
from ledger.commands import Command, Earn, EnrolMember, Hold, Request
from ledger.errors import LedgerError
from ledger.events import Source
from ledger.ids import member_stream
from ledger.quantities import Amount
from ledger.refusals import Refusal
from ledger.writer import Writer

LOTS = 10_000
SPENDS = 200
_MEMBER = "busy"


@asynccontextmanager
async def leading(dsn: str) -> AsyncIterator[Writer]:
    """A writer in this process, once it leads."""
    writer = Writer(PostgresStore(dsn), WallClock())
    is_leading = asyncio.Event()
    writer.on_lead = lambda leads: is_leading.set()
    writing = asyncio.create_task(writer.run())
    await is_leading.wait()
    try:
        yield writer
    finally:
        writer.stop()
        await writing


def rows(dsn: str) -> Iterator[Row]:
    """Lots that all expire on days of their own; a second writer knows only what the first one stored."""
    load, spends = asyncio.run(_measure(dsn))
    notes = f"{LOTS:,} lots, each with an expiry of its own; by a writer that has just begun to lead"
    yield Row("M1", "load the state of a busy member", load * 1_000, "ms", 100, True, notes=notes)
    latencies = percentiles(spends)
    notes = ", ".join(f"{name} {value} ms" for name, value in latencies.items())
    notes = f"{SPENDS} holds one after the other, without gRPC, commit included; {notes}"
    details = {"latency_ms": latencies}
    yield Row("M2", "spend from a busy member, p50", latencies["p50"], "ms", 10, True, notes=notes, details=details)


async def _measure(dsn: str) -> tuple[float, list[float]]:
    """Seconds of one load, and of each spend."""
    now = WallClock().now()

    def grant(number: int) -> Earn:
        source = Source("order", f"busy-{number}")
        return Earn(_MEMBER, Amount(workload.UNIT, 10), source, expires_at=now + (number + 30) * DAY)

    async with leading(dsn) as writer:
        await execute(writer, [EnrolMember(_MEMBER)])
        for begin in range(0, LOTS, 5_000):
            await execute(writer, [grant(number) for number in range(begin, begin + 5_000)])
    async with leading(dsn) as writer:
        begin_seconds = time.perf_counter()
        await writer.cache.load([member_stream(workload.PROGRAMME, _MEMBER)])
        load = time.perf_counter() - begin_seconds
        spends = []
        for number in range(SPENDS):
            begin_seconds = time.perf_counter()
            await execute(writer, [Hold(f"busy-{number}", _MEMBER, Amount(workload.UNIT, 25))])
            spends.append(time.perf_counter() - begin_seconds)
    return load, spends


async def execute(writer: Writer, commands: Sequence[Command]) -> None:
    """Send commands together; each must be accepted. Raises LedgerError, or RuntimeError."""
    now = WallClock().now()
    requests = [Request(uuid7().bytes, workload.PROGRAMME, now, (command,), "bench", "shop") for command in commands]
    for answer in await writer.execute(requests):
        if isinstance(answer, LedgerError):
            raise answer
        if isinstance(answer.answer, Refusal):
            raise RuntimeError(f"refused: {answer.answer}")
