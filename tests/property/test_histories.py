"""Random histories, checked step by step by the oracle."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import commands as c
from ledger.commands import Request
from ledger.events import TOPICS, Source
from ledger.quantities import Amount
from ledger.receipts import Outcome
from ledger.refusals import Reason
from tests.property.checked import Checked
from tests.property.histories import START, Step, difference, history, long_history
from tests.unit.ledger.running import Running, ScriptedClock

BOTH = ("zoo", "bar")
RARE = {"PROGRAMME_NOT_FOUND", "LIMIT_EXCEEDED", "REWARD_NOT_FOUND", "REWARD_UNAVAILABLE", "CLOCK_NOT_MANUAL"}
RARE |= {"PRICE_CHANGED", "CLOCK_MOVED_BACK", "PROGRAMME_EXISTS", "LATER_CHANGE_EXISTS", "HOLDS_OPEN", "LOT_EXPIRED"}
RARE |= {"EXPIRY_NOT_LATER"}
"""Refusals that these histories seldom lead to."""


def batches(steps: Sequence[Step], random: Random, most: int) -> list[Sequence[Step]]:
    found = []
    begin = 0
    while begin < len(steps):
        end = begin + random.randrange(1, most)
        found.append(steps[begin:end])
        begin = end
    return found


@pytest.mark.parametrize("seed", range(3))
def test_the_log_of_a_long_history_keeps_every_invariant(seed: int) -> None:
    with Running(ScriptedClock(START)) as running:
        checked = Checked(running)
        for batch in batches(long_history(seed, 4_000, BOTH), Random(seed), 60):
            checked.send(batch)
        # The histories are worth something: they lead to nearly all that can happen.
        topics = {record.topic for record in running.memory.records}
        assert set(TOPICS.values()) == topics
        assert not {reason.value for reason in Reason} - checked.seen.keys() - RARE
        assert {"InvalidCommand", "CommandIdReused", "repeated", "tried"} <= checked.seen.keys()


@given(st.lists(st.integers(0, 2**40), max_size=40))
@settings(max_examples=30)
def test_the_same_commands_twice_make_the_same_log(numbers: list[int]) -> None:
    """Edge case 13."""
    steps = history(numbers)
    logs = []
    for times in (1, 2):
        with Running(ScriptedClock(START)) as running:
            for step in steps:
                for _ in range(times):
                    running.execute([step.request])
            logs.append((running.memory.records, list(running.memory.outcomes.values())))
    assert difference(logs[0][0], logs[1][0]) is None
    assert difference(logs[0][1], logs[1][1]) is None


# -- what leaves no trace


def noise(number: int, at: int) -> list[Request]:
    """Requests that must change nothing: a refused group, commands that are only tried, bad input."""
    random = Random(number)
    earn = c.Earn("anna", Amount("points", 50), Source("noise", str(number)))
    steps: list[c.Command] = [
        earn,
        c.Transfer("anna", "bo", Amount("points", 20)),
        c.Redeem(f"n{number}", "anna", "mug"),
        c.Hold(f"n{number}", "anna", Amount("points", 9)),
        c.RecordPurchase("anna", f"n{number}", ()),
        c.ReceiveStock("mug", "shop", 5, 100),
        c.ExpireDue(at, "bo"),
        c.EnrolMember(f"n{number}"),
    ]
    random.shuffle(steps)
    refused = c.Transfer("anna", f"nobody{number}", Amount("points", 1))

    def request(kind: int, *commands: c.Command, validate_only: bool = False) -> Request:
        identity = b"noise" + number.to_bytes(8, "big") + kind.to_bytes(3, "big")
        return Request(identity, "zoo", at, commands, "till-1", "shop", validate_only=validate_only)

    valid = [step for step in steps if not isinstance(step, c.RecordPurchase)]
    return [
        request(1, *valid, refused),
        request(2, *valid[:3], validate_only=True),
        request(3, earn, validate_only=True),
        request(4, *steps),
        request(5, c.Earn("anna", Amount("points", 0), Source("noise", "0"))),
    ]


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=40), st.integers(0, 2**20))
@settings(max_examples=40)
def test_what_is_refused_tried_or_invalid_leaves_no_trace(numbers: list[int], seed: int) -> None:
    """A group is refused whole: the writer goes on like one that never saw it. So after a trial and after bad input."""
    logs = []
    for noisy in (False, True):
        random = Random(seed)
        with Running(ScriptedClock(START)) as running:
            for place, step in enumerate(history(numbers)):
                running.execute([step.request])
                if noisy and random.random() < 0.5:
                    answers = running.execute(noise(place, step.request.occurred_at))
                    tried = [answer.id for answer in answers[1:3] if isinstance(answer, Outcome)]
                    assert not running.memory.outcomes.keys() & set(tried)
            logs.append([(r.stream, r.version, r.command_id, r.event) for r in running.memory.records])
    assert difference(logs[1], logs[0]) is None
