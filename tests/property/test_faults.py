"""A store that breaks by chance: every acknowledged command is there exactly once, with the answer that was given."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from adapters.memory.store import Memory
from ledger import cache
from ledger.commands import Request, request_hash
from ledger.receipts import Outcome, Receipt
from ledger.records import OUTCOME_COLUMNS, fields_of, split_rows
from ledger.refusals import NOT_STORED, Refusal
from ledger.writer import Answer, Limits
from tests.oracle.model import Oracle
from tests.property.faults import FaultyStore, ask
from tests.property.histories import START, difference, long_history
from tests.unit.ledger.running import Running, ScriptedClock

RATES = (0.02, 0.1, 0.3)


class World:
    """A memory behind a faulty store, and a writer."""

    def __init__(self, seed: int, limits: Limits | None = None) -> None:
        self.random = Random(seed)
        self.memory = Memory()
        self.stores: list[FaultyStore] = []
        self.running = Running(ScriptedClock(START), limits, self.memory, self._store)

    def _store(self, memory: Memory) -> FaultyStore:
        self.stores.append(FaultyStore(memory, self.random, RATES[self.random.randrange(len(RATES))]))
        return self.stores[-1]

    @property
    def faults(self) -> int:
        return sum(store.faults for store in self.stores)


def requests_of(seed: int, length: int) -> list[Request]:
    return [step.request for step in long_history(seed, length)]


def in_order_of_the_log(memory: Memory, requests: Sequence[Request]) -> list[Request]:
    """The requests whose outcomes were stored, in the order in which they were decided."""
    by_hash = {(request.id, request_hash(request)): request for request in requests if not request.validate_only}
    rows = (row for batch in memory.batches for row in split_rows(batch.outcomes, len(OUTCOME_COLUMNS)))
    return [by_hash[command_id, hashed] for command_id, hashed, *_ in map(fields_of, rows)]


def lasting(requests: Sequence[Request], answers: Sequence[Answer]) -> list[tuple[bytes, Receipt | Refusal]]:
    """What was acknowledged for ever: neither trials nor faults nor stale quotes."""
    return [
        (request.id, answer.answer)
        for request, answer in zip(requests, answers, strict=True)
        if isinstance(answer, Outcome) and not request.validate_only
        if isinstance(answer.answer, Receipt) or answer.answer.reason not in NOT_STORED
    ]


def check(memory: Memory, requests: Sequence[Request], answers: Sequence[Answer]) -> None:
    """Compare what callers heard with what is stored, and that with what a store without faults leads to."""
    oracle = Oracle()
    oracle.fold(memory.records)
    oracle.finish()
    positions: dict[bytes, list[int]] = {}
    for record in memory.records:
        positions.setdefault(record.command_id, []).append(record.position)
    for command_id, answer in lasting(requests, answers):
        assert memory.outcomes[command_id].answer == answer
        found = positions.pop(command_id, [])
        if found:
            assert isinstance(answer, Receipt)
            assert found == list(range(answer.position - len(found) + 1, answer.position + 1))
    with Running(ScriptedClock(START)) as clean:
        again = [clean.execute([request])[0] for request in in_order_of_the_log(memory, requests)]
        assert difference(memory.records, clean.memory.records) is None
        stored = [outcome.answer for outcome in memory.outcomes.values()]
        assert difference(stored, [answer.answer for answer in again if isinstance(answer, Outcome)]) is None


@pytest.mark.parametrize("seed", range(12))
def test_a_caller_who_asks_again_makes_the_log_of_a_world_without_faults(seed: int) -> None:
    """One caller, small batches: not a byte differs, and neither do the answers."""
    requests = requests_of(seed, 250)
    random = Random(seed)
    world = World(seed)
    answers: list[Answer] = []
    with world.running:
        place = 0
        while place < len(requests):
            chunk = requests[place : place + random.randrange(1, 12)]
            answers += world.running.run(ask(world.running.writer, chunk))
            place += len(chunk)
            if random.random() < 0.05:
                world.running.restart()
    assert world.faults > 0
    check(world.memory, requests, answers)
    with Running(ScriptedClock(START)) as clean:
        expected = [clean.execute([request])[0] for request in requests]
        assert difference(world.memory.records, clean.memory.records) is None
        assert difference(lasting(requests, answers), lasting(requests, expected)) is None


@pytest.mark.parametrize("seed", range(100, 124))
@pytest.mark.parametrize(("memory", "snapshot_events"), [(10_000_000, 500), (1, 500), (1, 3)])
def test_many_callers_who_ask_again_are_each_served_once(
    seed: int, memory: int, snapshot_events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several batches at once, states dropped and restored while others are in flight."""
    monkeypatch.setattr(cache, "SNAPSHOT_EVENTS_MIN", snapshot_events)
    requests = requests_of(seed, 200)
    random = Random(seed)
    world = World(seed, Limits(batch_commands_max=random.choice((8, 30, 8_192)), memory_bytes_max=memory))
    opening, rest = requests[:10], requests[10:]
    callers = [rest[number::8] for number in range(8)]

    async def call(own: Sequence[Request]) -> list[Answer]:
        answers: list[Answer] = []
        place = 0
        while place < len(own):
            chunk = own[place : place + random.randrange(1, 6)]
            answers += await ask(world.running.writer, chunk)
            place += len(chunk)
        return answers

    async def work() -> list[Answer]:
        answers = await ask(world.running.writer, opening)
        for own in await asyncio.gather(*map(call, callers)):
            answers += own
        return answers

    with world.running:
        answers = world.running.run(work())
    check(world.memory, opening + [request for own in callers for request in own], answers)
