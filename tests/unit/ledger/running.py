"""A writer that is run step by step from ordinary functions, on a store in memory and a clock that is told the time."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, TypeVar

from adapters.memory.store import Memory, MemoryStore
from ledger.calendar import Instant
from ledger.commands import Request
from ledger.ports import Batch, Head, Ledger, Store
from ledger.writer import Answer, Limits, Writer
from tests.contract.across import across_a_socket

Result = TypeVar("Result")


class ScriptedClock:
    """A wall clock that shows what it was set to."""

    def __init__(self, instant: Instant) -> None:
        self.instant = instant

    def now(self) -> Instant:
        return self.instant


class SlowStore(MemoryStore):
    """Takes its time for an append, so that the next batch is looked up and decided before this one is stored."""

    async def append(self, batch: Batch, previous: Head) -> None:
        for _ in range(300):
            await asyncio.sleep(0)
        await super().append(batch, previous)


class WriterDied(AssertionError):
    """Raised when the writer ended while somebody waited for an answer."""


class Running:
    """A writer at work. `restart` puts another one in its place, which knows only what is stored."""

    ledger: Ledger
    """What callers see of it."""

    def __init__(
        self,
        clock: ScriptedClock,
        limits: Limits | None = None,
        memory: Memory | None = None,
        store_of: Callable[[Memory], Store] = MemoryStore,
    ) -> None:
        self.clock = clock
        self.limits = limits or Limits()
        self.memory = memory or Memory()
        self._store_of = store_of
        self._runner = asyncio.Runner()
        self._runner.run(self._begin())

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        try:
            self._runner.run(self._stop())
        finally:
            self._runner.close()

    def restart(self) -> None:
        """Stop the writer; start another one on the same memory."""
        self._runner.run(self._stop())
        self._runner.run(self._begin())

    def execute(self, requests: Sequence[Request]) -> Sequence[Answer]:
        """Send requests together; nothing else is queued, so that they are one batch."""
        return self.run(self.ledger.execute(requests))

    def execute_apart(self, requests: Sequence[Request]) -> Sequence[Answer]:
        """Send each request for itself, all at once; the writer forms batches as large as it may."""

        async def send() -> list[Sequence[Answer]]:
            return await asyncio.gather(*(self.ledger.execute([request]) for request in requests))

        return [answer for (answer,) in self.run(send())]

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Let callers work with the writer until they are done. Raises WriterDied if it ends before they do."""
        return self._runner.run(self._watch(work))

    async def _watch(self, work: Coroutine[Any, Any, Result]) -> Result:
        working = asyncio.create_task(work)
        await asyncio.wait({working, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            # Callers that were answered by the end of the writer come to their own end now.
            await asyncio.wait({working}, timeout=0.5)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
            cause = None if self._task.cancelled() else self._task.exception()
            raise WriterDied(f"the writer ended, its callers wait for ever: {cause!r}") from cause
        return working.result()

    async def _begin(self) -> None:
        self.ledger = self.writer = Writer(self._store_of(self.memory), self.clock, self.limits)
        self.writer.on_defect = _end
        leading = asyncio.Event()
        self.writer.on_lead = lambda leads: leading.set() if leads else leading.clear()
        self._task = asyncio.create_task(self.writer.run())
        waiting = asyncio.create_task(leading.wait())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            raise WriterDied("the writer never led")

    async def _stop(self) -> None:
        self.writer.stop()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()


def _end(request: Request, defect: Exception) -> None:
    """A defect ends the writer, so that no test goes on as if nothing was."""
    raise defect


class RunningApart(Running):
    """A writer whose callers are at the other end of a socket."""

    async def _begin(self) -> None:
        await super()._begin()
        self._socket = AsyncExitStack()
        self.ledger = await self._socket.enter_async_context(across_a_socket(self.writer))

    async def _stop(self) -> None:
        await super()._stop()
        await self._socket.aclose()
