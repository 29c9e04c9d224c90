"""The rows about catching up: how fast projections fold a log from nothing, and what that takes in memory."""

import time
from collections.abc import Collection
from typing import NamedTuple

import psycopg

from adapters.cli.bench import yardsticks
from adapters.cli.bench.bench import Bench
from adapters.cli.bench.projecting import Memory, Projecting
from adapters.cli.bench.table import Row

_TABLES = r"""
SELECT format('projections.%I', tablename) FROM pg_tables WHERE schemaname = 'projections' AND tablename ~ '_b\d+_'
"""


class CaughtUp(NamedTuple):
    """From nothing to the end of the log."""

    seconds: float
    bytes_max: int
    """Of its process, without the database's."""


def row(bench: Bench, name: str, work: str, views: Collection[str], bar: float | None) -> Row:
    """These views catch up together, as one process; whatever views there are is thrown away before."""
    length = bench.events()
    yardstick = yardsticks.read_rate(bench.owner_dsn, min(length, 500_000))
    caught_up = _catch_up(bench.app_dsn, views)
    mebibytes = caught_up.bytes_max / 2**20
    notes = f"{length:,} events from nothing, {len(views)} views in one process that takes {mebibytes:,.0f} MiB"
    rate = length / caught_up.seconds
    details = {"mebibytes": round(mebibytes)}
    return Row(name, work, rate, "events/s", bar, False, yardstick, "COPY out", notes, details)


def _catch_up(dsn: str, names: Collection[str]) -> CaughtUp:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for (table,) in connection.execute(_TABLES).fetchall():
            connection.execute(f"DROP TABLE {table} CASCADE")
        connection.execute("DELETE FROM projections.builds")
    with Projecting(dsn, names) as projecting, Memory(projecting.pid) as memory:
        begin = time.perf_counter()
        projecting.until_caught_up()
        seconds = time.perf_counter() - begin
    return CaughtUp(seconds, memory.bytes_max)
