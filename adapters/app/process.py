"""What all processes of a service have in common: how they are configured, how they run, and when they end."""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import msgspec
import uvloop

from adapters.app.child import SIGN_OF_LIFE, Misconfigured, Start
from adapters.app.logs import configure_logs
from adapters.app.settings import Settings

GC_THRESHOLDS = (50_000, 50, 100)
"""By default Python's collector walks the writer's states all the time: a fifth of the time of an earn."""

SIGN_OF_LIFE_SECONDS = 1.0


def run_process(run: Callable[[Settings, Start], Coroutine[Any, Any, None]]) -> None:
    """Run one process: the environment configures it, its supervisor says the rest."""
    settings = Settings()
    configure_logs(settings)
    start = msgspec.json.decode(sys.stdin.readline(), type=Start)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(end_without_memory)
        try:
            runner.run(run(settings, start))
        except Misconfigured as fault:
            print(fault, flush=True)
            sys.exit(os.EX_CONFIG)


def end_without_memory(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """End a process that has run out of memory, wherever that happened: what lives on without it answers nobody.

    Its supervisor starts another; all else that goes wrong outside of a task is logged.
    """
    try:
        loop.default_exception_handler(context)
    finally:  # There may be no memory left even for saying so.
        fault = context.get("exception")
        if isinstance(fault, MemoryError) or (isinstance(fault, OSError) and fault.errno == errno.ENOMEM):
            os._exit(os.EX_OSERR)


async def _always() -> None:
    """The check of a process that does its work where its event loop turns."""


async def work_until_stopped(*work: "asyncio.Task[Any]", check: Callable[[], Awaitable[None]] = _always) -> None:
    """Wait until some of the work has ended, or the process is asked to stop: by a signal, or by its supervisor's end.

    Until then it says every second that it lives, if `check` returns, which raises OSError where the work cannot be
    done. Then it has to end: one that hangs in ending what failed is silent, and ended by its supervisor.
    """
    stopping = asyncio.create_task(_asked_to_stop())
    living = asyncio.create_task(_live(check))
    try:
        await asyncio.wait({stopping, *work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        living.cancel()


async def _live(check: Callable[[], Awaitable[None]]) -> NoReturn:
    """Print signs of life. Where they cannot be taken, the supervisor died or stands still, nobody needs them."""
    output = sys.stdout.fileno()
    os.set_blocking(output, False)
    while True:
        with contextlib.suppress(OSError):
            await check()
            os.write(output, SIGN_OF_LIFE.encode())
        await asyncio.sleep(SIGN_OF_LIFE_SECONDS)


async def _asked_to_stop() -> None:
    """Wait for SIGTERM or SIGINT, or for the end of standard input, which comes even if the supervisor is killed."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ended = asyncio.create_task(reader.read())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in (ended, stopped):
        task.cancel()
