"""A PostgreSQL for these tests, and worlds in which a store keeps its things."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple

import psycopg
import pytest

from adapters.postgres.embedded import Endpoint, temporary_server
from adapters.postgres.migrate import migrate
from ledger.ports import Store
from tests.contract.worlds import MemoryWorld, PostgresWorld, World


class Database(NamedTuple):
    """A fresh database with the ledger's tables."""

    owner_dsn: str
    app_dsn: str


@pytest.fixture(scope="session")
def server() -> Iterator[Endpoint]:
    with temporary_server({"fsync": "off"}) as running:
        yield running.endpoint()


@pytest.fixture
def database(server: Endpoint) -> Database:
    """Empty tables made anew: a fifth of what a new database costs."""
    with psycopg.connect(server.superuser_dsn, autocommit=True) as superuser:
        superuser.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'loyalty_app'")
        superuser.execute("DROP SCHEMA IF EXISTS ledger, projections CASCADE")
        superuser.execute("DROP TABLE IF EXISTS public.alembic_version")
    migrate(server.owner_dsn, server.app_dsn)
    return Database(server.owner_dsn, server.app_dsn)


@pytest.fixture(params=["memory", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "memory":
        return MemoryWorld()
    return PostgresWorld(request.getfixturevalue("database").app_dsn)


@pytest.fixture
async def open_store() -> AsyncIterator[Callable[[World], Store]]:
    """Gives stores of a world, and closes them in the end."""
    opened: list[Store] = []

    def open_one(world: World) -> Store:
        opened.append(world.store())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()
