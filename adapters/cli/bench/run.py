"""Runs the benchmarks one after the other on one log, from empty on, and prints one table."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import psycopg
from rich.console import Console

from adapters.app.settings import Settings
from adapters.cli.bench import client_drive, corrections, drive, long_log, workload, yardsticks
from adapters.cli.bench.table import Row, percentiles, show
from adapters.cli.bench.workload import MEMBERS
from adapters.cli.service import running_service
from adapters.postgres.embedded import EmbeddedServer
from loyalty.v1 import commands_pb2 as c

DATA_DIR = Path("build/bench")
EVENTS = 1_000_000


class Bench:
    """One run: a service of its own on an empty log, which the rows fill one after the other."""

    def __init__(self, console: Console, events: int, only: list[str]) -> None:
        self.console = console
        self.events = events
        self.only = only
        self.rows: list[Row] = []
        # The projections would take a core; they catch up in W6. What a machine gives to both is W1 with a rebuild.
        self.settings = Settings(data_dir=DATA_DIR, host="127.0.0.1", port=0, log_level="warning", run="writer")

    @property
    def owner_dsn(self) -> str:
        """The database of this run, as its owner."""
        return EmbeddedServer(DATA_DIR).endpoint().owner_dsn

    @property
    def app_dsn(self) -> str:
        """The same as the application: the projections' tables are its own."""
        return EmbeddedServer(DATA_DIR).endpoint().app_dsn

    def wanted(self, name: str) -> bool:
        """Whether a row is to be measured."""
        return not self.only or name in self.only

    def add(self, row: Row) -> None:
        """Keep a row, and say it at once."""
        self.rows.append(row)
        self.console.print(f"{row.id}: {row.figure:,.2f} {row.unit}", highlight=False)

    def sizes(self) -> int:
        """Bytes of the log with its indexes and outcomes, after a checkpoint of what is in memory."""
        with psycopg.connect(self.owner_dsn, autocommit=True) as connection:
            row = connection.execute(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE oid IN"
                " ('ledger.events'::regclass, 'ledger.outcomes'::regclass, 'ledger.batches'::regclass)"
            ).fetchone()
        return int(row[0]) if row else 0


def run_bench(console: Console, *, full: bool, only: list[str]) -> None:
    """Run what is wanted; `full` loads ten million events first, for the rows about a long log."""
    if DATA_DIR.exists():
        EmbeddedServer(DATA_DIR).destroy()
        shutil.rmtree(DATA_DIR, ignore_errors=True)
    bench = Bench(console, EVENTS, only)
    try:
        _run(bench, full)
    finally:
        if bench.rows:
            show(console, bench.rows)
        EmbeddedServer(DATA_DIR).destroy()


def _run(bench: Bench, full: bool) -> None:
    with running_service(bench.settings) as address:
        _setup(address)
        steps: tuple[tuple[str, Callable[[Bench, str], None]], ...] = (
            ("W1", _w1),
            ("W2", _w2),
            ("W3", _w3),
            ("W4", _w4),
            ("W10", _w10),
            ("C1", _corrections),
        )
        for name, step in steps:
            if bench.wanted(name):
                step(bench, address)
    long_log.run(bench, full)


def _setup(address: str) -> None:
    # The programme first and by itself: two calls in flight may arrive in either order.
    drive.batches(address, _chunks([workload.open_programme()], 1), in_flight=1)
    drive.batches(address, _chunks(workload.enrol(0, MEMBERS), 4_000), in_flight=2)


def _chunks(commands: Iterable[c.Command], size: int) -> Iterator[c.ExecuteRequest]:
    source = iter(commands)
    while chunk := list(islice(source, size)):
        yield c.ExecuteRequest(commands=chunk)


def _w1(bench: Bench, address: str) -> None:
    """Earns in batches of 1,000, four calls in flight, on a log that grows to a million outcomes and beyond."""
    members = workload.zipf_members(MEMBERS, bench.events)
    before = bench.sizes()
    parts = []
    # The requests are made before each part, outside the clock: a benchmark of the service, not of its caller.
    for begin in range(0, bench.events, 200_000):
        requests = list(workload.earn_batches(members[begin : begin + 200_000], 1_000, f"w1-{begin}-"))
        parts.append(drive.batches(address, requests, in_flight=4))
    bytes_each = (bench.sizes() - before) / bench.events
    requests = list(workload.earn_batches(members[:100_000], 1_000, "w1-after-"))
    after = drive.batches(address, requests, in_flight=4)
    rate = bench.events / sum(part.seconds for part in parts)
    yardstick = yardsticks.copy_rate(bench.owner_dsn, 100_000, 1_000)
    latencies = percentiles([each for part in parts for each in part.latencies])
    details = {
        "first_tenth": round(parts[0].rate_between(0, 0.5)),
        "last_tenth": round(parts[-1].rate_between(0.5, 1)),
        "with_1000000_outcomes_stored": round(after.rate),
        "latency_ms_of_a_batch": latencies,
        "half_of_yardstick_met": rate >= 0.5 * yardstick,
    }
    notes = (
        "100,000 members by Zipf, 4 batches in flight;"
        f" first tenth {details['first_tenth']:,}, last tenth {details['last_tenth']:,},"
        f" with a million outcomes stored {details['with_1000000_outcomes_stored']:,}"
    )
    work = "earns, batches of 1,000"
    bench.add(Row("W1", work, rate, "commands/s", 60_000, False, yardstick, "COPY of the same rows", notes, details))
    if bench.wanted("W10"):
        bench.add(Row("W10", "disk per earn", bytes_each, "bytes", 650, True, notes="indexes and outcomes included"))


def _w2(bench: Bench, address: str) -> None:
    """Single earns from 64 callers."""
    members = workload.zipf_members(MEMBERS, 30_000, seed=8)
    requests = [workload.earn(member, f"w2-{place}") for place, member in enumerate(members)]
    run = drive.unary(address, "Earn", requests, callers=64)
    yardstick = yardsticks.empty_calls_rate(address, callers=64, seconds=3)
    latencies = percentiles(run.latencies)
    notes = ", ".join(f"{name} {value} ms" for name, value in latencies.items())
    work = "single earns, 64 callers"
    bench.add(
        Row("W2", work, run.rate, "calls/s", 4_500, False, yardstick, "empty calls", notes, {"latency_ms": latencies})
    )
    bench.add(Row("W2p99", "single earns, p99", latencies["p99"], "ms", 40, lower_is_better=True))


def _w3(bench: Bench, address: str) -> None:
    """The Python client, 1,000 concurrent callers with one command each."""
    members = workload.zipf_members(MEMBERS, 100_000, seed=9)
    run = client_drive.earns(address, members, callers=1_000)
    yardstick = yardsticks.empty_calls_rate(address, callers=64, seconds=3)
    latencies = percentiles(run.latencies)
    notes = ", ".join(f"{name} {value} ms" for name, value in latencies.items())
    notes = f"one command each, batched by the client itself; {notes}"
    work = "earns, 1,000 callers of the Python client"
    bench.add(
        Row(
            "W3",
            work,
            run.rate,
            "commands/s",
            20_000,
            False,
            yardstick,
            "empty calls",
            notes,
            {"latency_ms": latencies},
        )
    )


def _w4(bench: Bench, address: str) -> None:
    """Redemptions of one hot SKU; there is stock for a tenth of them."""
    demand = 100_000
    drive.batches(address, _chunks(workload.redeem_setup("hot", demand // 10), 10), in_flight=1)
    members = [f"m{place % 50_000}" for place in range(demand)]
    grants = list(workload.earn_batches(members[:50_000], 1_000, "w4-"))
    drive.batches(address, grants, in_flight=4)
    redeems = [workload.redeem(member, "hot", place) for place, member in enumerate(members)]
    run = drive.batches(address, list(_chunks(redeems, 1_000)), in_flight=4, may_refuse=True)
    placed = demand - run.refused
    if placed != demand // 10:
        raise RuntimeError(f"{placed} units of {demand // 10} were redeemed")
    yardstick = yardsticks.hot_row_rate(bench.owner_dsn, clients=8, seconds=3)
    notes = f"batches of 1,000; {placed:,} of {demand:,} placed, exactly the stock; the others refused"
    work = "redemptions of one hot SKU"
    name = "one transaction each on a hot row"
    bench.add(Row("W4", work, run.rate, "commands/s", 15_000, False, yardstick, name, notes))


def _corrections(bench: Bench, address: str) -> None:
    for row in corrections.rows(address):
        bench.add(row)


def _w10(bench: Bench, address: str) -> None:
    """What a purchase of ten lines takes on disk."""
    count = 20_000
    before = bench.sizes()
    commands = (
        c.Command(record_purchase=workload.purchase(f"m{place % MEMBERS}", f"w10-{place}")) for place in range(count)
    )
    run = drive.batches(address, list(_chunks(commands, 1_000)), in_flight=4)
    each = (bench.sizes() - before) / count
    notes = f"indexes and outcomes included; recorded at {run.rate:,.0f} purchases/s, by the base rate only"
    bench.add(Row("W10p", "disk per purchase of 10 lines", each, "bytes", 1_700, True, notes=notes))
