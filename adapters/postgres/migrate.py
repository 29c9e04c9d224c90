"""Brings a database's schema up to date, once, under an advisory lock, as the role that owns it."""

from pathlib import Path

import psycopg
from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from adapters.postgres.reader import open_to_reader

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x10FA17


def migrate(owner_dsn: str, app_dsn: str) -> tuple[str | None, str]:
    """Run the steps that are missing, granting to the application's role; returns the revision before and after.

    What there is is opened to the role that may only read, if there is one.

    Several processes may call this at once: one runs the steps, the others wait and find nothing to do.
    Raises psycopg.OperationalError where the database cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["app"] = str(conninfo_to_dict(app_dsn)["user"])
    owner = psycopg.connect(owner_dsn)
    engine = create_engine("postgresql+psycopg://", creator=lambda: owner, poolclass=NullPool)
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.commit()
        before = MigrationContext.configure(connection, opts={"version_table_schema": "public"}).get_current_revision()
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        with psycopg.connect(app_dsn) as app:
            open_to_reader(owner, app)
        owner.commit()
    return before, head


def run_sql(name: str) -> None:
    """Run one file of a step, with the application's role in place of `{app}`."""
    app = sql.Identifier(context.config.attributes["app"])
    connection = context.get_bind().connection.driver_connection
    assert connection is not None
    text_of = (MIGRATIONS / name).read_text().replace("{app}", app.as_string(connection))
    connection.execute(text_of.encode())
