"""An event loop in which time passes only while everybody waits, and processes that can be stopped and continued."""

import asyncio
import contextvars
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

TURNS_MAX = 200_000
"""As many turns at one instant mean that somebody waits busily, for something that takes time."""

_process: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)


class Stuck(AssertionError):
    """Raised when nothing is ever going to happen again, or when the same goes on for ever."""


class _Leap(selectors.SelectSelector):
    """Where a loop would sleep until its next timer, the clock leaps there."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("everybody waits for somebody else")
        self._turns = 0 if timeout > 0 else self._turns + 1
        if self._turns > TURNS_MAX:
            raise Stuck("somebody waits busily")
        self.seconds += max(timeout, 0)
        return []


class _Step:
    """A callback of a process: it runs now, or when the process goes on."""

    __slots__ = ("args", "callback", "context", "handle", "process")

    def __init__(
        self, process: "Process", callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context
    ) -> None:
        self.process = process
        self.callback = callback
        self.args = args
        self.context = context
        self.handle: asyncio.Handle

    def __call__(self) -> None:
        if self.process.stopped:
            self.process.parked.append(self)
        else:
            self.callback(*self.args)


class Process:
    """What runs together, and is stopped and continued together, as by SIGSTOP and SIGCONT.

    One that is killed is one that is never continued: nothing that it would still do can be seen.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.stopped = False
        self.parked: deque[_Step] = deque()

    def stop(self) -> None:
        self.stopped = True

    def go_on(self, loop: "VirtualLoop") -> None:
        """Take up everything where it was left, in the order in which it became due."""
        self.stopped = False
        while self.parked:
            step = self.parked.popleft()
            if not step.handle.cancelled():
                loop.call_soon(step.callback, *step.args, context=step.context)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The same order of events in every run: there is no input, and time is made up."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)
        self.faults: list[str] = []
        self.set_exception_handler(lambda _, context: self.faults.append(str(context)))

    def time(self) -> float:
        return self._leap.seconds

    def call_soon(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        context = contextvars.copy_context() if context is None else context
        process = context.get(_process)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        step = _Step(process, callback, args, context)
        step.handle = super().call_soon(step, context=context)
        return step.handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        context = contextvars.copy_context() if context is None else context
        process = context.get(_process)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        step = _Step(process, callback, args, context)
        step.handle = handle = super().call_at(when, step, context=context)
        return handle

    def spawn(self, process: Process | None, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start a task in a process, or in none; whatever it starts runs there, too."""
        context = contextvars.Context()
        context.run(_process.set, process)
        return self.create_task(work, context=context)
