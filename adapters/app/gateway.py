"""The gateway's process: gRPC for commands and queries, and the sweeper. Commands go on to the writer's process.

Decoding and encoding messages takes as long as deciding does: apart, each has a core.
"""

import asyncio

from adapters.app.access import server_options
from adapters.app.child import LISTENING, Misconfigured, Start
from adapters.app.process import run_process, work_until_stopped
from adapters.app.projection_health import watch_projections
from adapters.app.settings import Settings
from adapters.app.sweep import DueSweeper
from adapters.grpc.server import LedgerServer, ServerOptions, build_server
from adapters.ipc.client import WriterClient
from adapters.postgres.log import PostgresLog
from adapters.postgres.operations import PostgresOperations
from adapters.postgres.reports import PostgresReports
from ledger.writer import Limits


async def run_gateway(settings: Settings, start: Start) -> None:
    """Serve until asked to stop; then answer the calls that are under way."""
    # What the writer's queue takes, the batch that it decides, and the one that it commits.
    commands_max = settings.queue_commands_max + 2 * Limits().batch_commands_max
    ledger = WriterClient(start.socket, commands_max)
    async with PostgresReports(start.dsn) as queries, PostgresLog(start.dsn) as events:
        sweeper = DueSweeper(ledger, queries, settings.sweep_seconds)
        operations = PostgresOperations(start.dsn)
        server = _listen(ledger, events, queries, sweeper, operations, server_options(settings))
        ledger.on_lead = _Teller(server)
        await server.start()
        connecting = asyncio.create_task(ledger.run())
        sweeping = asyncio.create_task(sweeper.run())
        watching = asyncio.create_task(watch_projections(operations, server, settings))
        print(f"{LISTENING}{server.port}", flush=True)
        await work_until_stopped(connecting, sweeping, watching)
        await server.stop()
        for task in (connecting, sweeping, watching):
            task.cancel()
        for result in await asyncio.gather(connecting, sweeping, watching, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


def _listen(
    ledger: WriterClient,
    events: PostgresLog,
    queries: PostgresReports,
    sweeper: DueSweeper,
    operations: PostgresOperations,
    options: ServerOptions,
) -> LedgerServer:
    """The gRPC server on its address. Raises Misconfigured where it cannot listen there."""
    try:
        return build_server(ledger, events, queries, sweeper, operations, options)
    except RuntimeError as fault:
        raise Misconfigured(
            f"cannot listen on {options.address}, perhaps because another service does: "
            "choose another port with LOYALTY_PORT (0 takes a free one), or stop the other service"
        ) from fault
    except (ValueError, OSError) as fault:
        raise Misconfigured(f"cannot listen on {options.address} as it is configured: {fault}") from fault


class _Teller:
    """Tells the health service whether there is a writer that leads."""

    def __init__(self, server: LedgerServer) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, leads: bool) -> None:
        task = asyncio.ensure_future(self._server.set_serving(leads))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


if __name__ == "__main__":
    run_process(run_gateway)
