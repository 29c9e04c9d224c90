"""Running projections: exactly once however they are interrupted, one leader, failures that stay where they are."""

import asyncio
from collections.abc import Sequence
from random import Random

import msgspec
import psycopg
import pytest

from adapters.postgres import feed
from adapters.postgres.projecting import ProjectionRunner
from projections import convoy
from projections.operations import BuildStatus
from projections.projection import Changes, Projection, Rows
from projections.recorded import Recorded
from projections.registry import PROJECTIONS
from projections.views.balance.fold import BALANCE
from projections.views.inventory.fold import INVENTORY
from projections.views.programmes.fold import PROGRAMMES
from projections.views.statement.fold import STATEMENT
from tests.conftest import Database
from tests.integration.views_world import World, caught_up, contents, forget, projecting, running_world
from tests.property.histories import long_history
from tests.unit.ledger.desk import PROGRAMME


async def write_history(world: World, seed: int, length: int) -> None:
    """A history in batches, with a pause now and then, so that projections see it grow."""
    steps = long_history(seed, length, ("zoo", "bar"))
    for begin in range(0, len(steps), 50):
        batch = steps[begin : begin + 50]
        world.clock.instant = batch[-1].wall
        await world.execute([step.request for step in batch])
        await asyncio.sleep(0.01)


async def interrupt(database: Database, random: Random, stop: asyncio.Event) -> None:
    """Run projections again and again: cancel them, or cut their connections, in the middle of whatever they do."""
    while not stop.is_set():
        running = asyncio.create_task(ProjectionRunner(database.app_dsn).run())
        await asyncio.sleep(random.uniform(0.03, 0.3))
        if random.random() < 0.5:
            cut_connections(database)
            await asyncio.sleep(random.uniform(0, 0.4))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def cut_connections(database: Database) -> None:
    with psycopg.connect(database.superuser_dsn, autocommit=True) as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'loyalty projection%' AND datname = current_database()"
        )


async def test_views_are_the_same_however_often_projections_die_and_when_built_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BATCH_EVENTS_MAX", 40)
    async with running_world(database) as world:
        stop = asyncio.Event()
        interrupting = asyncio.create_task(interrupt(database, Random(5), stop))
        await write_history(world, 5, 2_000)
        stop.set()
        await interrupting
        async with projecting(database):
            await caught_up(world)
        incremental = contents(database)
        assert sum(map(len, incremental.values())) > 1_000
        forget(database)
        monkeypatch.setattr(feed, "BATCH_EVENTS_MAX", 20_000)
        async with projecting(database):
            await caught_up(world)
        assert contents(database) == incremental


async def test_connections_that_are_cut_are_made_again(database: Database) -> None:
    async with running_world(database) as world, projecting(database):
        await world.open()
        await caught_up(world)
        cut_connections(database)
        await world.given("anna earns 10")
        answer = await world.queries.balance(PROGRAMME, "anna", as_of=world.now, min_position=world.position)
        assert answer.balances[0].open == 10


async def test_one_process_leads_and_another_takes_over(database: Database) -> None:
    async with running_world(database) as world:
        await world.open()
        first, second = (ProjectionRunner(database.app_dsn) for _ in range(2))
        leading = asyncio.create_task(first.run())
        await caught_up(world)
        standing_by = asyncio.create_task(second.run())
        await asyncio.sleep(0.3)
        assert sessions(database) == len(PROJECTIONS) + 3
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await world.given("anna earns 10")
        await caught_up(world)
        assert sessions(database) == len(PROJECTIONS) + 2
        second.stop()
        await standing_by


def sessions(database: Database) -> int:
    with psycopg.connect(database.superuser_dsn) as superuser:
        row = superuser.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'loyalty projection%'"
            " AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def broken(projection: Projection, bad: set[int]) -> Projection:
    """A projection that cannot fold some positions."""

    def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
        for recorded in events:
            if recorded.position in bad:
                raise RuntimeError("this one is too much")
        return projection.fold(rows, events)

    return msgspec.structs.replace(projection, fold=fold, parks=False)


async def stopped_one(world: World) -> dict[str, BuildStatus]:
    """Where projections stand once one of them has stopped."""
    async with asyncio.timeout(10):
        while True:
            statuses = {status.name: status for status in await world.operations.statuses()}
            if any(status.reason for status in statuses.values()):
                return statuses
            await asyncio.sleep(0.01)


async def test_a_fold_that_fails_stops_only_its_own_projection_until_it_is_repaired(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convoy, "RETRY_SECONDS_MIN", 0.05)
    async with running_world(database) as world:
        await world.open()
        await world.given(*["anna earns 10"] * 20)
        bad = {world.position - 5}
        async with projecting(database, (BALANCE, broken(STATEMENT, bad), INVENTORY, PROGRAMMES)):
            await caught_up(world, "balance", "inventory", "programmes")
            statuses = await stopped_one(world)
            stopped = statuses["statement"]
            assert (stopped.state, stopped.position) == ("STOPPED", world.position - 6)
            assert stopped.failed_position == world.position - 5
            assert stopped.reason == "PointsEarned: RuntimeError: this one is too much"
            assert stopped.lag_events == 6
            assert stopped.lag_seconds > 0
            assert (statuses["balance"].state, statuses["balance"].lag_events) == ("RUNNING", 0)
            bad.clear()
            await caught_up(world, "statement")
            (repaired,) = [each for each in await world.operations.statuses() if each.name == "statement"]
            assert (repaired.state, repaired.reason) == ("RUNNING", None)
        entries = await world.queries.entries(PROGRAMME, "anna")
        assert [entry.balance for entry in entries.rows] == list(range(200, 0, -10))


async def test_a_view_that_contradicts_the_log_stops_at_the_event_that_shows_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convoy, "RETRY_SECONDS_MIN", 0.05)
    async with running_world(database) as world, projecting(database, (BALANCE, STATEMENT)):
        await world.open()
        await world.given("anna earns 10")
        await caught_up(world, "balance", "statement")
        with psycopg.connect(database.app_dsn) as connection:
            connection.execute("DELETE FROM projections.balance_b1_lots")
        await world.given("bo earns 10", "anna gives 5 to bo", "bo earns 10")
        await caught_up(world, "statement")
        statuses = await stopped_one(world)
        assert statuses["balance"].failed_position == world.position - 2
        assert statuses["balance"].reason == (
            "PointsTransferredOut: LookupError: 1 of 1 rows to change are not in lots"
        )


async def test_readers_in_sql_see_time_stamps_and_no_versions(database: Database) -> None:
    async with running_world(database) as world, projecting(database):
        await world.open()
        await world.given("anna earns 10 expiring 2026-03-31", "mug@shop receives 2", "anna holds 4 as h")
        await caught_up(world)
        with psycopg.connect(database.app_dsn) as connection:
            connection.execute("SET TIME ZONE 'Asia/Shanghai'")
            lots = connection.execute(
                "SELECT lot, remaining, held, expires_at::text FROM projections.balance_lots"
            ).fetchall()
            assert lots == [("anna:1", 6, 4, "2026-04-01 00:00:00+08")]
            entry = connection.execute(
                "SELECT business_date::text, lots->0->>0 FROM projections.statement_entries WHERE held = 4"
            ).fetchone()
            assert entry == ("2026-01-01", "anna:1")
            assert connection.execute("SELECT available FROM projections.inventory_items").fetchall() == [(2,)]
            due = connection.execute("SELECT what, due_at::date::text FROM projections.due ORDER BY 2").fetchall()
            assert due == [("hold", "2026-01-08"), ("lots", "2026-04-01")]


async def test_instants_are_exact_to_the_microsecond_in_sql(database: Database) -> None:
    async with running_world(database) as world, projecting(database):
        await world.open()
        await caught_up(world)
        random = Random(1)
        instants = [random.randrange(7_258_118_400_000_000) for _ in range(2_000)]
        rows = await world.queries._pool.fetch(
            "SELECT micros, projections.instant(micros) FROM unnest(%s::bigint[]) AS micros", (instants,)
        )
        assert [(micros, micros) for micros in instants] == rows


async def test_an_answer_is_what_it_was_at_the_position_it_names(database: Database) -> None:
    """Rows and position are of a moment, while the view goes on by a grant and a position at a time (edge case 30)."""
    async with running_world(database) as world, projecting(database):
        await world.open()
        before = world.position

        async def grant() -> None:
            for _ in range(300):
                await world.given("anna earns 1")

        granting = asyncio.create_task(grant())
        answers = []
        while not granting.done():
            balance = await world.queries.balance(PROGRAMME, "anna", min_position=before)
            lots = await world.queries.lots(PROGRAMME, "anna", min_position=before, page_size=1_000)
            entries = await world.queries.entries(PROGRAMME, "anna", min_position=before, page_size=1_000)
            answers += [
                (balance.position, balance.balances[0].open),
                (lots.position, len(lots.rows)),
                (entries.position, len(entries.rows)),
            ]
        await granting
    assert [(position, position - before) for position, _ in answers] == answers
    assert len({position for position, _ in answers}) > 3, "the view stood still: the test did not test that"
