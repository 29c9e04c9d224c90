"""The role that may only read: the views, and the log with its events decoded."""

from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from projections.dictionary import OPEN_VIEWS, READER

_READERS = (Path(__file__).parent / "readers.sql").read_text().replace("{reader}", READER)


def make_reader(superuser_dsn: str, password: str) -> None:
    """Have the role on a server, with this password. It has no rights yet: `open_to_reader` gives them."""
    with psycopg.connect(superuser_dsn) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (READER,)).fetchone() is None:
            # Hashed here, so that the password stands in no log.
            secret = connection.pgconn.encrypt_password(password.encode(), READER.encode(), b"scram-sha-256")
            role = Identifier(READER)
            connection.execute(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, Literal(secret.decode())))
            connection.execute(SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(role))


def open_to_reader(owner: psycopg.Connection, app: psycopg.Connection) -> None:
    """Describe what the owner's views are, and let the role read the views of both; without the role, nobody else may.

    Views that come later are opened as they are made.
    """
    owner.execute(_READERS.encode())
    for connection in (owner, app):
        connection.execute(OPEN_VIEWS.encode())
