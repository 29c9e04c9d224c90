"""What holds for the store in PostgreSQL beside the contract: nothing is changed, and one writer leads."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.postgres import store as postgres
from adapters.postgres.connect import connect_async
from adapters.postgres.embedded import Endpoint
from adapters.postgres.store import PostgresStore
from ledger.errors import Fenced, Unavailable
from ledger.ports import Snapshot, Store
from ledger.receipts import Outcome, Receipt
from tests.contract.batches import ANNA, Entry, batch_on, new_id
from tests.contract.conftest import Database
from tests.contract.history import ScriptedClock, requests_of, running
from tests.contract.worlds import PostgresWorld, World, contents, records
from tests.faults.proxy import CutAt, wire

OpenStore = Callable[[World], Store]

LEAD_AND_WAIT = """
import asyncio, sys
from adapters.postgres.store import PostgresStore
async def lead():
    store = PostgresStore(sys.argv[1])
    await store.acquire()
    print("leads", flush=True)
    await asyncio.Event().wait()
asyncio.run(lead())
"""


@pytest.fixture
def world(database: Database) -> PostgresWorld:
    return PostgresWorld(database.app_dsn)


@pytest.fixture
def superuser_dsn(server: Endpoint, database: Database) -> str:
    return make_conninfo(server.superuser_dsn, dbname=conninfo_to_dict(database.app_dsn)["dbname"])


@pytest.fixture
def terminate(superuser_dsn: str) -> Iterator[Callable[[AsyncConnection], None]]:
    """Ends a session and waits until it has ended."""
    with psycopg.connect(superuser_dsn, autocommit=True) as superuser:

        def end(connection: AsyncConnection) -> None:
            superuser.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))

        yield end


# -- append-only


@pytest.mark.parametrize("role", ["application", "owner", "superuser"])
async def test_nobody_changes_what_is_stored(
    role: str, database: Database, superuser_dsn: str, world: PostgresWorld, open_store: OpenStore
) -> None:
    store = open_store(world)
    await store.append(batch_on(head := await store.acquire(), Entry(ANNA, 1)), head)
    stored = contents(world)
    dsn = {"application": database.app_dsn, "owner": database.owner_dsn, "superuser": superuser_dsn}[role]
    reason = "permission denied" if role == "application" else "is append-only"
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table, column in (("events", "event"), ("outcomes", "answer"), ("batches", "hash")):
            for statement in (
                f"UPDATE ledger.{table} SET {column} = ''",
                f"DELETE FROM ledger.{table}",
                f"DELETE FROM ledger.{table} WHERE false",
                f"TRUNCATE ledger.{table}",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match=reason):
                    connection.execute(statement.encode())
    assert contents(world) == stored


# -- one leads


async def test_a_standby_waits_while_another_leads(world: PostgresWorld, open_store: OpenStore) -> None:
    leader, standby = open_store(world), open_store(world)
    head = await leader.acquire()
    waiting = asyncio.create_task(standby.acquire())
    await asyncio.wait({waiting}, timeout=0.5)
    assert not waiting.done()
    await leader.append(batch_on(head, Entry(ANNA, 1)), head)
    await leader.close()
    async with asyncio.timeout(2):
        assert (await waiting).position == 1


async def test_the_death_of_a_leader_lets_the_standby_lead_at_once(world: PostgresWorld, open_store: OpenStore) -> None:
    leader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEAD_AND_WAIT, world.dsn, cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE
    )
    assert leader.stdout is not None
    while (line := await leader.stdout.readline()) != b"leads\n":
        assert line, "the leader died too soon"
    waiting = asyncio.create_task(open_store(world).acquire())
    await asyncio.wait({waiting}, timeout=0.3)
    assert not waiting.done()
    leader.send_signal(signal.SIGKILL)
    async with asyncio.timeout(postgres.LEASE_SECONDS / 2):
        assert (await waiting).epoch == 2
    await leader.communicate()


async def test_a_standby_leaves_a_leader_alone_that_is_only_just_taking_the_lead(
    world: PostgresWorld, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect_slowly(dsn: str, application: str) -> AsyncConnection:
        if application != "loyalty writer":
            await asyncio.sleep(0.3)
        return await connect_async(dsn, application)

    monkeypatch.setattr("adapters.postgres.store.connect_async", connect_slowly)
    leading = asyncio.create_task(open_store(world).acquire())
    await asyncio.wait({leading}, timeout=0.1)
    standing_by = asyncio.create_task(open_store(world).acquire())
    async with asyncio.timeout(2):
        assert (await leading).epoch == 1
    standing_by.cancel()
    await asyncio.wait({standing_by})


async def test_a_leader_that_renews_keeps_the_lead(
    world: PostgresWorld, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LEASE_SECONDS", 0.6)
    leader = open_store(world)
    head = await leader.acquire()
    waiting = asyncio.create_task(open_store(world).acquire())
    for _ in range(5):
        await asyncio.wait({waiting}, timeout=0.25)
        await leader.renew(head.epoch)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_a_leader_that_renews_no_more_is_ended(
    world: PostgresWorld, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LEASE_SECONDS", 0.5)
    leader = open_store(world)
    head = await leader.acquire()
    async with asyncio.timeout(5):
        assert (await open_store(world).acquire()).epoch == 2
    with pytest.raises((Fenced, Unavailable)):
        await leader.append(batch_on(head, Entry(ANNA, 1)), head)
    assert contents(world) == (b"", b"", [])


Copy = Callable[[AsyncConnection, str, bytes], Awaitable[None]]


async def test_a_leader_that_hangs_within_a_transaction_is_ended(
    world: PostgresWorld, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LEASE_SECONDS", 0.5)
    copy: Copy = PostgresStore._copy
    hanging, awake = asyncio.Event(), asyncio.Event()

    async def hang(connection: AsyncConnection, statement: str, rows: bytes) -> None:
        hanging.set()
        await awake.wait()
        await copy(connection, statement, rows)

    leader = open_store(world)
    head = await leader.acquire()
    monkeypatch.setattr(PostgresStore, "_copy", staticmethod(hang))
    appending = asyncio.create_task(leader.append(batch_on(head, Entry(ANNA, 1)), head))
    await hanging.wait()
    async with asyncio.timeout(5):
        assert await open_store(world).acquire() == msgspec.structs.replace(head, epoch=2)
    awake.set()
    with pytest.raises(Unavailable):
        await appending
    assert contents(world) == (b"", b"", [])


# -- connections are cut


@pytest.mark.parametrize("cut_before", ["ledger.events", "ledger.outcomes", "the commit"])
async def test_a_batch_that_is_cut_before_its_commit_is_not_there(
    cut_before: str,
    world: PostgresWorld,
    open_store: OpenStore,
    terminate: Callable[[AsyncConnection], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy: Copy = PostgresStore._copy

    async def cut(connection: AsyncConnection, statement: str, rows: bytes) -> None:
        if cut_before in statement:
            terminate(connection)
        await copy(connection, statement, rows)
        if cut_before == "the commit" and "ledger.outcomes" in statement:
            terminate(connection)

    store = open_store(world)
    head = await store.acquire()
    with monkeypatch.context() as patch:
        patch.setattr(PostgresStore, "_copy", staticmethod(cut))
        with pytest.raises(Unavailable):
            await store.append(batch_on(head, Entry(ANNA, 1)), head)
    again = await store.acquire()
    assert again == msgspec.structs.replace(head, epoch=2)
    assert contents(world) == (b"", b"", [])
    await store.append(batch_on(again, Entry(ANNA, 1)), again)
    assert len(records(world)) == 1


@pytest.mark.parametrize("cut_at", CutAt)
async def test_a_batch_whose_commit_is_cut_is_wholly_there_or_not_at_all(cut_at: CutAt, world: PostgresWorld) -> None:
    async with wire(world.dsn) as (dsn, laid):
        store = PostgresStore(dsn)
        before = await store.acquire()
        batch = batch_on(before, Entry(ANNA, 1), Entry(ANNA, 2))
        laid.cut_next = cut_at
        with pytest.raises(Unavailable):
            await store.append(batch, before)
        now = await store.acquire()
        await store.close()
    if cut_at is CutAt.COMMIT:
        assert now == msgspec.structs.replace(before, epoch=2)
        assert contents(world) == (b"", b"", [])
    else:
        assert now == msgspec.structs.replace(batch.head, epoch=2)
        assert contents(world)[:2] == (batch.rows, batch.outcomes)


@pytest.mark.parametrize("cut_at", CutAt)
async def test_a_command_whose_commit_is_cut_is_answered_and_recorded_once(cut_at: CutAt, world: PostgresWorld) -> None:
    async with wire(world.dsn) as (dsn, laid), running(PostgresStore(dsn), ScriptedClock()) as writer:
        laid.cut_next = cut_at
        refused, opened, _ = await writer.execute(requests_of(0))
    assert isinstance(refused, Outcome)
    assert isinstance(opened, Outcome)
    assert opened.answer == Receipt(1)
    assert refused.repeated == opened.repeated == (cut_at is CutAt.ANSWER)
    assert [record.topic for record in records(world)] == ["programme.opened.v1"]
    assert len(world.batches()) == 1


async def test_what_hangs_on_old_connections_does_not_keep_a_writer_from_leading_anew(
    world: PostgresWorld, open_store: OpenStore, superuser_dsn: str
) -> None:
    store = open_store(world)
    await store.acquire()
    with psycopg.connect(superuser_dsn) as superuser:
        superuser.execute("LOCK TABLE ledger.events, ledger.outcomes, ledger.snapshots")
        old = [
            asyncio.ensure_future(store.save_snapshots([Snapshot(ANNA, 1, "form 1", b"anna at 1")])),
            asyncio.ensure_future(store.outcomes([new_id()])),
            asyncio.ensure_future(store.business_keys([new_id()])),
        ]
        await asyncio.wait(old, timeout=0.2)
        async with asyncio.timeout(5):
            again = await store.acquire()
            superuser.rollback()
            await asyncio.wait(old)
            assert await store.outcomes([new_id()]) == {}
    await store.append(batch_on(again, Entry(ANNA, 1)), again)
