"""Views built anew beside the live ones: loaded by processes, compared row by row, swapped, taken back, dropped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import psycopg
import pytest
from structlog.testing import capture_logs

from adapters.postgres import loading
from adapters.postgres.projecting import ProjectionRunner
from adapters.postgres.replaying import make_schema, position_at
from adapters.postgres.views import POLL_SECONDS
from projections.operations import BuildStatus, State, WrongState
from projections.queries import NotFound
from projections.registry import PROJECTIONS
from projections.views.balance.fold import BALANCE
from projections.views.postings.fold import POSTINGS
from projections.views.programmes.fold import PROGRAMMES
from tests.conftest import Database
from tests.integration.test_views_running import write_history
from tests.integration.views_world import World, caught_up, contents, projecting, running_world
from tests.unit.ledger.desk import PROGRAMME


@pytest.fixture(autouse=True)
def _load_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short a log is: by processes."""
    monkeypatch.setattr(loading, "NEAR_EVENTS", 0)


async def status(world: World, name: str, build: int) -> BuildStatus | None:
    return next((each for each in await world.operations.statuses() if (each.name, each.build) == (name, build)), None)


async def reaches(world: World, name: str, build: int, state: State) -> BuildStatus:
    """A build once it is in a state."""
    async with asyncio.timeout(60):
        while True:
            found = await status(world, name, build)
            if found is not None and found.state is state:
                return found
            await asyncio.sleep(0.02)


def execute(database: Database, statement: str) -> None:
    with psycopg.connect(database.app_dsn) as connection:
        connection.execute(statement.encode())


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.app_dsn) as connection:
        return connection.execute(query.encode()).fetchall()


async def shows(database: Database, query: str, expected: list[tuple[Any, ...]]) -> None:
    """Wait until a query has these rows."""
    async with asyncio.timeout(60):
        while True:
            if rows(database, query) == expected:
                return
            await asyncio.sleep(0.02)


async def test_every_view_is_rebuilt_by_processes_and_nothing_differs(database: Database) -> None:
    """The log grows all the while; each view takes over from a build that has the same rows."""
    async with running_world(database) as world, projecting(database):
        await write_history(world, 7, 1_000)
        await caught_up(world)
        before = contents(database)
        for projection in PROJECTIONS:
            assert await world.operations.rebuild(projection.name) == 2
        for projection in PROJECTIONS:
            live = await reaches(world, projection.name, 2, State.RUNNING)
            assert (live.live, live.differences) == (True, 0)
            await world.operations.drop(projection.name, 1)
        assert contents(database) == before


async def test_the_live_view_answers_at_its_position_while_another_is_built(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edge case 30: `min_position` is honoured before, during and after the swap."""
    monkeypatch.setattr(loading, "NEAR_EVENTS", 1_000)  # The log grows faster than processes start.
    async with running_world(database) as world, projecting(database, (BALANCE, PROGRAMMES)):
        await world.open()
        await caught_up(world, "balance", "programmes")
        await world.operations.rebuild("balance")
        builds, earned = set(), 0
        async with asyncio.timeout(60):
            while earned < 20 or not (found := await status(world, "balance", 2)) or not found.live:
                await world.given("anna earns 10")
                earned += 1
                answer = await world.queries.balance(PROGRAMME, "anna", min_position=world.position)
                assert answer.balances[0].open == 10 * earned
                builds.add(next(each.build for each in await world.operations.statuses() if each.live))
        assert builds == {1, 2}


async def test_a_build_that_differs_waits_for_an_operator_who_can_go_back(database: Database) -> None:
    async with running_world(database) as world, projecting(database, (BALANCE, PROGRAMMES)):
        await world.open()
        await world.given("anna earns 10", "bo earns 20")
        await caught_up(world, "balance", "programmes")
        execute(database, "UPDATE projections.balance_b1_buckets SET remaining = 11 WHERE member = 'anna'")
        execute(database, "DELETE FROM projections.balance_b1_lots WHERE member = 'bo'")
        await world.operations.rebuild("balance")
        ready = await reaches(world, "balance", 2, State.READY)
        assert (ready.live, ready.differences) == (False, 2)
        found = {each.table: each for each in await world.operations.differences("balance", 2)}
        assert (found["lots"].live, found["lots"].rebuilt["member"]) == (None, "bo")  # type: ignore[index]
        assert [row["remaining"] for row in (found["buckets"].live, found["buckets"].rebuilt) if row] == [11, 10]
        await world.given("anna earns 5")  # It is kept up to the log until somebody decides.
        await world.operations.swap("balance")
        await reaches(world, "balance", 2, State.RUNNING)
        assert (await world.queries.balance(PROGRAMME, "anna")).balances[0].open == 15
        assert rows(database, "SELECT sum(remaining) FROM projections.balance_buckets WHERE member = 'anna'") == [(15,)]
        await world.given("anna earns 5")
        assert await world.operations.rollback("balance") == 1
        assert (await reaches(world, "balance", 1, State.RUNNING)).differences is None
        await asyncio.sleep(2 * POLL_SECONDS)
        told = await world.queries.balance(PROGRAMME, "anna", min_position=world.position)
        assert told.balances[0].open == 21
        await world.operations.drop("balance", 2)
        assert not any(name.startswith("balance_b2_") for (name,) in rows(database, "SELECT relname FROM pg_class"))


async def test_rows_without_a_key_are_compared_as_a_whole(database: Database) -> None:
    """Of postings: one that was changed is missing as it should be, and too many as it is."""
    async with running_world(database) as world, projecting(database, (POSTINGS,)):
        await world.open()
        await world.given("anna earns 10", "bo earns 20", "bo earns 30")
        await caught_up(world, "postings")
        execute(database, "UPDATE projections.postings_b1_points SET remaining = 11 WHERE member = 'anna'")
        execute(database, "DELETE FROM projections.postings_b1_points WHERE remaining = 30")
        await world.operations.rebuild("postings")
        assert (await reaches(world, "postings", 2, State.READY)).differences == 3
        found = await world.operations.differences("postings", 2)
        told = [(each.table, *(row and row["remaining"] for row in (each.live, each.rebuilt))) for each in found]
        assert sorted(told, key=repr) == [("points", 11, None), ("points", None, 10), ("points", None, 30)]


async def test_a_rebuild_is_paused_resumed_survives_a_restart_and_is_cancelled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "RETRY_SECONDS", 0.0)
    async with running_world(database) as world:
        await write_history(world, 8, 150)
        async with projecting(database, (BALANCE,)):
            await caught_up(world, "balance")
            await world.operations.rebuild("balance", rate_max=20)
            await moved_beyond(world, 0)
            await world.operations.pause("balance")
            paused = await reaches(world, "balance", 2, State.PAUSED)
            await asyncio.sleep(1.5)
            stood = await reaches(world, "balance", 2, State.PAUSED)
            assert stood.position - paused.position <= 20
            await asyncio.sleep(0.5)
            assert (await reaches(world, "balance", 2, State.PAUSED)).position == stood.position
        async with projecting(database, (BALANCE,)):
            await world.operations.resume("balance")
            await moved_beyond(world, stood.position)
        halfway = await status(world, "balance", 2)
        assert halfway is not None
        assert 0 < halfway.position < world.position
        async with projecting(database, (BALANCE,)):
            assert (await reaches(world, "balance", 2, State.RUNNING)).differences == 0
            await world.operations.rebuild("balance", rate_max=100)
            await moved_beyond(world, 0, build=3)
            await world.operations.cancel("balance")
            assert await status(world, "balance", 3) is None
            assert not any(name.startswith("balance_b3_") for (name,) in rows(database, "SELECT relname FROM pg_class"))
            with pytest.raises(WrongState, match="not being built"):
                await world.operations.cancel("balance")


async def test_a_rebuild_that_is_told_to_wait_is_no_fault(database: Database) -> None:
    """Where both its processes were, a warning was logged, and whatever was to be loaded next had to wait."""
    parts = (
        "SELECT count(*)::int FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'loyalty projection balance part %'"
    )
    async with running_world(database) as world:
        await write_history(world, 8, 150)
        with capture_logs() as logs:
            async with projecting(database, (BALANCE,)):
                await caught_up(world, "balance")
                await world.operations.rebuild("balance", rate_max=100)
                await moved_beyond(world, 0)
                await world.operations.pause("balance")
                await shows(database, parts, [(0,)])
                await world.operations.resume("balance")
                await reaches(world, "balance", 2, State.RUNNING)
        assert "projection.loaded" in {entry["event"] for entry in logs}
        assert "projection.not_loaded" not in {entry["event"] for entry in logs}


async def moved_beyond(world: World, position: int, build: int = 2) -> None:
    async with asyncio.timeout(30):
        while True:
            found = await status(world, "balance", build)
            if found is not None and found.position > position:
                return
            await asyncio.sleep(0.02)


async def test_a_newer_version_builds_itself_beside_the_old_one_and_takes_over(database: Database) -> None:
    """The old one answers until then, and takes over again where the release is taken back."""
    newer = msgspec.structs.replace(BALANCE, version=BALANCE.version + 1)
    async with running_world(database) as world:
        await world.open()
        async with projecting(database, (BALANCE, PROGRAMMES)):
            await caught_up(world, "balance", "programmes")
        await world.given("anna earns 10")
        assert (await world.queries.balance(PROGRAMME, "anna")).balances[0].open == 0
        async with projecting(database, (newer, PROGRAMMES)):
            live = await reaches(world, "balance", 2, State.RUNNING)
            assert (live.version, live.differences) == (newer.version, None)
            told = await world.queries.balance(PROGRAMME, "anna", min_position=world.position)
            assert told.balances[0].open == 10
            await world.given("anna earns 10")
        async with projecting(database, (BALANCE, PROGRAMMES)):
            assert (await reaches(world, "balance", 1, State.RUNNING)).version == BALANCE.version
            told = await world.queries.balance(PROGRAMME, "anna", min_position=world.position)
            assert told.balances[0].open == 20


async def test_a_view_is_replayed_as_of_a_position_or_a_time_in_a_schema_of_its_own(database: Database) -> None:
    async with running_world(database) as world, projecting(database, (BALANCE,)):
        await world.open()
        await world.given("anna earns 10")
        then = world.position
        world.clock.instant += 60_000_000
        await world.given("anna earns 10")
        await caught_up(world, "balance")
        make_schema(database.owner_dsn, database.app_dsn, "audit")
        await world.operations.replay("balance", then, "audit")
        replayed = await reaches(world, "balance", 2, State.REPLAYED)
        assert (replayed.position, replayed.lag_events) == (then, 0)
        total = "SELECT sum(remaining)::int FROM {}.balance_buckets"
        assert rows(database, total.format("audit")) == [(10,)]
        assert rows(database, total.format("projections")) == [(20,)]
        (recorded,) = rows(database, f"SELECT recorded_at FROM ledger.events WHERE position = {then}")
        assert await position_at(database.app_dsn, recorded[0].isoformat()) == then
        with pytest.raises(WrongState, match="drop build 2 first"):
            await world.operations.replay("balance", then, "audit")
        await world.operations.drop("balance", 2)
        assert rows(database, "SELECT relname FROM pg_class WHERE relnamespace = 'audit'::regnamespace") == []


async def test_a_build_that_is_dropped_as_soon_as_it_is_loaded_stops_nobody(database: Database) -> None:
    """Its tables were analysed after the commit that ended the loading, and the process died of their absence."""
    waiting = (
        "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with running_world(database) as world, projecting(database, (BALANCE,)):
        await world.open()
        await world.given("anna earns 10")
        await caught_up(world, "balance")
        make_schema(database.owner_dsn, database.app_dsn, "audit")
        await world.operations.replay("balance", world.position, "audit")
        first = BALANCE.script.table_names[0]
        with psycopg.connect(database.app_dsn) as connection:
            connection.execute(f"LOCK TABLE audit.balance_b2_{first} IN SHARE UPDATE EXCLUSIVE MODE".encode())
            await shows(database, waiting, [(1,)])  # The loading process has folded all and is about to analyse.
            assert rows(database, "SELECT state FROM projections.builds WHERE build = 2") == [("BUILDING",)]
            dropping = asyncio.create_task(world.operations.drop("balance", 2))
            await shows(database, waiting, [(2,)])
        await dropping
        assert await status(world, "balance", 2) is None
        await world.given("anna earns 10")
        await caught_up(world, "balance")


@pytest.mark.parametrize("to", ["0", "1000000", "yesterday", "2026-03-31T00:00:00", "1970-01-01T00:00:00+00:00"])
async def test_a_replay_that_ends_nowhere_is_refused(database: Database, to: str) -> None:
    async with running_world(database) as world:
        await world.open()
        with pytest.raises(WrongState):
            await position_at(database.app_dsn, to)


@pytest.mark.parametrize("schema", ["ledger", "public", "pg_x", "a b", "A", '"'])
def test_a_replay_spoils_no_other_schema(database: Database, schema: str) -> None:
    with pytest.raises(WrongState):
        make_schema(database.owner_dsn, database.app_dsn, schema)


WRONG: list[Callable[[World], Awaitable[object]]] = [
    lambda world: world.operations.pause("balance"),
    lambda world: world.operations.resume("balance"),
    lambda world: world.operations.swap("balance"),
    lambda world: world.operations.cancel("balance"),
    lambda world: world.operations.rollback("balance"),
    lambda world: world.operations.replay_parked("balance"),
    lambda world: world.operations.drop("balance", 1),
]


async def test_what_cannot_be_done_is_refused_and_changes_nothing(database: Database) -> None:
    async with running_world(database) as world:
        await world.open()
        running = asyncio.create_task((runner := ProjectionRunner(database.app_dsn, (BALANCE,))).run())
        await caught_up(world, "balance")
        runner.stop()
        await running
        before = rows(database, "SELECT * FROM projections.builds")
        for ask in WRONG:
            with pytest.raises(WrongState):
                await ask(world)
        for name, build in (("nonsense", 1), ("balance", 7)):
            with pytest.raises(NotFound):
                await world.operations.drop(name, build)
        assert rows(database, "SELECT * FROM projections.builds") == before
