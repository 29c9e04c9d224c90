"""The writer's process: it decides and appends, and does nothing else."""

import asyncio
import time

import structlog

from adapters.app.child import Start
from adapters.app.process import run_process, work_until_stopped
from adapters.app.settings import Settings
from adapters.ipc.server import WriterServer
from adapters.postgres.store import PostgresStore
from ledger.calendar import Instant
from ledger.commands import Request
from ledger.writer import Limits, Writer

log = structlog.get_logger(__name__)


class WallClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """The present instant."""
        return time.time_ns() // 1_000


def _report(request: Request, defect: Exception) -> None:
    kinds = [type(command).__name__ for command in request.commands]
    log.error("writer.undecidable", command_id=request.id.hex(), commands=kinds, exc_info=defect)


async def run_writer(settings: Settings, start: Start) -> None:
    """Run the writer behind a socket until asked to stop; then answer what was accepted."""
    limits = Limits(
        queue_commands_max=settings.queue_commands_max, memory_bytes_max=settings.writer_memory_mib * 1024 * 1024
    )
    writer = Writer(PostgresStore(start.dsn), WallClock(), limits)
    server = WriterServer(writer, start.socket)
    writer.on_lead = server.set_leads
    writer.on_defect = _report
    await server.start()
    writing = asyncio.create_task(writer.run())
    await work_until_stopped(writing, check=server.check)
    writer.stop()
    try:
        await writing
    finally:
        await server.stop()


if __name__ == "__main__":
    run_process(run_writer)
