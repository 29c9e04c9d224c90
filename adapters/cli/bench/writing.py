"""The rows about writing, on a log from empty on: earns, redemptions, corrections, and what they take on disk."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from adapters.cli.bench import client_drive, corrections, drive, workload, yardsticks
from adapters.cli.bench.bench import Bench
from adapters.cli.bench.table import Row, percentiles
from adapters.cli.bench.workload import MEMBERS
from loyalty.v1 import commands_pb2 as c

EARNS = 1_000_000


def run(bench: Bench, address: str) -> None:
    """What is wanted of them, each on top of what those before it wrote."""
    set_up(address)
    steps: tuple[tuple[tuple[str, ...], Callable[[Bench, str], None]], ...] = (
        (("W1", "W10"), _w1),
        (("W2", "W2p99"), _w2),
        (("W3",), _w3),
        (("W4",), _w4),
        (("W10p",), _w10),
        (("C1", "C2", "C3"), _corrections),
    )
    for rows, step in steps:
        if bench.wanted(*rows):
            step(bench, address)


def set_up(address: str) -> None:
    """A programme with its members."""
    # The programme first and by itself: two calls in flight may arrive in either order.
    drive.batches(address, _chunks([workload.open_programme()], 1), in_flight=1)
    drive.batches(address, _chunks(workload.enrol(0, MEMBERS), 4_000), in_flight=2)


def _chunks(commands: Iterable[c.Command], size: int) -> Iterator[c.ExecuteRequest]:
    source = iter(commands)
    while chunk := list(islice(source, size)):
        yield c.ExecuteRequest(commands=chunk)


def _w1(bench: Bench, address: str) -> None:
    """Earns in batches of 1,000, four calls in flight, on a log that grows to a million outcomes and beyond."""
    members = workload.zipf_members(MEMBERS, EARNS)
    before = bench.sizes()
    parts = []
    # The requests are made before each part, outside the clock: a benchmark of the service, not of its caller.
    for begin in range(0, EARNS, 200_000):
        requests = list(workload.earn_batches(members[begin : begin + 200_000], 1_000, f"w1-{begin}-"))
        parts.append(drive.batches(address, requests, in_flight=4))
    bytes_each = (bench.sizes() - before) / EARNS
    requests = list(workload.earn_batches(members[:100_000], 1_000, "w1-after-"))
    after = drive.batches(address, requests, in_flight=4)
    rate = EARNS / sum(part.seconds for part in parts)
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
