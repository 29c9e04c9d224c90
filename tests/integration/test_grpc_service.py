"""The gRPC server over a socket, in front of fakes: answers, refusals, faults, streams, health, and how it stops."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from adapters.grpc.client.ids import uuid7_text
from adapters.grpc.server import ServerOptions, build_server, serve
from ledger.errors import Corrupt, Fenced, InvalidCommand, Overloaded, Unavailable
from ledger.receipts import Receipt
from ledger.refusals import Reason, refuse
from loyalty.v1 import answers_pb2, events_pb2
from loyalty.v1 import commands_pb2 as c
from tests.integration.grpc_world import (
    AT,
    FakeLedger,
    FakeLog,
    FakeOperations,
    FakeQueries,
    FakeSweeper,
    World,
    batch,
    detail_of,
    earn,
    fails,
    reason_of,
    running,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with running() as world:
        yield world


async def test_a_single_command_is_answered_with_its_receipt(world: World) -> None:
    receipt = await world.commands.Earn(earn("a/b"))
    assert (receipt.position, receipt.repeated) == ("1-1", False)
    assert [(balance.member, balance.balance) for balance in receipt.balances] == [("a/b", 5)]
    ((request,),) = world.ledger.batches
    assert (request.programme, request.occurred_at, request.actor, request.channel) == ("acme", AT, "shop", "shop")


async def test_every_method_of_the_contract_is_there(world: World) -> None:
    for method in c.DESCRIPTOR.services_by_name["CommandService"].methods:
        if not method.client_streaming and method.name not in ("Execute", "Sweep"):
            failure = await fails(getattr(world.commands, method.name)(getattr(c, method.input_type.name)()))
            assert failure.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_same_id_gets_the_same_answer_for_the_same_request_only(world: World) -> None:
    command_id = uuid7_text()
    first = await world.commands.Earn(earn(command_id=command_id))
    again = await world.commands.Earn(earn(command_id=command_id, correlation_id="second attempt"))
    assert (again.position, again.repeated) == (first.position, True)
    failure = await fails(world.commands.Earn(earn("bo", command_id=command_id)))
    assert (failure.code(), reason_of(failure)) == (grpc.StatusCode.ALREADY_EXISTS, "COMMAND_ID_REUSED")


async def test_a_refusal_is_a_status_with_typed_details(world: World) -> None:
    world.ledger.answers.append(refuse(Reason.INSUFFICIENT_POINTS, member="a%2Fb", unit="PTS", wanted=5, spendable=2))
    command_id = uuid7_text()
    for repeated in (False, True):
        failure = await fails(world.commands.Earn(earn(command_id=command_id)))
        assert failure.code() is grpc.StatusCode.FAILED_PRECONDITION
        info = detail_of(failure, error_details_pb2.ErrorInfo)
        assert (info.domain, info.reason) == ("loyalty.v1", "INSUFFICIENT_POINTS")
        assert dict(info.metadata) == {"member": "a/b", "unit": "PTS", "wanted": "5", "spendable": "2"}
        assert detail_of(failure, answers_pb2.Refusal) == answers_pb2.Refusal(
            reason="REFUSAL_REASON_INSUFFICIENT_POINTS",
            facts={"member": "a/b"},
            insufficient_points=answers_pb2.InsufficientPoints(unit="PTS", wanted=5, spendable=2),
            repeated=repeated,
        )


async def test_bad_input_is_refused_before_the_ledger_sees_it(world: World) -> None:
    failure = await fails(world.commands.Earn(earn("x" * 65)))
    assert (failure.code(), reason_of(failure)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert [violation.field for violation in detail_of(failure, error_details_pb2.BadRequest).field_violations] == [
        "member"
    ]
    assert world.ledger.batches == []


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (InvalidCommand("points.value", "must be positive"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        (Overloaded(), grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
        (Unavailable(), grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE"),
        (Fenced(), grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE"),
        (Corrupt("secret"), grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
async def test_a_fault_is_a_status_whether_raised_or_returned(
    world: World, error: Any, code: grpc.StatusCode, reason: str
) -> None:
    world.ledger.answers.append(error)
    world.ledger.failures.append(error)
    for _ in ("raised", "returned"):
        failure = await fails(world.commands.Earn(earn()))
        assert (failure.code(), reason_of(failure)) == (code, reason)
        assert "secret" not in str(failure)


async def test_what_nobody_expected_gives_away_nothing_but_an_id(world: World) -> None:
    world.ledger.failures.append(RuntimeError("secret"))
    failure = await fails(world.commands.Earn(earn(correlation_id="case-7")))
    assert (failure.code(), reason_of(failure)) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert failure.details() == "internal error, correlation id case-7"


async def test_a_batch_answers_every_command_in_its_place(world: World) -> None:
    world.ledger.answers += [Receipt(9), refuse(Reason.SAME_MEMBER, member="anna"), Unavailable()]
    response = await world.commands.Execute(batch(earn(), earn(member=""), earn(), earn()))
    assert [result.WhichOneof("result") for result in response.results] == ["receipt", "error", "refusal", "error"]
    assert [result.error.reason for result in response.results] == ["", "INVALID_ARGUMENT", "", "UNAVAILABLE"]
    assert response.results[1].error.field == "member"
    assert [len(requests) for requests in world.ledger.batches] == [3]


async def test_a_batch_without_valid_commands_never_reaches_the_ledger(world: World) -> None:
    response = await world.commands.Execute(batch(earn("")))
    assert response.results[0].error.field == "member"
    assert len((await world.commands.Execute(c.ExecuteRequest())).results) == 0
    assert world.ledger.batches == []


async def test_a_batch_that_is_too_large_is_refused_whole(world: World) -> None:
    assert len((await world.commands.Execute(batch(*[earn()] * 8192))).results) == 8192
    failure = await fails(world.commands.Execute(batch(*[earn()] * 8193)))
    assert (failure.code(), reason_of(failure)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")


async def test_a_stream_answers_its_batches_in_order(world: World) -> None:
    sizes = [3, 1, 0, 2, 5, 4, 1]

    async def batches() -> AsyncIterator[c.ExecuteStreamRequest]:
        for size in sizes:
            yield c.ExecuteStreamRequest(commands=batch(*[earn()] * size).commands)

    answers = [len(response.results) async for response in world.commands.ExecuteStream(batches())]
    assert answers == sizes


async def test_a_stream_answers_before_the_next_batch_comes(world: World) -> None:
    call = world.commands.ExecuteStream()
    for _ in range(2):
        await call.write(c.ExecuteStreamRequest(commands=batch(earn()).commands))
        assert len((await call.read()).results) == 1
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_a_stream_ends_with_the_fault_of_its_batch(world: World) -> None:
    world.ledger.failures.append(Overloaded())
    call = world.commands.ExecuteStream()
    await call.write(c.ExecuteStreamRequest(commands=batch(earn()).commands))
    assert (await fails(call.read())).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_deadline_ends_the_call(world: World) -> None:
    world.ledger.gate.clear()
    failure = await fails(world.commands.Earn(earn(), timeout=0.05))
    assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_sweep_has_a_limit(world: World) -> None:
    assert await world.commands.Sweep(c.SweepRequest(programme="acme")) == c.SweepResponse(commands=1000, remaining=7)
    for request in (
        c.SweepRequest(),
        c.SweepRequest(programme="a", limit=-1),
        c.SweepRequest(programme="a", limit=10**6),
    ):
        assert (await fails(world.commands.Sweep(request))).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_it_is_healthy_only_while_it_is_told_so(world: World) -> None:
    stub: Any = health_pb2_grpc.HealthStub(world.channel)
    for serving in (NOT_SERVING, SERVING, NOT_SERVING):
        await world.server.set_serving(serving == SERVING)
        for service in ("", "loyalty.v1.CommandService", "loyalty.v1.QueryService"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == serving


async def test_reflection_lists_the_services(world: World) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(cast(Any, world.channel))
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    (answer,) = [answer async for answer in cast(Any, stub).ServerReflectionInfo(requests)]
    names = {service.name for service in answer.list_services_response.service}
    assert {"loyalty.v1.CommandService", "loyalty.v1.QueryService", "grpc.health.v1.Health"} <= names


async def test_a_stop_answers_what_was_accepted_and_ends_what_is_endless() -> None:
    async with running() as world:
        world.ledger.gate.clear()
        health: Any = health_pb2_grpc.HealthStub(world.channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        events = world.views.SubscribeEvents(events_pb2.SubscribeEventsRequest(follow=True))
        stream = world.commands.ExecuteStream()
        await stream.write(c.ExecuteStreamRequest(commands=batch(earn()).commands))
        single = asyncio.ensure_future(world.commands.Earn(earn()))
        assert (await watch.read()).status == NOT_SERVING
        for _ in range(3):
            await events.read()
        for _ in range(2):
            await world.ledger.arrivals.get()

        stopping = asyncio.ensure_future(world.server.stop())
        for endless in (watch, events):
            assert (await fails(endless.read())).code() is grpc.StatusCode.UNAVAILABLE
        assert not stopping.done()
        world.ledger.gate.set()
        assert (await single).position
        assert len((await stream.read()).results) == 1
        assert (await fails(stream.read())).code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.wait_for(stopping, 2)


async def test_serve_runs_until_it_is_told_to_stop() -> None:
    world, stopping = World(), asyncio.Event()
    task = asyncio.ensure_future(serve(world.server, stopping))
    assert (await world.commands.Earn(earn(), wait_for_ready=True)).position
    stopping.set()
    await task
    assert (await fails(world.commands.Earn(earn()))).code() is grpc.StatusCode.UNAVAILABLE
    await world.channel.close()


async def test_too_many_calls_at_once_are_refused_at_once() -> None:
    async with running(ServerOptions("127.0.0.1:0", rpcs_max=1)) as world:
        world.ledger.gate.clear()
        first = asyncio.ensure_future(world.commands.Earn(earn()))
        await world.ledger.arrivals.get()
        assert (await fails(world.commands.Earn(earn()))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        world.ledger.gate.set()
        await first


@pytest.mark.parametrize("address", [":0", "127.0.0.1", "unix:/tmp/ledger"])
async def test_an_address_is_a_host_with_a_port(address: str) -> None:
    ledger = FakeLedger()
    with pytest.raises(ValueError, match="not a host with a port"):
        build_server(ledger, FakeLog(ledger), FakeQueries(), FakeSweeper(), FakeOperations(), ServerOptions(address))


async def test_a_port_is_not_shared(world: World) -> None:
    with pytest.raises(RuntimeError, match=str(world.server.port)):
        World(ServerOptions(world.address))
