"""A PostgreSQL for these tests, and worlds in which a store keeps its things."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

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
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER loyalty_owner".encode())
    fresh = Database(make_conninfo(server.owner_dsn, dbname=name), make_conninfo(server.app_dsn, dbname=name))
    migrate(fresh.owner_dsn, fresh.app_dsn)
    return fresh


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
