"""The writer itself: its queue, its lead, and what it says when it cannot answer.

Whoever calls it across a socket must see the same.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from adapters.memory.store import Memory, MemoryStore
from ledger.calendar import Instant
from ledger.commands import Earn, EnrolMember, OpenProgramme, Request, Reverse
from ledger.errors import Fenced, InvalidCommand, LedgerError, Overloaded, Unavailable
from ledger.events import Fact, PointsEarned, Source
from ledger.ports import Batch, Head, StoredEvent
from ledger.quantities import Amount
from ledger.receipts import Outcome, Receipt
from ledger.refusals import Reason, refuse
from ledger.states.member import Member
from ledger.writer import Answer, Limits, Writer
from tests.unit.ledger.desk import settings
from tests.unit.ledger.running import Running, RunningApart, ScriptedClock, SlowStore

NOON = 1_767_240_000_000_000


def joins(number: int) -> Request:
    return Request(number.to_bytes(16, "big"), "club", NOON, (EnrolMember(f"m{number}"),), "till-1", "shop")


def earns(number: int) -> Request:
    earn = Earn(f"m{number}", Amount("points", 5), Source("visit", str(number)))
    return Request((100 + number).to_bytes(16, "big"), "club", NOON, (earn,), "till-1", "shop")


OPENING = Request(b"opening--opening", "club", NOON, (OpenProgramme(settings()),), "till-1", "shop")


@pytest.fixture(params=[Running, RunningApart], ids=["in_its_process", "across_a_socket"])
def run(request: pytest.FixtureRequest) -> type[Running]:
    """How callers reach the writer."""
    kind: type[Running] = request.param
    return kind


def accepted(answers: object) -> bool:
    assert isinstance(answers, list)
    return all(isinstance(answer, Outcome) and isinstance(answer.answer, Receipt) for answer in answers)


def test_no_requests_have_no_answers(run: type[Running]) -> None:
    with run(ScriptedClock(NOON)) as running:
        assert list(running.execute([])) == []
        assert not running.memory.batches


def test_answers_come_in_the_order_of_the_requests(run: type[Running]) -> None:
    with run(ScriptedClock(NOON)) as running:
        answers = running.execute([OPENING, *(joins(number) for number in range(20))])
        ids = [answer.id for answer in answers if isinstance(answer, Outcome)]
        assert ids == [OPENING.id, *(joins(number).id for number in range(20))]
        positions = [answer.answer.position for answer in answers if isinstance(answer.answer, Receipt)]  # type: ignore[union-attr]
        assert positions == list(range(1, 22))


def test_what_waits_together_is_stored_together(run: type[Running]) -> None:
    """Heavy load gives large batches, whether it comes from one caller or from many."""
    with run(ScriptedClock(NOON)) as running:
        running.execute([OPENING])
        running.execute_apart([joins(number) for number in range(50)])
        assert [batch.commands for batch in running.memory.batches] == [1, 50]


def test_a_batch_has_no_more_commands_than_its_limit(run: type[Running]) -> None:
    with run(ScriptedClock(NOON), Limits(batch_commands_max=7)) as running:
        running.execute([OPENING])
        running.execute_apart([joins(number) for number in range(20)])
        assert [batch.commands for batch in running.memory.batches[1:]] == [7, 7, 6]


def test_more_commands_than_a_batch_takes_are_bad_input(run: type[Running]) -> None:
    with run(ScriptedClock(NOON), Limits(batch_commands_max=3)) as running:
        answers = running.execute([joins(number) for number in range(4)])
        assert [type(answer) for answer in answers] == [InvalidCommand] * 4
        assert not running.memory.outcomes


def test_a_full_queue_says_so_at_once_and_stores_nothing(run: type[Running]) -> None:
    with run(ScriptedClock(NOON), Limits(queue_commands_max=5)) as running:
        running.execute([OPENING])
        answers = running.execute_apart([joins(number) for number in range(8)])
        assert [isinstance(answer, Overloaded) for answer in answers] == [False] * 5 + [True] * 3
        assert accepted(list(running.execute_apart([joins(number) for number in range(5, 8)])))


def test_what_was_accepted_is_answered_before_the_writer_stops() -> None:
    with Running(ScriptedClock(NOON), Limits(batch_commands_max=4)) as running:

        async def stop_at_once() -> list[Answer]:
            waiting = [
                asyncio.create_task(running.writer.execute([request])) for request in [OPENING, *map(joins, range(9))]
            ]
            await asyncio.sleep(0)
            running.writer.stop()
            answers = [answer for answers in await asyncio.gather(*waiting) for answer in answers]
            return answers + list(await running.writer.execute([joins(99)]))

        *before, after = running.run(stop_at_once())
        assert accepted(before)
        assert isinstance(after, Unavailable)


def test_a_writer_that_was_fenced_answers_nobody_from_memory(run: type[Running]) -> None:
    """Another writer took over: what waits is unknown, and is found out by whoever leads."""
    with run(ScriptedClock(NOON)) as running:
        running.execute([OPENING])
        with run(ScriptedClock(NOON), memory=running.memory) as rival:
            assert accepted(list(rival.execute([joins(1)])))
            (answer,) = running.execute([joins(2)])
            assert isinstance(answer, Unavailable)
            assert joins(2).id not in running.memory.outcomes


def test_a_writer_that_was_fenced_says_of_trials_and_bad_input_nothing_either(run: type[Running]) -> None:
    """They store nothing, so no append would tell it that another writer leads."""
    tried = msgspec.structs.replace(joins(1), validate_only=True)
    bad = Request(b"bad-bad-bad-bad-", "club", NOON, (), "till-1", "shop")
    with run(ScriptedClock(NOON)) as running:
        assert accepted(list(running.execute([OPENING, tried])))
        with run(ScriptedClock(NOON), memory=running.memory) as rival:
            assert accepted(list(rival.execute([joins(1)])))
            assert [type(answer) for answer in running.execute([tried, bad])] == [Unavailable, Unavailable]


def test_a_writer_that_took_over_knows_what_was_answered(run: type[Running]) -> None:
    with run(ScriptedClock(NOON)) as running:
        running.execute([OPENING, joins(1)])
        with run(ScriptedClock(NOON), memory=running.memory) as rival:
            (answer,) = rival.execute([joins(1)])
            assert isinstance(answer, Outcome)
            assert answer.repeated


def test_what_is_still_on_its_way_is_known_already(run: type[Running]) -> None:
    """A command id and a source that the batch in flight uses are used, though no store could say so yet."""
    grant = Earn("m1", Amount("points", 5), Source("visit", "1"))
    earns = Request(b"first-----grant-", "club", NOON, (grant,), "till-1", "shop")
    again = Request(b"second----grant-", "club", NOON, (grant,), "till-1", "shop")
    with run(ScriptedClock(NOON), Limits(batch_commands_max=2), store_of=SlowStore) as running:
        _, _, first, _, retry, _ = running.execute_apart([OPENING, joins(1), earns, joins(2), earns, again])
        assert isinstance(first, Outcome)
        assert isinstance(retry, Outcome)
        assert (retry.answer, retry.repeated) == (first.answer, True)
        assert [batch.commands for batch in running.memory.batches] == [2, 2, 1]
        assert running.memory.outcomes[again.id].answer == refuse(
            Reason.SOURCE_ALREADY_USED, type="visit", id="1", purpose="EARN"
        )


class Failing(MemoryStore):
    """Fails the appends whose turns are named, then works."""

    def __init__(self, memory: Memory, *faults: Exception | None, after: bool = False) -> None:
        super().__init__(memory)
        self.faults = list(faults)
        self.after = after

    async def append(self, batch: Batch, previous: Head) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or self.after:
            await super().append(batch, previous)
        if fault is not None:
            raise fault


@pytest.mark.parametrize("after", [False, True])
def test_a_commit_whose_outcome_is_unknown_is_looked_up_and_done_once(run: type[Running], after: bool) -> None:
    fault = Unavailable("the connection died")
    with run(ScriptedClock(NOON), store_of=lambda memory: Failing(memory, fault, after=after)) as running:
        answers = running.execute([OPENING, joins(1)])
        assert accepted(list(answers))
        assert [isinstance(a, Outcome) and a.repeated for a in answers] == [after, after]
        assert len(running.memory.records) == 2


def test_after_two_failures_callers_hear_that_the_outcome_is_unknown(run: type[Running]) -> None:
    """It is: the second append may have taken effect."""
    faults = [Unavailable("the connection died")] * 2
    with run(ScriptedClock(NOON), store_of=lambda memory: Failing(memory, *faults)) as running:
        (answer,) = running.execute([OPENING])
        assert isinstance(answer, Unavailable)
        assert "not stored" not in str(answer)
        assert accepted(list(running.execute([OPENING])))


def test_a_fence_ends_the_lead_until_it_is_won_again(run: type[Running]) -> None:
    leads: list[bool] = []
    with run(ScriptedClock(NOON), store_of=lambda memory: Failing(memory, Fenced("another writer"))) as running:
        running.writer.on_lead = leads.append
        assert isinstance(running.execute([OPENING])[0], Unavailable)
        running.run(asyncio.sleep(0.01))
        assert leads == [False, True]
        assert accepted(list(running.execute([OPENING])))


def test_a_state_is_not_evicted_while_it_is_being_loaded() -> None:
    """A batch commits, and memory is made room in, while the next one looks up what a command led to."""

    class Meeting(MemoryStore):
        """Answers what a command led to only after the next append."""

        def __init__(self, memory: Memory) -> None:
            super().__init__(memory)
            self.looking, self.appended = asyncio.Event(), asyncio.Event()

        async def append(self, batch: Batch, previous: Head) -> None:
            if batch.number == 2:
                await self.looking.wait()
            await super().append(batch, previous)
            if batch.number == 2:
                self.appended.set()

        async def accepted(self, ids: Sequence[bytes]) -> dict[bytes, list[StoredEvent]]:
            self.looking.set()
            await self.appended.wait()
            await asyncio.sleep(0)
            return await super().accepted(ids)

    grant = Earn("m1", Amount("points", 5), Source("visit", "1"))
    earns = Request(b"first-----grant-", "club", NOON, (grant,), "till-1", "shop")
    takes_back = Request(b"takes-back-grant", "club", NOON, (Reverse(earns.id, "mistake"),), "till-1", "shop")
    with Running(ScriptedClock(NOON), Limits(batch_commands_max=3, memory_bytes_max=1), store_of=Meeting) as running:
        assert accepted(list(running.execute([OPENING, joins(1), earns])))
        assert accepted(list(running.execute_apart([joins(2), joins(3), joins(4), takes_back])))
        assert [batch.commands for batch in running.memory.batches] == [3, 3, 1]


def test_nobody_waits_for_ever_when_the_writer_breaks(run: type[Running]) -> None:
    """Whatever stops the writer, its callers are told that the outcome is unknown."""
    broken = RuntimeError("a defect")
    with run(ScriptedClock(NOON), store_of=lambda memory: Failing(memory, broken)) as running:
        answers = running.execute([OPENING, joins(1)])
        assert all(isinstance(answer, LedgerError) for answer in answers)


def test_nobody_waits_for_ever_when_the_writer_is_cancelled() -> None:
    """So do those whose batch was being decided or committed."""

    class Slow(MemoryStore):
        async def append(self, batch: Batch, previous: Head) -> None:
            await asyncio.sleep(60)

    async def scene() -> list[Answer]:
        writer = Writer(Slow(Memory()), ScriptedClock(NOON))
        task = asyncio.create_task(writer.run())
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(writer.execute([OPENING]))
        await asyncio.sleep(0.01)
        task.cancel()
        async with asyncio.timeout(0.5):
            return list(await waiting)

    assert all(isinstance(answer, LedgerError) for answer in asyncio.run(scene()))


def test_a_caller_that_went_away_disturbs_nobody(run: type[Running]) -> None:
    with run(ScriptedClock(NOON)) as running:

        async def leave() -> list[Answer]:
            gone = asyncio.create_task(running.ledger.execute([OPENING]))
            staying = asyncio.create_task(running.ledger.execute([joins(1)]))
            await asyncio.sleep(0)
            gone.cancel()
            return list(await staying)

        assert accepted(running.run(leave()))
        assert OPENING.id in running.memory.outcomes


def test_what_cannot_be_decided_costs_its_own_caller_the_answer_and_nobody_else(
    run: type[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect that changes a state by halves and then fails; mended, the same command id is decided."""

    def broken(member: Member, event: Fact, at: Instant) -> None:
        evolve(member, event, at)
        if isinstance(event, PointsEarned) and member.id == "m1":
            raise KeyError(-1)

    evolve = Member.evolve
    with run(ScriptedClock(NOON)) as running:
        monkeypatch.setattr(Member, "evolve", broken)
        seen: list[bytes] = []
        running.writer.on_defect = lambda request, defect: seen.append(request.id)
        requests = [OPENING, *(joins(number) for number in range(3)), *(earns(number) for number in range(3))]
        assert [type(answer) for answer in running.execute_apart(requests)] == [Outcome] * 5 + [LedgerError, Outcome]
        assert [type(answer) for answer in running.execute([earns(1)])] == [LedgerError]
        assert (seen, len(running.memory.records)) == ([earns(1).id] * 2, 6)
        monkeypatch.setattr(Member, "evolve", evolve)
        answers = running.execute([earns(1), earns(2)])
        balances = [answer.answer.balances for answer in answers if isinstance(answer.answer, Receipt)]  # type: ignore[union-attr]
        assert [[balance.open for balance in each] for each in balances] == [[5], [5]]
        assert len(running.memory.records) == 7
