"""The header that a client writes for every command, and its times."""

import time
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.grpc.client.ids import uuid7_text
from ledger.calendar import SECOND, to_instant
from loyalty.v1.types_pb2 import Header


class About(TypedDict, total=False):
    """What every command takes besides its own arguments; all of it has a default."""

    command_id: UUID | str
    """Default: a new UUID of version 7. To repeat a command later, keep both its id and its `occurred_at`."""
    occurred_at: datetime
    """Default: now."""
    programme: str
    """Default: the client's, as for actor and channel."""
    actor: str
    channel: str
    correlation_id: str
    traceparent: str
    validate_only: bool


class HeaderWriter:
    """Writes headers with one client's defaults."""

    def __init__(self, programme: str, channel: str, actor: str) -> None:
        self.programme = programme
        self._channel = channel
        self._actor = actor

    def write(self, about: About) -> Header:
        """The header of one command."""
        identity, occurred_at = about.get("command_id"), about.get("occurred_at")
        return Header(
            command_id=uuid7_text() if identity is None else str(identity),
            programme=about.get("programme", self.programme),
            occurred_at=_now() if occurred_at is None else moment(occurred_at),
            actor=about.get("actor", self._actor),
            channel=about.get("channel", self._channel),
            correlation_id=about.get("correlation_id"),
            traceparent=about.get("traceparent"),
            validate_only=about.get("validate_only"),
        )


def _now() -> Timestamp:
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    return Timestamp(seconds=seconds, nanos=nanos // 1000 * 1000)


def moment(when: datetime) -> Timestamp:
    """The time of a datetime. Raises ValueError if it has no time zone: a guess would be wrong somewhere."""
    if when.tzinfo is None:
        raise ValueError(f"{when} has no time zone")
    seconds, micros = divmod(to_instant(when), SECOND)
    return Timestamp(seconds=seconds, nanos=micros * 1000)


def optional_moment(when: datetime | None) -> Timestamp | None:
    """The time of a datetime, or none."""
    return None if when is None else moment(when)
