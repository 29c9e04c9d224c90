"""Whatever breaks: every acknowledged command is there exactly once, and the log follows from its order alone."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.world import simulate

TOGETHER = 8
TROUBLES = {
    "answer lost",
    "caller went away",
    "clock went back",
    "connection died",
    "failed commit",
    "fenced",
    "go on",
    "hung leader",
    "idle in transaction",
    "kill",
    "late commit",
    "lock lost",
    "message lost",
    "message sent twice",
    "retire",
    "session ended",
    "slow flush",
    "stop",
}
"""All that can go wrong."""


def seeds(first: int, last: int) -> list[range]:
    """Some for each test."""
    return [range(seed, seed + TOGETHER) for seed in range(first, last, TOGETHER)]


def simulate_all(some: range) -> Counter[str]:
    happened = Counter[str]()
    for seed in some:
        happened += simulate(seed)
    return happened


@pytest.mark.parametrize("some", seeds(0, 80), ids=str)
def test_whatever_breaks_nothing_is_lost_doubled_or_made_up(some: range) -> None:
    assert simulate_all(some)["lead"] >= len(some)


@pytest.mark.long
@pytest.mark.parametrize("some", seeds(1_000, 4_000), ids=str)
def test_whatever_breaks_nothing_is_lost_doubled_or_made_up_for_thousands_of_seeds(some: range) -> None:
    assert simulate_all(some)["lead"] >= len(some)


@pytest.mark.long
def test_everything_that_can_go_wrong_does() -> None:
    """The simulation is worth something: each kind of trouble comes again and again."""
    happened = simulate_all(range(0, 200))
    assert {trouble for trouble in TROUBLES if happened[trouble] < 3} == set()


def test_a_seed_decides_everything() -> None:
    """The same events at the same instants in another process, whose sets have another order."""
    told = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-m", "tests.simulation", "7"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        story, _, _ = done.stdout.partition("1 seeds from 7 on")
        assert story.count("\n") > 20
        told.append(story)
    assert told[0] == told[1]
