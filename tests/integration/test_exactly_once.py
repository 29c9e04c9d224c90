"""Exactly once through crashes: processes die at random between any two statements, and the views are as if not."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from random import Random

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from adapters.postgres import feed, loading
from adapters.postgres.builds import PARTS
from adapters.postgres.cluster import OWNER
from ledger.commands import ChangeProgramme
from projections.operations import State
from projections.projection import Build, Projection
from projections.registry import PROJECTIONS
from tests.conftest import FIGURE, Database
from tests.integration import dying
from tests.integration.test_rebuild import reaches
from tests.integration.test_views_running import write_history
from tests.integration.views_world import World, caught_up, contents, forget, projecting, running_world
from tests.unit.ledger.desk import settings

FreshDatabase = Callable[[], AbstractContextManager[Database]]

SOME_OF_ALL = """\
mug{number}@shop receives 5
mug{number}@shop locks 1 as k{number}
reward mug{number} costs 1 from mug{number}@shop
{name} earns 5 expiring 2026-03-31
{name} earns 50
{name} redeems mug{number} as r{number}
{name} buys tea 9.99 as o{number}
all of o{number} comes back as b{number}
{name} holds 5 as h{number}"""
"""Something for every view, in one small batch."""

STATEMENTS = 1_000
"""That many are said in about four batches of all views, or more."""


PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload([dying.__name__])


async def die(target: object, *arguments: object) -> int | None:
    """Run a process to its death, or to its end."""
    process = PROCESSES.Process(target=target, args=arguments)  # type: ignore[arg-type]
    process.start()
    await asyncio.to_thread(process.join, 120)
    return process.exitcode


@pytest.mark.parametrize("deaths", [4, pytest.param(150, marks=pytest.mark.long)])
async def test_views_are_those_of_an_undisturbed_run_wherever_projections_die(database: Database, deaths: int) -> None:
    random = Random(deaths)
    async with running_world(database) as world:
        await write_history(world, 11, 30 * deaths)
        for _ in range(deaths):
            assert await die(dying.follow, database.app_dsn, random.randrange(1, STATEMENTS)) == 9
        died_at = min(status.position for status in await world.operations.statuses())
        assert died_at > 0
        async with projecting(database):
            await caught_up(world)
        disturbed = contents(database)
        forget(database)
        async with projecting(database):
            await caught_up(world)
        assert contents(database) == disturbed


@pytest.mark.parametrize(
    "projection", [pytest.param(each, id=each.name, marks=pytest.mark.long) for each in PROJECTIONS]
)
async def test_a_batch_is_folded_once_whatever_statement_is_the_last(
    fresh_database: FreshDatabase, projection: Projection, record_property: Callable[[str, object], None]
) -> None:
    """A process dies before the first thing that it says to the database, before the second, and so on.

    So it also dies after each, up to the third behind the one that commits the batch. What it leaves is the view before
    the batch or the view after it, with its checkpoint; and whoever goes on makes the latter of it.
    """
    with fresh_database() as origin:
        async with running_world(origin) as world:
            async with projecting(origin):
                await world.open(backdating_seconds=30 * 86_400)
                await world.given(*SOME_OF_ALL.format(name="anna", number=1).splitlines())
                await caught_up(world)
            before = (checkpoint(origin, projection), contents(origin))
            await world.given(*SOME_OF_ALL.format(name="bo", number=2).splitlines())
            await world.send(ChangeProgramme(settings(backdating_seconds=31 * 86_400)))
        assert world.position - before[0] <= feed.BATCH_EVENTS_MAX
        with copy_of(origin) as copy:
            await finish(copy, projection, world.position)
            after = (world.position, contents(copy))
        assert before[1] != after[1]
        deaths = folded = 0
        while folded < 3:
            deaths += 1
            with copy_of(origin) as copy:
                assert await die(dying.follow_one, copy.app_dsn, deaths, projection.name) == 9
                await left_alone(copy)
                left = (checkpoint(copy, projection), contents(copy))
                assert left in (before, after)
                folded += left == after
                await finish(copy, projection, world.position)
                assert contents(copy) == after[1]
        assert deaths > folded
    record_property(FIGURE, f"{projection.name}: {deaths} deaths, {folded} of them after its batch was committed")


@contextmanager
def copy_of(database: Database) -> Iterator[Database]:
    """A database like one that nobody is connected to."""
    copy = "dying"
    with psycopg.connect(database.superuser_dsn, autocommit=True, dbname="postgres") as superuser:
        creating = SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy")
        origin = conninfo_to_dict(database.app_dsn)["dbname"]
        superuser.execute(creating.format(Identifier(copy), Identifier(str(origin)), Identifier(OWNER)))
        try:
            yield database.named(copy)
        finally:
            superuser.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(copy)))


async def left_alone(database: Database) -> None:
    """Wait until the sessions of a process that died have ended: what it had sent may still be done."""
    query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND client_port IS NOT NULL"
    with psycopg.connect(database.superuser_dsn, autocommit=True) as superuser:
        async with asyncio.timeout(30):
            while True:
                if superuser.execute(query).rowcount == 1:
                    return
                await asyncio.sleep(0.01)


def checkpoint(database: Database, projection: Projection) -> int:
    """Up to where a view is folded."""
    with psycopg.connect(database.app_dsn) as connection:
        query = "SELECT position FROM projections.builds WHERE name = %s"
        (position,) = connection.execute(query, (projection.name,)).fetchone() or (0,)
    return int(position)


async def finish(database: Database, projection: Projection, position: int) -> None:
    """Fold what is left, in this process."""
    async with projecting(database, [projection]), asyncio.timeout(30):
        while True:
            if checkpoint(database, projection) >= position:
                return
            await asyncio.sleep(0.01)


async def test_a_build_is_that_of_an_undisturbed_run_wherever_its_loading_dies(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "NEAR_EVENTS", 0)
    random = Random(3)
    async with running_world(database) as world:
        await write_history(world, 12, 300)
        async with projecting(database):
            await caught_up(world)
        before = contents(database)
        ends = []
        for projection in PROJECTIONS:
            number = await world.operations.rebuild(projection.name)
            parts = PARTS if projection.by_stream else 1
            for part in range(parts):
                build = Build(projection, number)
                death = random.randrange(1, 120)
                ends.append(await die(dying.load, database.app_dsn, death, build, part, parts, world.position))
        assert set(ends) <= {0, 9}
        assert ends.count(9) >= len(PROJECTIONS) // 2
        assert len(positions(database)) > 2
        async with projecting(database):
            for projection in PROJECTIONS:
                assert (await reaches(world, projection.name, 2, State.RUNNING)).differences == 0
                await world.operations.drop(projection.name, 1)
        assert contents(database) == before


def positions(database: Database) -> set[int]:
    with psycopg.connect(database.app_dsn) as connection:
        return {row[0] for row in connection.execute("SELECT position FROM projections.parts").fetchall()}


async def test_another_process_takes_over_when_the_one_that_leads_is_killed(database: Database) -> None:
    """`kill -9`, and the other leads within moments: its sessions end with it, and with them its locks."""
    processes = get_context("forkserver")
    async with running_world(database) as world:
        await world.open()
        first, second = (processes.Process(target=dying.follow, args=(database.app_dsn, 10**9)) for _ in range(2))
        first.start()
        await caught_up(world)
        second.start()
        first.kill()
        first.join()
        await earn(world, 20)
        await caught_up(world)
        assert second.is_alive()
        second.kill()
        second.join()


async def test_processes_that_load_end_with_the_one_that_started_them(database: Database) -> None:
    """`kill -9`, while they wait for the database: they lived on until that let them go, and kept their connections."""
    async with running_world(database) as world:
        await write_history(world, 12, 30)
        async with projecting(database):
            await caught_up(world)
        await world.operations.rebuild("balance")
        with psycopg.connect(database.app_dsn) as lock:
            lock.execute("SELECT FROM projections.parts FOR UPDATE")
            running = get_context("forkserver").Process(target=dying.rebuild, args=(database.app_dsn,))
            running.start()
            loaders = await waiting_loaders(database, running.pid)
            running.kill()
            running.join()
            _, alive = await asyncio.to_thread(psutil.wait_procs, loaders, 30)
            assert all(process.status() == psutil.STATUS_ZOMBIE for process in alive)
        async with projecting(database):
            assert (await reaches(world, "balance", 2, State.RUNNING)).differences == 0


async def waiting_loaders(database: Database, pid: int | None) -> list[psutil.Process]:
    """The processes that load for another one, once each has something to write."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(database.app_dsn, autocommit=True) as connection:
        async with asyncio.timeout(60):
            while True:
                if connection.execute(query).fetchone() == (PARTS,):
                    return psutil.Process(pid).children(recursive=True)
                await asyncio.sleep(0.05)


async def earn(world: World, times: int) -> None:
    await world.given(*["anna earns 10"] * times)
