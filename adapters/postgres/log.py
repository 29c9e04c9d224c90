"""The log in PostgreSQL, for those who read it: outcomes by command id, records in order, bounded batches."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

from adapters.postgres.pool import Pool
from adapters.postgres.raw import raw_cursor, raw_date
from ledger.receipts import Outcome, Receipt, decode_answer, programme_of
from ledger.records import Y2K_OFFSET, Record

RECORDS_MAX = 1_000
"""In one batch."""
POSITIONS_MAX = 50_000
"""Looked through by one query: one for a rare topic ends, and the next goes on behind it."""
POLL_SECONDS_MIN = 0.01
POLL_SECONDS_MAX = 0.1
"""Between two looks at an idle log: short at first, then longer."""
CONNECTIONS_MAX = 4
"""A reader holds a connection only while it reads a batch, so a few serve many that wait."""

_OUTCOME = "SELECT request_hash, answer FROM ledger.outcomes WHERE command_id = %s::uuid"
_PROGRAMME = "SELECT programme FROM ledger.events WHERE position = %s AND command_id = %s::uuid"
_HEAD = "SELECT position FROM ledger.shards WHERE shard = 1"
_RECORDS = """
SELECT position, programme, stream, version, topic, command_id, actor, channel, correlation_id, trace, business_key,
       occurred_at, recorded_at, business_date, event, hash
FROM ledger.events WHERE position > %(after)s AND position <= %(upto)s
  AND (%(programme)s = '' OR programme = %(programme)s)
  AND (cardinality(%(topics)s::text[]) = 0 OR topic = ANY(%(topics)s))
"""
_IN_LOG = _RECORDS + "ORDER BY position LIMIT %(limit)s"
_IN_STREAM = _RECORDS + """AND stream = %(stream)s COLLATE "C" ORDER BY version LIMIT %(limit)s"""


class PostgresLog:
    """The log of one shard. Use it as an async context manager."""

    def __init__(self, dsn: str) -> None:
        self._pool = Pool(dsn, "loyalty log", CONNECTIONS_MAX)

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.__aexit__()

    async def outcome(self, command_id: bytes) -> Outcome | None:
        """What became of a command id; None: nothing was ever stored under it."""
        rows = await self._pool.fetch(_OUTCOME, (command_id.hex(),))
        if not rows:
            return None
        request_hash, stored = rows[0]
        answer, programme = decode_answer(stored), programme_of(stored)
        if isinstance(answer, Receipt):
            events = await self._pool.fetch(_PROGRAMME, (answer.position, command_id.hex()))
            programme = events[0][0] if events else ""
        return Outcome(command_id, request_hash, answer, repeated=True, programme=programme)

    async def records(
        self, after: int, *, programme: str = "", stream: str = "", topics: Sequence[str] = (), follow: bool = True
    ) -> AsyncIterator[Sequence[Record]]:
        """Records after a position in batches, in order; with `follow` it then waits for new ones for ever."""
        query = _IN_STREAM if stream else _IN_LOG
        filters = {"programme": programme, "stream": stream, "topics": list(topics), "limit": RECORDS_MAX}
        pause = POLL_SECONDS_MIN
        while True:
            head = (await self._pool.fetch(_HEAD))[0][0]
            while after < head:
                upto = head if stream else min(head, after + POSITIONS_MAX)
                rows = await self._pool.fetch(query, {**filters, "after": after, "upto": upto}, raw_cursor)
                after = rows[-1][0] if len(rows) == RECORDS_MAX else upto
                pause = POLL_SECONDS_MIN
                if rows:
                    yield [_record(row) for row in rows]
            if not follow:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS_MAX)


def _record(row: Sequence[Any]) -> Record:
    """A row in the order of a Record's fields, with our own count of time; a key that is NULL is none."""
    values = list(row)
    values[10] = row[10] or b""
    values[11:14] = row[11] + Y2K_OFFSET, row[12] + Y2K_OFFSET, raw_date(row[13])
    return Record(*values)
