"""Processes that live but answer nobody."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.load import WAIT_SECONDS_MAX
from tests.faults.rounds import recovery, rounds
from tests.faults.stand import Stand, stand

SILENCE_SECONDS = 5
"""Tolerated here; a busy machine may start a process that slowly."""
CHILDREN = ("gateway", "writer", "projections")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A service that soon gives up a process that says nothing."""
    with stand(tmp_path_factory.mktemp("impatient"), LOYALTY_SILENCE_SECONDS_MAX=str(SILENCE_SECONDS)) as made:
        yield made


@rounds(few=1, many=10)
def test_processes_that_stand_still_are_ended_and_replaced(
    impatient: Stand, figure: Callable[[str], None], rounds: int
) -> None:
    """SIGSTOP of gateway, writer and projections at once, under load: nobody has to end them by hand (edge case 13)."""
    recoveries = []
    with impatient.load() as load:
        for _ in range(rounds):
            load.wait_for_answers(time.monotonic())
            pids = impatient.pids()
            stopped = {name: pids[name] for name in CHILDREN}
            for pid in stopped.values():
                os.kill(pid, signal.SIGSTOP)
            stopped_at = time.monotonic()
            _wait_for_others(impatient, stopped)
            recoveries.append(load.wait_for_answers(stopped_at))
    assert load.attempts_failed > 0, "nobody noticed: the test did not test that"
    assert silent(impatient.service.log) >= set(CHILDREN)
    figure(f"{recovery(recoveries)}; {load.attempts_failed} calls had to be made again")
    figure(impatient.check())


def _wait_for_others(under_test: Stand, stopped: dict[str, int]) -> None:
    """Wait until each has another in its place."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        pids = under_test.pids()
        if all(pids.get(name, pid) != pid for name, pid in stopped.items()):
            return
        assert time.monotonic() < deadline, f"{stopped} live on, of {pids}"
        time.sleep(0.05)


def silent(log: Path) -> set[str]:
    """The processes that were ended because they said nothing, as their supervisor says."""
    lines = log.read_text().splitlines()
    return {name for name in CHILDREN for line in lines if '"process.silent"' in line and f'"{name}"' in line}
