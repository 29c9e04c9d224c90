"""The log in PostgreSQL, for those who read it: outcomes by command id, records in order, bounded batches."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.connect import register
from ledger.receipts import Outcome, decode_answer
from ledger.records import COLUMNS, Record

BATCH_RECORDS = 1_000
POLL_SECONDS_MIN = 0.01
POLL_SECONDS_MAX = 0.1
CONNECTIONS_MAX = 4
"""A reader holds a connection only while it reads a batch, so a few serve many that wait."""

_READ = f"""
SELECT {", ".join(COLUMNS[1:])}, hash FROM ledger.events
WHERE position > %(after)s AND (%(programme)s = '' OR programme = %(programme)s)
  AND (%(stream)s = '' OR stream = %(stream)s) AND (cardinality(%(topics)s::text[]) = 0 OR topic = ANY(%(topics)s))
ORDER BY position LIMIT {BATCH_RECORDS}
"""


async def configure(connection: AsyncConnection) -> None:
    """Prepare a pool's connection: UUIDs are 16 bytes, instants are integers."""
    register(connection)


def open_pool(dsn: str, application: str, connections_max: int) -> "AsyncConnectionPool[AsyncConnection]":
    """A pool of connections in autocommit, to be opened; it connects again by itself after the database was away."""
    return AsyncConnectionPool(
        dsn,
        min_size=1,
        max_size=connections_max,
        open=False,
        configure=configure,
        check=AsyncConnectionPool.check_connection,
        kwargs={"autocommit": True, "application_name": application},
    )


class PostgresLog:
    """The log. Use it as an async context manager."""

    def __init__(self, dsn: str) -> None:
        self._pool = open_pool(dsn, "loyalty log", CONNECTIONS_MAX)

    async def __aenter__(self) -> "PostgresLog":
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def outcome(self, command_id: bytes) -> Outcome | None:
        """What became of a command id; None: nothing was ever stored under it."""
        rows = await self._rows(
            "SELECT request_hash, answer FROM ledger.outcomes WHERE command_id = %s::uuid", (command_id.hex(),)
        )
        return Outcome(command_id, rows[0][0], decode_answer(rows[0][1]), repeated=True) if rows else None

    async def records(
        self, after: int, *, programme: str = "", stream: str = "", topics: Sequence[str] = (), follow: bool = True
    ) -> AsyncIterator[Sequence[Record]]:
        """Records after a position in batches, in order; with `follow` it then waits for new ones for ever."""
        filters = {"programme": programme, "stream": stream, "topics": list(topics)}
        pause = POLL_SECONDS_MIN
        while True:
            end = (await self._rows("SELECT position FROM ledger.shards WHERE shard = 1", ()))[0][0]
            rows = await self._rows(_READ, {**filters, "after": after}) if end > after else []
            if rows:
                yield [Record(*_record(row)) for row in rows]
            if len(rows) == BATCH_RECORDS:
                after = rows[-1][0]
                continue
            # Everything up to `end` was seen, also what the filters left out.
            after = max(end, rows[-1][0] if rows else after)
            if not follow:
                return
            pause = POLL_SECONDS_MIN if rows else min(2 * pause, POLL_SECONDS_MAX)
            await asyncio.sleep(pause)

    async def _rows(self, query: str, parameters: Any) -> list[Any]:
        async with self._pool.connection() as connection:
            return await (await connection.cursor(binary=True).execute(query, parameters)).fetchall()


def _record(row: Any) -> list[Any]:
    """A row in the order of a Record's fields; a key that is NULL is none."""
    values = list(row)
    values[COLUMNS.index("business_key") - 1] = row[COLUMNS.index("business_key") - 1] or b""
    return values
