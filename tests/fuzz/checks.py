"""What must hold of every answer, whatever was asked."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from loyalty.v1 import answers_pb2 as a
from loyalty.v1 import commands_pb2 as c
from tests.fuzz.contract import Rpc, documented, parse, resolves
from tests.fuzz.stage import Ended, status_of

Detail = TypeVar("Detail", bound=Message)

DOCUMENTED = documented()
NEVER = {"INTERNAL", "UNAVAILABLE"}
"""Documented, but input alone must not lead to them."""


def check_ended(rpc: Rpc, requests: Sequence[Message | None], ended: Ended) -> None:
    """A documented status and reason; what is wrong is named by a path that leads somewhere."""
    if ended.code is not grpc.StatusCode.OK:
        return _check_status(rpc, requests, ended)
    for request, answer in zip(requests, ended.answers, strict=False):
        parsed = rpc.answer.FromString(answer)
        if isinstance(parsed, c.ExecuteResponse):
            assert isinstance(request, c.ExecuteRequest | c.ExecuteStreamRequest)
            assert len(parsed.results) == len(request.commands)
            for command, result in zip(request.commands, parsed.results, strict=True):
                _check_result(command, result)
    return None


def _check_status(rpc: Rpc, requests: Sequence[Message | None], ended: Ended) -> None:
    status = status_of(ended)
    (info,) = details(status, error_details_pb2.ErrorInfo)
    _check_reason(info.reason, ended.code, status.message)
    assert info.domain == "loyalty.v1"
    assert (status.code, status.message) == (ended.code.value[0], ended.message)
    fields = [
        violation.field
        for request in details(status, error_details_pb2.BadRequest)
        for violation in request.field_violations
    ]
    readable = [request for request in requests if request is not None]
    if ended.code is not grpc.StatusCode.INVALID_ARGUMENT:
        assert not fields
    elif len(readable) < len(requests) and not fields:
        assert "decode" in status.message
    else:
        (field,) = fields
        assert any(resolves(request, field) for request in readable), (field, status.message)
    refusals = details(status, a.Refusal)
    assert len(refusals) == (ended.code is grpc.StatusCode.FAILED_PRECONDITION and info.reason != "WRONG_STATE")


def _check_result(command: c.Command, result: a.Result) -> None:
    kind = result.WhichOneof("result")
    if kind == "error":
        code = next(code for code in grpc.StatusCode if code.value[0] == result.error.code)
        _check_reason(result.error.reason, code, result.error.message)
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            name = command.WhichOneof("command")
            assert resolves(getattr(command, name) if name else command, result.error.field), result.error
        else:
            assert not result.error.field
    elif kind == "refusal":
        assert a.RefusalReason.Name(result.refusal.reason).removeprefix("REFUSAL_REASON_") in DOCUMENTED
    else:
        assert kind == "receipt"


def _check_reason(reason: str, code: grpc.StatusCode, message: str) -> None:
    assert reason not in NEVER, message
    assert DOCUMENTED.get(reason) is code, (reason, code, message)


def details(status: status_pb2.Status, kind: type[Detail]) -> list[Detail]:
    """The details of this kind that a status has."""
    return [
        kind.FromString(detail.value) for detail in status.details if detail.TypeName() == kind.DESCRIPTOR.full_name
    ]


# -- what is stored


def newly_stored(rpc: Rpc, requests: Sequence[Message | None], ended: Ended) -> int | None:
    """How many answers the log must have more than before; None where the call doesn't tell."""
    if rpc.name == "Sweep" or (rpc.takes_stream and ended.code is not grpc.StatusCode.OK):
        return None
    if ended.code is grpc.StatusCode.FAILED_PRECONDITION:
        (refusal,) = details(status_of(ended), a.Refusal)
        return int(_is_stored(requests[0], refusal))
    if ended.code is not grpc.StatusCode.OK:
        return 0
    return sum(_is_stored(body, answer) for body, answer in _answered(rpc, requests, ended))


def _answered(rpc: Rpc, requests: Sequence[Message | None], ended: Ended) -> Iterator[tuple[Message | None, Message]]:
    """Each command with its receipt or refusal."""
    for request, raw in zip(requests, ended.answers, strict=False):
        answer = rpc.answer.FromString(raw)
        if isinstance(answer, a.Receipt):
            yield request, answer
        elif isinstance(answer, c.ExecuteResponse):
            assert isinstance(request, c.ExecuteRequest | c.ExecuteStreamRequest)
            for command, result in zip(request.commands, answer.results, strict=True):
                kind = result.WhichOneof("result")
                if kind in ("receipt", "refusal"):
                    yield getattr(command, str(command.WhichOneof("command"))), getattr(result, str(kind))


def _is_stored(body: Message | None, answer: Message) -> bool:
    assert isinstance(answer, a.Receipt | a.Refusal)
    stale = isinstance(answer, a.Refusal) and answer.reason == a.REFUSAL_REASON_PRICE_CHANGED
    tried = body is not None and body.header.validate_only  # type: ignore[attr-defined]
    return not (answer.repeated or stale or tried)


def read(rpc: Rpc, wires: Sequence[bytes]) -> list[Message | None]:
    """The requests that these bytes are, as far as they are."""
    return [parse(rpc.request, wire) for wire in wires]
