"""How fast a view is built anew from history while the live one answers, and what that takes in memory."""

import asyncio
import os
import threading
import time
from typing import NamedTuple

import psutil

from adapters.cli.bench.workload import PROGRAMME
from adapters.postgres.operations import PostgresOperations
from adapters.postgres.projecting import ProjectionRunner
from adapters.postgres.views import PostgresQueries
from projections.operations import State
from projections.registry import PROJECTIONS
from projections.watching import watch

ASK_SECONDS = 0.01


class Rebuilt(NamedTuple):
    """One rebuild."""

    seconds: float
    """From asking to the swap."""
    load_seconds: float
    """Until it was near to the end of the log."""
    bytes_max: int
    """Of all its processes, without the database's."""
    latencies: list[float]
    """Of balances that were asked for meanwhile, in seconds."""


def rebuild(dsn: str, name: str) -> Rebuilt:
    """Rebuild a view that is live, alone on the machine but for somebody who asks for balances."""
    memory = _Memory()
    memory.start()
    try:
        seconds, load_seconds, latencies = asyncio.run(_rebuild(dsn, name))
    finally:
        memory.stop()
    return Rebuilt(seconds, load_seconds, memory.bytes_max, latencies)


async def _rebuild(dsn: str, name: str) -> tuple[float, float, list[float]]:
    views = [projection for projection in PROJECTIONS if projection.name in {name, "balance", "programmes"}]
    runner = ProjectionRunner(dsn, views)
    running = asyncio.create_task(runner.run())
    operations = PostgresOperations(dsn)
    latencies: list[float] = []
    async with PostgresQueries(dsn) as queries:
        await _caught_up(operations, {view.name for view in views})
        asking = asyncio.create_task(_ask(queries, latencies))
        begin, loaded = time.perf_counter(), 0.0
        async for look in watch(operations, name, await operations.rebuild(name)):
            if look.status.loading:
                loaded = time.perf_counter()
        seconds = time.perf_counter() - begin
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    runner.stop()
    await running
    if look.status.state is not State.RUNNING or look.status.differences:
        raise RuntimeError(f"the rebuild of {name} ended as {look.status}")
    return seconds, loaded - begin, latencies


async def _caught_up(operations: PostgresOperations, names: set[str]) -> None:
    while True:
        if names <= {status.name for status in await operations.statuses() if status.live and not status.lag_events}:
            return
        await asyncio.sleep(0.05)


async def _ask(queries: PostgresQueries, latencies: list[float]) -> None:
    while True:
        begin = time.perf_counter()
        await queries.balance(PROGRAMME, f"m{len(latencies) % 1_000}")
        latencies.append(time.perf_counter() - begin)
        await asyncio.sleep(ASK_SECONDS)


class _Memory(threading.Thread):
    """Watches what this process and those it started hold."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes_max = 0
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look ten times a second."""
        own = psutil.Process(os.getpid())
        while not self._stopped.wait(0.1):
            held = 0
            for process in (own, *own.children(recursive=True)):
                try:
                    if process.name() != "postgres":
                        held += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.bytes_max = max(self.bytes_max, held)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self.join()
