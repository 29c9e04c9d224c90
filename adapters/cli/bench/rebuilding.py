"""Builds the balance view anew, and takes the time and the memory of that."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from adapters.cli.bench.projecting import Memory, Projecting
from adapters.postgres.operations import PostgresOperations
from adapters.postgres.replaying import make_schema
from projections.operations import State
from projections.watching import Pace

VIEW = "balance"
SCHEMA = "bench"

_LOADED = "SELECT FROM projections.builds WHERE name = %s AND build = %s AND NOT loading"
_ENDED = """
SELECT state, differences, failed_position FROM projections.builds
WHERE name = %s AND build = %s AND (state <> 'BUILDING' OR failed_position IS NOT NULL)
"""
_BEGUN = "SELECT avg(position)::int FROM projections.parts WHERE name = %s AND build = %s HAVING min(position) > 0"
_STANDS = """
SELECT loading, (SELECT avg(position)::int FROM projections.parts WHERE (name, build) = (builds.name, builds.build))
FROM projections.builds WHERE name = %s AND build = %s
"""


class Rebuilt(NamedTuple):
    """One build."""

    seconds: float
    """From asking to the end of it."""
    load_seconds: float
    """Until it was near to the end of the log."""
    bytes_max: int
    """Of all its processes, without the database's."""


def rebuild(projecting: Projecting) -> Rebuilt:
    """Rebuild the live view: loaded, compared with the live one, and swapped; the one before is dropped."""
    operations = PostgresOperations(projecting.dsn)
    (before,) = [each for each in asyncio.run(operations.statuses()) if each.name == VIEW and each.live]
    with Memory(projecting.pid) as memory:
        begin = time.perf_counter()
        build = asyncio.run(operations.rebuild(VIEW))
        projecting.until(_LOADED, VIEW, build)
        loaded = time.perf_counter()
        ended = projecting.until(_ENDED, VIEW, build)
        seconds = time.perf_counter() - begin
    if ended != (State.RUNNING, 0, None):
        raise RuntimeError(f"the rebuild ended with state, differences and failure {ended}")
    asyncio.run(operations.drop(VIEW, before.build))
    return Rebuilt(seconds, loaded - begin, memory.bytes_max)


def load_up_to(projecting: Projecting, owner_dsn: str, position: int) -> Rebuilt:
    """Build the view as of a position, beside the live one, and drop it: the loading of a rebuild, at that length."""
    operations = PostgresOperations(projecting.dsn)
    make_schema(owner_dsn, projecting.dsn, SCHEMA)
    with Memory(projecting.pid) as memory:
        begin = time.perf_counter()
        build = asyncio.run(operations.replay(VIEW, position, SCHEMA))
        ended = projecting.until(_ENDED, VIEW, build)
        seconds = time.perf_counter() - begin
    if ended != (State.REPLAYED, None, None):
        raise RuntimeError(f"the replay ended with state, differences and failure {ended}")
    asyncio.run(operations.drop(VIEW, build))
    return Rebuilt(seconds, seconds, memory.bytes_max)


@contextmanager
def rebuild_under_way(projecting: Projecting, rate_max: int | None) -> Iterator[Pace]:
    """Have a rebuild at work for as long as something is measured; then it is given up. Gives how fast it was.

    Raises RuntimeError if it was loaded before that.
    """
    operations = PostgresOperations(projecting.dsn)
    build = asyncio.run(operations.rebuild(VIEW, rate_max))
    (position,) = projecting.until(_BEGUN, VIEW, build)
    pace = Pace()
    pace.see(position, time.monotonic())
    yield pace
    loading, position = projecting.until(_STANDS, VIEW, build)
    if not loading:
        raise RuntimeError("the rebuild was over before what was measured beside it")
    pace.see(position, time.monotonic())
    asyncio.run(operations.cancel(VIEW))
    projecting.until_caught_up()
