"""The rows about a log that has grown long: catching up, restarting, verifying."""

import asyncio
import time
from contextlib import suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING

import grpc
import psutil
import psycopg

from adapters.cli.bench import busy_member, catching_up, drive, rebuilding, workload, yardsticks
from adapters.cli.bench.table import Row, percentiles
from adapters.cli.service import BackgroundService, running_service
from adapters.postgres.embedded import EmbeddedServer
from adapters.postgres.verify import verify
from ledger.commands import Earn
from ledger.events import Source
from ledger.quantities import Amount
from loyalty.v1.commands_pb2 import ExecuteRequest
from projections.registry import PROJECTIONS

if TYPE_CHECKING:
    from adapters.cli.bench.run import Bench

MEMBERS_TOUCHED = 1_000_000
FULL_EVENTS = 10_000_000
LOAD_BATCH = 8_192
KILLED_COMMANDS = 80_000
"""In the load under which the service is killed, after a quarter of it."""


def run(bench: "Bench", full: bool) -> None:
    """W8 first, since it makes the log longer; then the busy member, W6 and W9 on all of it."""
    server = EmbeddedServer(bench.settings.data_dir)
    endpoint = server.start()
    if full:
        bench.console.print(f"Loading {FULL_EVENTS:,} events ...")
        asyncio.run(_load(endpoint.app_dsn, FULL_EVENTS))
    if bench.wanted("W8"):
        _w8(bench)
    endpoint = server.start()
    if bench.wanted("M1"):
        for row in busy_member.rows(endpoint.app_dsn):
            bench.add(row)
    if bench.wanted("W9"):
        _w9(bench)
    if bench.wanted("W6"):
        _w6(bench)
    if bench.wanted("W7"):
        _w7(bench)
    server.stop()


async def _load(dsn: str, events: int) -> None:
    """Grants by a writer in this process, in the largest batches: chain and outcomes are as real as any."""
    members = workload.zipf_members(workload.MEMBERS, events, seed=11)
    async with busy_member.leading(dsn) as writer:
        for begin in range(0, events, LOAD_BATCH):
            grants = [
                Earn(member, Amount(workload.UNIT, 100), Source("order", f"load-{begin + place}"))
                for place, member in enumerate(members[begin : begin + LOAD_BATCH])
            ]
            await busy_member.execute(writer, grants)


def _events(bench: "Bench") -> int:
    with psycopg.connect(bench.owner_dsn) as connection:
        row = connection.execute("SELECT position FROM ledger.shards").fetchone()
    return int(row[0]) if row else 0


def _w8(bench: "Bench") -> None:
    """A kill -9 under load and a restart on the long log; then the writer's memory with a million members touched."""
    _kill_under_load(bench)
    length = _events(bench)
    begin = time.perf_counter()
    with running_service(bench.settings) as address:
        ready = time.perf_counter() - begin
        notes = (
            f"after kill -9 of all its processes under load, on {length:,} events; PostgreSQL went on and is adopted"
        )
        bench.add(Row("W8", "restart to ready", ready, "s", 3, True, notes=notes))
        first = 1_000_000
        commands = list(workload.enrol(first, first + MEMBERS_TOUCHED))
        requests = [
            ExecuteRequest(commands=commands[place : place + 4_000]) for place in range(0, len(commands), 4_000)
        ]
        drive.batches(address, requests, in_flight=4)
        resident = max(_writers_bytes(), default=0) / 2**20
    notes = f"resident memory of the process; the states may take {bench.settings.writer_memory_mib:,} MiB"
    work = "writer memory, a million members touched"
    bench.add(Row("W8m", work, resident, "MiB", 1_536, True, notes=notes))


def _kill_under_load(bench: "Bench") -> None:
    """Send grants, and end the service with SIGKILL in the middle of them."""
    service = BackgroundService(bench.settings)
    before = _events(bench)
    load = get_context("spawn").Process(target=_send, args=(service.address,))
    load.start()
    while _events(bench) < before + KILLED_COMMANDS // 4 and load.is_alive():
        time.sleep(0.01)
    under_load = load.is_alive()
    service.kill()
    load.join()
    if not under_load:
        raise RuntimeError("all was done before the service was killed")


def _send(address: str) -> None:
    members = workload.zipf_members(workload.MEMBERS, KILLED_COMMANDS, seed=13)
    with suppress(grpc.RpcError):
        drive.batches(address, workload.earn_batches(members, 1_000, "w8-"), in_flight=4)


def _writers_bytes() -> list[int]:
    own = psutil.Process()
    return [
        child.memory_info().rss
        for child in own.children(recursive=True)
        if child.cmdline()[-1:] == ["adapters.app.writer"]
    ]


def _w9(bench: "Bench") -> None:
    """The hash chain over the whole log, by two processes."""
    report = verify(bench.owner_dsn, processes=2)
    if report.problems:
        raise RuntimeError(f"the chain does not verify: {report.problems[0]}")
    yardstick = yardsticks.read_rate(bench.owner_dsn, min(report.events, 500_000))
    rate = report.events / report.seconds
    notes = f"{report.events:,} events and {report.commands:,} answers, two processes"
    bench.add(Row("W9", "verify the hash chain", rate, "events/s", 300_000, False, yardstick, "COPY out", notes))


def _w6(bench: "Bench") -> None:
    """The projections catch up from nothing, together, as one process."""
    length = _events(bench)
    yardstick = yardsticks.read_rate(bench.owner_dsn, min(length, 500_000))
    for name, work, views in (
        ("W6", "catching up, balance and inventory", ("balance", "inventory")),
        ("W6all", "catching up, all views", tuple(projection.name for projection in PROJECTIONS)),
    ):
        rate = catching_up.events_per_second(bench.app_dsn, length, views)
        notes = f"{length:,} events from nothing, {len(views)} views in one process"
        bench.add(Row(name, work, rate, "events/s", 100_000, False, yardstick, "COPY out", notes))


def _w7(bench: "Bench") -> None:
    """The balance view is built anew beside the live one, which answers all the while."""
    length = _events(bench)
    yardstick = yardsticks.read_rate(bench.owner_dsn, min(length, 500_000))
    rebuilt = rebuilding.rebuild(bench.app_dsn, "balance")
    latencies = percentiles(rebuilt.latencies)
    notes = (
        f"{length:,} events in {rebuilt.seconds:.1f} s, of these {rebuilt.load_seconds:.1f} s to load;"
        f" {rebuilt.bytes_max / 2**20:,.0f} MiB in its processes; balances asked meanwhile: p99 {latencies['p99']} ms"
    )
    details = {"latency_ms": latencies, "bytes_max": rebuilt.bytes_max, "load_seconds": rebuilt.load_seconds}
    rate = length / rebuilt.seconds
    work = "rebuild of the balance view"
    bench.add(Row("W7", work, rate, "events/s", 200_000, False, yardstick, "COPY out", notes, details))
