"""A recorded event: the event inside its envelope, as it stands in the log; and the chain of hashes over the log.

The image of a record is its columns, each with its length in front, in network order. The hash of a record is SHA-256
over the hash before it and its image. The image is also, byte for byte, a row of PostgreSQL's binary COPY format
without its last field (the hash): what is hashed is what is stored, and verifying needs no second encoder.
"""

import struct
from datetime import date
from hashlib import sha256

import msgspec

from ledger.calendar import SECOND, Instant

GENESIS = bytes(32)
"""The hash before the first record of a shard."""

COLUMNS = (
    "shard",
    "position",
    "version",
    "occurred_at",
    "recorded_at",
    "business_date",
    "command_id",
    "business_key",
    "programme",
    "topic",
    "actor",
    "channel",
    "stream",
    "correlation_id",
    "trace",
    "event",
)
"""The columns of an image, in order: those of one width, then those that few texts share; the hash follows."""

POSITION = slice(12, 20)
"""Where an image has its position: behind the number of fields, the shard, and the length of either."""

Y2K_OFFSET = 946_684_800 * SECOND
_Y2K_DAY = date(2000, 1, 1).toordinal()
_FIXED = struct.Struct(">hihiqiiiqiqiii16s")
_LENGTH = struct.Struct(">i")
_LENGTHS_END = 4_096
_LENGTHS = tuple(_LENGTH.pack(length) for length in range(_LENGTHS_END))
"""Lengths packed once: those of all names, and of nearly all events. Names end where their longest ids do."""
_NULL = b"\xff\xff\xff\xff"
_UUID_LENGTH = b"\x00\x00\x00\x10"


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event and its envelope; the event is its stored JSON bytes."""

    position: int
    programme: str
    stream: str
    version: int
    topic: str
    command_id: bytes
    actor: str
    channel: str
    correlation_id: str
    trace: bytes
    business_key: bytes
    """What makes a grant unique: 16 bytes, or none."""
    occurred_at: Instant
    recorded_at: Instant
    business_date: date
    event: bytes
    hash: bytes = b""


class _Shared(dict[tuple[str, ...], bytes]):
    """Texts that many records share as UTF-8, each with its length in front, encoded once."""

    def __missing__(self, texts: tuple[str, ...]) -> bytes:
        if len(self) >= 10_000:
            self.clear()
        encoded = [text.encode() for text in texts]
        image = self[texts] = b"".join(_LENGTH.pack(len(data)) + data for data in encoded)
        return image


_shared = _Shared()


def image(
    shard: int,
    position: int,
    version: int,
    occurred_at: Instant,
    recorded_at: Instant,
    business_date: date,
    command_id: bytes,
    business_key: bytes,
    programme: str,
    topic: str,
    actor: str,
    channel: str,
    stream: str,
    correlation_id: str,
    trace: bytes,
    event: bytes,
) -> bytes:
    """The image of one record; the parameters are its columns, in order."""
    name = stream.encode()
    correlation = correlation_id.encode()
    size = len(event)
    return b"".join(
        (
            _FIXED.pack(
                len(COLUMNS) + 1,
                2,
                shard,
                8,
                position,
                4,
                version,
                8,
                occurred_at - Y2K_OFFSET,
                8,
                recorded_at - Y2K_OFFSET,
                4,
                business_date.toordinal() - _Y2K_DAY,
                16,
                command_id,
            ),
            _UUID_LENGTH + business_key if business_key else _NULL,
            _shared[programme, topic, actor, channel],
            _LENGTHS[len(name)],
            name,
            _LENGTHS[len(correlation)],
            correlation,
            _LENGTHS[len(trace)],
            trace,
            _LENGTHS[size] if size < _LENGTHS_END else _LENGTH.pack(size),
            event,
        )
    )


def image_of(shard: int, record: Record) -> bytes:
    """The image of a record that was read back, for checking its hash."""
    return image(shard, *(getattr(record, column) for column in COLUMNS[1:]))


def chain(previous: bytes, image: bytes) -> bytes:
    """The hash of a record whose image this is, after the record with hash `previous`."""
    return sha256(previous + image).digest()


_OUTCOME = struct.Struct(">hi16si16siqii")

OUTCOME_COLUMNS = ("command_id", "request_hash", "batch", "ordinal", "answer")
"""The columns of an outcome's image, in order."""

OUTCOME_BATCH = slice(46, 54)
"""Where an outcome's image has its batch: behind the number of fields, two UUIDs, and the lengths of all three."""


def outcome_image(command_id: bytes, request_hash: bytes, batch: int, ordinal: int, answer: bytes) -> bytes:
    """The image of an outcome, refusals included; a batch's outcomes are hashed into the batch's own record."""
    head = _OUTCOME.pack(len(OUTCOME_COLUMNS), 16, command_id, 16, request_hash, 8, batch, 4, ordinal)
    return b"".join((head, _LENGTH.pack(len(answer)), answer))


_BATCH = struct.Struct(">qqqqqq")


def batch_hash(
    previous: bytes,
    *,
    number: int,
    epoch: int,
    first_position: int,
    events: int,
    commands: int,
    recorded_at: Instant,
    record_hash: bytes,
    outcomes_digest: bytes,
) -> bytes:
    """The hash of a batch's record: over the batch before it, its own columns, the last event and all outcomes."""
    columns = _BATCH.pack(number, epoch, first_position, events, commands, recorded_at)
    return sha256(previous + columns + record_hash + outcomes_digest).digest()


def fields_of(row: bytes) -> list[bytes]:
    """The fields of a row image, without their lengths; NULL comes back as no bytes."""
    fields = []
    offset = 2
    unpack = _LENGTH.unpack_from
    end = len(row)
    while offset < end:
        length = unpack(row, offset)[0]
        offset += 4
        if length < 0:
            fields.append(b"")
        else:
            fields.append(row[offset : offset + length])
            offset += length
    return fields


_integer = int.from_bytes


def record_of(row: bytes) -> Record:
    """The record of a row: an image and, where it was read with it, the hash."""
    fields = dict(zip((*COLUMNS, "hash"), fields_of(row), strict=False))
    return Record(
        position=_integer(fields["position"], "big"),
        programme=fields["programme"].decode(),
        stream=fields["stream"].decode(),
        version=_integer(fields["version"], "big"),
        topic=fields["topic"].decode(),
        command_id=fields["command_id"],
        actor=fields["actor"].decode(),
        channel=fields["channel"].decode(),
        correlation_id=fields["correlation_id"].decode(),
        trace=fields["trace"],
        business_key=fields["business_key"],
        occurred_at=_integer(fields["occurred_at"], "big", signed=True) + Y2K_OFFSET,
        recorded_at=_integer(fields["recorded_at"], "big", signed=True) + Y2K_OFFSET,
        business_date=date.fromordinal(_integer(fields["business_date"], "big", signed=True) + _Y2K_DAY),
        event=fields["event"],
        hash=fields.get("hash", b""),
    )


def split_rows(data: bytes, columns: int) -> list[bytes]:
    """Cut rows that were written one after the other; each has this many fields."""
    rows = []
    begin = 0
    while begin < len(data):
        offset = begin + 2
        for _ in range(columns):
            offset += 4 + max(_LENGTH.unpack_from(data, offset)[0], 0)
        rows.append(data[begin:offset])
        begin = offset
    return rows
