"""What the client raises, and how a status or a result becomes one of them.

LedgerClientError
|-- Refused            the rules do not allow the command; has a reason and facts
|-- InvalidArgument    a field makes no sense; names it
|-- CommandIdReused    this command id was used before, for another request
|-- NotFound           the thing asked for is not there
|-- Unauthenticated    the credential is missing, wrong or expired
|-- PermissionDenied   the credential's roles or programmes do not allow it
|-- Overloaded         too much load, even after retries; nothing was stored
|-- Unavailable        no answer, even after retries; the outcome is unknown, ask again with the same command id
|   `-- TimedOut       no answer within the time allowed
`-- InternalError      something broke in the service; has an id for its operators
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from loyalty.v1 import answers_pb2

DETAILS_KEY = "grpc-status-details-bin"
"""The trailing metadata that carries a google.rpc.Status, by gRPC's convention."""

_PREFIX = "REFUSAL_REASON_"


class LedgerClientError(Exception):
    """The root of all that the client raises by itself; `reason` is one of the contract's stable reasons."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class Refused(LedgerClientError):
    """Raised when the rules do not allow a command.

    `facts` has what is known by name: numbers of typed details as integers, `substitutes` as a list, `resets_at` as a
    datetime, others as text.
    """

    def __init__(self, refusal: answers_pb2.Refusal) -> None:
        reason = answers_pb2.RefusalReason.Name(refusal.reason).removeprefix(_PREFIX)
        self.facts = _facts(refusal)
        self.repeated = refusal.repeated
        self.refusal = refusal
        super().__init__(f"{reason} {self.facts}", reason)


class InvalidArgument(LedgerClientError):
    """Raised when a field makes no sense; `field` is its path within the request."""

    def __init__(self, message: str, reason: str = "", field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message, reason)
        self.field = field


class CommandIdReused(LedgerClientError):
    """Raised when a command id was used before, for another request."""


class NotFound(LedgerClientError):
    """Raised when the thing asked for is not there."""


class Unauthenticated(LedgerClientError):
    """Raised when the credential is missing, wrong or expired; with the reason CREDENTIAL_EXPIRED a new one helps."""


class PermissionDenied(LedgerClientError):
    """Raised when the credential's roles or programmes do not allow it."""


class Overloaded(LedgerClientError):
    """Raised when there is too much load, even after retries; nothing was stored."""


class Unavailable(LedgerClientError):
    """Raised when no answer came, even after retries; the outcome is unknown."""


class TimedOut(Unavailable):
    """Raised when no answer came within the time allowed; the outcome is unknown."""


class InternalError(LedgerClientError):
    """Raised when something broke in the service; the message has an id for its operators."""


_BY_CODE: dict[int, type[LedgerClientError]] = {
    grpc.StatusCode.ALREADY_EXISTS.value[0]: CommandIdReused,
    grpc.StatusCode.NOT_FOUND.value[0]: NotFound,
    grpc.StatusCode.UNAUTHENTICATED.value[0]: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED.value[0]: PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]: Overloaded,
    grpc.StatusCode.UNAVAILABLE.value[0]: Unavailable,
    grpc.StatusCode.CANCELLED.value[0]: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED.value[0]: TimedOut,
}
_INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]


def of_error(error: answers_pb2.Error) -> LedgerClientError:
    """The exception for an error within a batch."""
    return _of(error.code, error.message, error.reason, error.field)


def of_status(failure: grpc.aio.AioRpcError) -> LedgerClientError:
    """The exception for a call that failed."""
    code, message, reason, field = failure.code().value[0], failure.details() or "", "", ""
    info, bad, refusal = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), answers_pb2.Refusal()
    for detail in _details(failure):
        if detail.Unpack(refusal):
            return Refused(refusal)
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad) and bad.field_violations:
            field, message = bad.field_violations[0].field, bad.field_violations[0].description
    return _of(code, message, reason, field)


def _of(code: int, message: str, reason: str, field: str) -> LedgerClientError:
    if code == _INVALID:
        return InvalidArgument(message, reason, field)
    return _BY_CODE.get(code, InternalError)(message, reason)


def _details(failure: grpc.aio.AioRpcError) -> list[Any]:
    for key, value in failure.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return list(status_pb2.Status.FromString(value).details)
    return []


def _facts(refusal: answers_pb2.Refusal) -> Mapping[str, Any]:
    facts: dict[str, Any] = dict(refusal.facts)
    kind = refusal.WhichOneof("detail")
    if kind == "insufficient_points":
        points = refusal.insufficient_points
        facts |= {"unit": points.unit, "wanted": points.wanted, "spendable": points.spendable}
    elif kind == "out_of_stock":
        stock = refusal.out_of_stock
        facts |= {"sku": stock.sku, "location": stock.location, "wanted": stock.wanted, "available": stock.available}
        facts["substitutes"] = list(stock.substitutes)
        if stock.HasField("quote"):
            facts |= _price_facts(stock.quote, "quote_")
    elif kind == "price_changed":
        facts |= _price_facts(refusal.price_changed.actual, "")
    elif kind == "cap_exceeded":
        capped = refusal.cap_exceeded
        facts |= {"unit": capped.unit, "wanted": capped.wanted, "cap": capped.cap, "used": capped.used}
        facts["resets_at"] = capped.resets_at.ToDatetime(UTC)
    return facts


def _price_facts(price: Any, prefix: str) -> dict[str, Any]:
    return {f"{prefix}points": price.points.value, f"{prefix}unit": price.points.unit, f"{prefix}cash": price.cash}
