"""The append-only store of one shard in PostgreSQL, as its writer sees it.

The shard's row fences: every append locks it and checks epoch, position and batch in its own transaction. A session
lock besides tells a standby at once when a leader's process has died.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

from adapters.postgres.appending import ADVANCE, COPY_EVENTS, COPY_OUTCOMES, LEAD, advance_parameters, copy_data
from adapters.postgres.connect import UuidArray, connect_async
from ledger.errors import Fenced, Unavailable
from ledger.ports import Batch, Head, Snapshot, StoredEvent, StoredStream
from ledger.receipts import Outcome, decode_answer

log = structlog.get_logger(__name__)

LEASE_SECONDS = 5
"""A leader that has not renewed for so long is stopped or hung; its session is ended and another takes over."""
_POLL_SECONDS = 0.2
_LOCK_CLASS = 0x10FA

# The session that leads a shard whose lease has run out; one that has only just begun to lead is left alone.
_HUNG = """
SELECT pg_terminate_backend(locks.pid)
FROM pg_locks AS locks JOIN pg_stat_activity AS session USING (pid), ledger.shards AS shards
WHERE locks.locktype = 'advisory' AND locks.classid = %(class)s AND locks.objid = %(shard)s AND locks.granted
  AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND shards.shard = %(shard)s
  AND greatest(shards.renewed_at, session.state_change) < clock_timestamp() - %(lease)s * interval '1 second'
"""

_STREAMS = """
SELECT wanted.stream, found.version, found.topic, found.occurred_at, found.event
FROM unnest(%s::text[], %s::integer[]) AS wanted (stream, version)
CROSS JOIN LATERAL (
    SELECT events.version, events.topic, events.occurred_at, events.event FROM ledger.events AS events
    WHERE events.stream = wanted.stream COLLATE "C" AND events.version > wanted.version
    ORDER BY events.version) AS found
"""

_EVENTS_USUAL = 8
"""Few commands lead to more events."""

_ACCEPTED = """
SELECT wanted.command_id, found.stream, found.topic, found.occurred_at, found.event
FROM (SELECT command_id, (convert_from(answer, 'UTF8')::jsonb ->> 0)::bigint AS position FROM ledger.outcomes
      WHERE command_id = ANY(%s) AND get_byte(answer, 0) = ascii('[')) AS wanted
CROSS JOIN LATERAL (
    SELECT events.* FROM ledger.events AS events
    WHERE events.position BETWEEN wanted.position - %s + 1 AND wanted.position
      AND events.command_id = wanted.command_id
    ORDER BY events.position) AS found
"""


class PostgresStore:
    """One writer's way to the database; three connections, so that look-ups run beside an append."""

    def __init__(self, dsn: str, shard: int = 1) -> None:
        self._dsn = dsn
        self._shard = shard
        self._append: AsyncConnection | None = None
        self._lookup: AsyncConnection | None = None
        self._streams: AsyncConnection | None = None
        self._working: dict[asyncio.Task[Any], int] = {}

    # -- leading

    async def acquire(self) -> Head:
        """Wait until no other session leads, then lead under a new epoch. Retries while the database is away."""
        await self.close()
        waits = False
        while True:
            try:
                head = await self._try_lead()
                if head is None and not waits:
                    waits = True
                    log.info("store.stand_by", shard=self._shard, until="the service that leads this database ends")
            except psycopg.OperationalError as error:
                log.warning("store.unreachable", error=str(error).strip().split("\n")[0])
                await self.close()
                head = None
            if head is not None:
                log.info("store.lead", shard=self._shard, epoch=head.epoch, position=head.position)
                return head
            await asyncio.sleep(_POLL_SECONDS)

    async def _try_lead(self) -> Head | None:
        if self._append is None:
            self._append = await connect_async(self._dsn, "loyalty writer")
            # A writer that is stopped inside a transaction must not hold the shard's row for ever.
            await self._append.execute(f"SET idle_in_transaction_session_timeout = '{LEASE_SECONDS}s'")
        locked = await self._one(self._append, "SELECT pg_try_advisory_lock(%s, %s)", (_LOCK_CLASS, self._shard))
        if not locked[0]:
            await self._append.execute(_HUNG, {"class": _LOCK_CLASS, "shard": self._shard, "lease": LEASE_SECONDS})
            return None
        epoch, position, hash_, batch, batch_hash, recorded_at = await self._one(self._append, LEAD, (self._shard,))
        self._lookup = await connect_async(self._dsn, "loyalty writer look-ups")
        self._streams = await connect_async(self._dsn, "loyalty writer streams")
        return Head(epoch, position, hash_, batch, batch_hash, recorded_at)

    @staticmethod
    async def _one(connection: AsyncConnection, query: str, parameters: Sequence[object]) -> tuple[Any, ...]:
        row = await (await connection.cursor(binary=True).execute(query, parameters)).fetchone()
        assert row is not None
        return row

    async def renew(self, epoch: int) -> None:
        """Say that this writer is alive."""
        async with self._faults(self._append) as connection:
            cursor = await connection.execute(
                "UPDATE ledger.shards SET renewed_at = clock_timestamp() WHERE shard = %s AND epoch = %s",
                (self._shard, epoch),
            )
            if cursor.rowcount != 1:
                raise Fenced("another writer leads")

    async def close(self) -> None:
        """Close all connections; the lead ends with them. What still works on one of them is cancelled first."""
        current = asyncio.current_task()
        working = [task for task in self._working if task is not current]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        for connection in (self._append, self._lookup, self._streams):
            if connection is not None:
                with contextlib.suppress(psycopg.Error):
                    await connection.close()
        self._append = self._lookup = self._streams = None

    # -- appending

    async def append(self, batch: Batch, previous: Head) -> None:
        """Commit a batch: the shard's row and the batch's record first, then events and outcomes by COPY."""
        async with self._faults(self._append) as connection, connection.transaction():
            cursor = await connection.execute(ADVANCE, advance_parameters(self._shard, batch, previous))
            if cursor.rowcount != 1:
                raise Fenced("another writer appended or leads")
            if batch.events:
                await self._copy(connection, COPY_EVENTS, batch.rows)
            await self._copy(connection, COPY_OUTCOMES, batch.outcomes)
            log.debug("batch.copied", batch=batch.number, events=batch.events, commands=batch.commands)
        log.debug("batch.committed", batch=batch.number)

    @staticmethod
    async def _copy(connection: AsyncConnection, statement: str, rows: bytes) -> None:
        async with connection.cursor().copy(statement) as copy:
            await copy.write(copy_data(rows))

    @contextlib.asynccontextmanager
    async def _faults(self, connection: AsyncConnection | None) -> AsyncIterator[AsyncConnection]:
        """The database's errors as the ledger's: a broken rule means another writer, all else an unknown outcome."""
        if connection is None:
            raise Unavailable("not connected")
        task = asyncio.current_task()
        assert task is not None
        self._working[task] = self._working.get(task, 0) + 1
        try:
            yield connection
        except psycopg.IntegrityError as error:
            raise Fenced(str(error)) from error
        except psycopg.Error as error:
            log.warning("store.failed", error=str(error).strip().split("\n")[0])
            raise Unavailable(str(error)) from error
        finally:
            self._working[task] -= 1
            if not self._working[task]:
                del self._working[task]

    # -- looking up

    async def outcomes(self, ids: Sequence[bytes]) -> dict[bytes, Outcome]:
        """The stored outcomes among these command ids."""
        if not ids:
            return {}
        async with self._faults(self._lookup) as connection:
            cursor = await connection.cursor(binary=True).execute(
                "SELECT command_id, request_hash, answer FROM ledger.outcomes WHERE command_id = ANY(%s)",
                (UuidArray.of(ids),),
            )
            return {row[0]: Outcome(row[0], row[1], decode_answer(row[2])) for row in await cursor.fetchall()}

    async def business_keys(self, keys: Sequence[bytes]) -> set[bytes]:
        """Which of these business keys are taken."""
        if not keys:
            return set()
        async with self._faults(self._streams) as connection:
            cursor = await connection.cursor(binary=True).execute(
                "SELECT business_key FROM ledger.events WHERE business_key = ANY(%s)", (UuidArray.of(keys),)
            )
            return {row[0] for row in await cursor.fetchall()}

    async def accepted(self, ids: Sequence[bytes]) -> dict[bytes, list[StoredEvent]]:
        """What the accepted ones among these commands led to: their events lie together, up to the one answered."""
        found: dict[bytes, list[StoredEvent]] = {}
        wanted, most = list(ids), _EVENTS_USUAL
        while wanted:
            for id_ in wanted:
                found.pop(id_, None)
            async with self._faults(self._streams) as connection:
                cursor = await connection.cursor(binary=True).execute(_ACCEPTED, (UuidArray.of(wanted), most))
                for id_, *event in await cursor.fetchall():
                    found.setdefault(id_, []).append(tuple(event))
            # As many as were asked for: there may be more, so ask again, further back.
            wanted = [id_ for id_ in wanted if len(found.get(id_, ())) == most]
            most *= 64
        return found

    async def streams(self, fingerprints: Mapping[str, str]) -> dict[str, StoredStream]:
        """What is stored of these streams, from fitting snapshots on."""
        async with self._faults(self._streams) as connection:
            cursor = await connection.cursor(binary=True).execute(
                "SELECT snapshots.stream, version, state FROM ledger.snapshots"
                " JOIN unnest(%s::text[], %s::text[]) AS wanted (stream, fingerprint) USING (stream, fingerprint)",
                (list(fingerprints), list(fingerprints.values())),
            )
            found = {row[0]: StoredStream(row[2], row[1], []) for row in await cursor.fetchall()}
            versions = [found[stream].version if stream in found else 0 for stream in fingerprints]
            cursor = await connection.cursor(binary=True).execute(_STREAMS, (list(fingerprints), versions))
            for stream, version, topic, occurred_at, event in await cursor.fetchall():
                if stream not in found:
                    found[stream] = StoredStream(None, 0, [])
                found[stream].events.append((version, topic, occurred_at, event))
        return found

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep snapshots; losing one costs time at the next load, so a fault is only logged."""
        try:
            async with self._faults(self._lookup) as connection, connection.cursor() as cursor:
                await cursor.executemany(
                    "INSERT INTO ledger.snapshots VALUES (%s, %s, %s, %s) ON CONFLICT (stream) DO UPDATE"
                    " SET version = excluded.version, fingerprint = excluded.fingerprint, state = excluded.state",
                    [(each.stream, each.version, each.fingerprint, each.state) for each in snapshots],
                )
        except Unavailable as fault:
            log.warning("snapshots.lost", count=len(snapshots), error=str(fault))
