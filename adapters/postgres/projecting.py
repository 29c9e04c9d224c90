"""Runs projections over a PostgreSQL log: of each, one process leads all builds, and others stand by.

Made for a process of its own, so that folding never slows the writer. What is to be done stands in the database: now
and then the leader reads which builds there are, takes along those that follow the log, loads, compares and swaps. All
connections are made again together when the database was away; a checkpoint moves only from where it is, so that
nothing is folded twice or left out.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog
from psycopg import AsyncConnection

from adapters.postgres import loading, parking, taking_over
from adapters.postgres.builds import Row, install, read_builds
from adapters.postgres.checkpoints import BuildCheckpoint
from adapters.postgres.connect import connect_async
from adapters.postgres.feed import PostgresFeed, disconnections
from adapters.postgres.projection_tables import PostgresTables
from projections.convoy import Convoy
from projections.engine import Disconnected, Engine, Stopped, Superseded
from projections.operations import State
from projections.projection import Projection
from projections.registry import PROJECTIONS

log = structlog.get_logger(__name__)

STANDBY_SECONDS = 0.2
"""Between two tries to lead, or to reach the database, and between two looks at what is to be done."""
_LOCK_CLASS = 0x10FB
_TRY_LOCKS = "SELECT name FROM unnest(%s::text[], %s::int[]) AS asked (name, key) WHERE pg_try_advisory_lock(%s, key)"
_FOLLOWED = {State.RUNNING, State.BUILDING, State.READY}

Key = tuple[str, int]


class ProjectionRunner:
    """Keeps projections up to the log, and builds them anew, until it is stopped."""

    def __init__(self, dsn: str, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self._dsn = dsn
        self._projections = projections
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Lead whatever nobody else leads, until `stop`."""
        while not self._stopping.is_set():
            try:
                with disconnections():
                    async with _Leader(self._dsn, self._projections) as leader:
                        await leader.run(self._stopping)
            except Disconnected as fault:
                log.warning("projections.unreachable", error=str(fault).split("\n")[0])
                await _pause(self._stopping)

    def stop(self) -> None:
        """End `run`; a batch that is under way is rolled back."""
        self._stopping.set()


class _Leader:
    """What a process leads as long as its connections last."""

    def __init__(self, dsn: str, projections: Sequence[Projection]) -> None:
        self._dsn = dsn
        self._projections = {projection.name: projection for projection in projections}
        self._led: set[str] = set()
        self._engines: dict[Key, Engine] = {}
        self._connections: dict[Key, AsyncConnection] = {}
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._stack = contextlib.AsyncExitStack()
        self._stood_by = False

    async def __aenter__(self) -> "_Leader":
        self._connection = await self._connect("loyalty projections")
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._jobs.values():
            task.cancel()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        for connection in self._connections.values():
            await connection.close()
        await self._stack.aclose()

    async def _connect(self, application: str) -> AsyncConnection:
        return await self._stack.enter_async_context(await connect_async(self._dsn, application))

    async def run(self, stopping: asyncio.Event) -> None:
        """Lead until told to stop. Raises Disconnected."""
        while not await self._take_leads():
            await _pause(stopping)
            if stopping.is_set():
                return
        events = [kind for projection in self._projections.values() for kind in projection.events]
        feed = await PostgresFeed.open(await self._connect("loyalty projections feed"), events)
        self._stack.push_async_callback(feed.close)
        convoy = Convoy(feed, _say)
        running = asyncio.create_task(convoy.run())
        try:
            while not stopping.is_set() and not running.done():
                await self._look(convoy)
                await _pause(stopping)
                await self._take_leads()
        finally:
            if not running.done():
                running.cancel()
            (ended,) = await asyncio.gather(running, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended

    async def _take_leads(self) -> bool:
        """Lead those projections that nobody leads; whether this process leads any."""
        others = sorted(self._projections.keys() - self._led)
        if others:
            keys = [zlib.crc32(name.encode()) & 0x7FFF_FFFF for name in others]
            cursor = await self._connection.execute(_TRY_LOCKS, (others, keys, _LOCK_CLASS))
            taken = sorted(name for (name,) in await cursor.fetchall())
            for name in taken:
                await install(self._connection, self._projections[name])
            self._led.update(taken)
            if taken:
                log.info("projections.lead", projections=taken)
            elif not self._led and not self._stood_by:
                self._stood_by = True
                log.info("projections.stand_by", until="the service that runs them on this database ends")
        return bool(self._led)

    async def _look(self, convoy: Convoy) -> None:
        """See which builds there are, and do for them what is to be done."""
        rows = await read_builds(self._connection, sorted(self._led))
        rows = [row for row in rows if row.version == self._projections[row.name].version]
        for kind, task in list(self._jobs.items()):
            if task.done():
                del self._jobs[kind]
                task.result()
        followed = {row.key: row for row in rows if row.state in _FOLLOWED and not row.loading}
        for gone in self._engines.keys() - followed.keys():
            await self._leave(convoy, gone)
        for row in rows:
            if row.key in followed and row.key not in self._engines:
                await self._follow(convoy, row)
        for row in rows:
            if row.loading and row.state is State.BUILDING:
                self._do("load", loading.load(self._dsn, row.of(self._projections[row.name]), row))
            elif row.replay_parked and row.key in self._engines:
                await self._leave(convoy, row.key)
                await parking.replay(self._dsn, row.of(self._projections[row.name]))
            elif row.state is State.BUILDING:
                self._do("take over", taking_over.try_to_take_over(self._dsn, row.of(self._projections[row.name]), row))

    def _do(self, kind: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin a longer work, unless one of its kind is under way."""
        if kind in self._jobs:
            work.close()
        else:
            self._jobs[kind] = asyncio.create_task(work)

    async def _follow(self, convoy: Convoy, row: Row) -> None:
        build = row.of(self._projections[row.name])
        connection = self._connections[row.key] = await connect_async(self._dsn, f"loyalty projection {row.name}")
        engine = Engine(build.projection, await PostgresTables.open(connection, build, BuildCheckpoint(build)))
        self._engines[row.key] = engine
        with contextlib.suppress(Superseded):  # It is no more: the next look sees that.
            await convoy.add(engine)

    async def _leave(self, convoy: Convoy, key: Key) -> None:
        await convoy.remove(self._engines.pop(key))
        await self._connections[key].close()
        del self._connections[key]


async def _pause(stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STANDBY_SECONDS):
            await stopping.wait()


def _say(engine: Engine, failure: Stopped) -> None:
    log.error("projection.stopped", name=engine.projection.name, position=failure.position, reason=failure.reason)
