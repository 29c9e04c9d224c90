"""Ends calls that have no plain answer: refusals and errors become statuses with details, and nothing else gets out."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, NoReturn, TypeVar

import grpc
import structlog
from google.rpc import status_pb2

from adapters.grpc.closing import Closed
from adapters.grpc.faults import DETAILS_KEY, Fault, add_detail, fault_of, fault_status, status_of
from adapters.grpc.to_proto import fact_texts, fill_refusal
from adapters.grpc.undecodable import readable
from ledger.refusals import Refusal
from loyalty.v1 import answers_pb2

Context = grpc.aio.ServicerContext[Any, Any]

_Service = TypeVar("_Service")
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

FACTS_BYTES_MAX = 512
"""Of one fact as text, and of all of them in the message: clients throw a status away that comes to more than 8 KiB.

Longer ones, such as sixteen substitutes with long names, stand in the typed refusal only.
"""

_log = structlog.get_logger(__name__)
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_STOPPING = Fault(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "the server stops: call again")


class Refused(Exception):
    """Raised where a single command was refused."""

    def __init__(self, refusal: Refusal, repeated: bool) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
        self.repeated = repeated


def unary(
    method: Callable[[_Service, _Request], Awaitable[_Response]],
) -> Callable[[_Service, _Request, Context], Awaitable[_Response]]:
    """A service's method that takes and gives one message, from one that raises what it can't answer."""

    @wraps(method)
    async def answer(service: _Service, request: _Request, context: Context) -> _Response:
        try:
            readable(request)
            return await method(service, request)
        except Exception as error:
            await end(context, error, request)

    return answer


def streaming(
    method: Callable[[_Service, _Request, Context], Awaitable[None]],
) -> Callable[[_Service, _Request, Context], Awaitable[None]]:
    """A service's method that answers with a stream, from one that writes, and raises what it can't answer."""

    @wraps(method)
    async def answer(service: _Service, request: _Request, context: Context) -> None:
        try:
            readable(request)
            await method(service, request, context)
        except grpc.aio.InternalError as gone:
            # A message could not be sent or read, since the caller has left: gRPC may say so only later.
            _log.debug("grpc.caller_left", method=method.__name__)
            raise asyncio.CancelledError from gone
        except Exception as error:
            await end(context, error, request)

    return answer


async def end(context: Context, error: Exception, request: Any) -> NoReturn:
    """End a call with the status of an error; the request may have a correlation id."""
    header = getattr(request, "header", None)
    status = _status(error, header.correlation_id if header is not None else "")
    details = ((DETAILS_KEY, status.SerializeToString()),)
    await context.abort(_CODES[status.code], status.message, details)


def _status(error: Exception, correlation_id: str) -> status_pb2.Status:
    if isinstance(error, Refused):
        return _refusal_status(error.refusal, error.repeated)
    if isinstance(error, Closed):
        return fault_status(_STOPPING)
    return fault_status(fault_of(error, correlation_id))


def _refusal_status(refusal: Refusal, repeated: bool) -> status_pb2.Status:
    """FAILED_PRECONDITION with the reason and facts as ErrorInfo, and the typed refusal."""
    texts = fact_texts(refusal.facts).items()
    facts = {name: text for name, text in texts if len(text.encode()) <= FACTS_BYTES_MAX}
    said = ", ".join(f"{name}={value}" for name, value in facts.items())
    short = 0 < len(said.encode()) <= FACTS_BYTES_MAX
    message = f"{refusal.reason.value} ({said})" if short else refusal.reason.value
    status = status_of(grpc.StatusCode.FAILED_PRECONDITION, refusal.reason.value, message, facts)
    detail = answers_pb2.Refusal()
    fill_refusal(detail, refusal, repeated)
    add_detail(status, detail)
    return status
