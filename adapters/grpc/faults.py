"""Errors as gRPC states them: a status code, a stable reason, a message for people, and google.rpc details.

The reasons are part of the contract; protos/README.md lists them.
"""

from typing import NamedTuple
from uuid import uuid4

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from ledger.errors import CommandIdReused, Fenced, InvalidCommand, Overloaded, Unavailable
from ledger.ids import decode_id
from projections.operations import WrongState
from projections.queries import NotFound, TooFarBehind

DOMAIN = "loyalty.v1"
DETAILS_KEY = "grpc-status-details-bin"
"""The trailing metadata that carries a google.rpc.Status, by gRPC's convention."""

_log = structlog.get_logger(__name__)


class Fault(NamedTuple):
    """An error as a client sees it."""

    code: grpc.StatusCode
    reason: str
    message: str
    field: str = ""
    facts: dict[str, str] = {}  # noqa: RUF012 - never changed


class Denied(Exception):
    """Raised for what its caller may not do; access control makes these."""

    def __init__(self, fault: Fault, why: str = "") -> None:
        super().__init__(fault.reason)
        self.fault = fault
        self.why = why
        """More of the reason, for the server's log only."""


_RETRY = Fault(
    grpc.StatusCode.UNAVAILABLE,
    "UNAVAILABLE",
    "no answer can be given now, the outcome may be unknown: retry with the same command id",
)
_KNOWN: dict[type[Exception], Fault] = {
    DecodeError: Fault(
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "these bytes can't be decoded as a request of this RPC"
    ),
    CommandIdReused: Fault(
        grpc.StatusCode.ALREADY_EXISTS, "COMMAND_ID_REUSED", "this command id was used before, for another request"
    ),
    Overloaded: Fault(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "too much load, nothing was stored: retry later"
    ),
    Unavailable: _RETRY,
    Fenced: _RETRY,
    TooFarBehind: Fault(
        grpc.StatusCode.UNAVAILABLE, "VIEW_BEHIND", "the view did not reach min_position in time: retry"
    ),
}


def fault_of(error: Exception, correlation_id: str = "") -> Fault:
    """What a client is told of an error; of an unexpected one only an id, under which it stands in the server's log."""
    if isinstance(error, Denied):
        return error.fault
    if isinstance(error, InvalidCommand):
        return Fault(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", error.problem, error.field)
    if isinstance(error, NotFound):
        name = decode_id(error.name)
        return Fault(
            grpc.StatusCode.NOT_FOUND,
            "NOT_FOUND",
            f"{error.kind} {name!r} not found",
            facts={"kind": error.kind, "name": name},
        )
    if isinstance(error, WrongState):
        return Fault(grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE", str(error))
    known = _KNOWN.get(type(error))
    if known is not None:
        return known
    correlation_id = correlation_id or str(uuid4())
    _log.error("grpc.internal_error", correlation_id=correlation_id, exc_info=error)
    return Fault(
        grpc.StatusCode.INTERNAL,
        "INTERNAL",
        f"internal error, correlation id {correlation_id}",
        facts={"correlation_id": correlation_id},
    )


def fault_status(fault: Fault) -> status_pb2.Status:
    """The google.rpc.Status of an error."""
    status = status_of(fault.code, fault.reason, fault.message, fault.facts)
    if fault.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=fault.field, description=fault.message)
        add_detail(status, error_details_pb2.BadRequest(field_violations=[violation]))
        status.message = f"{fault.field}: {fault.message}"
    return status


def status_of(code: grpc.StatusCode, reason: str, message: str, facts: dict[str, str]) -> status_pb2.Status:
    """A google.rpc.Status with its ErrorInfo."""
    status = status_pb2.Status(code=code.value[0], message=message)
    add_detail(status, error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=facts))
    return status


def add_detail(status: status_pb2.Status, detail: Message) -> None:
    """Put one more detail into a status."""
    status.details.add().Pack(detail)
