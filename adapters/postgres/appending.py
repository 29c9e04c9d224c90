"""The statements of an append: the shard's row first, which fences, then the batch's record, events and outcomes."""

from ledger.ports import Batch, Head
from ledger.records import COLUMNS, OUTCOME_COLUMNS

_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
COPY_EVENTS = f"COPY ledger.events ({', '.join(COLUMNS)}, hash) FROM STDIN (FORMAT binary)"
COPY_OUTCOMES = f"COPY ledger.outcomes ({', '.join(OUTCOME_COLUMNS)}) FROM STDIN (FORMAT binary)"

ADVANCE = """
WITH advanced AS (
    UPDATE ledger.shards
    SET position = %(position)s, hash = %(hash)s, batch = %(batch)s, batch_hash = %(batch_hash)s,
        recorded_at = 'epoch'::timestamptz + %(recorded_at)s * interval '1 microsecond', renewed_at = clock_timestamp()
    WHERE shard = %(shard)s AND epoch = %(epoch)s AND position = %(previous)s AND batch = %(batch)s - 1
    RETURNING recorded_at)
INSERT INTO ledger.batches
    (shard, batch, epoch, first_position, recorded_at, events, commands, outcomes_digest, hash)
SELECT %(shard)s, %(batch)s, %(epoch)s, %(first)s, recorded_at, %(events)s, %(commands)s, %(digest)s, %(batch_hash)s
FROM advanced
"""

LEAD = """
UPDATE ledger.shards SET epoch = epoch + 1, renewed_at = clock_timestamp() WHERE shard = %s
RETURNING epoch, position, hash, batch, batch_hash, recorded_at
"""


def copy_data(rows: bytes) -> bytes:
    """Rows as one stream of binary COPY."""
    return b"".join((_COPY_HEAD, rows, _COPY_END))


def advance_parameters(shard: int, batch: Batch, previous: Head) -> dict[str, object]:
    """The parameters of ADVANCE: from `previous` to the head of the batch."""
    head = batch.head
    return {
        "shard": shard,
        "epoch": previous.epoch,
        "previous": previous.position,
        "position": head.position,
        "hash": head.hash,
        "batch": batch.number,
        "batch_hash": head.batch_hash,
        "recorded_at": head.recorded_at,
        "first": batch.first_position,
        "events": batch.events,
        "commands": batch.commands,
        "digest": batch.outcomes_digest,
    }
