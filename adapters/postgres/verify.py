"""Verifies the log: every record's hash, every batch's record, every outcome, and that nothing is missing.

Processes share the work, a segment at a time.
"""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import msgspec
from psycopg import Connection

from adapters.postgres.connect import connect_sync
from adapters.postgres.segments import (
    Problem,
    Segment,
    record_hash,
    stored_batch_hash,
    verify_batches,
    verify_events,
)

SEGMENT_EVENTS = 100_000
SEGMENT_COMMANDS = 50_000
"""Their outcomes are sorted by the database in memory."""

_SHARD = "SELECT position, hash, batch, batch_hash FROM ledger.shards WHERE shard = 1"
_COMMANDS = "SELECT coalesce(sum(commands), 0)::bigint FROM ledger.batches WHERE shard = 1 AND batch <= %s"
# Segments end where so many commands more are full; where batches are missing, they fall into the segment behind.
_SEGMENT_ENDS = """
SELECT max(batch) FROM (
    SELECT batch, (sum(commands) OVER (ORDER BY batch) - commands) / %s AS part
    FROM ledger.batches WHERE shard = 1 AND batch < %s) AS parts
GROUP BY part ORDER BY 1
"""

_STRAY = "SELECT min({column}) FROM ledger.{table} WHERE {column} > %s OR {column} < 1"


class LogHead(msgspec.Struct, frozen=True):
    """Where a log stood: kept outside the database, it tells a tail that was cut off or rewritten later."""

    position: int
    hash: str
    """Of the last record, hexadecimal."""
    batch: int
    batch_hash: str
    """Of the last batch, hexadecimal: refusals leave no record, only an answer in a batch."""


class Report(msgspec.Struct, frozen=True):
    """What was verified, and what was found."""

    events: int
    commands: int
    batches: int
    head: LogHead
    seconds: float
    problems: list[Problem]


def verify(dsn: str, processes: int = 2) -> Report:
    """Verify the whole log as it stands now."""
    begin = time.perf_counter()
    with connect_sync(dsn, "loyalty verify") as connection:
        position, head, batches, batch_head = _one(connection, _SHARD)
        commands = _one(connection, _COMMANDS, batches)[0]
        full = connection.execute(_SEGMENT_ENDS, (SEGMENT_COMMANDS, batches)).fetchall()
    of_events = _segments(dsn, [*range(SEGMENT_EVENTS, position, SEGMENT_EVENTS), position])
    of_batches = _segments(dsn, [*(row[0] for row in full), batches])
    problems: list[Problem] = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for found in [*pool.map(verify_events, of_events), *pool.map(verify_batches, of_batches)]:
            problems += found
    with connect_sync(dsn, "loyalty verify") as connection:
        problems += _verify_head(connection, position, head, batches, batch_head)
        problems += _strays(connection)
    seconds = time.perf_counter() - begin
    log_head = LogHead(position, head.hex(), batches, batch_head.hex())
    return Report(position, commands, batches, log_head, seconds, problems)


def check_head(dsn: str, kept: LogHead) -> list[Problem]:
    """Whether the log still holds the last record and the last batch of a head that was kept elsewhere."""
    with connect_sync(dsn, "loyalty verify") as connection:
        stored = {
            ("position", kept.position, kept.hash): record_hash(connection, kept.position),
            ("batch", kept.batch, kept.batch_hash): stored_batch_hash(connection, kept.batch),
        }
    problems = []
    for (where, number, expected), found in stored.items():
        if found is None:
            problems.append(Problem(where, number, "of the kept head is missing: the log was cut off before it"))
        elif found.hex() != expected:
            problems.append(Problem(where, number, "has another hash than in the kept head: the log was rewritten"))
    return problems


def _segments(dsn: str, ends: list[int]) -> list[Segment]:
    """Segments one behind the other, from 1 on, that end there."""
    begins = [1, *(end + 1 for end in ends)]
    return [Segment(dsn, first, last) for first, last in zip(begins, ends, strict=False) if first <= last]


def _one(connection: Connection, query: str, *parameters: object) -> tuple[Any, ...]:
    row = connection.cursor(binary=True).execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row


def _verify_head(connection: Connection, position: int, head: bytes, batches: int, batch_head: bytes) -> list[Problem]:
    """Whether the shard's row agrees with the last record and the last batch."""
    problems = []
    if record_hash(connection, position) != head:
        problems.append(Problem("position", position, "is not the head that the shard's row names"))
    if stored_batch_hash(connection, batches) != batch_head:
        problems.append(Problem("batch", batches, "is not the head that the shard's row names"))
    return problems


def _strays(connection: Connection) -> list[Problem]:
    """What stands outside the log as the shard's row has it: nothing in the chain speaks of it."""
    problems = []
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        position, _, batches, _ = _one(connection, _SHARD)
        places = (("events", "position", position), ("batches", "batch", batches), ("outcomes", "batch", batches))
        for table, column, last in places:
            stray = _one(connection, _STRAY.format(table=table, column=column), last)[0]
            if stray is not None:
                problems.append(Problem(column, stray, f"stands in {table}, but outside the log"))
    return problems
