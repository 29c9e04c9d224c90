"""The tables of the write side; the events table is final from here on."""

from adapters.postgres.migrate import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    run_sql("0001_pre_ledger.sql")
