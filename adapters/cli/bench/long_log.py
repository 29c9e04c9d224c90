"""The rows about a log that has grown long: catching up, restarting, verifying."""

import time
from typing import TYPE_CHECKING

import psutil
import psycopg

from adapters.app.settings import Settings
from adapters.cli.bench import drive, workload, yardsticks
from adapters.cli.bench.table import Row
from adapters.cli.service import running_service
from adapters.postgres.embedded import EmbeddedServer
from adapters.postgres.verify import verify
from loyalty.v1.commands_pb2 import ExecuteRequest

if TYPE_CHECKING:
    from adapters.cli.bench.run import Bench

_CHECKPOINTS = "SELECT min(position) FROM projections.projections WHERE name = ANY(%s)"
MEMBERS_TOUCHED = 1_000_000


def run(bench: "Bench", full: bool) -> None:
    """W8 first, since it makes the log longer; then W6 and W9 on all of it."""
    server = EmbeddedServer(bench.settings.data_dir)
    server.start()
    if bench.wanted("W8"):
        _w8(bench)
    server.start()
    if bench.wanted("W9"):
        _w9(bench)
    if bench.wanted("W6"):
        _w6(bench)
    server.stop()


def _events(bench: "Bench") -> int:
    with psycopg.connect(bench.owner_dsn) as connection:
        row = connection.execute("SELECT position FROM ledger.shards").fetchone()
    return int(row[0]) if row else 0


def _w8(bench: "Bench") -> None:
    """A kill -9 and a restart on the long log; then the writer's memory with a million members touched."""
    length = _events(bench)
    begin = time.perf_counter()
    with running_service(bench.settings) as address:
        ready = time.perf_counter() - begin
        notes = f"{length:,} events; PostgreSQL is running, Python starts anew"
        bench.add(Row("W8", "restart to ready on a long log", ready, "s", 3, True, notes=notes))
        first = 1_000_000
        commands = list(workload.enrol(first, first + MEMBERS_TOUCHED))
        requests = [
            ExecuteRequest(commands=commands[place : place + 4_000]) for place in range(0, len(commands), 4_000)
        ]
        drive.batches(address, requests, in_flight=4)
        resident = max(_writers_bytes(), default=0) / 2**20
    notes = f"limit of the states {bench.settings.writer_memory_mib} MiB; resident memory of the process"
    work = "writer memory, a million members touched"
    bench.add(Row("W8m", work, resident, "MiB", 1_536, True, notes=notes))


def _writers_bytes() -> list[int]:
    own = psutil.Process()
    return [child.memory_info().rss for child in own.children(recursive=True) if child.cmdline()[-1:] == ["writer"]]


def _w9(bench: "Bench") -> None:
    """The hash chain over the whole log, by two processes."""
    report = verify(bench.owner_dsn, processes=2)
    if report.problems:
        raise RuntimeError(f"the chain does not verify: {report.problems[0]}")
    yardstick = yardsticks.read_rate(bench.owner_dsn, min(report.events, 500_000))
    rate = report.events / report.seconds
    notes = f"{report.events:,} events and {report.commands:,} answers"
    bench.add(
        Row(
            "W9", "verify the hash chain, two processes", rate, "events/s", 300_000, False, yardstick, "COPY out", notes
        )
    )


def _w6(bench: "Bench") -> None:
    """The projections catch up from nothing, together, as one process."""
    length = _events(bench)
    settings = Settings(data_dir=bench.settings.data_dir, port=0, log_level="warning")
    begin = time.perf_counter()
    with running_service(settings), psycopg.connect(bench.owner_dsn, autocommit=True) as connection:
        seconds = 0.0
        while True:
            row = connection.execute(_CHECKPOINTS, (["balance", "inventory"],)).fetchone()
            seconds = time.perf_counter() - begin
            if row and row[0] is not None and row[0] >= length:
                break
            time.sleep(0.1)
    yardstick = yardsticks.read_rate(bench.owner_dsn, min(length, 500_000))
    notes = f"{length:,} events; all views run in that process"
    work = "projections catching up (balance, inventory)"
    bench.add(Row("W6", work, length / seconds, "events/s", 100_000, False, yardstick, "COPY out", notes))
