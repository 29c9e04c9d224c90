"""One run of the benchmarks: the database that they share, which rows are wanted, and what was measured."""

import shutil
from pathlib import Path

import psycopg
from rich.console import Console

from adapters.app.settings import Settings
from adapters.cli.bench.table import Row
from adapters.postgres.embedded import EmbeddedServer

DATA_DIR = Path("build/bench")


class Bench:
    """A run: its rows fill one log after the other."""

    def __init__(self, console: Console, only: list[str]) -> None:
        """Ids of rows, in capitals; none: all of them."""
        self.console = console
        self.only = only
        self.rows: list[Row] = []
        # The projections would take a core; they catch up in W6, and R1 to R4 show what a machine gives to both.
        self.settings = Settings(
            data_dir=DATA_DIR,
            host="127.0.0.1",
            port=0,
            log_level="warning",
            run="writer",
            projection_lag_events_max=2**62,  # Views that nobody leads meanwhile lag; that is no news.
        )
        self.server = EmbeddedServer(DATA_DIR)

    @property
    def owner_dsn(self) -> str:
        """The database of this run, as its owner."""
        return self.server.endpoint().owner_dsn

    @property
    def app_dsn(self) -> str:
        """The same as the application: the projections' tables are its own."""
        return self.server.endpoint().app_dsn

    def begin_anew(self) -> None:
        """Forget the log: what comes next begins with an empty one."""
        if DATA_DIR.exists():
            self.server.destroy()
            shutil.rmtree(DATA_DIR, ignore_errors=True)

    def wanted(self, *ids: str) -> bool:
        """Whether any of these rows, which are measured together, was asked for."""
        return not self.only or any(each.upper() in self.only for each in ids)

    def add(self, row: Row) -> None:
        """Keep a row, and say it at once."""
        self.rows.append(row)
        self.console.print(f"{row.id}: {row.figure:,.2f} {row.unit}", highlight=False)

    def sizes(self) -> int:
        """Bytes of the log with its indexes and outcomes, after a checkpoint of what is in memory."""
        return self._number(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE oid IN"
            " ('ledger.events'::regclass, 'ledger.outcomes'::regclass, 'ledger.batches'::regclass)"
        )

    def events(self) -> int:
        """How long the log is."""
        return self._number("SELECT position FROM ledger.shards")

    def _number(self, query: str) -> int:
        with psycopg.connect(self.owner_dsn, autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0
