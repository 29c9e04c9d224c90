"""A writer that gets no more memory."""

import time
from collections.abc import Callable

import psutil

from tests.faults.rounds import recovery, rounds
from tests.faults.stand import MIB, Stand

LEFT_MIB = (1, 8, 2)
"""Little is used up in the middle of anything, more by what grows: caches, a large batch."""
ENDS_SECONDS_MAX = 180
"""Three times the silence that a supervisor tolerates."""


@rounds(few=1, many=10)
def test_a_writer_out_of_memory_is_replaced(under_test: Stand, figure: Callable[[str], None], rounds: int) -> None:
    """It ends in the middle of whatever it does, perhaps of a commit, as if it were killed; another takes its place.

    Of a MemoryError mostly; of a signal where it is the interpreter itself that gets none; of its supervisor where it
    lives on and answers nobody.
    """
    recoveries = []
    died_before = deaths(under_test)
    with under_test.load() as load:
        for round_number in range(rounds):
            load.wait_for_answers(time.monotonic())
            writer = psutil.Process(under_test.pids()["writer"])
            limit = writer.memory_info().vms + LEFT_MIB[round_number % len(LEFT_MIB)] * MIB
            writer.rlimit(psutil.RLIMIT_AS, (limit, limit))
            deadline = time.monotonic() + ENDS_SECONDS_MAX
            while writer.is_running():
                assert time.monotonic() < deadline, "the writer lives on without memory"
                time.sleep(0.01)
            recoveries.append(load.wait_for_answers(time.monotonic()))
    assert deaths(under_test) == died_before + rounds
    figure(f"{recovery(recoveries)}, from its death; {load.attempts_failed} calls had to be made again")
    figure(under_test.check())


def deaths(under_test: Stand) -> int:
    """How often a writer died by itself, as its supervisor says."""
    lines = under_test.service.log.read_text().splitlines()
    return sum('"process.died"' in line and '"writer"' in line for line in lines)
