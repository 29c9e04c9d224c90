"""The role that may only read (K05), and the dictionary of what it reads."""

from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from adapters.postgres.cluster import find_cluster
from adapters.postgres.dictionary import FILE, NAMES, make_views, read_views, render
from adapters.postgres.embedded import EmbeddedServer
from adapters.postgres.migrate import migrate
from projections.dictionary import READER, read_texts
from projections.registry import PROJECTIONS
from tests.conftest import Database
from tests.integration.views_world import World, caught_up, projecting, running_world
from tests.unit.ledger.desk import PROGRAMME


@pytest_asyncio.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world, projecting(database):
        await world.open()
        await world.given("mug@shop receives 5", "reward mug costs 1 from mug@shop", "anna earns 5 expiring 2026-03-31")
        await world.given("anna redeems mug as r1", "anna buys tea 9.99 as o1", "all of o1 comes back as b1")
        await caught_up(world)
        yield world


async def test_the_reader_sees_every_view_and_the_decoded_log(world: World) -> None:
    with psycopg.connect(world.database.reader_dsn) as reader:
        filled = set()
        for name in NAMES:
            rows = reader.execute(f"SELECT * FROM {name}".encode()).fetchall()
            filled |= {name} if rows else set()
        assert NAMES - filled == {"projections.inventory_discontinued", "projections.postings_discontinued"}
        (event,) = reader.execute(
            "SELECT event ->> 'points' FROM ledger.event_log WHERE topic = 'points.earned.v1' LIMIT 1"
        ).fetchone() or (None,)
        assert event == "5"


async def test_the_reader_sees_no_table_answers_and_credentials_included(world: World) -> None:
    """Every relation but the views for readers, in every schema that is ours."""
    with psycopg.connect(world.database.superuser_dsn) as superuser:
        relations = superuser.execute(
            "SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relkind IN ('r', 'p', 'm', 'f', 'S') AND nspname IN ('ledger', 'projections', 'public')"
        ).fetchall()
    names = {name for (name,) in relations}
    assert {"ledger.outcomes", "ledger.events", "ledger.snapshots", "public.alembic_version"} <= names
    with psycopg.connect(world.database.reader_dsn, autocommit=True) as reader:
        for name in (*names, "pg_authid"):
            with pytest.raises(InsufficientPrivilege):
                reader.execute(f"SELECT * FROM {name}".encode())


async def test_the_reader_changes_nothing_even_where_it_asks_to(world: World) -> None:
    with psycopg.connect(world.database.reader_dsn, autocommit=True) as reader:
        with pytest.raises(ReadOnlySqlTransaction):
            reader.execute("CREATE TEMP TABLE mine (n int)")
        reader.execute("SET default_transaction_read_only = off")
        for statement in (
            "INSERT INTO ledger.events SELECT * FROM ledger.events",
            "UPDATE ledger.shards SET position = 0",
            "UPDATE projections.balance_members SET status = 'ACTIVE'",
            "DELETE FROM projections.totals",
            "TRUNCATE ledger.outcomes",
            "CREATE TABLE public.mine (n int)",
            "CREATE VIEW projections.mine AS SELECT 1",
            "DROP VIEW projections.totals",
            "SET ROLE loyalty_owner",
        ):
            with pytest.raises(InsufficientPrivilege):
                reader.execute(statement.encode())
    assert (await world.queries.balance(PROGRAMME, "anna")).status == "ACTIVE"


def test_the_role_is_made_once_with_a_password_of_its_own(embedded: EmbeddedServer) -> None:
    assert embedded.reader_dsn() == embedded.reader_dsn()
    known = conninfo_to_dict(embedded.reader_dsn())
    passwords = find_cluster(embedded.data_dir).passwords()
    assert (known["user"], known["password"]) == (READER, passwords[READER])
    assert len(set(passwords.values())) == 4


async def test_views_that_were_there_before_the_role_are_opened_by_the_next_migration(database: Database) -> None:
    """A database whose role for readers is made later, as with a DSN of one's own."""
    await make_views(database.app_dsn)
    with psycopg.connect(database.superuser_dsn) as superuser:
        for schema in ("ledger", "projections"):
            superuser.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {READER}".encode())
            superuser.execute(f"REVOKE ALL ON SCHEMA {schema} FROM {READER}".encode())
    with psycopg.connect(database.reader_dsn, autocommit=True) as reader:
        with pytest.raises(InsufficientPrivilege):
            reader.execute("SELECT * FROM projections.totals")
        migrate(database.owner_dsn, database.app_dsn)
        for name in NAMES:
            reader.execute(f"SELECT * FROM {name}".encode())


# -- the dictionary


async def test_the_dictionary_is_up_to_date(database: Database) -> None:
    """`make dictionary` writes it anew."""
    await make_views(database.app_dsn)
    assert render(read_views(database.app_dsn)) == FILE.read_text()


async def test_every_view_and_column_is_explained_in_the_database(database: Database) -> None:
    await make_views(database.app_dsn)
    views = read_views(database.reader_dsn)
    assert {view.name for view in views} == NAMES
    for view in views:
        assert view.about, view.name
        assert all(column.about for column in view.columns), view.name


def test_every_sql_view_for_readers_has_its_texts_beside_it() -> None:
    for projection in PROJECTIONS:
        made = projection.script.readers.count("CREATE OR REPLACE VIEW")
        assert len(read_texts(projection.script.readers)) == made
