"""The two processes of a service, each composed here: the writer with its gRPC server, and the projections.

Each runs until its standard input is closed, which also happens when its supervisor dies, or until a signal says so.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
import uvloop

from adapters.app.access import server_options
from adapters.app.child import LISTENING, Misconfigured
from adapters.app.logs import configure_logs
from adapters.app.settings import Settings
from adapters.app.sweep import DueSweeper
from adapters.grpc.server import LedgerServer, ServerOptions, build_server
from adapters.postgres.log import PostgresLog
from adapters.postgres.projecting import ProjectionRunner
from adapters.postgres.store import PostgresStore
from adapters.postgres.views import PostgresQueries
from ledger.calendar import Instant
from ledger.writer import Limits, Writer
from projections.registry import PROJECTIONS

log = structlog.get_logger(__name__)

GC_THRESHOLDS = (50_000, 50, 100)
"""By default Python's collector walks the writer's states all the time: a fifth of the time of an earn."""


class WallClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """The present instant."""
        return time.time_ns() // 1_000


async def run_writer(settings: Settings, dsn: str) -> None:
    """Run writer, gRPC server and sweeper until asked to stop; then answer what was accepted."""
    limits = Limits(
        queue_commands_max=settings.queue_commands_max, memory_bytes_max=settings.writer_memory_mib * 1024 * 1024
    )
    store = PostgresStore(dsn)
    async with PostgresQueries(dsn) as queries, PostgresLog(dsn) as events:
        writer = Writer(store, WallClock(), limits)
        sweeper = DueSweeper(writer, queries, settings.sweep_seconds)
        server = _listen(writer, events, queries, sweeper, server_options(settings))
        tell = _Teller(server)
        writer.on_lead = tell
        await server.start()
        writing = asyncio.create_task(writer.run())
        sweeping = asyncio.create_task(sweeper.run())
        print(f"{LISTENING}{server.port}", flush=True)
        stopping = asyncio.create_task(_asked_to_stop())
        await asyncio.wait({stopping, writing, sweeping}, return_when=asyncio.FIRST_COMPLETED)
        await server.stop()
        sweeping.cancel()
        writer.stop()
        results = await asyncio.gather(writing, sweeping, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result


def _listen(
    writer: Writer, events: PostgresLog, queries: PostgresQueries, sweeper: DueSweeper, options: ServerOptions
) -> LedgerServer:
    """The gRPC server on its address. Raises Misconfigured where it cannot listen there."""
    try:
        return build_server(writer, events, queries, sweeper, options)
    except RuntimeError as fault:
        raise Misconfigured(
            f"cannot listen on {options.address}, perhaps because another service does: "
            "choose another port with LOYALTY_PORT (0 takes a free one), or stop the other service"
        ) from fault
    except (ValueError, OSError) as fault:
        raise Misconfigured(f"cannot listen on {options.address} as it is configured: {fault}") from fault


class _Teller:
    """Tells the health service whether the writer leads."""

    def __init__(self, server: LedgerServer) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, leads: bool) -> None:
        task = asyncio.ensure_future(self._server.set_serving(leads))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def run_projections(settings: Settings, dsn: str) -> None:
    """Run all projections until asked to stop."""
    runner = ProjectionRunner(dsn, PROJECTIONS)
    running = asyncio.create_task(runner.run())
    stopping = asyncio.create_task(_asked_to_stop())
    await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
    runner.stop()
    await running


async def _asked_to_stop() -> None:
    """Wait for SIGTERM or SIGINT, or for the end of standard input."""
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


PROCESSES: dict[str, Callable[[Settings, str], Coroutine[Any, Any, None]]] = {
    "writer": run_writer,
    "projections": run_projections,
}


def main() -> None:
    """Run one process: the argument names it, the environment configures it, the first line of input is its DSN."""
    name = sys.argv[1]
    settings = Settings()
    configure_logs(settings)
    dsn = sys.stdin.readline().rstrip("\n")
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(PROCESSES[name](settings, dsn))
        except Misconfigured as fault:
            print(fault, flush=True)
            sys.exit(os.EX_CONFIG)


if __name__ == "__main__":
    main()
