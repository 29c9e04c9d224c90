"""Folds the events of parked keys, once what was wrong is repaired: key by key, in order, each in a transaction."""

import structlog

from adapters.postgres.checkpoints import BuildCheckpoint
from adapters.postgres.connect import connect_async
from adapters.postgres.feed import Reader, disconnections
from adapters.postgres.projection_tables import PostgresTables
from projections.engine import Engine, Stopped
from projections.projection import Build

log = structlog.get_logger(__name__)

_NEXT = """
SELECT position FROM projections.parked
WHERE name = %s AND build = %s AND key = %s ORDER BY position LIMIT 1
"""
_DONE = "DELETE FROM projections.parked WHERE name = %s AND build = %s AND key = %s AND position = %s"
_FAILED = """
UPDATE projections.parked SET reason = %s WHERE name = %s AND build = %s AND key = %s AND position = %s
"""
_ANSWERED = "UPDATE projections.builds SET replay_parked = false WHERE name = %s AND build = %s"


async def replay(dsn: str, build: Build) -> None:
    """Fold what is parked of a build that nobody moves meanwhile; a key that fails again stays parked from there on."""
    name = f"loyalty projection {build.projection.name} parked"
    async with await connect_async(dsn, name) as own, await connect_async(dsn, name) as log_connection:
        with disconnections():
            tables = await PostgresTables.open(own, build, BuildCheckpoint(build))
            reader = await Reader.open(log_connection, build.projection.events)
            for key in sorted(tables.parked):
                await _replay_key(build, key, tables, reader)
            await own.execute(_ANSWERED, (build.projection.name, build.number))


async def _replay_key(build: Build, key: str, tables: PostgresTables, reader: Reader) -> None:
    engine = Engine(build.projection, tables)
    row = (build.projection.name, build.number, key)
    while (found := await (await tables.connection.execute(_NEXT, row)).fetchone()) is not None:
        (recorded,) = await reader.at([found[0]])
        try:
            async with tables.connection.transaction():
                await tables.connection.execute(_DONE, (*row, recorded.position))
                await engine.replay(recorded, tables)
        except Stopped as failure:
            await tables.connection.execute(_FAILED, (failure.reason, *row, recorded.position))
            log.warning("projection.parked", name=build.projection.name, key=key, reason=failure.reason)
            return
    log.info("projection.key_replayed", name=build.projection.name, key=key)
