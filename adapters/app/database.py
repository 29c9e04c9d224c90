"""Which database the configuration means: the embedded one, started or adopted, or one that is given by a DSN."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from adapters.app.settings import Settings
from adapters.postgres.embedded import EmbeddedServer, ServerState
from adapters.postgres.migrate import migrate


class Database(NamedTuple):
    """How to reach the database, as its application and as its owner; `server` is the embedded one, if it is that."""

    app_dsn: str
    owner_dsn: str
    server: EmbeddedServer | None


def open_database(settings: Settings) -> Database:
    """The configured database; the embedded server is started unless it runs already.

    Raises EmbeddedServerError where it does not start.
    """
    if settings.dsn is not None:
        app_dsn = settings.dsn.get_secret_value()
        owner_dsn = settings.owner_dsn.get_secret_value() if settings.owner_dsn is not None else app_dsn
        return Database(app_dsn, owner_dsn, None)
    server = EmbeddedServer(settings.data_dir)
    endpoint = server.start()
    return Database(endpoint.app_dsn, endpoint.owner_dsn, server)


def bring_up_to_date(database: Database) -> tuple[str | None, str]:
    """Migrate; returns the revision before and after. The embedded server has a role for readers from then on."""
    if database.server is not None:
        database.server.reader_dsn()
    return migrate(database.owner_dsn, database.app_dsn)


def close_database(database: Database) -> None:
    """Stop the embedded server, unless somebody else uses it: a second service, or a command that is at work."""
    if database.server is not None and not _others_connected(database):
        database.server.stop()


@contextmanager
def borrowed_database(settings: Settings) -> Iterator[Database]:
    """The configured database for a while: an embedded server that was stopped before is stopped again."""
    was_stopped = settings.dsn is None and EmbeddedServer(settings.data_dir).status() is ServerState.STOPPED
    database = open_database(settings)
    try:
        yield database
    finally:
        if was_stopped:
            close_database(database)


def _others_connected(database: Database) -> bool:
    with psycopg.connect(database.app_dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        ).fetchone()
    return row is not None and row[0] > 0
