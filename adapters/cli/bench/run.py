"""Runs the benchmarks one after the other, and prints one table."""

from collections.abc import Callable
from functools import partial

from rich.console import Console

from adapters.cli.bench import long_log, views, writing
from adapters.cli.bench.bench import Bench
from adapters.cli.bench.table import show
from adapters.cli.service import running_service

EVENTS = 2_000_000
"""The log is at least so long where its length counts; what was written before it is most of that."""
FULL_EVENTS = 10_000_000
GROWTH = (1_000_000, 2_000_000)
FULL_GROWTH = (*GROWTH, 5_000_000)

Part = Callable[[Bench], None]


def run_bench(console: Console, *, full: bool, only: list[str]) -> None:
    """Run what is wanted, in short or in full.

    Raises ModuleNotFoundError, before anything is measured, where the data that `full` needs is not installed.
    """
    bench = Bench(console, only)
    parts = _full() if full else _short()
    try:
        for part in parts:
            part(bench)
    finally:
        if bench.rows:
            show(console, bench.rows)
        bench.server.destroy()


def _short() -> list[Part]:
    return [_writing, partial(_long_log, events=EVENTS, lengths=GROWTH)]


def _full() -> list[Part]:
    """The long log is one of its own, so that all it has behind its members is grants; then that of real data."""
    from adapters.cli.bench import grocery_year

    return [_writing, _set_up, partial(_long_log, events=FULL_EVENTS, lengths=FULL_GROWTH), grocery_year.run]


def _writing(bench: Bench) -> None:
    bench.begin_anew()
    with running_service(bench.settings) as address:
        writing.run(bench, address)


def _set_up(bench: Bench) -> None:
    bench.begin_anew()
    with running_service(bench.settings) as address:
        writing.set_up(address)


def _long_log(bench: Bench, events: int, lengths: tuple[int, ...]) -> None:
    bench.server.start()
    if bench.wanted(*long_log.ROWS, *views.ROWS):
        long_log.fill(bench, events)
    long_log.run(bench)
    views.run(bench, lengths)
