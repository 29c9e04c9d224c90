"""A soak: half load for a long time, with restarts; memory and latency in the end as in the beginning."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from tests.faults.load import Call
from tests.faults.stand import POSTGRESQL, Stand, stand

LONG_SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
CLIENTS = 8
SIZES = (1, 1, 1, 1, 6)
"""Mostly single commands: what counts here is how long it goes on, not how much gets done."""
WRITER_MIB = 64
"""The states' limit: small, so that it is reached and kept."""
GROWTH_MIB_MAX = 200
"""More than noise, and far less than half an hour of anything that is never let go."""


class Phase(NamedTuple):
    """The time between two restarts, and the most that each process took meanwhile, in MiB."""

    begin: float
    end: float
    peaks: dict[str, float]


@pytest.mark.parametrize("seconds", [8.0, pytest.param(LONG_SECONDS, marks=pytest.mark.long)])
def test_soak_ends_as_it_began(tmp_path: Path, figure: Callable[[str], None], seconds: float) -> None:
    """Between the five phases the service, the writer, gateway and projections, and PostgreSQL are restarted."""
    with stand(tmp_path, LOYALTY_WRITER_MEMORY_MIB=str(WRITER_MIB)) as under_test:
        with under_test.load(CLIENTS, SIZES) as full:
            begin = time.monotonic()
            time.sleep(2 + seconds / 60)
        calls_per_second = len(full.calls) / (time.monotonic() - begin) / 2
        with under_test.load(CLIENTS, SIZES, calls_per_second / CLIENTS) as load:
            first = last = _phase(under_test, seconds / 5)
            for disturb in (_restart, _kill("writer"), _kill("gateway", "projections"), _kill(POSTGRESQL)):
                disturb(under_test)
                load.wait_for_answers(time.monotonic())
                last = _phase(under_test, seconds / 5)
        figure(f"{seconds:.0f} s at {calls_per_second:.0f} calls a second, half of what was answered at full load")
        figure(f"first fifth: {_latencies(load.calls, first)}; last fifth: {_latencies(load.calls, last)}")
        memory = {name: (first.peaks[name], last.peaks[name]) for name in first.peaks}
        figure(", ".join(f"{name} {before:.0f}, then {after:.0f} MiB" for name, (before, after) in memory.items()))
        figure(under_test.check())
    for name, (before, after) in memory.items():
        assert after < before + GROWTH_MIB_MAX, f"{name} grew"


def _phase(under_test: Stand, seconds: float) -> Phase:
    """Let the load go on, and look at the memory now and then."""
    phase = Phase(time.monotonic(), time.monotonic() + seconds, {})
    while (left := phase.end - time.monotonic()) > 0:
        for name, mib in under_test.memory().items():
            phase.peaks[name] = max(mib, phase.peaks.get(name, 0.0))
        time.sleep(min(0.5, left))
    return phase


def _restart(under_test: Stand) -> None:
    """As an operator does."""
    under_test.service.stop()
    under_test.service.start()


def _kill(*names: str) -> Callable[[Stand], None]:
    def kill(under_test: Stand) -> None:
        for name in names:
            under_test.kill(name)

    return kill


def _latencies(calls: Sequence[Call], phase: Phase) -> str:
    """From the first attempt to the answer, of the calls that began in a phase."""
    took = sorted(1_000 * (call.answered - call.begun) for call in calls if phase.begin <= call.begun < phase.end)
    return f"{len(took):,} calls, p50 {median(took):.0f} ms, p99 {took[int(len(took) * 0.99)]:.0f} ms"
