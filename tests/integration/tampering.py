"""What whoever rules the database can do to the log: switch the triggers off, and change whatever there is."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

TABLES = ("events", "outcomes", "batches")


@contextmanager
def tampering(superuser_dsn: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection under which nothing is append-only."""
    with psycopg.connect(superuser_dsn) as connection:
        for table in TABLES:
            connection.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER append_only".encode())
        yield connection
        for table in TABLES:
            connection.execute(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER append_only".encode())
