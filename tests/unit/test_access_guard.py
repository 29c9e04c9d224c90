"""Streams that live longer than the credential they began with (K05)."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from google.rpc import status_pb2

from adapters.grpc.access.callers import Caller, Role
from adapters.grpc.access.credentials import Credentials
from adapters.grpc.access.guard import Guard
from adapters.grpc.faults import DETAILS_KEY
from adapters.grpc.replies import streaming
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import events_pb2 as e


class Aborted(Exception):
    """A call ended with a status."""


class Call:
    """A call as gRPC hands it to a handler."""

    def __init__(self, *batches: Any) -> None:
        self.batches = list(batches)
        self.written: list[Any] = []
        self.reasons: list[str] = []

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def peer_identities(self) -> list[bytes]:
        return [b"till-7"]

    async def read(self) -> Any:
        return self.batches.pop(0) if self.batches else grpc.aio.EOF

    async def write(self, message: Any) -> None:
        self.written.append(message)

    async def abort(self, code: grpc.StatusCode, message: str, details: Any) -> None:
        status = status_pb2.Status.FromString(dict(details)[DETAILS_KEY])
        assert (status.code, status.message) == (code.value[0], message)
        self.reasons.append(code.name)
        raise Aborted


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def guarded(path: str, handler: Any, clock: Clock) -> Callable[[], Awaitable[Any]]:
    """A handler behind a guard whose only caller's credential ends at 200."""
    caller = Caller("till-7", frozenset({Role.CHANNEL}), frozenset({"acme"}), expires_at=200)
    guard = Guard(Credentials(None, {"till-7": caller}), now=clock)

    async def found(_: Any) -> Any:
        return handler

    return lambda: guard.intercept_service(found, cast(Any, SimpleNamespace(method=path)))


class Service:
    """Answers a batch or an event at a time; a minute passes after each."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    @streaming
    async def batches(self, _: Any, context: Any) -> None:
        while (await context.read()) is not grpc.aio.EOF:
            await context.write(c.ExecuteResponse())
            self.clock.now += 60

    @streaming
    async def events(self, _: Any, context: Any) -> None:
        while True:
            await context.write(e.SubscribeEventsResponse())
            self.clock.now += 60


async def test_a_stream_of_batches_ends_with_its_credential(clock: Clock) -> None:
    handler: Any = grpc.stream_stream_rpc_method_handler(Service(clock).batches)
    found = await guarded("/loyalty.v1.CommandService/ExecuteStream", handler, clock)()
    call = Call(*[c.ExecuteStreamRequest()] * 5)
    with pytest.raises(Aborted):
        await found.stream_stream(None, call)
    assert (len(call.written), call.reasons) == (2, ["UNAUTHENTICATED"])


async def test_a_stream_of_events_ends_with_its_credential(clock: Clock) -> None:
    handler: Any = grpc.unary_stream_rpc_method_handler(Service(clock).events)
    found = await guarded("/loyalty.v1.QueryService/SubscribeEvents", handler, clock)()
    call = Call()
    with pytest.raises(Aborted):
        await found.unary_stream(e.SubscribeEventsRequest(programme="acme"), call)
    assert (len(call.written), call.reasons) == (2, ["UNAUTHENTICATED"])


async def test_an_rpc_without_a_rule_is_not_there(clock: Clock) -> None:
    """K05: a service that nobody put into the table is open to nobody."""
    handler: Any = grpc.stream_stream_rpc_method_handler(Service(clock).batches)
    assert await guarded("/loyalty.v1.FutureService/Do", handler, clock)() is None
