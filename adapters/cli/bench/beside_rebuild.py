"""The rows about what a rebuild leaves to the writer: W1 and W2 in short, without one, throttled, and at full rate."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

from adapters.cli.bench import drive, workload
from adapters.cli.bench.drive import Drive
from adapters.cli.bench.projecting import Projecting
from adapters.cli.bench.rebuilding import rebuild_under_way
from adapters.cli.bench.table import Row, percentiles

ROWS = ("R1", "R2", "R3", "R4")
RATE_MAX = 20_000
KEPT = 0.75
"""What W1 keeps beside a throttled rebuild."""
COMMANDS = 100_000
CALLS = 10_000
SEED = 17
"""The same members each time, and in the calls some of these."""
NOTES = "the live balance view follows the log in either case"

_samples = count()


def rows(projecting: Projecting, address: str) -> Iterator[Row]:
    """Each of them right after the same without a rebuild; before all of them the writer loads the members' states."""
    _batches(address)()
    yield from _rows(projecting, address, ("R1", "R2"), "W1 in short", "commands/s", _batches, KEPT)
    yield from _rows(projecting, address, ("R3", "R4"), "W2 in short", "calls/s", _calls, None)


def _rows(
    projecting: Projecting,
    address: str,
    names: tuple[str, str],
    work: str,
    unit: str,
    prepare: Callable[[str], Callable[[], Drive]],
    kept: float | None,
) -> Iterator[Row]:
    alone = prepare(address)()
    projecting.until_caught_up()
    for name, rate_max, bar in ((names[0], RATE_MAX, kept), (names[1], None, None)):
        send = prepare(address)
        with rebuild_under_way(projecting, rate_max) as pace:
            beside = send()
        rate = f"at {rate_max:,} events/s" if rate_max else "at full rate"
        # At full rate it moves in steps too long for a short sample to tell.
        seen = f" ({pace.events_per_second:,} seen)" if rate_max else ""
        latencies, before = percentiles(beside.latencies), percentiles(alone.latencies)
        yield Row(
            name,
            f"{work}, a rebuild {rate} beside it",
            beside.rate,
            unit,
            bar and bar * alone.rate,
            yardstick=alone.rate,
            yardstick_name="the same without a rebuild",
            notes=f"{beside.commands:,} earns, p99 {latencies['p99']} ms, without it {before['p99']} ms;"
            f" rebuild {rate}{seen}; {NOTES}",
            details={"latency_ms": latencies, "latency_alone_ms": before},
        )


def _batches(address: str) -> Callable[[], Drive]:
    members = workload.zipf_members(workload.MEMBERS, COMMANDS, seed=SEED)
    requests = list(workload.earn_batches(members, 1_000, f"r-{next(_samples)}-"))
    return partial(drive.batches, address, requests, in_flight=4)


def _calls(address: str) -> Callable[[], Drive]:
    members = workload.zipf_members(workload.MEMBERS, CALLS, seed=SEED)
    prefix = f"r-{next(_samples)}-"
    requests = [workload.earn(member, f"{prefix}{place}") for place, member in enumerate(members)]
    return partial(drive.unary, address, "Earn", requests, callers=64)
