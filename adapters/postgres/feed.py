"""The log as projections read it: in batches, decoded once for all of them, the next batch read ahead.

Positions have no gaps and become visible in order, so that all up to the shard's own position can be read.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from adapters.postgres.raw import raw_cursor, raw_date
from ledger.events import TOPICS, Fact, decode_event
from ledger.records import Y2K_OFFSET
from projections.engine import Disconnected
from projections.recorded import Batch, Recorded, Undecodable

BATCH_EVENTS_MAX = 20_000
"""Only who catches up gets so many at once: sums meet more often, which saves a tenth of the time."""
BATCH_BYTES_MAX = 32 * 1024 * 1024
"""Of stored events; one that names ten thousands of lots takes megabytes."""
PAGE_EVENTS = 1_000
"""Read and decoded at once, in a few milliseconds; between pages, others have their turn on the event loop."""
BATCHES_KEPT_MAX = 4
POLL_SECONDS_MIN = 0.01
POLL_SECONDS_MAX = 0.1
"""Between two looks at an idle log: short at first, then longer."""

_SELECT = """
SELECT position, programme, stream, topic, occurred_at, recorded_at, business_date, channel, event
FROM ledger.events WHERE"""
_PAGE = f"{_SELECT} position > %s AND position <= %s AND topic <> ALL(%s) ORDER BY position"
_PART = f"""{_SELECT} position > %s AND position <= %s AND topic <> ALL(%s)
  AND (hashtext(stream) & 65535) %% %s = %s ORDER BY position
"""
_AT = f"{_SELECT} position = ANY(%s) ORDER BY position"
_SESSION = "SET enable_seqscan = off; SET enable_indexscan = off"
"""Whatever the statistics say: a page comes by a bitmap over positions, which reads what lies together in one go.

On a log that is not in memory, an index scan waited for the disk once for every 8 KB: a third of the time.
"""


@contextlib.contextmanager
def disconnections() -> Iterator[None]:
    """The database being away, as projections know it."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Disconnected(str(error).strip()) from error


class Reader:
    """Reads and decodes events that are wanted; a part of the streams, or all."""

    def __init__(
        self, connection: AsyncConnection, events: Collection[type[Fact]], part: int = 0, parts: int = 1
    ) -> None:
        self._cursor = raw_cursor(connection)
        wanted = {TOPICS[kind] for kind in events}
        # An outdated topic is read: what it is upcast to may be wanted. So is one that nobody knows, to stop at it.
        self._ignored = sorted(set(TOPICS.values()) - wanted)
        self._part = [parts, part] if parts > 1 else []

    @classmethod
    async def open(
        cls, connection: AsyncConnection, events: Collection[type[Fact]], part: int = 0, parts: int = 1
    ) -> "Reader":
        """Make the connection ready."""
        with disconnections():
            await connection.execute(_SESSION)
        return cls(connection, events, part, parts)

    async def batch(self, after: int, upto: int, page_positions: int = PAGE_EVENTS) -> Batch:
        """The events up to a position, or fewer if they take too many bytes."""
        events: list[Recorded] = []
        reached, size = after, 0
        with disconnections():
            while reached < upto and size < BATCH_BYTES_MAX:
                first, reached = reached, min(reached + page_positions, upto)
                query = _PART if self._part else _PAGE
                await self._cursor.execute(query.encode(), [first, reached, self._ignored, *self._part])
                rows = await self._cursor.fetchall()
                events += _decode_all(rows)
                size += sum(len(row[-1]) for row in rows)
        return Batch(after, reached, events)

    async def at(self, positions: Sequence[int]) -> list[Recorded]:
        """The events at these positions."""
        with disconnections():
            await self._cursor.execute(_AT.encode(), (list(positions),))
            return _decode_all(await self._cursor.fetchall())


class PostgresFeed:
    """The log of one shard for projections that fold these events."""

    def __init__(self, connection: AsyncConnection, reader: Reader) -> None:
        self._connection = connection
        self._reader = reader
        self._batches: dict[int, asyncio.Task[Batch]] = {}
        self._head = 0

    @classmethod
    async def open(cls, connection: AsyncConnection, events: Collection[type[Fact]]) -> "PostgresFeed":
        """Make the connection ready."""
        return cls(connection, await Reader.open(connection, events))

    async def after(self, position: int) -> Batch:
        """The next batch after a position; waits until there is one. Then the one after that is read ahead."""
        batch = await asyncio.shield(self._task(position))
        if self.more(batch.upto):
            self._task(batch.upto)
        return batch

    def more(self, position: int) -> bool:
        """Whether there are events after a position, as far as is known."""
        return self._head > position

    async def close(self) -> None:
        """Read no further."""
        for task in self._batches.values():
            task.cancel()
        await asyncio.gather(*self._batches.values(), return_exceptions=True)
        self._batches.clear()

    def _task(self, after: int) -> "asyncio.Task[Batch]":
        task = self._batches.get(after)
        if task is None:
            read = [key for key, other in self._batches.items() if other.done()]
            for key in read[: len(read) - BATCHES_KEPT_MAX + 1]:
                del self._batches[key]
            task = self._batches[after] = asyncio.create_task(self._read(after))
        return task

    async def _read(self, after: int) -> Batch:
        with disconnections():
            await self._wait(after)
        return await self._reader.batch(after, min(after + BATCH_EVENTS_MAX, self._head))

    async def _wait(self, after: int) -> None:
        """Until there are events after a position."""
        pause = POLL_SECONDS_MIN
        while self._head <= after:
            row = await (
                await self._connection.execute("SELECT position FROM ledger.shards WHERE shard = 1")
            ).fetchone()
            assert row is not None
            self._head = row[0]
            if self._head <= after:
                await asyncio.sleep(pause)
                pause = min(1.5 * pause, POLL_SECONDS_MAX)


def _decode_all(rows: Sequence[tuple[Any, ...]]) -> list[Recorded]:
    return [
        Recorded(
            position,
            programme,
            stream.split("/", 2)[-1],
            _decode(topic, event),
            occurred_at + Y2K_OFFSET,
            recorded_at + Y2K_OFFSET,
            raw_date(day),
            channel,
        )
        for position, programme, stream, topic, occurred_at, recorded_at, day, channel, event in rows
    ]


def _decode(topic: str, event: bytes) -> Fact:
    try:
        return decode_event(topic, event)
    except (KeyError, msgspec.MsgspecError) as error:
        return Undecodable(topic, f"{type(error).__name__}: {error}")
