"""The rows about views: what asking for the past takes, and building them anew while they answer."""

import time
from collections.abc import Iterator, Sequence

from adapters.cli.bench import beside_rebuild, catching_up, past, rebuilding, workload, yardsticks
from adapters.cli.bench.asking import asking
from adapters.cli.bench.bench import Bench
from adapters.cli.bench.projecting import Projecting
from adapters.cli.bench.rebuilding import Rebuilt
from adapters.cli.bench.table import Row, percentiles
from adapters.cli.service import running_service
from loyalty.v1.queries_pb2 import GetBalanceRequest

ALONE_SECONDS = 5.0
"""For so long balances are asked for before the rebuild begins."""
MEMBERS_ASKED = 1_000
MEMORY_MIB_MAX = 1_024
VIEWS = (rebuilding.VIEW, "programmes")
"""What GetBalance reads."""
REBUILD_ROWS = ("W7", "W7m", "W7p50", "W7p99")
GROWTH_ROWS = ("G1", "G2", "G5")
"""By millions of events; the short form has the first two."""
ROWS = ("W6", *past.ROWS, *GROWTH_ROWS, *REBUILD_ROWS, *beside_rebuild.ROWS)


def run(bench: Bench, lengths: Sequence[int]) -> None:
    """W6 first, since it throws all views away; what makes the log longer last."""
    if bench.wanted("W6"):
        work = "catching up, balance and inventory"
        bench.add(catching_up.row(bench, "W6", work, ("balance", "inventory"), 100_000))
    if not bench.wanted(*past.ROWS, *GROWTH_ROWS, *REBUILD_ROWS, *beside_rebuild.ROWS):
        return
    with running_service(bench.settings) as address:
        if bench.wanted(*past.ROWS):
            with Projecting(bench.app_dsn, (*VIEWS, "postings")) as projecting:
                projecting.until_caught_up()
                _add(bench, past.rows(bench, address))
        with Projecting(bench.app_dsn, VIEWS) as projecting:
            projecting.until_caught_up()
            if bench.wanted(*GROWTH_ROWS):
                _add(bench, growth_rows(bench, projecting, lengths))
            if bench.wanted(*REBUILD_ROWS):
                members = [f"m{number}" for number in range(MEMBERS_ASKED)]
                _add(bench, rebuild_rows(bench, projecting, address, "W7", workload.PROGRAMME, members))
            if bench.wanted(*beside_rebuild.ROWS):
                _add(bench, beside_rebuild.rows(projecting, address))


def growth_rows(bench: Bench, projecting: Projecting, lengths: Sequence[int]) -> Iterator[Row]:
    """The loading of a rebuild, of one log up to some lengths; the ratio is that of the time for each event."""
    shortest: float | None = None
    for length in lengths:
        loaded = rebuilding.load_up_to(projecting, bench.owner_dsn, length)
        each = loaded.seconds / length * 1_000_000
        yield Row(
            f"G{length // 1_000_000}",
            f"rebuild up to event {length:,}",
            each,
            "µs an event",
            lower_is_better=True,
            yardstick=shortest,
            yardstick_name=f"the same up to event {lengths[0]:,}" if shortest else "",
            notes=f"loaded, not compared, at {length / loaded.seconds:,.0f} events/s; {_memory(loaded)}",
            details={"mebibytes": _mebibytes(loaded), "seconds": loaded.seconds},
        )
        shortest = shortest or each


def rebuild_rows(
    bench: Bench, projecting: Projecting, address: str, name: str, programme: str, members: Sequence[str]
) -> Iterator[Row]:
    """The balance view is built anew beside the live one, which answers all the while, and did so before."""
    length = bench.events()
    yardstick = yardsticks.read_rate(bench.owner_dsn, min(length, 500_000))
    with asking(address, [GetBalanceRequest(programme=programme, member=member) for member in members]) as take:
        time.sleep(ALONE_SECONDS)
        alone = percentiles(take())
        rebuilt = rebuilding.rebuild(projecting)
        beside = percentiles(take())
    notes = (
        f"{length:,} events in {rebuilt.seconds:.1f} s, of these {rebuilt.load_seconds:.1f} s to load,"
        " then compared and swapped, while balances are asked for"
    )
    rate = length / rebuilt.seconds
    details = {"seconds": rebuilt.seconds, "load_seconds": rebuilt.load_seconds}
    work = "rebuild of the balance view"
    yield Row(name, work, rate, "events/s", 200_000, False, yardstick, "COPY out", notes, details)
    work = "memory of that rebuild"
    yield Row(f"{name}m", work, _mebibytes(rebuilt), "MiB", MEMORY_MIB_MAX, True, notes=_memory(rebuilt))
    for share in ("p50", "p99"):
        yield Row(
            f"{name}{share}",
            f"GetBalance during that rebuild, {share}",
            beside[share],
            "ms",
            lower_is_better=True,
            yardstick=alone[share],
            yardstick_name="the same before the rebuild",
            notes="over gRPC, one caller",
            details={"latency_ms": beside, "latency_alone_ms": alone},
        )


def _add(bench: Bench, rows: Iterator[Row]) -> None:
    for row in rows:
        bench.add(row)


def _mebibytes(rebuilt: Rebuilt) -> int:
    return round(rebuilt.bytes_max / 2**20)


def _memory(rebuilt: Rebuilt) -> str:
    return f"{_mebibytes(rebuilt):,} MiB in the projections' process and the two that load"
