"""Random histories, checked step by step by the oracle."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import commands as c
from ledger.commands import Request, Reverse
from ledger.errors import LedgerError
from ledger.events import TOPICS, Source
from ledger.quantities import Amount
from ledger.receipts import Outcome, Receipt
from ledger.refusals import Reason, Refusal
from ledger.writer import Answer
from tests.oracle.model import Oracle
from tests.property.histories import START, Step, difference, history, long_history
from tests.unit.ledger.running import Running, ScriptedClock

BOTH = ("zoo", "bar")
RARE = {"PROGRAMME_NOT_FOUND", "LIMIT_EXCEEDED", "REWARD_NOT_FOUND", "REWARD_UNAVAILABLE", "CLOCK_NOT_MANUAL"}
RARE |= {"PRICE_CHANGED", "CLOCK_MOVED_BACK", "PROGRAMME_EXISTS", "LATER_CHANGE_EXISTS", "HOLDS_OPEN", "LOT_EXPIRED"}
RARE |= {"EXPIRY_NOT_LATER"}
"""Refusals that these histories seldom lead to."""


class Checked:
    """A writer whose every answer is compared with what the oracle makes of the log."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.oracle = Oracle()
        self.seen: Counter[str] = Counter()

    def send(self, steps: Sequence[Step]) -> None:
        """Send steps as one batch; the clock shows the time of the last one."""
        self.running.clock.instant = steps[-1].wall
        requests = [step.request for step in steps]
        for request, answer in zip(requests, self.running.execute(requests), strict=True):
            self.check(request, answer)
        self.oracle.finish()
        assert self.oracle.position == len(self.running.memory.records)

    def check(self, request: Request, answer: Answer) -> None:
        if isinstance(answer, LedgerError):
            self.seen[type(answer).__name__] += 1
        elif isinstance(answer.answer, Refusal):
            self.seen[answer.answer.reason.value] += 1
            if len(request.commands) == 1 and not answer.repeated:
                self.check_refusal(request, answer.answer)
        elif answer.repeated or request.validate_only:
            self.seen["repeated" if answer.repeated else "tried"] += 1
        else:
            self.seen[type(request.commands[0]).__name__] += 1
            self.check_receipt(request, answer.answer)

    def check_receipt(self, request: Request, receipt: Receipt) -> None:
        """Fold the command's events; the balances it was answered with are those that follow from the log."""
        self.oracle.fold(self.running.memory.records[self.oracle.position : receipt.position])
        told = dict.fromkeys(
            (b.member, b.unit, b.open, b.pending, b.held, b.quarantined, b.debt) for b in receipt.balances
        )
        members = dict.fromkeys(row[0] for row in told)
        known = [row for member in members for row in self.oracle.balances(request.programme, member)]
        assert list(told) == known
        assert all(b.balance == b.open + b.pending + b.held + b.quarantined - b.debt for b in receipt.balances)

    def check_refusal(self, request: Request, refusal: Refusal) -> None:
        """What is refused for want of something is wanting, and the facts say how much there is."""
        facts = refusal.facts
        programme = self.oracle.programmes[request.programme]
        if refusal.reason is Reason.INSUFFICIENT_POINTS:
            assert facts["spendable"] < facts["wanted"]
            if not isinstance(request.commands[0], Reverse):  # That counts only what is left in the lots it made.
                # Only an adjustment takes from somebody who is frozen, and that takes what is quarantined, too.
                lots = programme.members[facts["member"]].in_order(facts["unit"])
                assert facts["spendable"] == sum(lot.points for lot in lots if lot.open_at(request.occurred_at))
        elif refusal.reason is Reason.OUT_OF_STOCK:
            stock = self.oracle.stock(request.programme, f"{facts['sku']}@{facts['location']}")
            ships = isinstance(request.commands[0], c.Fulfil | c.ShipStock)
            assert facts["available"] == (stock.on_hand if ships else stock.free) < facts["wanted"]
        elif refusal.reason is Reason.STOCK_DISCONTINUED:
            assert not programme.sells(facts["sku"], facts["location"])
        elif refusal.reason is Reason.QUANTITY_EXCEEDED and "redemption" in facts:
            assert facts["left"] == programme.redemptions[facts["redemption"]].open < facts["wanted"]
        elif refusal.reason is Reason.OUT_OF_ORDER:
            assert facts["occurred_at"] == request.occurred_at < facts["earliest"]
        elif refusal.reason in {Reason.IN_THE_FUTURE, Reason.TOO_FAR_BACK}:
            assert facts["now"] == (programme.clock if programme.manual else self.running.clock.instant)


def batches(steps: Sequence[Step], random: Random, most: int) -> list[Sequence[Step]]:
    found = []
    begin = 0
    while begin < len(steps):
        end = begin + random.randrange(1, most)
        found.append(steps[begin:end])
        begin = end
    return found


@settings(max_examples=60)
@given(st.lists(st.integers(0, 2**40), max_size=80), st.integers(0, 99))
def test_the_log_of_any_history_keeps_every_invariant(numbers: list[int], seed: int) -> None:
    """Whatever is sent in whatever batches: the oracle finds nothing wrong at any position, and receipts are right."""
    with Running(ScriptedClock(START)) as running:
        checked = Checked(running)
        for batch in batches(history(numbers, BOTH), Random(seed), 9):
            checked.send(batch)


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
