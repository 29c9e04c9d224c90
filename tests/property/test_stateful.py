"""Random commands, times, duplicates and restarts, on both stores; the invariants are checked after every step.

Where each of the invariants at the foot of the edge cases is checked:

- open + pending + held + quarantined - debt = balance: `Checked.check_receipt`, of each answer; `Checked.check_states`,
  of all members in memory after each step, both against `Oracle.balances`
- credits - debits - expiries + reinstatements = balance at every position: `Oracle._check_sums`, at every record
- no lot below zero: `tests.oracle.points.draw` and `tests.oracle.corrections.take`, at every record
- nothing from an expired lot outside of a hold: `tests.oracle.points.spend`, at every record
- locked + free + shipped = what came in: `Oracle._check_sums` and `tests.oracle.stock`, at every record;
  `Checked.check_states`, of all stock items in memory after each step
- the same log under any batch size: `Ledger.replay`, now and then; `test_batches.py`
- the same command twice, the same log: `Ledger.again`, of any earlier request
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from ledger.calendar import Instant
from ledger.commands import Request, request_hash
from ledger.receipts import Outcome, Receipt
from ledger.refusals import NOT_STORED
from tests.conftest import Database
from tests.contract.worlds import MemoryWorld, PostgresWorld, World, records
from tests.property.checked import Checked
from tests.property.histories import START, Author, Step, difference
from tests.unit.ledger.running import Running, ScriptedClock


def is_stored(request: Request, outcome: Outcome) -> bool:
    """Whether an answer is kept for ever: not a trial's, and no stale quote."""
    answer = outcome.answer
    return not request.validate_only and (isinstance(answer, Receipt) or answer.reason not in NOT_STORED)


class Ledger(RuleBasedStateMachine):
    """A ledger on an empty store; the oracle checks whatever a rule does to it."""

    def __init__(self, world: AbstractContextManager[World]) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.world = self._stack.enter_context(world)
        running = Running(ScriptedClock(START), store_of=lambda _: self.world.store())
        self.running = self._stack.enter_context(running)
        self.checked = Checked(self.running, lambda after: records(self.world, after))
        self.author = Author(("zoo", "bar"))
        self.sent: list[tuple[Instant, Request]] = []
        """What was sent, and what the clock showed then."""
        self.told: dict[tuple[bytes, bytes], object] = {}
        """The answers that are for ever, by command id and request."""

    def teardown(self) -> None:
        self._stack.close()

    def _send(self) -> None:
        """Send what the author has written since; whoever was answered before hears the same, and nothing happens."""
        steps = self.author.steps[len(self.sent) :]
        if not steps:  # Only time passed.
            return
        self.sent += [(steps[-1].wall, step.request) for step in steps]
        for step, answer in zip(steps, self.checked.send(steps), strict=True):
            if isinstance(answer, Outcome) and is_stored(step.request, answer):
                key = (step.request.id, request_hash(step.request))
                assert answer.repeated == (key in self.told)
                assert self.told.setdefault(key, answer.answer) == answer.answer

    @initialize()
    def open(self) -> None:
        """Two programmes, one on a manual clock and one on the wall."""
        self._send()

    @rule(numbers=st.lists(st.integers(0, 2**40), min_size=1, max_size=9))
    def commands(self, numbers: list[int]) -> None:
        """Random commands and times, as one batch."""
        for number in numbers:
            self.author.write(number)
        self._send()

    @rule(place=st.integers(0, 2**16))
    def again(self, place: int) -> None:
        """A request that was sent before, however long ago. Edge case 13."""
        _, request = self.sent[place % len(self.sent)]
        known = (request.id, request_hash(request)) in self.told and not request.validate_only
        before = self.checked.oracle.position
        self.author.steps.append(Step(self.author.wall, request))
        self._send()
        assert not known or self.checked.oracle.position == before

    @rule()
    def restart(self) -> None:
        """Another writer, which knows only what is stored."""
        self.running.restart()

    @rule()
    def replay(self) -> None:
        """One by one, in a world of its own, at the same times: the same log, byte for byte."""
        clock = ScriptedClock(START)
        with Running(clock) as alone:
            for clock.instant, request in self.sent:
                alone.execute([request])
            assert difference(records(self.world), alone.memory.records) is None


def test_whatever_is_sent_to_the_memory_store_every_invariant_holds() -> None:
    class InMemory(Ledger):
        def __init__(self) -> None:
            super().__init__(nullcontext(MemoryWorld()))

    run_state_machine_as_test(InMemory, settings=settings(max_examples=25, stateful_step_count=20))


def test_whatever_is_sent_to_postgresql_every_invariant_holds(
    fresh_database: Callable[[], AbstractContextManager[Database]],
) -> None:
    @contextmanager
    def world() -> Iterator[World]:
        with fresh_database() as database:
            yield PostgresWorld(database.app_dsn)

    class InPostgres(Ledger):
        def __init__(self) -> None:
            super().__init__(world())

    run_state_machine_as_test(InPostgres, settings=settings(max_examples=8, stateful_step_count=12))
