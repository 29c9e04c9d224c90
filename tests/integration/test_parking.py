"""A key whose event cannot be folded is parked where the projection says so; it is replayed once that is repaired."""

from collections.abc import Sequence

import msgspec
import pytest

from projections.operations import WrongState
from projections.projection import Changes, Projection, Rows
from projections.recorded import Recorded
from projections.views.statement.fold import STATEMENT
from projections.watching import until_replayed
from tests.conftest import Database
from tests.integration.views_world import World, caught_up, projecting, running_world
from tests.unit.ledger.desk import PROGRAMME


def broken(projection: Projection, bad: set[int]) -> Projection:
    """A projection that cannot fold some positions, and parks their keys."""

    def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
        for recorded in events:
            if recorded.position in bad:
                raise RuntimeError("this one is too much")
        return projection.fold(rows, events)

    return msgspec.structs.replace(projection, fold=fold, parks=True)


async def balances(world: World, member: str) -> list[int]:
    """The member's balance after each entry, as the statement tells."""
    page = await world.queries._pool.fetch(
        "SELECT balance FROM projections.statement_entries WHERE member = %s ORDER BY position", (member,)
    )
    return [row[0] for row in page]


async def test_a_key_is_parked_with_all_that_follows_and_the_others_go_on(database: Database) -> None:
    async with running_world(database) as world:
        await world.open()
        await world.given(*["anna earns 10", "bo earns 10"] * 5)
        bad = {world.position - 7, world.position - 3}  # two of anna's
        async with projecting(database, (broken(STATEMENT, bad),)):
            await caught_up(world, "statement")
            await world.given("anna earns 10", "bo earns 10")
            await caught_up(world, "statement")
            assert await balances(world, "bo") == [10, 20, 30, 40, 50, 60]
            assert await balances(world, "anna") == [10]
            (key,) = await world.operations.parked()
            assert (key.name, key.key, key.position, key.events) == ("statement", f"{PROGRAMME}/anna", min(bad), 5)
            assert key.reason == "PointsEarned: RuntimeError: this one is too much"
            (status,) = await world.operations.statuses()
            assert (status.state, status.parked_keys, status.lag_events) == ("RUNNING", 1, 0)

            bad.discard(min(bad))
            await world.operations.replay_parked("statement")
            await until_replayed(world.operations, "statement")
            (key,) = await world.operations.parked()
            assert (key.position, key.events) == (min(bad), 3), "it is parked again where it fails again"
            assert await balances(world, "anna") == [10, 20, 30]

            bad.clear()
            await world.operations.replay_parked("statement")
            await until_replayed(world.operations, "statement")
            assert await world.operations.parked() == []
            await world.given("anna earns 10")
            await caught_up(world, "statement")
            assert await balances(world, "anna") == [10, 20, 30, 40, 50, 60, 70]
            with pytest.raises(WrongState, match="no parked keys"):
                await world.operations.replay_parked("statement")


async def test_what_is_parked_stays_parked_after_a_restart(database: Database) -> None:
    async with running_world(database) as world:
        await world.open()
        await world.given("anna earns 10")
        bad = {world.position}
        async with projecting(database, (broken(STATEMENT, bad),)):
            await caught_up(world, "statement")
        await world.given("anna earns 10", "bo earns 10")
        async with projecting(database, (STATEMENT,)):
            await caught_up(world, "statement")
            assert await balances(world, "anna") == []
            assert await balances(world, "bo") == [10]
            await world.operations.replay_parked("statement")
            await until_replayed(world.operations, "statement")
            assert await balances(world, "anna") == [10, 20]
