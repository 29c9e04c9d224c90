"""The operations of `projections.operations` in PostgreSQL: what is asked for is written down, in one transaction."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from adapters.postgres.builds import Row, begin, go_back, read_builds, remove
from adapters.postgres.connect import connect_async
from adapters.postgres.feed import disconnections
from ledger.errors import Unavailable
from projections.engine import Disconnected
from projections.operations import BuildStatus, Difference, ParkedKey, State, WrongState
from projections.projection import SCHEMA, Projection
from projections.queries import NotFound
from projections.registry import PROJECTIONS

T = TypeVar("T")

_NEXT = {State.BUILDING, State.PAUSED, State.READY}

_STATUSES = """
SELECT name, build, version, schema, live, state, position, lag_events, lag_seconds,
       extract(epoch FROM clock_timestamp() - moved_at)::double precision AS idle_seconds, parked_keys::int, loading,
       differences, failed_position, reason
FROM projections.status ORDER BY name, build
"""
_PARKED = """
SELECT name, build, key, min(position) AS position, count(*)::int AS events,
       (array_agg(reason ORDER BY position))[1] AS reason
FROM projections.parked GROUP BY name, build, key ORDER BY name, build, min(position)
"""
_DIFFERENCES = """
SELECT table_name AS "table", live, rebuilt FROM projections.differences WHERE name = %s AND build = %s
"""
_STATE = "UPDATE projections.builds SET state = %s, compare = compare AND NOT %s WHERE name = %s AND build = %s"
_REPLAY_PARKED = "UPDATE projections.builds SET replay_parked = true WHERE name = %s AND build = %s"


class PostgresOperations:
    """Operations on the projections of one database; every call has a connection of its own."""

    def __init__(self, dsn: str, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self._dsn = dsn
        self._projections = {projection.name: projection for projection in projections}

    async def statuses(self) -> list[BuildStatus]:
        """All builds, by name and number."""
        return await self._fetch(BuildStatus, _STATUSES)

    async def parked(self) -> list[ParkedKey]:
        """All keys that are parked."""
        return await self._fetch(ParkedKey, _PARKED)

    async def differences(self, name: str, build: int) -> list[Difference]:
        """The first rows in which a build differed from the live one."""
        return await self._fetch(Difference, _DIFFERENCES, (name, build))

    async def rebuild(self, name: str, rate_max: int | None = None) -> int:
        """Begin to build a view anew beside the live one, to take over if it does not differ."""
        async with self._changing(name) as (connection, rows):
            under_way = _next(rows)
            if under_way is not None:
                raise WrongState(f"build {under_way.build} of {name} is {under_way.state.lower()} already")
            projection = self._projections[name]
            row = Row(
                name, 0, projection.version, SCHEMA, State.BUILDING, loading=True, rate_max=rate_max, compare=True
            )
            return (await begin(connection, projection, rows, row)).build

    async def replay(self, name: str, upto: int, schema: str) -> int:
        """Begin to build a view as of a position in a schema that exists; returns the number of the build."""
        async with self._changing(name) as (connection, rows):
            there = next((row for row in rows if row.schema == schema), None)
            if there is not None:
                raise WrongState(f"{schema} has {name} already: drop build {there.build} first")
            projection = self._projections[name]
            row = Row(name, 0, projection.version, schema, State.BUILDING, loading=True, upto=upto)
            return (await begin(connection, projection, rows, row)).build

    async def pause(self, name: str) -> None:
        """Let the build of a view wait."""
        await self._turn(name, State.BUILDING, State.PAUSED)

    async def resume(self, name: str) -> None:
        """Let it go on."""
        await self._turn(name, State.PAUSED, State.BUILDING)

    async def swap(self, name: str) -> None:
        """Let a build take over although it differs from the live one."""
        await self._turn(name, State.READY, State.BUILDING, compared=True)

    async def _turn(self, name: str, before: State, after: State, *, compared: bool = False) -> None:
        async with self._changing(name) as (connection, rows):
            row = _next(rows)
            if row is None or row.state is not before:
                raise WrongState(f"{name} has no build that is {before.lower()}")
            await connection.execute(_STATE, (after, compared, *row.key))

    async def cancel(self, name: str) -> None:
        """Give the build up and drop its tables."""
        async with self._changing(name) as (connection, rows):
            row = _next(rows)
            if row is None:
                raise WrongState(f"{name} is not being built")
            await remove(connection, row)

    async def rollback(self, name: str) -> int:
        """Go back to the build that was live before, once it has caught up."""
        async with self._changing(name) as (connection, rows):
            under_way = _next(rows)
            if under_way is not None:
                raise WrongState(f"{name} is being built, as build {under_way.build}: cancel that first")
            retired = [row for row in rows if row.state is State.RETIRED]
            if not retired:
                raise WrongState(f"{name} has no build to go back to")
            if retired[-1].version != self._projections[name].version:
                raise WrongState(
                    f"build {retired[-1].build} of {name} is of version {retired[-1].version}, which this release does"
                    " not fold: install the release that does, and it goes back by itself"
                )
            await go_back(connection, retired[-1])
            return retired[-1].build

    async def drop(self, name: str, build: int) -> None:
        """Drop a build that nobody reads any more."""
        async with self._changing(name) as (connection, rows):
            row = next((row for row in rows if row.build == build), None)
            if row is None:
                raise NotFound("build", f"{name} {build}")
            if row.state is State.RUNNING:
                raise WrongState(f"build {build} of {name} is live")
            await remove(connection, row)

    async def replay_parked(self, name: str) -> None:
        """Fold the events of parked keys, after what was wrong is repaired."""
        async with self._changing(name) as (connection, rows):
            parked = {(key.name, key.build) for key in await _rows(connection, ParkedKey, _PARKED)}
            if not any(row.key in parked for row in rows):
                raise WrongState(f"{name} has no parked keys")
            for row in rows:
                if row.key in parked:
                    await connection.execute(_REPLAY_PARKED, row.key)

    async def replaying_parked(self, name: str) -> bool:
        """Whether parked events of a projection are still to be folded."""
        async with self._connected() as connection:
            return any(row.replay_parked for row in await read_builds(connection, [name]))

    @asynccontextmanager
    async def _changing(self, name: str) -> AsyncIterator[tuple[AsyncConnection, list[Row]]]:
        """A transaction that locked all builds of a projection. Raises NotFound and Unavailable."""
        if name not in self._projections:
            raise NotFound("projection", name)
        async with self._connected() as connection, connection.transaction():
            yield connection, await read_builds(connection, [name], lock=True)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        try:
            with disconnections():
                async with await connect_async(self._dsn, "loyalty operations") as connection:
                    yield connection
        except Disconnected as error:
            raise Unavailable(f"the database is away: {error}") from error

    async def _fetch(self, kind: type[T], query: str, values: Sequence[object] = ()) -> list[T]:
        async with self._connected() as connection:
            return await _rows(connection, kind, query, values)


async def _rows(connection: AsyncConnection, kind: type[T], query: str, values: Sequence[object] = ()) -> list[T]:
    cursor = connection.cursor(row_factory=dict_row)
    found = await (await cursor.execute(query.encode(), values)).fetchall()
    return [msgspec.convert(row, kind) for row in found]


def _next(rows: Sequence[Row]) -> Row | None:
    """The build that is to take over."""
    return next((row for row in rows if row.schema == SCHEMA and row.state in _NEXT), None)
