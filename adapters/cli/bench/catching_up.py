"""How fast projections catch up with a log from nothing: in a process of their own, as in the service."""

import asyncio
import gc
import time
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import psycopg
import uvloop

from adapters.app.logs import configure_logs
from adapters.app.process import GC_THRESHOLDS
from adapters.app.settings import Settings
from adapters.postgres.projecting import ProjectionRunner
from projections.registry import PROJECTIONS

POLL_SECONDS = 0.05
_CHECKPOINTS = "SELECT name FROM projections.builds WHERE state = 'RUNNING' AND position >= %s"
_TABLES = r"""
SELECT format('projections.%I', tablename) FROM pg_tables WHERE schemaname = 'projections' AND tablename ~ '_b\d+_'
"""


def events_per_second(app_dsn: str, length: int, names: Collection[str]) -> float:
    """How many events a second these projections fold, all together, until they are at the end of the log.

    Whatever projections there are is thrown away before.
    """
    with psycopg.connect(app_dsn, autocommit=True) as connection:
        for (table,) in connection.execute(_TABLES).fetchall():
            connection.execute(f"DROP TABLE {table} CASCADE")
        connection.execute("DELETE FROM projections.builds")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return length / pool.submit(_seconds, app_dsn, length, frozenset(names)).result()


def _seconds(dsn: str, length: int, names: frozenset[str]) -> float:
    configure_logs(Settings(log_level="warning"))
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return uvloop.run(_catch_up(dsn, length, names))


async def _catch_up(dsn: str, length: int, names: frozenset[str]) -> float:
    runner = ProjectionRunner(dsn, [projection for projection in PROJECTIONS if projection.name in names])
    begin = time.perf_counter()
    running = asyncio.create_task(runner.run())
    there: set[str] = set()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        while not names <= there:
            await asyncio.sleep(POLL_SECONDS)
            there = {row[0] for row in await (await connection.execute(_CHECKPOINTS, (length,))).fetchall()}
    seconds = time.perf_counter() - begin
    runner.stop()
    await running
    return seconds
