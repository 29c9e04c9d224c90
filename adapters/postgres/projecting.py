"""Runs projections over a PostgreSQL log: one process leads a set of projections, others stand by.

Made for a process of its own, so that folding never slows the writer. All connections are made again together when
the database was away; a checkpoint moves only from where it is, so that nothing is folded twice or left out.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Sequence
from pathlib import Path

import structlog
from psycopg import AsyncConnection

from adapters.postgres.connect import connect_async
from adapters.postgres.feed import PostgresFeed, disconnections
from adapters.postgres.projection_tables import PostgresTables
from projections.convoy import Convoy
from projections.engine import Disconnected, Engine, Stopped
from projections.projection import Projection
from projections.registry import PROJECTIONS

log = structlog.get_logger(__name__)

STANDBY_SECONDS = 0.2
"""Between two tries to lead, or to reach the database."""
_LOCK_CLASS = 0x10FB

_COMMON = (Path(__file__).parent / "projections.sql").read_text()
_REGISTER = """
INSERT INTO projections.projections (name, version, position, live, moved_at)
SELECT %(name)s, %(version)s, 0, NOT EXISTS (SELECT FROM projections.projections WHERE name = %(name)s),
       clock_timestamp()
ON CONFLICT (name, version) DO NOTHING RETURNING live
"""


async def install(connection: AsyncConnection, projection: Projection) -> None:
    """Make a projection's tables unless they exist; readers see the first version at once."""
    async with connection.transaction():
        cursor = await connection.execute(_REGISTER, {"name": projection.name, "version": projection.version})
        row = await cursor.fetchone()
        if row is not None:
            await connection.execute(projection.render(projection.script.tables).encode())
            if row[0]:
                await connection.execute(projection.render(projection.script.readers).encode())
            log.info("projection.installed", name=projection.name, version=projection.version, live=row[0])


class ProjectionRunner:
    """Keeps projections up to the log until it is stopped."""

    def __init__(self, dsn: str, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self._dsn = dsn
        self._projections = projections
        self._stopping = asyncio.Event()
        names = sorted(f"{projection.name}_v{projection.version}" for projection in projections)
        self._lock = zlib.crc32(",".join(names).encode()) & 0x7FFF_FFFF

    async def run(self) -> None:
        """Lead whenever possible, until `stop`."""
        while not self._stopping.is_set():
            try:
                with disconnections():
                    await self._lead()
            except Disconnected as fault:
                log.warning("projections.unreachable", error=str(fault).split("\n")[0])
                await self._pause()

    def stop(self) -> None:
        """End `run`; a batch that is under way is rolled back."""
        self._stopping.set()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STANDBY_SECONDS):
                await self._stopping.wait()

    async def _lead(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            connection = await stack.enter_async_context(await connect_async(self._dsn, "loyalty projections"))
            if not await self._locked(connection):
                log.info("projections.stand_by", until="the service that runs them on this database ends")
                while not await self._locked(connection):
                    await self._pause()
                    if self._stopping.is_set():
                        return
            await connection.execute(_COMMON.encode())
            for projection in self._projections:
                await install(connection, projection)
            events = [kind for projection in self._projections for kind in projection.events]
            feed = await PostgresFeed.open(connection, events)
            stack.push_async_callback(feed.close)
            engines = []
            for projection in self._projections:
                own = await connect_async(self._dsn, f"loyalty projection {projection.name}")
                await stack.enter_async_context(own)
                engines.append(Engine(projection, await PostgresTables.open(own, projection)))
            log.info("projections.lead", projections=[projection.name for projection in self._projections])
            await self._run_until_stopped(Convoy(engines, feed, _say))

    async def _locked(self, connection: AsyncConnection) -> bool:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK_CLASS, self._lock))
        row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def _run_until_stopped(self, convoy: Convoy) -> None:
        running, stopping = asyncio.create_task(convoy.run()), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            running.cancel()
            stopping.cancel()
            await asyncio.gather(running, stopping, return_exceptions=True)


def _say(engine: Engine, failure: Stopped) -> None:
    log.error("projection.stopped", name=engine.projection.name, position=failure.position, reason=failure.reason)
