"""What tests share that need a PostgreSQL: one temporary server for all, a fresh database for each."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import NamedTuple

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.postgres.cluster import OWNER
from adapters.postgres.embedded import EmbeddedServer, Endpoint, temporary_server
from adapters.postgres.migrate import migrate

# Before anybody imports gRPC: its handlers crash now and then in a child that is forked to run PostgreSQL.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

TEMPLATE = "loyalty_template"
_numbers = count(1)


FIGURE = "figure"
"""The property under which a test keeps a figure that it measured."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests measured, wherever they ran."""
    reports = [report for report in terminalreporter.getreports("passed") if report.when == "call"]
    figures = [(report, text) for report in reports for name, text in report.user_properties if name == FIGURE]
    if figures:
        terminalreporter.section("measured, on a machine that others may use as well")
    for report, text in figures:
        terminalreporter.line(f"{report.nodeid.rpartition('/')[2]}: {text}")


class Database(NamedTuple):
    """A fresh database with the ledger's tables."""

    owner_dsn: str
    app_dsn: str
    superuser_dsn: str
    reader_dsn: str

    def named(self, name: str) -> "Database":
        """Another database of the same server."""
        return Database(*(make_conninfo(dsn, dbname=name) for dsn in self))


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedServer]:
    """A server that forgets everything in the end."""
    with temporary_server({"fsync": "off"}) as running:
        yield running


@pytest.fixture(scope="session")
def server(embedded: EmbeddedServer) -> Endpoint:
    """How to reach it."""
    return embedded.endpoint()


@pytest.fixture(scope="session")
def template(embedded: EmbeddedServer, server: Endpoint) -> Database:
    """A migrated database to copy: that takes 20 milliseconds, migrating another one half a second."""
    made = Database(server.owner_dsn, server.app_dsn, server.superuser_dsn, embedded.reader_dsn()).named(TEMPLATE)
    with psycopg.connect(server.superuser_dsn, autocommit=True) as superuser:
        superuser.execute(f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}".encode())
    migrate(made.owner_dsn, made.app_dsn)
    return made


@pytest.fixture(scope="session")
def fresh_database(template: Database, server: Endpoint) -> Callable[[], AbstractContextManager[Database]]:
    """Makes empty ledgers, each for as long as it is used."""

    @contextmanager
    def fresh() -> Iterator[Database]:
        name = f"test_{next(_numbers)}"
        with psycopg.connect(server.superuser_dsn, autocommit=True) as superuser:
            superuser.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {OWNER} STRATEGY file_copy".encode())
            yield template.named(name)
            superuser.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    return fresh


@pytest.fixture
def database(fresh_database: Callable[[], AbstractContextManager[Database]]) -> Iterator[Database]:
    """An empty ledger."""
    with fresh_database() as database:
        yield database
