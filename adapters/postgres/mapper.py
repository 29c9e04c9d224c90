"""Between the ledger's events and the stored events of the `eventsourcing` library.

An event of the ledger knows neither its stream nor its version, which the library wants to find on it: so it travels
as a `StreamEvent`. What is stored carries its envelope along, and is appended as a batch like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    Cipher,
    Compressor,
    JSONTranscoder,
    Mapper,
    MapperDeserialisationError,
    Notification,
    NotSupportedError,
    StoredEvent,
    Transcoder,
)

from ledger.calendar import Instant, to_datetime
from ledger.events import TOPICS, Fact, decode_event, encode_event
from ledger.ports import Batch, Head
from ledger.receipts import Receipt, encode_answer
from ledger.records import batch_hash, chain, image, outcome_image

_HASH_LENGTH = (32).to_bytes(4, "big")

LIBRARY = "eventsourcing"
"""The actor and the channel of events that nobody put a name to."""


@dataclass(frozen=True)
class Envelope:
    """What stands around an event in the log, see `ledger.records`; what is left out is filled in on recording."""

    programme: str = ""
    """Left out: the first part of the stream's name."""
    command_id: bytes = b""
    """Left out: a new one for all events that are recorded together."""
    actor: str = LIBRARY
    channel: str = LIBRARY
    correlation_id: str = ""
    trace: bytes = b""
    business_key: bytes | None = None
    occurred_at: Instant | None = None
    """Left out: the moment of recording."""
    business_date: date | None = None
    """Left out: the UTC day of `occurred_at`, as nothing here knows the programme's zone."""
    position: int | None = None
    """Of an event that was read; like the two fields below, no use on recording."""
    recorded_at: Instant | None = None
    hash: bytes = b""


@dataclass(frozen=True, eq=False)
class RecordedEvent(StoredEvent):
    """A stored event inside its envelope. The envelope is no part of equality: what was stored equals what is read."""

    envelope: Envelope = Envelope()

    @classmethod
    def of(cls, event: StoredEvent) -> "RecordedEvent":
        """The event itself if it has an envelope, otherwise inside an empty one."""
        if isinstance(event, RecordedEvent):
            return event
        return cls(event.originator_id, event.originator_version, event.topic, event.state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredEvent) and _key(self) == _key(other)

    __hash__ = StoredEvent.__hash__


@dataclass(frozen=True, eq=False)
class RecordedNotification(RecordedEvent, Notification):
    """A recorded event with its position as the library's notification id."""


@dataclass(frozen=True)
class StreamEvent:
    """An event of the ledger at its place in a stream: what the library calls a domain event."""

    originator_id: str
    originator_version: int
    fact: Fact
    envelope: Envelope = Envelope()


class LedgerMapper(Mapper[str]):
    """Stored events have the ledger's topics and JSON, never a module path; old versions are upcast on reading."""

    def __init__(
        self,
        transcoder: Transcoder | None = None,
        compressor: Compressor | None = None,
        cipher: Cipher | None = None,
    ) -> None:
        """The parameters are those that the library's factory gives; a transcoder has nothing to do.

        Raises:
            NotSupportedError: a compressor or a cipher was given.
        """
        if compressor or cipher:
            raise NotSupportedError("auditors read the log as it is stored: use neither a compressor nor a cipher")
        super().__init__(transcoder or JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> RecordedEvent:
        """The stored event of a `StreamEvent`, under the current topic of its fact."""
        if not isinstance(domain_event, StreamEvent):
            raise TypeError(f"a StreamEvent is wanted, not {type(domain_event).__name__}")
        return RecordedEvent(
            domain_event.originator_id,
            domain_event.originator_version,
            TOPICS[type(domain_event.fact)],
            encode_event(domain_event.fact),
            domain_event.envelope,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> StreamEvent:
        """The event of any stored version, as its current version.

        Raises:
            MapperDeserialisationError: nobody declared the topic, or the JSON is not of its form.
        """
        stream, version = str(stored_event.originator_id), stored_event.originator_version
        try:
            fact = decode_event(stored_event.topic, stored_event.state)
        except (KeyError, msgspec.DecodeError) as error:
            raise MapperDeserialisationError(
                f"version {version} of {stream} can't be read as {stored_event.topic!r}: {error}"
            ) from error
        envelope = stored_event.envelope if isinstance(stored_event, RecordedEvent) else Envelope()
        return StreamEvent(stream, version, fact, envelope)


def stored_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a recorded event is made of, from its row in the log."""
    columns = dict(row)
    return {
        "originator_id": columns.pop("stream"),
        "originator_version": columns.pop("version"),
        "topic": columns.pop("topic"),
        "state": columns.pop("event"),
        "envelope": Envelope(**columns),
    }


def request_hash_of(events: Sequence[StoredEvent]) -> bytes:
    """What tells recording the same events again from recording others under the same command id."""
    return sha256(msgspec.msgpack.encode([_key(event) for event in events])).digest()[:16]


def batch_of(events: Sequence[RecordedEvent], command_id: bytes, shard: int, previous: Head, now: Instant) -> Batch:
    """Events as one accepted command, in a batch of its own on top of `previous`."""
    recorded_at = max(now, previous.recorded_at)
    hash_ = previous.hash
    rows: list[bytes] = []
    for place, event in enumerate(events):
        row = _image(event, command_id, shard, previous.position + 1 + place, recorded_at)
        hash_ = chain(hash_, row)
        rows += (row, _HASH_LENGTH, hash_)
    number, last = previous.batch + 1, previous.position + len(events)
    outcome = outcome_image(command_id, request_hash_of(events), number, 0, encode_answer(Receipt(last), ""))
    digest = sha256(outcome).digest()
    hash_of_batch = batch_hash(
        previous.batch_hash,
        number=number,
        epoch=previous.epoch,
        first_position=previous.position + 1,
        events=len(events),
        commands=1,
        recorded_at=recorded_at,
        record_hash=hash_,
        outcomes_digest=digest,
    )
    return Batch(
        number=number,
        first_position=previous.position + 1,
        rows=b"".join(rows),
        events=len(events),
        outcomes=outcome,
        commands=1,
        outcomes_digest=digest,
        head=Head(previous.epoch, last, hash_, number, hash_of_batch, recorded_at),
    )


def _image(event: RecordedEvent, command_id: bytes, shard: int, position: int, recorded_at: Instant) -> bytes:
    envelope, stream = event.envelope, str(event.originator_id)
    occurred_at = recorded_at if envelope.occurred_at is None else envelope.occurred_at
    return image(
        shard,
        position,
        event.originator_version,
        occurred_at,
        recorded_at,
        envelope.business_date or to_datetime(occurred_at).date(),
        command_id,
        envelope.business_key or b"",
        envelope.programme or stream.partition("/")[0],
        event.topic,
        envelope.actor,
        envelope.channel,
        stream,
        envelope.correlation_id,
        envelope.trace,
        event.state,
    )


def _key(event: StoredEvent) -> tuple[object, ...]:
    return event.originator_id, event.originator_version, event.topic, event.state
