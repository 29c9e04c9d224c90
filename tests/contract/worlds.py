"""The worlds in which stores keep what they are given, and a way to look at it past them."""

from typing import NamedTuple, Protocol

from adapters.memory.store import Memory, MemoryStore
from adapters.postgres.connect import connect_sync
from adapters.postgres.store import PostgresStore
from ledger.calendar import Instant
from ledger.ports import Store
from ledger.records import COLUMNS, OUTCOME_COLUMNS, Record, image_of, record_of, split_rows

HASH_LENGTH = (32).to_bytes(4, "big")
_COPY_HEAD_BYTES = 19
_COPY_END_BYTES = 2


class StoredBatch(NamedTuple):
    """A batch's own record in the chain."""

    number: int
    epoch: int
    first_position: int
    events: int
    commands: int
    recorded_at: Instant
    outcomes_digest: bytes
    hash: bytes


class World(Protocol):
    """Where the stores of one shard keep their things."""

    def store(self) -> Store:
        """A store, as one writer has it."""

    def rows(self) -> bytes:
        """All records as rows of binary COPY, hashes included."""

    def outcomes(self) -> bytes:
        """All outcomes as rows of binary COPY."""

    def batches(self) -> list[StoredBatch]:
        """The records of all batches."""


def records(world: World, after: int = 0) -> list[Record]:
    """The log behind a position."""
    return [record_of(row) for row in split_rows(world.rows(), len(COLUMNS) + 1)[after:]]


def contents(world: World) -> tuple[bytes, bytes, list[StoredBatch]]:
    """Everything that can't be lost."""
    return world.rows(), world.outcomes(), world.batches()


class MemoryWorld:
    """A `Memory`."""

    def __init__(self) -> None:
        self._memory = Memory()

    def store(self) -> Store:
        return MemoryStore(self._memory)

    def rows(self) -> bytes:
        parts = ((image_of(1, record), HASH_LENGTH, record.hash) for record in self._memory.records)
        return b"".join(part for row in parts for part in row)

    def outcomes(self) -> bytes:
        return b"".join(batch.outcomes for batch in self._memory.batches)

    def batches(self) -> list[StoredBatch]:
        return [
            StoredBatch(
                batch.number,
                batch.head.epoch,
                batch.first_position,
                batch.events,
                batch.commands,
                batch.head.recorded_at,
                batch.outcomes_digest,
                batch.head.batch_hash,
            )
            for batch in self._memory.batches
        ]


class PostgresWorld:
    """A database."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def store(self) -> PostgresStore:
        return PostgresStore(self.dsn)

    def rows(self) -> bytes:
        return self._copy(f"SELECT {', '.join(COLUMNS)}, hash FROM ledger.events ORDER BY position")

    def outcomes(self) -> bytes:
        return self._copy(f"SELECT {', '.join(OUTCOME_COLUMNS)} FROM ledger.outcomes ORDER BY batch, ordinal")

    def _copy(self, query: str) -> bytes:
        statement = f"COPY ({query}) TO STDOUT (FORMAT binary)".encode()
        with connect_sync(self.dsn, "test") as connection, connection.cursor().copy(statement) as copy:
            data = b"".join(bytes(part) for part in copy)
        return data[_COPY_HEAD_BYTES:-_COPY_END_BYTES]

    def batches(self) -> list[StoredBatch]:
        columns = "batch, epoch, first_position, events, commands, recorded_at, outcomes_digest, hash"
        with connect_sync(self.dsn, "test") as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(f"SELECT {columns} FROM ledger.batches ORDER BY batch".encode()).fetchall()
        return [StoredBatch(*row) for row in rows]
