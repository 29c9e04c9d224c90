"""The writer over any store: the same history leaves the same log, hash by hash, whoever led when."""

from collections.abc import Callable

import pytest

from ledger import cache
from ledger.ports import Store
from ledger.receipts import Outcome
from tests.contract.across import across_a_socket
from tests.contract.conftest import Database
from tests.contract.history import STEPS, tell
from tests.contract.worlds import MemoryWorld, PostgresWorld, World, contents

OpenStore = Callable[[World], Store]
ALL = range(len(STEPS))


async def test_both_stores_keep_the_same_log_byte_for_byte(database: Database, open_store: OpenStore) -> None:
    memory, postgres = MemoryWorld(), PostgresWorld(database.app_dsn)
    answers = await tell(memory.store(), ALL)
    assert await tell(postgres.store(), ALL) == answers
    assert contents(postgres) == contents(memory)
    assert await open_store(postgres).acquire() == await open_store(memory).acquire()


async def test_a_history_told_across_a_socket_is_the_same_to_the_byte() -> None:
    near, far = MemoryWorld(), MemoryWorld()
    answers = await tell(near.store(), ALL)
    assert await tell(far.store(), ALL, across_a_socket) == answers
    assert contents(far) == contents(near)


@pytest.mark.parametrize("events_between_snapshots", [cache.SNAPSHOT_EVENTS_MIN, 1])
async def test_writers_that_take_turns_leave_the_log_that_one_alone_leaves(
    world: World, events_between_snapshots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = MemoryWorld()
    answers = await tell(alone.store(), ALL)
    monkeypatch.setattr(cache, "SNAPSHOT_EVENTS_MIN", events_between_snapshots)
    assert [answer for step in ALL for answer in await tell(world.store(), range(step, step + 1))] == answers
    assert (world.rows(), world.outcomes()) == (alone.rows(), alone.outcomes())
    assert [batch.epoch for batch in world.batches()] == [step + 1 for step in ALL]


async def test_a_history_told_twice_changes_nothing(world: World) -> None:
    first = await tell(world.store(), ALL)
    stored = contents(world)
    second = await tell(world.store(), ALL)
    assert contents(world) == stored
    for before, after in zip(first, second, strict=True):
        assert isinstance(before, Outcome)
        assert isinstance(after, Outcome)
        assert after.repeated
        assert (after.id, after.answer) == (before.id, before.answer)
