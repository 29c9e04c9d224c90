"""Leads projections of a process along the log; they come and go while it is on its way.

Projections at one position travel together, as a lane: a batch is read and decoded once for all of them, and folded
ahead while the one before is written. One that fails leaves its lane, tries again later, and joins when it has caught
up; the others go on.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

from projections.engine import Engine, Stopped, Superseded, Work
from projections.recorded import Batch

RETRY_SECONDS_MIN = 1.0
RETRY_SECONDS_MAX = 60.0
"""A projection that stopped tries again, each time after twice as long: what failed may have been repaired."""

HEAD_START_SECONDS = 0.002
"""For the writing of a batch before the next is folded: what it has sent by then keeps the database busy meanwhile."""


class Feed(Protocol):
    """The log, decoded."""

    async def after(self, position: int) -> Batch:
        """The next events after a position; waits until there are any. Raises Disconnected."""

    def more(self, position: int) -> bool:
        """Whether there are events after a position, as far as is known."""


class Lane:
    """Projections at one position."""

    def __init__(self, position: int, engines: list[Engine]) -> None:
        self.position = position
        """What has been handed to all of them; the last batch may still be in the writing."""
        self.engines = engines
        self.writing: list[tuple[Engine, asyncio.Task[None]]] = []


class Convoy:
    """The projections of a process that follow the log."""

    def __init__(self, feed: Feed, on_stop: Callable[[Engine, Stopped], None]) -> None:
        self._feed = feed
        self._on_stop = on_stop
        self._lanes: list[Lane] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._retries: dict[Engine, asyncio.Task[None]] = {}

    async def run(self, *engines: Engine) -> None:
        """Follow the log until cancelled, with these from the beginning. Raises Disconnected."""
        try:
            await self.add(*engines)
            await self._ended
        finally:
            self._ended.cancel()
            tasks = [*self._tasks, *(task for lane in self._lanes for _, task in lane.writing)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def add(self, *engines: Engine) -> None:
        """Take projections along, each from where it is."""
        together: dict[int, list[Engine]] = {}
        for engine in engines:
            together.setdefault(await engine.tables.position(), []).append(engine)
        for position, those in together.items():
            self._begin(self._follow(those, position))

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Let something happen beside all else; what it fails with ends the convoy."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        if self._ended.done():
            task.cancel()
        return task

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None and not self._ended.done():
            self._ended.set_exception(failure)

    async def remove(self, engine: Engine) -> None:
        """Leave a projection where it is; what is in the writing is written first."""
        retry = self._retries.pop(engine, None)
        if retry is not None:
            retry.cancel()
            await asyncio.gather(retry, return_exceptions=True)
        for lane in self._lanes:
            if engine in lane.engines:
                lane.engines.remove(engine)
                writing = [task for other, task in lane.writing if other is engine]
                await asyncio.gather(*writing, return_exceptions=True)

    async def _follow(self, engines: list[Engine], position: int) -> None:
        """Take projections along until they fail or join another lane."""
        lane = Lane(position, engines)
        self._lanes.append(lane)
        while lane.engines:
            batch = await self._feed.after(lane.position)
            work = _fold_all(lane.engines, batch)
            await self._land(lane)
            lane.position = batch.upto
            lane.writing = [(engine, asyncio.create_task(engine.advance(work[engine]))) for engine in lane.engines]
            if self._feed.more(lane.position):
                await asyncio.sleep(HEAD_START_SECONDS)
                continue
            await self._land(lane)
            if self._joined(lane):
                break
        self._lanes.remove(lane)

    async def _land(self, lane: Lane) -> None:
        """Wait until the batch in the writing is written; who failed leaves."""
        for engine, task in lane.writing:
            try:
                await task
            except (Stopped, Superseded) as failure:
                if engine in lane.engines:
                    lane.engines.remove(engine)
                    self._retries[engine] = self._begin(self._try_again(engine, failure))
        lane.writing = []

    def _joined(self, lane: Lane) -> bool:
        """Whether another lane, at the same position, took over what travels in this one."""
        for other in self._lanes:
            if other is not lane and other.position == lane.position and not other.writing:
                other.engines.extend(lane.engines)
                return True
        return False

    async def _try_again(self, engine: Engine, failure: Stopped | Superseded) -> None:
        """Say why a projection stopped, wait, and let it follow the log again from where it is."""
        pause = RETRY_SECONDS_MIN
        if isinstance(failure, Stopped):
            engine.failures = engine.failures + 1 if failure.position == engine.failed_at else 0
            engine.failed_at = failure.position
            pause = min(RETRY_SECONDS_MIN * 2**engine.failures, RETRY_SECONDS_MAX)
            await engine.tables.stopped(failure)
            self._on_stop(engine, failure)
        await asyncio.sleep(pause)
        position = await engine.tables.position()
        del self._retries[engine]
        await self._follow([engine], position)


def _fold_all(engines: Sequence[Engine], batch: Batch) -> dict[Engine, Work]:
    work = {engine: Work(engine.projection, batch) for engine in engines}
    for each in work.values():
        each.fold()
    return work
