"""The log as auditors and channels read it: filters, bounded batches, following, outcomes."""

import asyncio
from collections.abc import Sequence

import pytest

from adapters.postgres import log as log_module
from ledger.commands import ExpireDue, Request
from ledger.receipts import Outcome
from ledger.records import GENESIS, Record, chain, image_of
from tests.conftest import Database
from tests.integration.views_world import World, running_world
from tests.unit.ledger.desk import PROGRAMME


async def collect(world: World, after: int = 0, **filters: object) -> list[Record]:
    found: list[Record] = []
    async for batch in world.log.records(after, follow=False, **filters):  # type: ignore[arg-type]
        assert 0 < len(batch) <= log_module.RECORDS_MAX
        found += batch
    return found


async def test_records_come_in_order_as_they_were_hashed(database: Database) -> None:
    async with running_world(database) as world:
        await world.open()
        await world.given("anna earns 10 for visit 1", "bo earns 20", "anna gives 5 to bo")
        records = await collect(world)
        assert [record.position for record in records] == list(range(1, world.position + 1))
        previous = GENESIS
        for record in records:
            previous = chain(previous, image_of(1, record))
            assert record.hash == previous


async def test_filters_choose_by_programme_stream_and_topic(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "RECORDS_MAX", 3)
    monkeypatch.setattr(log_module, "POSITIONS_MAX", 5)
    async with running_world(database) as world:
        await world.open()
        await world.given(*["anna earns 10", "bo earns 20"] * 6, "anna gives 5 to bo")
        everything = await collect(world)
        stream = f"{PROGRAMME}/member/anna"
        assert await collect(world, stream=stream) == [each for each in everything if each.stream == stream]
        assert await collect(world, 9, stream=stream) == [
            each for each in everything if each.stream == stream and each.position > 9
        ]
        topics = ["points.transferred_in.v1", "programme.opened.v1"]
        assert [each.topic for each in await collect(world, topics=topics)] == topics[::-1]
        assert await collect(world, programme=PROGRAMME) == everything
        assert await collect(world, programme="nowhere") == []
        assert await collect(world, stream=stream, topics=topics, programme=PROGRAMME) == []
        assert await collect(world, world.position) == []


async def test_a_follower_sees_what_is_recorded_later(database: Database) -> None:
    async with running_world(database) as world:
        await world.open()
        seen: list[Record] = []

        async def follow() -> None:
            async for batch in world.log.records(world.position, topics=["points.earned.v1"]):
                seen.extend(batch)
                if len(seen) == 2:
                    return

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        await world.given("anna earns 10", "dora joins", "anna earns 20")
        async with asyncio.timeout(10):
            await following
        assert [record.version for record in seen] == [2, 3]


async def test_the_outcome_of_a_command_is_known_by_its_id(database: Database) -> None:
    async with running_world(database) as world:
        await world.open()
        command, _ = world.lines.read("nobody earns 10")
        request = Request(b"\x07" * 16, PROGRAMME, world.now, (command,), "till-1", "shop")
        answers: Sequence[object] = await world.execute([request])
        (given,) = answers
        assert isinstance(given, Outcome)
        found = await world.log.outcome(request.id)
        assert found is not None
        assert (found.answer, found.request_hash, found.repeated) == (given.answer, given.request_hash, True)
        assert found.programme == PROGRAMME
        assert await world.log.outcome(b"\x08" * 16) is None


async def test_the_programme_of_a_command_is_known_by_its_events_or_its_refusal(database: Database) -> None:
    """K05: what became of a command is shown to its programme only."""
    async with running_world(database) as world:
        await world.open()
        joins, _ = world.lines.read("anna joins")
        refused, _ = world.lines.read("nobody earns 10")
        nothing_due = ExpireDue(world.now, "anna")
        for number, command in enumerate((joins, refused, nothing_due)):
            await world.execute([Request(bytes([number] * 16), PROGRAMME, world.now, (command,), "till-1", "shop")])
        found = [await world.log.outcome(bytes([number] * 16)) for number in range(3)]
        assert [outcome and outcome.programme for outcome in found] == [PROGRAMME, PROGRAMME, ""]
