"""Batches made by hand, for what no writer would ever append."""

from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from itertools import count
from typing import NamedTuple

from ledger.calendar import SECOND, Instant
from ledger.ports import Batch, Head
from ledger.receipts import Receipt, encode_answer
from ledger.records import Record, batch_hash, chain, image_of, outcome_image
from ledger.refusals import Refusal

ANNA = "club/member/anna"
BO = "club/member/bo"
MARCH: Instant = 1_772_323_200 * SECOND

_numbers = count(1)


def new_id() -> bytes:
    """A command id or a business key that no other test has."""
    return next(_numbers).to_bytes(16, "big")


class Entry(NamedTuple):
    """An event to be stored; only what a store looks at can be chosen."""

    stream: str
    version: int
    key: bytes = b""


class Answered(NamedTuple):
    """A command and what became of it."""

    id: bytes
    answer: Receipt | Refusal
    request_hash: bytes = bytes(15) + b"h"


def records_on(head: Head, entries: Sequence[Entry], command_id: bytes) -> list[Record]:
    """The records of events that come next, with a value in every column."""
    made: list[Record] = []
    for entry in entries:
        place = len(made) + 1
        record = Record(
            position=head.position + place,
            programme="club",
            stream=entry.stream,
            version=entry.version,
            topic="points.earned.v1",
            command_id=command_id,
            actor="till 7",
            channel="shop-ü",
            correlation_id=f"bill {place}",
            trace=bytes(range(place)),
            business_key=entry.key,
            occurred_at=-place,
            recorded_at=MARCH,
            business_date=date(1999, 12, 31),
            event=b'{"place":%d}' % place,
        )
        hash_ = chain(made[-1].hash if made else head.hash, image_of(1, record))
        made.append(Record(**{name: getattr(record, name) for name in Record.__struct_fields__[:-1]}, hash=hash_))
    return made


def batch_on(head: Head, *entries: Entry, answered: Sequence[Answered] = ()) -> Batch:
    """A batch that comes next; one accepted command unless it is said what was answered."""
    command_id = answered[0].id if answered else new_id()
    records = records_on(head, entries, command_id)
    answers = answered or [Answered(command_id, Receipt(head.position + len(records)))]
    outcomes = b"".join(
        outcome_image(each.id, each.request_hash, head.batch + 1, place, encode_answer(each.answer, ""))
        for place, each in enumerate(answers)
    )
    digest = sha256(outcomes).digest()
    last = records[-1].hash if records else head.hash
    hash_ = batch_hash(
        head.batch_hash,
        number=head.batch + 1,
        epoch=head.epoch,
        first_position=head.position + 1,
        events=len(records),
        commands=len(answers),
        recorded_at=MARCH,
        record_hash=last,
        outcomes_digest=digest,
    )
    return Batch(
        number=head.batch + 1,
        first_position=head.position + 1,
        rows=b"".join(image_of(1, record) + b"\0\0\0\x20" + record.hash for record in records),
        events=len(records),
        outcomes=outcomes,
        commands=len(answers),
        outcomes_digest=digest,
        head=Head(head.epoch, head.position + len(records), last, head.batch + 1, hash_, MARCH),
    )
