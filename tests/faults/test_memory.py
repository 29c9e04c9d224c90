"""A writer that gets no more memory."""

import time
from collections.abc import Callable

import psutil
import pytest

from tests.faults.rounds import recovery
from tests.faults.stand import MIB, Stand

LEFT_MIB = 8
ROUNDS = 10
DIES_SECONDS_MAX = 120
"""One that has not died by then is one that lives on and answers nobody."""


@pytest.mark.long
def test_a_writer_out_of_memory_is_replaced(under_test: Stand, figure: Callable[[str], None]) -> None:
    """It dies in the middle of whatever it does, perhaps of a commit, as if it were killed; another takes its place.

    Of a MemoryError mostly; of a signal where it is the interpreter itself that gets none.
    """
    recoveries = []
    died_before = deaths(under_test)
    with under_test.load() as load:
        for _ in range(ROUNDS):
            load.wait_for_answers(time.monotonic())
            writer = psutil.Process(under_test.pids()["writer"])
            limit = writer.memory_info().vms + LEFT_MIB * MIB
            writer.rlimit(psutil.RLIMIT_AS, (limit, limit))
            deadline = time.monotonic() + DIES_SECONDS_MAX
            while writer.is_running():
                assert time.monotonic() < deadline, "the writer lives on without memory"
                time.sleep(0.01)
            recoveries.append(load.wait_for_answers(time.monotonic()))
    assert deaths(under_test) == died_before + ROUNDS
    figure(f"{recovery(recoveries)}, from its death; {load.attempts_failed} calls had to be made again")
    figure(under_test.check())


def deaths(under_test: Stand) -> int:
    """How often a writer died by itself, as its supervisor says."""
    lines = under_test.service.log.read_text().splitlines()
    return sum('"process.died"' in line and '"writer"' in line for line in lines)
