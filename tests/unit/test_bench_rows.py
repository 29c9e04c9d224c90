"""What the benchmark's rows make of what was measured: rates, ratios, bars."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import Mock

import pytest
from rich.console import Console

from adapters.cli.bench import beside_rebuild, drive, rebuilding, views
from adapters.cli.bench.bench import Bench
from adapters.cli.bench.drive import Drive
from adapters.cli.bench.rebuilding import Rebuilt
from adapters.cli.bench.table import percentiles
from projections.watching import Pace


def test_growth_is_the_time_of_each_event_against_that_at_the_shortest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {1_000_000: 10.0, 2_000_000: 22.0, 5_000_000: 50.0}

    def load_up_to(projecting: object, owner_dsn: str, position: int) -> Rebuilt:
        return Rebuilt(seconds[position], seconds[position], 800 * 2**20)

    monkeypatch.setattr(rebuilding, "load_up_to", load_up_to)
    rows = list(views.growth_rows(Mock(), Mock(), list(seconds)))
    assert [row.id for row in rows] == list(views.GROWTH_ROWS)
    assert [row.figure for row in rows] == pytest.approx([10, 11, 10])
    assert [row.ratio for row in rows] == [None, pytest.approx(1.1), pytest.approx(1.0)]
    assert all("800 MiB" in row.notes for row in rows)


def test_beside_a_throttled_rebuild_the_bar_is_three_quarters_of_what_there_is_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paces: list[int | None] = []
    rates = iter((7_000, 20_000, 14_000, 9_000, 2_000, 1_900, 1_000))

    @contextmanager
    def rebuild_under_way(projecting: object, rate_max: int | None) -> Iterator[Pace]:
        paces.append(rate_max)
        yield Pace()

    def run(*_: object, **__: object) -> Drive:
        return Drive(next(rates), 1.0, [], [0.01], 0)

    monkeypatch.setattr(beside_rebuild, "rebuild_under_way", rebuild_under_way)
    monkeypatch.setattr(drive, "batches", run)
    monkeypatch.setattr(drive, "unary", run)
    rows = list(beside_rebuild.rows(Mock(), "an address"))
    assert [row.id for row in rows] == list(beside_rebuild.ROWS)
    assert paces == [20_000, None, 20_000, None]
    assert [(row.figure, row.yardstick, row.bar, row.met) for row in rows] == [
        (14_000, 20_000, 15_000, False),
        (9_000, 20_000, None, None),
        (1_900, 2_000, None, None),
        (1_000, 2_000, None, None),
    ]


def test_whoever_asks_for_one_row_gets_what_is_measured_with_it() -> None:
    everything, one = Bench(Console(), []), Bench(Console(), ["W7P99"])
    assert one.wanted(*views.REBUILD_ROWS)
    assert not one.wanted("W6", "W7m")
    assert everything.wanted("W6")


def test_percentiles_are_in_milliseconds_and_of_the_latencies_themselves() -> None:
    seconds = [number / 1_000 for number in range(1_000, 0, -1)]
    assert percentiles(seconds) == {"p50": 500, "p99": 990, "p99.9": 999, "max": 1_000}
