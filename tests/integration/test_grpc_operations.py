"""The operations over gRPC: what is asked reaches the projections, and what cannot be done is told with its reason."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.app.projection_health import is_healthy
from loyalty.v1 import operations_pb2 as o
from projections.operations import BuildStatus, State, WrongState
from tests.integration.grpc_world import World, fails, reason_of, running

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as world:
        yield world


async def test_builds_and_parked_keys_are_listed(world: World) -> None:
    answer = await world.operator.ListProjections(o.ListProjectionsRequest())
    live, failed = answer.builds
    assert (live.projection, live.build, live.version, live.schema, live.live) == ("balance", 1, 2, "projections", True)
    assert (live.state, live.events, live.lag_events, live.lag_seconds) == (o.BUILD_STATE_RUNNING, 250, 5, 0.5)
    assert (live.parked_keys, live.HasField("differences"), live.failed_event) == (1, False, 0)
    assert (failed.differences, failed.failed_event, failed.reason) == (3, 251, "too much")
    (key,) = answer.parked
    assert (key.projection, key.key, key.failed_event, key.events) == ("balance", "acme/anna", 16, 2)


@pytest.mark.parametrize("state", [State.RUNNING, State.READY, State.STOPPED])
async def test_a_rebuild_is_told_about_until_it_ends(world: World, state: State) -> None:
    world.operations.state = state
    request = o.RebuildProjectionRequest(projection="balance", events_per_second_max=500)
    looks = [look async for look in world.operator.RebuildProjection(request)]
    assert [o.BuildState.Name(look.build.state) for look in looks] == [f"BUILD_STATE_{state}"]
    assert world.operations.asked == [("rebuild", "balance", 500)]
    assert not looks[0].HasField("seconds_left")


@pytest.mark.parametrize(
    ("rpc", "request_", "asked"),
    [
        ("PauseRebuild", o.PauseRebuildRequest(projection="balance"), ("pause", "balance")),
        ("ResumeRebuild", o.ResumeRebuildRequest(projection="balance"), ("resume", "balance")),
        ("CancelRebuild", o.CancelRebuildRequest(projection="balance"), ("cancel", "balance")),
        ("SwapProjection", o.SwapProjectionRequest(projection="balance"), ("swap", "balance")),
        ("RollbackProjection", o.RollbackProjectionRequest(projection="balance"), ("rollback", "balance")),
        ("DropBuild", o.DropBuildRequest(projection="balance", build=7), ("drop", "balance", 7)),
        ("ReplayParked", o.ReplayParkedRequest(projection="balance"), ("replay_parked", "balance")),
    ],
)
async def test_what_is_asked_is_done_or_refused_with_its_reason(
    world: World, rpc: str, request_: Any, asked: tuple[object, ...]
) -> None:
    call = getattr(world.operator, rpc)
    await call(request_)
    assert world.operations.asked == [asked]
    world.operations.failing = WrongState("balance is not being built")
    failure = await fails(call(request_))
    assert (failure.code(), reason_of(failure)) == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
    assert failure.details() == "balance is not being built"
    request_ = type(request_)(projection="nonsense")
    assert (await fails(call(request_))).code() is grpc.StatusCode.NOT_FOUND


async def test_a_rate_below_zero_and_a_view_without_a_name_are_bad_input(world: World) -> None:
    call = world.operator.RebuildProjection(o.RebuildProjectionRequest(projection="balance", events_per_second_max=-1))
    assert (await fails(call.read())).code() is grpc.StatusCode.INVALID_ARGUMENT
    failure = await fails(world.operator.PauseRebuild(o.PauseRebuildRequest()))
    assert failure.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert world.operations.asked == []


async def test_a_sick_projection_is_not_serving_and_the_service_is(world: World) -> None:
    health: Any = health_pb2_grpc.HealthStub(world.channel)
    await world.server.set_serving(True)
    await world.server.set_projection_serving("balance", False)
    sick = await health.Check(health_pb2.HealthCheckRequest(service="loyalty.projections.balance"))
    assert sick.status == NOT_SERVING
    whole = await health.Check(health_pb2.HealthCheckRequest())
    assert whole.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    ("state", "lag_events", "idle_seconds", "healthy"),
    [
        (State.RUNNING, 0, 1_000.0, True),
        (State.RUNNING, 101, 9.0, True),
        (State.RUNNING, 100, 11.0, True),
        (State.RUNNING, 101, 11.0, False),
        (State.STOPPED, 1, 0.0, False),
    ],
)
def test_a_projection_is_unhealthy_that_stopped_or_lags_without_progress(
    state: State, lag_events: int, idle_seconds: float, healthy: bool
) -> None:
    status = BuildStatus(
        "balance", 1, 2, "projections", True, state, 5, lag_events, 3.0, idle_seconds, 0, False, None, None, None
    )
    assert is_healthy(status, lag_events_max=100, stall_seconds=10) is healthy
