"""A process that leads projections while the benchmark measures, as in the service, and what it holds in memory."""

import asyncio
import gc
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, LiteralString, Self

import psutil
import psycopg
import uvloop

from adapters.app.logs import configure_logs
from adapters.app.process import GC_THRESHOLDS
from adapters.app.settings import Settings
from adapters.postgres.projecting import ProjectionRunner
from projections.registry import PROJECTIONS

LOOK_SECONDS = 0.05
MEMORY_LOOK_SECONDS = 0.5
"""Between two looks at the memory: each goes through all processes of the machine.

Ten times a second, that took a sixth of a core from what is measured.
"""
_CAUGHT_UP = """
SELECT FROM projections.builds, ledger.shards
WHERE name = ANY(%s) AND state = 'RUNNING' AND builds.position >= shards.position
  AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'loyalty projection %% part %%')
HAVING count(*) = %s
"""
"""Nothing of a rebuild that was given up is under way any more, either."""


class Projecting:
    """A process of its own that leads these projections. Use it as a context manager; then it has begun."""

    def __init__(self, dsn: str, names: Collection[str]) -> None:
        self.dsn = dsn
        self._names = sorted(names)
        spawn = get_context("spawn")
        self._pipe, self._its_end = spawn.Pipe()
        self._process = spawn.Process(target=_lead, args=(dsn, self._names, self._its_end))

    def __enter__(self) -> Self:
        self._process.start()
        self._its_end.close()
        self._pipe.recv()
        self._connection = psycopg.connect(self.dsn, autocommit=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
        self._pipe.close()
        self._process.join()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process.pid is not None
        return self._process.pid

    def until(self, query: LiteralString, *values: object) -> Any:
        """Wait until a query has a row, and return it. Raises RuntimeError if the process ends before."""
        while (row := self._connection.execute(query, values).fetchone()) is None:
            if not self._process.is_alive():
                raise RuntimeError("the projections' process ended")
            time.sleep(LOOK_SECONDS)
        return row

    def until_caught_up(self) -> None:
        """Wait until all its projections are at the end of the log, and nothing is being rebuilt."""
        self.until(_CAUGHT_UP, self._names, len(self._names))


def _lead(dsn: str, names: Collection[str], pipe: Connection) -> None:
    """The process: lead projections until the other end of the pipe is closed."""
    configure_logs(Settings(log_level="warning"))
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    uvloop.run(_run(ProjectionRunner(dsn, [each for each in PROJECTIONS if each.name in names]), pipe))


async def _run(runner: ProjectionRunner, pipe: Connection) -> None:
    closed = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), closed.set)
    pipe.send(None)
    running = asyncio.create_task(runner.run())
    closing = asyncio.create_task(closed.wait())
    await asyncio.wait({running, closing}, return_when=asyncio.FIRST_COMPLETED)
    asyncio.get_running_loop().remove_reader(pipe.fileno())
    closing.cancel()
    runner.stop()
    await running


class Memory(threading.Thread):
    """Watches what a process and those it started hold. Use it as a context manager."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.bytes_max = 0
        """At most at any look, all processes together."""
        self._process = psutil.Process(pid)
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Look now and then, at once and once more at the end."""
        self._look()
        while not self._stopped.wait(MEMORY_LOOK_SECONDS):
            self._look()
        self._look()

    def _look(self) -> None:
        held = 0
        with suppress(psutil.NoSuchProcess):
            for process in (self._process, *self._process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    held += process.memory_info().rss
        self.bytes_max = max(self.bytes_max, held)
