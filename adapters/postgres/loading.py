"""Loads a build from position 0: processes share the log, each folds its part of the streams in large batches.

A stream is in one part, so its events are folded in order. Every part has a checkpoint that moves with its rows: what
dies or is told to wait goes on from there.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.context import SpawnProcess
from typing import Any

import structlog
import uvloop
from psycopg import AsyncConnection

from adapters.postgres.builds import Row, show_to_readers
from adapters.postgres.checkpoints import PartCheckpoint
from adapters.postgres.connect import connect_async
from adapters.postgres.feed import Reader, disconnections
from adapters.postgres.projection_tables import PostgresTables
from projections.engine import Engine, Stopped, Superseded, Work
from projections.operations import State
from projections.projection import Build

log = structlog.get_logger(__name__)

BATCH_POSITIONS = 200_000
"""Folded at once, by each process its part: sums meet more often. All processes took 796 MiB together."""
PAGE_POSITIONS = 10_000
NEAR_EVENTS = 20_000
"""So near to the end of the log a build stops being loaded and follows it."""
RETRY_SECONDS = 5.0
"""After a process died, or stopped at an event that it cannot fold."""

_HEAD = "SELECT position FROM ledger.shards WHERE shard = 1"
_PARTS = "SELECT part, position FROM projections.parts WHERE name = %s AND build = %s ORDER BY part"
_CLEAR = "UPDATE projections.builds SET failed_position = NULL, reason = NULL WHERE name = %s AND build = %s"
_LOADED = """
UPDATE projections.builds SET loading = false, position = %s, moved_at = clock_timestamp(), state = %s
WHERE name = %s AND build = %s AND loading AND state = 'BUILDING'
"""


async def load(dsn: str, build: Build, row: Row) -> None:
    """Load a build until it is near to the end of the log; return early where it stops or is told to wait."""
    async with await connect_async(dsn, "loyalty projections loading") as connection:
        with disconnections():
            await connection.execute(_CLEAR, row.key)
            while True:
                (head,) = await _fetch(connection, _HEAD)
                target = head[0] if row.upto is None else row.upto
                parts = dict(await _fetch(connection, _PARTS, row.key))
                if not parts:
                    return
                near = NEAR_EVENTS if row.upto is None else 0
                if len(set(parts.values())) == 1 and target - parts[0] <= near:
                    break
                if not await _run_processes(dsn, build, sorted(parts), target, row.rate_max):
                    return
            await _finish(connection, build, row, parts[0])


async def _fetch(connection: AsyncConnection, query: str, values: tuple[object, ...] = ()) -> list[Any]:
    return await (await connection.execute(query.encode(), values)).fetchall()


async def _finish(connection: AsyncConnection, build: Build, row: Row, position: int) -> None:
    """All parts are at one position: from there on the build follows the log as one, or it is replayed.

    Its row is locked until the tables are analysed, so nobody drops them in the middle of that.
    """
    state = State.BUILDING if row.upto is None else State.REPLAYED
    async with connection.transaction():
        cursor = await connection.execute(_LOADED, (position, state, *row.key))
        if cursor.rowcount == 0:  # It was told to wait, or given up.
            return
        await connection.execute("DELETE FROM projections.parts WHERE name = %s AND build = %s", row.key)
        if state is State.REPLAYED:
            await show_to_readers(connection, row, None)
        for table in build.tables():
            await connection.execute(f"ANALYZE {table}".encode())
    log.info("projection.loaded", name=row.name, build=row.build, position=position)


async def _run_processes(dsn: str, build: Build, parts: Sequence[int], target: int, rate_max: int | None) -> bool:
    """Let a process fold each part up to a position; whether all got there."""
    spawn = get_context("spawn")
    processes = [
        spawn.Process(target=_fold_part, args=(dsn, build, part, len(parts), target, rate_max)) for part in parts
    ]
    try:
        for process in processes:
            process.start()
        await asyncio.gather(*map(_ended, processes))
    finally:
        for process in processes:
            process.kill()
            process.join()
    statuses = {process.exitcode for process in processes}
    if statuses == {0}:
        return True
    if not statuses <= {0, os.EX_TEMPFAIL}:
        log.warning("projection.not_loaded", name=build.projection.name, build=build.number, statuses=list(statuses))
        await asyncio.sleep(RETRY_SECONDS)
    return False


async def _ended(process: SpawnProcess) -> None:
    """Wait until a process has ended."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)


def _fold_part(dsn: str, build: Build, part: int, parts: int, target: int, rate_max: int | None) -> None:
    """A process: fold a part of the streams up to a position."""
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    try:
        uvloop.run(_fold(dsn, build, part, parts, target, rate_max))
    except Superseded:
        sys.exit(os.EX_TEMPFAIL)  # The build was told to wait, or is no more.
    except Stopped:
        sys.exit(os.EX_DATAERR)


def _end_with_parent() -> None:
    """End this process at once when the one that started it has ended, however that was."""
    parent = parent_process()
    assert parent is not None
    asyncio.get_running_loop().add_reader(parent.sentinel, os._exit, os.EX_TEMPFAIL)


async def _fold(dsn: str, build: Build, part: int, parts: int, target: int, rate_max: int | None) -> None:
    _end_with_parent()
    async with (
        await connect_async(dsn, f"loyalty projection {build.projection.name} part {part}") as own,
        await connect_async(dsn, f"loyalty projection {build.projection.name} log {part}") as log_connection,
    ):
        tables = await PostgresTables.open(own, build, PartCheckpoint(build, part))
        reader = await Reader.open(log_connection, build.projection.events, part, parts)
        engine = Engine(build.projection, tables)
        position = begin = await tables.position()
        started = time.monotonic()
        size = BATCH_POSITIONS if rate_max is None else min(rate_max, BATCH_POSITIONS)
        while position < target:
            batch = await reader.batch(position, min(position + size, target), min(size, PAGE_POSITIONS))
            work = Work(build.projection, batch)
            work.fold()
            try:
                await engine.advance(work)
            except Stopped as failure:
                await tables.stopped(failure)
                raise
            position = batch.upto
            if rate_max is not None:
                await asyncio.sleep(started + (position - begin) / rate_max - time.monotonic())
