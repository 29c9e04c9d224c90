"""Verifies a part of the log, in a process of its own: records of some positions, or batches with their outcomes.

What is read is the binary COPY of a row, which is what was hashed when it was written.
"""

from collections.abc import Iterator
from hashlib import sha256
from itertools import groupby
from operator import itemgetter

import msgspec
import psycopg
from psycopg import Connection

from adapters.postgres.connect import connect_sync
from ledger.records import COLUMNS, GENESIS, OUTCOME_BATCH, OUTCOME_COLUMNS, POSITION, batch_hash

_HEADER_BYTES = 19
_TRAILER_BYTES = 2
_HASH_BYTES = 32
_FIELD_BYTES = 4 + _HASH_BYTES
"""The hash as a row's last field, with its length."""

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
    """Something that contradicts the chain: at a position of the log, or in a batch and its outcomes."""

    where: str
    number: int
    what: str


class Segment(msgspec.Struct, frozen=True):
    """A part of the log: from one position to another, or from one batch to another, both included."""

    dsn: str
    first: int
    last: int


def record_hash(connection: Connection, position: int) -> bytes | None:
    """The stored hash of a record; of none before the first."""
    return _hash(connection, "SELECT hash FROM ledger.events WHERE position = %s", position)


def stored_batch_hash(connection: Connection, number: int) -> bytes | None:
    """The stored hash of a batch; of none before the first."""
    return _hash(connection, "SELECT hash FROM ledger.batches WHERE shard = 1 AND batch = %s", number)


def _hash(connection: Connection, query: str, number: int) -> bytes | None:
    if number == 0:
        return GENESIS
    row = connection.cursor(binary=True).execute(query.encode(), (number,)).fetchone()
    return row[0] if row else None


def verify_events(segment: Segment) -> list[Problem]:
    """Recompute the hashes of a segment; the hash before it is the stored one, which its own segment verifies."""
    problems = []
    with connect_sync(segment.dsn, "loyalty verify") as connection:
        previous = record_hash(connection, segment.first - 1) or b""
        expected = segment.first
        for row in _rows(connection, _EVENTS.format(segment.first, segment.last)):
            position = int.from_bytes(row[POSITION])
            if position != expected:
                problems.append(Problem("position", expected, "is missing"))
                expected = position
            stored = row[-_HASH_BYTES:]
            if sha256(previous + row[:-_FIELD_BYTES]).digest() != stored:
                problems.append(
                    Problem("position", position, "does not match its hash: it, or the one before, changed")
                )
            previous = stored
            expected += 1
    if expected <= segment.last:
        problems.append(Problem("position", expected, "is missing"))
    return problems


def verify_batches(segment: Segment) -> list[Problem]:
    """Recompute the records of some batches, and the digests of their outcomes."""
    problems = []
    with connect_sync(segment.dsn, "loyalty verify") as connection:
        digests = _outcome_digests(connection, segment)
        previous = stored_batch_hash(connection, segment.first - 1) or b""
        expected = segment.first
        for row in connection.cursor(binary=True).execute(_BATCHES, (segment.first, segment.last)):
            number, epoch, first_position, events, commands, recorded_at, digest, stored, last_hash = row
            if number != expected:
                problems.append(Problem("batch", expected, "is missing"))
            if digests.pop(number, None) != (commands, digest):
                problems.append(Problem("batch", number, "has outcomes that do not match its digest"))
            reckoned = batch_hash(
                previous,
                number=number,
                epoch=epoch,
                first_position=first_position,
                events=events,
                commands=commands,
                recorded_at=recorded_at,
                record_hash=last_hash or GENESIS,
                outcomes_digest=digest,
            )
            if reckoned != stored:
                problems.append(Problem("batch", number, "does not match its hash"))
            previous, expected = stored, number + 1
    if expected <= segment.last:
        problems.append(Problem("batch", expected, "is missing"))
    problems += [Problem("batch", number, "has outcomes, but no record") for number in digests]
    return problems


def _outcome_digests(connection: Connection, segment: Segment) -> dict[int, tuple[int, bytes]]:
    """The number of outcomes of each batch, and the digest over them."""
    digests = {}
    rows = _rows(connection, _OUTCOMES.format(segment.first, segment.last))
    for number, of_batch in groupby(rows, key=itemgetter(OUTCOME_BATCH)):
        outcomes = list(of_batch)
        digests[int.from_bytes(number)] = (len(outcomes), sha256(b"".join(outcomes)).digest())
    return digests


def _rows(connection: Connection, statement: str) -> Iterator[bytes]:
    """The rows of a binary COPY, without its header and trailer.

    The driver's own loop waits for each row anew; what has arrived already is taken without, at half the price.
    """
    take = connection.pgconn.get_copy_data
    with connection.cursor().copy(statement.encode()) as copy:
        data = memoryview(copy.read())[_HEADER_BYTES:]
        while len(data) > _TRAILER_BYTES:
            yield bytes(data)
            size, data = take(1)
            if size == 0:  # Nothing more has arrived.
                data = memoryview(copy.read())
            elif size < 0:
                raise psycopg.OperationalError("the database broke off a COPY")
        copy.read()  # the end, with what it says of the statement
