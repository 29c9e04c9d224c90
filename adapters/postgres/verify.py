"""Verifies the log: every record's hash, every batch's record, every outcome, and that nothing is missing.

What is read is the binary COPY of a row, which is what was hashed when it was written; processes share the work.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context

import msgspec
from psycopg import Connection

from adapters.postgres.connect import connect_sync
from ledger.records import COLUMNS, GENESIS, OUTCOME_COLUMNS, batch_hash, fields_of

_HEADER_BYTES = 19
_TRAILER = b"\xff\xff"
SEGMENT_EVENTS = 200_000

_EVENTS = (
    f"COPY (SELECT {', '.join(COLUMNS)}, hash FROM ledger.events"
    " WHERE position BETWEEN {} AND {} ORDER BY position) TO STDOUT (FORMAT binary)"
)
_OUTCOMES = (
    f"COPY (SELECT {', '.join(OUTCOME_COLUMNS)} FROM ledger.outcomes"
    " WHERE batch BETWEEN {} AND {} ORDER BY batch, ordinal) TO STDOUT (FORMAT binary)"
)
_BATCHES = """
SELECT b.batch, b.epoch, b.first_position, b.events, b.commands, b.recorded_at, b.outcomes_digest, b.hash, e.hash
FROM ledger.batches AS b LEFT JOIN ledger.events AS e ON e.position = b.first_position + b.events - 1
WHERE b.shard = 1 AND b.batch BETWEEN %s AND %s ORDER BY b.batch
"""


class Problem(msgspec.Struct, frozen=True):
    """Something that contradicts the chain: at a position of the log, or in the outcomes of a batch."""

    where: str
    number: int
    what: str


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
        shard = _one(connection, "SELECT position, hash, batch, batch_hash FROM ledger.shards WHERE shard = 1")
        commands = _one(connection, "SELECT coalesce(sum(commands), 0)::bigint FROM ledger.batches")[0]
    position, head, batches, batch_head = shard
    tasks = [
        (dsn, first, min(first + SEGMENT_EVENTS - 1, position)) for first in range(1, position + 1, SEGMENT_EVENTS)
    ]
    step = max(1, batches // (4 * processes) + 1)
    batch_tasks = [(dsn, first, min(first + step - 1, batches)) for first in range(1, batches + 1, step)]
    problems: list[Problem] = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for found in [*pool.map(_verify_events, tasks), *pool.map(_verify_batches, batch_tasks)]:
            problems += found
    with connect_sync(dsn, "loyalty verify") as connection:
        problems += _verify_head(connection, position, head, batches, batch_head)
    seconds = time.perf_counter() - begin
    log_head = LogHead(position, head.hex(), batches, batch_head.hex())
    return Report(position, commands, batches, log_head, seconds, problems)


def check_head(dsn: str, kept: LogHead) -> list[Problem]:
    """Whether the log still holds the last record and the last batch of a head that was kept elsewhere."""
    with connect_sync(dsn, "loyalty verify") as connection:
        stored = {
            ("position", kept.position, kept.hash): _hash_at(connection, kept.position),
            ("batch", kept.batch, kept.batch_hash): _batch_hash_at(connection, kept.batch),
        }
    problems = []
    for (where, number, expected), found in stored.items():
        if found is None:
            problems.append(Problem(where, number, "of the kept head is missing: the log was cut off before it"))
        elif found.hex() != expected:
            problems.append(Problem(where, number, "has another hash than in the kept head: the log was rewritten"))
    return problems


def _one(connection: Connection, query: str) -> tuple:  # type: ignore[type-arg]
    row = connection.cursor(binary=True).execute(query).fetchone()
    assert row is not None
    return row


def _hash_at(connection: Connection, position: int) -> bytes | None:
    if position == 0:
        return GENESIS
    cursor = connection.cursor(binary=True).execute("SELECT hash FROM ledger.events WHERE position = %s", (position,))
    row = cursor.fetchone()
    return row[0] if row else None


def _batch_hash_at(connection: Connection, number: int) -> bytes | None:
    if number == 0:
        return GENESIS
    cursor = connection.cursor(binary=True).execute(
        "SELECT hash FROM ledger.batches WHERE shard = 1 AND batch = %s", (number,)
    )
    row = cursor.fetchone()
    return row[0] if row else None


def _rows(connection: Connection, statement: str) -> Iterator[bytes]:
    """The rows of a binary COPY, without its header and trailer."""
    with connection.cursor().copy(statement) as copy:
        skip = _HEADER_BYTES
        for data in copy:
            row = bytes(data[skip:])
            skip = 0
            if row and row != _TRAILER:
                yield row


def _verify_events(task: tuple[str, int, int]) -> list[Problem]:
    """Recompute the hashes of a segment; the hash before it is the stored one, which its own segment verifies."""
    dsn, first, last = task
    problems: list[Problem] = []
    with connect_sync(dsn, "loyalty verify") as connection:
        previous = _hash_at(connection, first - 1) or b""
        expected = first
        for row in _rows(connection, _EVENTS.format(first, last)):
            # Of the image: two bytes count the fields, six are the shard, four the length before the position.
            position = int.from_bytes(row[12:20], "big")
            if position != expected:
                problems.append(Problem("position", expected, "is missing"))
                expected = position
            stored = row[-32:]
            if sha256(previous + row[:-36]).digest() != stored:
                problems.append(
                    Problem("position", position, "does not match its hash: it, or the one before, changed")
                )
            previous = stored
            expected += 1
        if expected <= last:
            problems.append(Problem("position", expected, "is missing"))
    return problems


def _verify_batches(task: tuple[str, int, int]) -> list[Problem]:
    """Recompute the records of some batches, and the digests of their outcomes."""
    dsn, first, last = task
    problems: list[Problem] = []
    with connect_sync(dsn, "loyalty verify") as connection:
        digests = _outcome_digests(connection, first, last)
        previous = _batch_hash_at(connection, first - 1) or b""
        expected = first
        for row in connection.cursor(binary=True).execute(_BATCHES, (first, last)):
            number, epoch, first_position, events, commands, recorded_at, digest, stored, record_hash = row
            if number != expected:
                problems.append(Problem("batch", expected, "is missing"))
            if digests.get(number) != (commands, digest):
                problems.append(Problem("batch", number, "has outcomes that do not match its digest"))
            reckoned = batch_hash(
                previous,
                number=number,
                epoch=epoch,
                first_position=first_position,
                events=events,
                commands=commands,
                recorded_at=recorded_at,
                record_hash=record_hash or GENESIS,
                outcomes_digest=digest,
            )
            if reckoned != stored:
                problems.append(Problem("batch", number, "does not match its hash"))
            previous, expected = stored, number + 1
    return problems


def _outcome_digests(connection: Connection, first: int, last: int) -> dict[int, tuple[int, bytes]]:
    """The number of outcomes of each batch, and the digest over them."""
    hashes: dict[int, tuple[int, object]] = {}
    for row in _rows(connection, _OUTCOMES.format(first, last)):
        number = int.from_bytes(fields_of(row)[2], "big")
        count, digest = hashes.get(number) or (0, sha256())
        digest.update(row)  # type: ignore[attr-defined]
        hashes[number] = (count + 1, digest)
    return {number: (count, digest.digest()) for number, (count, digest) in hashes.items()}  # type: ignore[attr-defined]


def _verify_head(connection: Connection, position: int, head: bytes, batches: int, batch_head: bytes) -> list[Problem]:
    """Whether the shard's row agrees with the last record and the last batch."""
    problems = []
    if _hash_at(connection, position) != head:
        problems.append(Problem("position", position, "is not the head that the shard's row names"))
    if _batch_hash_at(connection, batches) != batch_head:
        problems.append(Problem("batch", batches, "is not the head that the shard's row names"))
    return problems
