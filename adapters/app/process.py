"""What all processes of a service have in common: how they are configured, how they run, and when they end."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import uvloop

from adapters.app.child import Misconfigured, Start
from adapters.app.logs import configure_logs
from adapters.app.settings import Settings

GC_THRESHOLDS = (50_000, 50, 100)
"""By default Python's collector walks the writer's states all the time: a fifth of the time of an earn."""


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
    loop.default_exception_handler(context)
    if isinstance(context.get("exception"), MemoryError):
        os._exit(os.EX_OSERR)


async def asked_to_stop() -> None:
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
