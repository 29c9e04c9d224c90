"""Builds of projections in PostgreSQL: how they begin, which one readers see, and how they end.

Every change is one transaction that first locks the builds of the projection, so that all who change them take turns.
"""

import re
from collections.abc import Sequence

import msgspec
from psycopg import AsyncConnection
from psycopg.errors import InvalidTableDefinition
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from projections.operations import State
from projections.projection import SCHEMA, Build, Projection

PARTS = 2
"""Processes that load a build, each its part of the streams: as many as the machine that was measured has cores."""

_COLUMNS = "name, build, version, schema, state, position, loading, upto, rate_max, compare, replay_parked, readers"
_SELECT = f"SELECT {_COLUMNS}, failed_position IS NOT NULL AS failed FROM projections.builds"
_INSERT = f"""
INSERT INTO projections.builds ({_COLUMNS})
VALUES (%(name)s, %(build)s, %(version)s, %(schema)s, %(state)s, %(position)s, %(loading)s, %(upto)s, %(rate_max)s,
        %(compare)s, %(replay_parked)s, %(readers)s)
"""
_PARTS = "INSERT INTO projections.parts (name, build, part, position) SELECT %s, %s, generate_series(0, %s), 0"
_STATE = "UPDATE projections.builds SET state = %s WHERE name = %s AND build = %s"
_GO_BACK = """
UPDATE projections.builds SET state = 'BUILDING', compare = false, differences = NULL WHERE name = %s AND build = %s
"""
_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r' AND starts_with(relname, %s)
"""
_VIEW = re.compile(r"CREATE OR REPLACE (VIEW (\w+)\.(\w+))")


class Row(msgspec.Struct, frozen=True):
    """A row of `projections.builds`."""

    name: str
    build: int
    version: int
    schema: str
    state: State
    position: int = 0
    loading: bool = False
    upto: int | None = None
    rate_max: int | None = None
    compare: bool = False
    replay_parked: bool = False
    readers: str = ""
    failed: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from all others."""
        return self.name, self.build

    def of(self, projection: Projection) -> Build:
        """The tables of this build."""
        return Build(projection, self.build, self.schema)


async def read_builds(connection: AsyncConnection, names: Sequence[str], *, lock: bool = False) -> list[Row]:
    """All builds of these projections, oldest first; locked until the transaction ends, if asked for."""
    query = f"{_SELECT} WHERE name = ANY(%s) ORDER BY name, build {'FOR UPDATE' if lock else ''}"
    cursor = connection.cursor(row_factory=dict_row)
    return msgspec.convert(await (await cursor.execute(query.encode(), (list(names),))).fetchall(), list[Row])


async def begin(connection: AsyncConnection, projection: Projection, rows: Sequence[Row], row: Row) -> Row:
    """Make the tables of a new build, in a transaction that locked the others; its number follows on theirs."""
    row = msgspec.structs.replace(row, build=max((other.build for other in rows), default=0) + 1)
    build = row.of(projection)
    row = msgspec.structs.replace(row, readers=build.render(projection.script.readers))
    await connection.execute(_INSERT, {**msgspec.structs.asdict(row), "state": row.state.value})
    await connection.execute(build.render(projection.script.tables).encode())
    if row.loading:
        await connection.execute(_PARTS, (*row.key, (PARTS if projection.by_stream else 1) - 1))
    if row.state is State.RUNNING:
        await show_to_readers(connection, row, None)
    return row


async def install(connection: AsyncConnection, projection: Projection) -> None:
    """Have a build of the version that this software folds: live if there is no other, else on its way to be.

    The live build of another version serves readers, where it is, until then. One of this version that was live before,
    as after a release that was taken back, goes on from where it was.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"install {projection.name}",))
        rows = await read_builds(connection, [projection.name], lock=True)
        own = [row for row in rows if row.schema == SCHEMA]
        for row in own:
            if row.state in {State.BUILDING, State.PAUSED, State.READY} and row.version != projection.version:
                await remove(connection, row)  # Nobody knows its fold any more.
        live = next((row for row in own if row.state is State.RUNNING), None)
        known = [row for row in own if row.version == projection.version]
        fresh = Row(projection.name, 0, projection.version, SCHEMA, State.BUILDING, loading=True)
        if live is None:
            await begin(
                connection, projection, rows, msgspec.structs.replace(fresh, state=State.RUNNING, loading=False)
            )
        elif live.version != projection.version and known:
            if known[-1].state is State.RETIRED:
                await go_back(connection, known[-1])
        elif live.version != projection.version:
            await begin(connection, projection, rows, fresh)


async def go_back(connection: AsyncConnection, row: Row) -> None:
    """Let a build that was live take over again, once it has caught up and whatever differs."""
    await connection.execute(_GO_BACK, row.key)


async def take_over(connection: AsyncConnection, name: str, number: int) -> bool:
    """Let a build take the live one's place, in one transaction; False if it is not as far as that one is."""
    async with connection.transaction():
        rows = await read_builds(connection, [name], lock=True)
        ready = next((row for row in rows if row.build == number and row.state is State.BUILDING), None)
        live = next((row for row in rows if row.state is State.RUNNING), None)
        if ready is None or (live is not None and ready.position < live.position):
            return False
        if live is not None:
            await connection.execute(_STATE, (State.RETIRED, *live.key))
        await connection.execute(_STATE, (State.RUNNING, *ready.key))
        await show_to_readers(connection, ready, live)
    return True


async def show_to_readers(connection: AsyncConnection, row: Row, before: Row | None) -> None:
    """Let the SQL views show this build instead of another.

    Views are replaced, so what others built on them stays; one with other columns is made anew, which fails where
    something depends on it.
    """
    try:
        async with connection.transaction():
            await connection.execute(row.readers.encode())
    except InvalidTableDefinition:
        await hide_from_readers(connection, row.readers)
        await connection.execute(row.readers.encode())
    if before is not None:
        kept = {match[3] for match in _VIEW.finditer(row.readers)}
        await hide_from_readers(connection, before.readers, kept)


async def hide_from_readers(connection: AsyncConnection, readers: str, kept: set[str] | None = None) -> None:
    """Drop the SQL views that these statements make, but for some."""
    for match in reversed(list(_VIEW.finditer(readers))):
        if match[3] not in (kept or ()):
            await connection.execute(SQL("DROP VIEW IF EXISTS {}").format(Identifier(match[2], match[3])))


async def remove(connection: AsyncConnection, row: Row) -> None:
    """Drop a build that is not live, with its tables; its row goes first, so nobody moves it any more."""
    await connection.execute("DELETE FROM projections.builds WHERE name = %s AND build = %s", row.key)
    if row.schema != SCHEMA:
        await hide_from_readers(connection, row.readers)
    cursor = await connection.execute(_TABLES, (row.schema, f"{row.name}_b{row.build}_"))
    for (table,) in await cursor.fetchall():
        await connection.execute(SQL("DROP TABLE {}").format(Identifier(row.schema, table)))
