"""What the writer may rely on in any store: in memory and in PostgreSQL, the same."""

from collections.abc import Callable

import msgspec
import pytest

from ledger.errors import Fenced, Unavailable
from ledger.ports import Batch, Head, Snapshot, Store
from ledger.receipts import Outcome, Receipt
from ledger.records import COLUMNS, GENESIS, Record, record_of, split_rows
from ledger.refusals import Reason, Refusal
from tests.contract.batches import ANNA, BO, Answered, Entry, batch_on, new_id, records_on
from tests.contract.worlds import World, contents, records

OpenStore = Callable[[World], Store]


@pytest.fixture
def store(world: World, open_store: OpenStore) -> Store:
    return open_store(world)


def changed(head: Head, **fields: object) -> Head:
    return msgspec.structs.replace(head, **fields)


# -- leading


async def test_a_new_shard_begins_at_nothing_under_its_first_epoch(store: Store) -> None:
    assert await store.acquire() == Head(1, 0, GENESIS, 0, GENESIS, 0)


async def test_whoever_leads_next_goes_on_from_the_last_batch(world: World, open_store: OpenStore) -> None:
    first, second = open_store(world), open_store(world)
    batch = batch_on(head := await first.acquire(), Entry(ANNA, 1), Entry(ANNA, 2))
    await first.append(batch, head)
    await first.close()
    assert await second.acquire() == changed(batch.head, epoch=2)


async def test_a_writer_of_an_earlier_epoch_is_fenced(world: World, store: Store) -> None:
    old = await store.acquire()
    new = await store.acquire()
    assert new == changed(old, epoch=2)
    with pytest.raises(Fenced):
        await store.renew(old.epoch)
    with pytest.raises(Fenced):
        await store.append(batch_on(old, Entry(ANNA, 1)), old)
    await store.renew(new.epoch)
    await store.append(batch_on(new, Entry(ANNA, 1)), new)
    assert [batch.epoch for batch in world.batches()] == [2]


async def test_who_gave_up_the_lead_appends_no_more(world: World, open_store: OpenStore) -> None:
    old, new = open_store(world), open_store(world)
    head = await old.acquire()
    await old.close()
    await new.acquire()
    with pytest.raises((Fenced, Unavailable)):
        await old.append(batch_on(head, Entry(ANNA, 1)), head)
    assert contents(world) == (b"", b"", [])


# -- appending


async def test_records_are_read_back_as_they_were_appended(world: World, store: Store) -> None:
    head, command_id = await store.acquire(), new_id()
    entries = (Entry(ANNA, 1), Entry(BO, 1, key=new_id()), Entry(ANNA, 2))
    batch = batch_on(head, *entries, answered=[Answered(command_id, Receipt(3))])
    await store.append(batch, head)
    assert records(world) == records_on(head, entries, command_id)
    assert contents(world)[:2] == (batch.rows, batch.outcomes)


async def test_a_batch_has_its_own_record(world: World, store: Store) -> None:
    first = batch_on(head := await store.acquire(), Entry(ANNA, 1), Entry(ANNA, 2))
    await store.append(first, head)
    refused = Answered(new_id(), Refusal(Reason.MEMBER_NOT_FOUND, {"member": "cy"}))
    second = batch_on(first.head, answered=[refused, Answered(new_id(), Receipt(2))])
    await store.append(second, first.head)
    for batch, stored, shape in zip((first, second), world.batches(), ((1, 2, 1), (3, 0, 2)), strict=True):
        assert (stored.number, stored.hash) == (batch.number, batch.head.batch_hash)
        assert (stored.first_position, stored.events, stored.commands) == shape
        assert (stored.epoch, stored.recorded_at) == (1, batch.head.recorded_at)
        assert stored.outcomes_digest == batch.outcomes_digest


Conflict = Callable[[Head, Batch], tuple[Batch, Head]]
"""Given where the shard stands and the batch before, a batch that must be refused and what it says it stands on."""


def on(head: Head, *entries: Entry, answered: list[Answered] | None = None) -> tuple[Batch, Head]:
    return batch_on(head, *entries, answered=answered or []), head


def first_key(batch: Batch) -> bytes:
    return first_record(batch).business_key


def first_command(batch: Batch) -> bytes:
    return first_record(batch).command_id


def first_record(batch: Batch) -> Record:
    return records_of(batch)[0]


def records_of(batch: Batch) -> list[Record]:
    return [record_of(row) for row in split_rows(batch.rows, len(COLUMNS) + 1)]


CONFLICTS: dict[str, Conflict] = {
    "position behind": lambda head, before: on(changed(head, position=0), Entry(BO, 1)),
    "position ahead": lambda head, before: on(changed(head, position=9), Entry(BO, 1)),
    "batch behind": lambda head, before: on(changed(head, batch=0), Entry(BO, 1)),
    "batch ahead": lambda head, before: on(changed(head, batch=2), Entry(BO, 1)),
    "epoch behind": lambda head, before: on(changed(head, epoch=0), Entry(BO, 1)),
    "epoch ahead": lambda head, before: on(changed(head, epoch=2), Entry(BO, 1)),
    "the same batch again": lambda head, before: (before, changed(head, position=0, batch=0)),
    "version taken": lambda head, before: on(head, Entry(BO, 1), Entry(ANNA, 1)),
    "version twice": lambda head, before: on(head, Entry(BO, 1), Entry(BO, 1)),
    "business key taken": lambda head, before: on(head, Entry(BO, 1), Entry(BO, 2, first_key(before))),
    "business key twice": lambda head, before: on(head, Entry(BO, 1, b"k" * 16), Entry(BO, 2, b"k" * 16)),
    "command answered": lambda head, before: on(
        head, Entry(BO, 1), answered=[Answered(new_id(), Receipt(2)), Answered(first_command(before), Receipt(2))]
    ),
    "command twice": lambda head, before: on(
        head, Entry(BO, 1), answered=[Answered(b"c" * 16, Receipt(2)), Answered(b"c" * 16, Receipt(2))]
    ),
}


@pytest.mark.parametrize("name", CONFLICTS)
async def test_a_conflict_fences_and_stores_nothing(name: str, world: World, store: Store) -> None:
    before = batch_on(head := await store.acquire(), Entry(ANNA, 1, new_id()))
    await store.append(before, head)
    stored = contents(world)
    with pytest.raises(Fenced):
        await store.append(*CONFLICTS[name](before.head, before))
    assert contents(world) == stored
    assert await store.streams({BO: ""}) == {}
    # The shard stands where it stood.
    await store.append(batch_on(before.head, Entry(BO, 1)), before.head)


# -- looking up


async def test_outcomes_are_found_by_command_id(store: Store) -> None:
    accepted, refused, unknown = new_id(), new_id(), new_id()
    refusal = Refusal(Reason.INSUFFICIENT_POINTS, {"wanted": 9, "spendable": 5})
    answered = [Answered(accepted, Receipt(1), b"1" * 16), Answered(refused, refusal, b"2" * 16)]
    await store.append(batch_on(head := await store.acquire(), Entry(ANNA, 1), answered=answered), head)
    assert await store.outcomes([refused, unknown, accepted]) == {
        accepted: Outcome(accepted, b"1" * 16, Receipt(1)),
        refused: Outcome(refused, b"2" * 16, refusal),
    }
    assert await store.outcomes([]) == {}


async def test_business_keys_are_taken_once_they_are_stored(store: Store) -> None:
    taken, free = new_id(), new_id()
    await store.append(batch_on(head := await store.acquire(), Entry(ANNA, 1, taken), Entry(ANNA, 2)), head)
    assert await store.business_keys([free, taken]) == {taken}
    assert await store.business_keys([]) == set()


async def append_anna(store: Store, versions: int) -> None:
    """Anna's events, in two batches, with one of Bo's in between."""
    first = batch_on(head := await store.acquire(), Entry(ANNA, 1), Entry(BO, 1))
    await store.append(first, head)
    entries = [Entry(ANNA, version) for version in range(2, versions + 1)]
    await store.append(batch_on(first.head, *entries), first.head)


async def test_a_stream_gives_its_events_in_order_and_nobody_elses(world: World, store: Store) -> None:
    await append_anna(store, versions=12)
    found = await store.streams({ANNA: "form 1", "club/member/nobody": "form 1", BO: ""})
    assert set(found) == {ANNA, BO}
    assert (found[ANNA].snapshot, found[ANNA].version) == (None, 0)
    logged = [(r.version, r.topic, r.occurred_at, r.event) for r in records(world) if r.stream == ANNA]
    assert found[ANNA].events == logged
    assert [event[0] for event in logged] == list(range(1, 13))
    assert await store.streams({}) == {}


@pytest.mark.parametrize("events", [1, 8, 9, 200])
async def test_what_an_accepted_command_led_to_is_found_again(store: Store, events: int) -> None:
    before = batch_on(head := await store.acquire(), Entry(BO, 1))
    await store.append(before, head)
    batch = batch_on(before.head, *(Entry(ANNA, version) for version in range(1, events + 1)))
    await store.append(batch, before.head)
    wanted = records_of(batch)
    found = await store.accepted([wanted[0].command_id, new_id()])
    assert found == {
        wanted[0].command_id: [(record.stream, record.topic, record.occurred_at, record.event) for record in wanted]
    }


async def test_a_refused_command_led_to_nothing(store: Store) -> None:
    refused = Answered(new_id(), Refusal(Reason.SAME_MEMBER))
    await store.append(batch_on(head := await store.acquire(), answered=[refused]), head)
    assert await store.accepted([refused.id]) == {}


async def test_a_snapshot_saves_the_events_before_it(store: Store) -> None:
    await append_anna(store, versions=4)
    await store.save_snapshots([Snapshot(ANNA, 1, "form 1", b"old"), Snapshot(BO, 1, "form 1", b"bo at 1")])
    await store.save_snapshots([Snapshot(ANNA, 3, "form 1", b"anna at 3")])
    found = await store.streams({ANNA: "form 1", BO: "form 1"})
    assert (found[ANNA].snapshot, found[ANNA].version) == (b"anna at 3", 3)
    assert [event[0] for event in found[ANNA].events] == [4]
    assert (found[BO].snapshot, found[BO].version, found[BO].events) == (b"bo at 1", 1, [])


async def test_a_snapshot_of_another_form_is_ignored(store: Store) -> None:
    await append_anna(store, versions=3)
    await store.save_snapshots([Snapshot(ANNA, 3, "form 1", b"anna at 3")])
    for fingerprint in ("form 2", ""):
        found = (await store.streams({ANNA: fingerprint}))[ANNA]
        assert (found.snapshot, found.version) == (None, 0)
        assert [event[0] for event in found.events] == [1, 2, 3]
