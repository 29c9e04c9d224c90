"""How commands are batched, what is in memory and who answers changes no byte of the log."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import cache
from ledger.receipts import Outcome
from ledger.records import Record
from ledger.writer import Answer, Limits
from tests.conftest import Database
from tests.contract.worlds import PostgresWorld, records
from tests.property.histories import START, Step, difference, history, long_history
from tests.unit.ledger.running import Running, RunningApart, ScriptedClock, SlowStore

Log = tuple[list[Record], list[object]]
"""All records, hashes included, and what was answered."""

FORGETFUL = Limits(memory_bytes_max=1)
"""A memory that keeps no state beyond the batch that it is needed for."""


def said(answer: Answer) -> object:
    return answer.answer if isinstance(answer, Outcome) else (type(answer).__name__, str(answer))


def in_batches(running: Running, steps: Sequence[Step], size: int, *, restarts: int = 0) -> Log:
    """Send batches of this size, one after the other; put another writer in place so many times on the way."""
    answers: list[object] = []
    cuts = {len(steps) // size * turn // (restarts + 1) for turn in range(1, restarts + 1)}
    for number, begin in enumerate(range(0, len(steps), size)):
        if number in cuts:
            running.restart()
        batch = [step.request for step in steps[begin : begin + size]]
        answers += [said(answer) for answer in running.execute(batch)]
    return running.memory.records, answers


def all_at_once(steps: Sequence[Step], limits: Limits) -> Log:
    """Every request comes from a caller of its own; each batch is decided while the one before is on its way."""
    with Running(ScriptedClock(START), limits, store_of=SlowStore) as running:
        answers = running.execute_apart([step.request for step in steps])
        return running.memory.records, [said(answer) for answer in answers]


def log_of(steps: Sequence[Step], send: Callable[[Running, Sequence[Step]], Log], limits: Limits | None = None) -> Log:
    with Running(ScriptedClock(START), limits) as running:
        return send(running, steps)


def same(found: Log, expected: Log) -> bool:
    """Whether records and answers are the same; shows the first ones that are not."""
    assert difference(found[0], expected[0]) is None
    assert difference(found[1], expected[1]) is None
    return True


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    return long_history(7, 2_500)


@pytest.fixture(scope="module")
def expected(steps: list[Step]) -> Log:
    """One command at a time."""
    return log_of(steps, lambda running, steps: in_batches(running, steps, 1))


@pytest.fixture
def eager_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot after a few events instead of after hundreds."""
    monkeypatch.setattr(cache, "SNAPSHOT_EVENTS_MIN", 2)


@pytest.mark.parametrize("size", [7, 100, 8_192])
def test_batches_of_any_size_make_the_same_log(steps: list[Step], expected: Log, size: int) -> None:
    assert same(log_of(steps, lambda running, steps: in_batches(running, steps, size)), expected)


def test_single_calls_across_a_socket_make_the_same_log(steps: list[Step], expected: Log) -> None:
    """The way every command takes to the writer's process, one call after the other and then all at once."""
    with RunningApart(ScriptedClock(START)) as running:
        _, answers = in_batches(running, steps[:800], 1)
        answers += [said(answer) for answer in running.execute_apart([step.request for step in steps[800:]])]
        assert same((running.memory.records, answers), expected)


@pytest.mark.parametrize("size", [4, 7, 100])
def test_batches_decided_on_top_of_one_in_flight_make_the_same_log(steps: list[Step], expected: Log, size: int) -> None:
    assert same(all_at_once(steps, Limits(batch_commands_max=size)), expected)


@pytest.mark.parametrize("size", [7, 100])
def test_a_writer_that_forgets_makes_the_same_log(steps: list[Step], expected: Log, size: int) -> None:
    """States are dropped after each batch and loaded again."""
    assert same(log_of(steps, lambda running, steps: in_batches(running, steps, size), FORGETFUL), expected)


def test_a_writer_that_forgets_while_a_batch_is_in_flight_makes_the_same_log(steps: list[Step], expected: Log) -> None:
    limits = msgspec.structs.replace(FORGETFUL, batch_commands_max=8)
    assert same(all_at_once(steps, limits), expected)


@pytest.mark.usefixtures("eager_snapshots")
@pytest.mark.parametrize("size", [5, 70])
def test_states_restored_from_snapshots_make_the_same_log(steps: list[Step], expected: Log, size: int) -> None:
    def send(running: Running, steps: Sequence[Step]) -> Log:
        log = in_batches(running, steps, size, restarts=3)
        kinds = {stream.split("/")[1] for stream in running.memory.snapshots}
        assert kinds == {"member", "stock"}
        return log

    assert same(log_of(steps, send, FORGETFUL), expected)
    assert same(log_of(steps, send), expected)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_another_writer_in_the_middle_makes_the_same_log(steps: list[Step], expected: Log, size: int) -> None:
    assert same(log_of(steps, lambda running, steps: in_batches(running, steps, size, restarts=4)), expected)


@pytest.mark.parametrize("snapshot_events", [2, 500])
def test_another_writer_at_every_position_makes_the_same_log(
    steps: list[Step], expected: Log, snapshot_events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With snapshots all along, and with none."""
    monkeypatch.setattr(cache, "SNAPSHOT_EVENTS_MIN", snapshot_events)
    some = steps[:1_000]
    found = log_of(some, lambda running, some: in_batches(running, some, 1, restarts=len(some) - 1))
    assert difference(found[0], expected[0][: len(found[0])]) is None
    assert difference(found[1], expected[1][: len(some)]) is None


@pytest.mark.parametrize(("size", "restarts"), [(1, 0), (7, 0), (100, 0), (5, 12)])
def test_postgresql_keeps_the_same_log(
    steps: list[Step], expected: Log, size: int, restarts: int, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte; with other writers in between, who begin with snapshots."""
    monkeypatch.setattr(cache, "SNAPSHOT_EVENTS_MIN", 2 if restarts else 500)
    world = PostgresWorld(database.app_dsn)
    some = steps[:300]
    with Running(ScriptedClock(START), store_of=lambda _: world.store()) as running:
        _, answers = in_batches(running, some, size, restarts=restarts)
    found = records(world)
    assert difference(found, expected[0][: len(found)]) is None
    assert difference(answers, expected[1][: len(some)]) is None


def test_a_snapshot_of_another_shape_is_ignored(
    steps: list[Step], expected: Log, eager_snapshots: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Running(ScriptedClock(START)) as running:
        in_batches(running, steps[:1_000], 7)
        assert running.memory.snapshots
        stale = dict.fromkeys(cache._FINGERPRINTS, "another shape")
        monkeypatch.setattr(cache, "_FINGERPRINTS", stale)
        for snapshot in running.memory.snapshots.values():
            running.memory.snapshots[snapshot.stream] = msgspec.structs.replace(snapshot, state=b"\xc1")
        running.restart()
        in_batches(running, steps[1_000:], 7)
        assert difference(running.memory.records, expected[0]) is None


def pictures(running: Running) -> dict[str, Any]:
    """The states in memory that snapshots are taken of."""
    loaded: dict[str, Any] = dict(running.writer.cache.loaded)
    return {name: state.image() for name, state in loaded.items() if hasattr(state, "image") and state.version}


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2**40), max_size=60), st.integers(0, 60), st.sampled_from((2, 500)))
def test_a_state_that_is_loaded_is_the_state_that_was_decided_on(
    numbers: list[int], cut: int, snapshot_events: int
) -> None:
    """From the log or from a snapshot; also after a refused group, a trial or bad input, which leave no trace."""
    steps = history(numbers)
    with pytest.MonkeyPatch.context() as patch, Running(ScriptedClock(START)) as running:
        patch.setattr(cache, "SNAPSHOT_EVENTS_MIN", snapshot_events)
        in_batches(running, steps[: len(steps) - cut % len(steps)], 5)
        decided = pictures(running)
        running.restart()
        running.run(running.writer.cache.load(list(decided)))
        assert pictures(running) == decided
