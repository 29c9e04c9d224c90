"""A build that has caught up takes the live one's place; where the version means the same, only if no row differs.

Both are compared row by row in one snapshot, at one position, while the live one answers.
"""

import asyncio
from typing import Any

import structlog
from psycopg import AsyncConnection, IsolationLevel
from psycopg.errors import DependentObjectsStillExist
from psycopg.types.json import Jsonb

from adapters.postgres.builds import Row, read_builds, take_over
from adapters.postgres.connect import connect_async
from adapters.postgres.feed import disconnections
from projections.operations import Difference, State
from projections.projection import Build

log = structlog.get_logger(__name__)

NEAR_EVENTS = 5_000
"""So near to the end of the log a build has caught up."""
DIFFERENCES_KEPT_MAX = 100
TRIES_MAX = 200
TRY_SECONDS = 0.05
"""For a moment at which both builds stand at one position: on their way they do so every few milliseconds."""

_LAG = "SELECT shard.position - %s FROM ledger.shards AS shard WHERE shard = 1"
_READY = """
UPDATE projections.builds SET state = 'READY', differences = coalesce(%s, differences), reason = %s
WHERE name = %s AND build = %s AND state = 'BUILDING'
"""
_EQUAL = "UPDATE projections.builds SET compare = false, differences = 0 WHERE name = %s AND build = %s"
_DIFFERENCE = """
INSERT INTO projections.differences (name, build, table_name, live, rebuilt) VALUES (%s, %s, %s, %s, %s)
"""
_KEY = """
SELECT quote_ident(attname) FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
WHERE indrelid = %s::regclass AND indisprimary ORDER BY array_position(indkey, attnum)
"""
_COMPARING = """
SET LOCAL enable_nestloop = off; SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0;
SET LOCAL max_parallel_workers_per_gather = 1; SET LOCAL work_mem = '8MB'
"""
"""Two processes share the join: the planner, expecting all rows to differ, would leave it to one.

What they hash lies in shared memory, of which a container may have no more than 64 MB: this takes half of it.
"""
_COMPARE = """
SELECT to_jsonb(live), to_jsonb(rebuilt), count(*) OVER ()
FROM {live} AS live FULL JOIN {rebuilt} AS rebuilt USING ({key})
WHERE live IS DISTINCT FROM rebuilt
LIMIT {limit}
"""

_COMPARE_WITHOUT_KEY = """
SELECT live, rebuilt, count(*) OVER ()
FROM (
    SELECT to_jsonb(live) AS live, NULL::jsonb AS rebuilt
    FROM (SELECT * FROM {live} EXCEPT ALL SELECT * FROM {rebuilt}) AS live
    UNION ALL
    SELECT NULL, to_jsonb(rebuilt)
    FROM (SELECT * FROM {rebuilt} EXCEPT ALL SELECT * FROM {live}) AS rebuilt) AS differences
LIMIT {limit}
"""


async def try_to_take_over(dsn: str, build: Build, row: Row) -> None:
    """Compare, if need be, and swap, once the build has caught up; what stands against it is kept for operators."""
    async with await connect_async(dsn, "loyalty projections take-over") as connection:
        with disconnections():
            (lag,) = await (await connection.execute(_LAG, (row.position,))).fetchone() or (0,)
            if lag > NEAR_EVENTS or row.failed:
                return
            if row.compare and not await _is_equal(connection, build, row):
                return
            try:
                if await take_over(connection, row.name, row.build):
                    log.info("projection.live", name=row.name, build=row.build, version=row.version)
            except DependentObjectsStillExist as error:
                reason = f"something depends on SQL views that have other columns now: {error.diag.message_detail}"
                await connection.execute(_READY, (None, reason, *row.key))


async def _is_equal(connection: AsyncConnection, build: Build, row: Row) -> bool:
    """Compare a build with the live one, and keep how they differ. False, too, if they never met at one position."""
    for _ in range(TRIES_MAX):
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        async with connection.transaction():
            rows = {other.build: other for other in await read_builds(connection, [row.name])}
            live = next((other for other in rows.values() if other.state is State.RUNNING), None)
            own = rows.get(row.build)
            if own is None or own.state is not State.BUILDING:
                return False
            if live is None or live.version != row.version or live.failed:
                return True  # There is nothing to hold it against.
            found = (
                await _compare(connection, live.of(build.projection), build) if live.position == own.position else None
            )
        await connection.set_isolation_level(None)
        if found is not None:
            await _keep(connection, row, *found)
            return not found[0]
        await asyncio.sleep(TRY_SECONDS)
    return False


async def _compare(connection: AsyncConnection, live: Build, build: Build) -> tuple[int, list[Difference]]:
    """In how many rows two builds differ, and the first of them; in a transaction that sees both at one position."""
    await connection.execute(_COMPARING)
    total, kept = 0, []
    for name in build.projection.script.table_names:
        key = [column for (column,) in await (await connection.execute(_KEY, (live.table(name),))).fetchall()]
        query = (_COMPARE if key else _COMPARE_WITHOUT_KEY).format(
            live=live.table(name), rebuilt=build.table(name), key=", ".join(key), limit=DIFFERENCES_KEPT_MAX
        )
        found: list[Any] = await (await connection.execute(query.encode())).fetchall()
        total += found[0][2] if found else 0
        kept += [Difference(name, mine, other) for mine, other, _ in found]
    return total, kept[:DIFFERENCES_KEPT_MAX]


async def _keep(connection: AsyncConnection, row: Row, total: int, kept: list[Difference]) -> None:
    """Keep how a build differs; then it waits for an operator, else it may take over."""
    async with connection.transaction():
        if not total:
            await connection.execute(_EQUAL, row.key)
            return
        await connection.execute(_READY, (total, None, *row.key))
        await connection.execute("DELETE FROM projections.differences WHERE name = %s AND build = %s", row.key)
        await connection.cursor().executemany(
            _DIFFERENCE,
            [(*row.key, each.table, *(value and Jsonb(value) for value in (each.live, each.rebuilt))) for each in kept],
        )
    log.warning("projection.differs", name=row.name, build=row.build, rows=total)
