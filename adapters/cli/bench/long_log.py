"""The rows about a log that has grown long: restarting, a member with many lots, verifying."""

import asyncio
import time
from contextlib import suppress
from multiprocessing import get_context

import grpc
import psutil

from adapters.cli.bench import busy_member, drive, workload, yardsticks
from adapters.cli.bench.bench import Bench
from adapters.cli.bench.table import Row
from adapters.cli.service import BackgroundService, running_service
from adapters.postgres.verify import verify
from ledger.commands import Earn
from ledger.events import Source
from ledger.quantities import Amount
from loyalty.v1.commands_pb2 import ExecuteRequest

ROWS = ("W8", "W8m", "W9")
"""Those that the log's length counts for."""
MEMBERS_TOUCHED = 1_000_000
LOAD_BATCH = 8_192
KILLED_COMMANDS = 80_000
"""In the load under which the service is killed, after a quarter of it."""


def run(bench: Bench) -> None:
    """W8 first, since it makes the log longer; then the busy member, and W9 on all of it. PostgreSQL runs on."""
    if bench.wanted("W8", "W8m"):
        _w8(bench)
    endpoint = bench.server.start()
    if bench.wanted("M1", "M2"):
        for row in busy_member.rows(endpoint.app_dsn):
            bench.add(row)
    if bench.wanted("W9"):
        _w9(bench)


def fill(bench: Bench, events: int) -> None:
    """Have a log of at least so many events."""
    length = bench.events()
    if length < events:
        bench.console.print(f"Loading {events - length:,} events ...")
        asyncio.run(_load(bench.app_dsn, length, events))


async def _load(dsn: str, begin: int, end: int) -> None:
    """Grants by a writer in this process, in the largest batches: chain and outcomes are as real as any."""
    async with busy_member.leading(dsn) as writer:
        for first in range(begin, end, LOAD_BATCH):
            members = workload.zipf_members(workload.MEMBERS, min(LOAD_BATCH, end - first), seed=first)
            grants = [
                Earn(member, Amount(workload.UNIT, 100), Source("order", f"load-{first + place}"))
                for place, member in enumerate(members)
            ]
            await busy_member.execute(writer, grants)


def _w8(bench: Bench) -> None:
    """A kill -9 under load and a restart on the long log; then the writer's memory with a million members touched."""
    _kill_under_load(bench)
    length = bench.events()
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


def _kill_under_load(bench: Bench) -> None:
    """Send grants, and end the service with SIGKILL in the middle of them."""
    service = BackgroundService(bench.settings)
    before = bench.events()
    load = get_context("spawn").Process(target=_send, args=(service.address,))
    load.start()
    while bench.events() < before + KILLED_COMMANDS // 4 and load.is_alive():
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


def _w9(bench: Bench) -> None:
    """The hash chain over the whole log, by two processes."""
    report = verify(bench.owner_dsn, processes=2)
    if report.problems:
        raise RuntimeError(f"the chain does not verify: {report.problems[0]}")
    yardstick = yardsticks.read_rate(bench.owner_dsn, min(report.events, 500_000))
    rate = report.events / report.seconds
    notes = f"{report.events:,} events and {report.commands:,} answers, two processes"
    bench.add(Row("W9", "verify the hash chain", rate, "events/s", 300_000, False, yardstick, "COPY out", notes))
