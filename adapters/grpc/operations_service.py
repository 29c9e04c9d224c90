"""The service for operators: where views stand, and how they are built anew."""

from adapters.grpc.closing import Closing
from adapters.grpc.fields import label
from adapters.grpc.replies import Context, streaming, unary
from ledger.errors import InvalidCommand
from loyalty.v1 import operations_pb2 as pb
from loyalty.v1.operations_pb2_grpc import OperationsServiceServicer
from projections.operations import BuildStatus, Operations
from projections.watching import watch

SERVICE = "loyalty.v1.OperationsService"


class OperationsService(OperationsServiceServicer):
    """Decodes what operators ask for, hands it on, and encodes the answers."""

    def __init__(self, operations: Operations, closing: Closing) -> None:
        self._operations = operations
        self._closing = closing

    @unary
    async def ListProjections(self, request: pb.ListProjectionsRequest) -> pb.ListProjectionsResponse:
        """All builds, and what is parked."""
        parked = [
            pb.ParkedKey(
                projection=key.name,
                build=key.build,
                key=key.key,
                failed_event=key.position,
                events=key.events,
                reason=key.reason,
            )
            for key in await self._operations.parked()
        ]
        return pb.ListProjectionsResponse(builds=map(_build, await self._operations.statuses()), parked=parked)

    @streaming
    async def RebuildProjection(self, request: pb.RebuildProjectionRequest, context: Context) -> None:
        """Build a view anew, and tell how it comes along."""
        rate_max = request.events_per_second_max
        if rate_max < 0:
            raise InvalidCommand("events_per_second_max", f"must not be negative, not {rate_max}")
        name = _projection(request)
        looks = watch(self._operations, name, await self._operations.rebuild(name, rate_max or None))
        while (look := await self._closing.race(anext(looks, None))) is not None:
            await context.write(
                pb.RebuildProjectionResponse(
                    build=_build(look.status),
                    events_per_second=look.events_per_second,
                    seconds_left=look.seconds_left,
                )
            )

    @unary
    async def PauseRebuild(self, request: pb.PauseRebuildRequest) -> pb.PauseRebuildResponse:
        """Let a build wait."""
        await self._operations.pause(_projection(request))
        return pb.PauseRebuildResponse()

    @unary
    async def ResumeRebuild(self, request: pb.ResumeRebuildRequest) -> pb.ResumeRebuildResponse:
        """Let it go on."""
        await self._operations.resume(_projection(request))
        return pb.ResumeRebuildResponse()

    @unary
    async def CancelRebuild(self, request: pb.CancelRebuildRequest) -> pb.CancelRebuildResponse:
        """Give it up."""
        await self._operations.cancel(_projection(request))
        return pb.CancelRebuildResponse()

    @unary
    async def SwapProjection(self, request: pb.SwapProjectionRequest) -> pb.SwapProjectionResponse:
        """Let it take over although it differs."""
        await self._operations.swap(_projection(request))
        return pb.SwapProjectionResponse()

    @unary
    async def RollbackProjection(self, request: pb.RollbackProjectionRequest) -> pb.RollbackProjectionResponse:
        """Go back to the build before."""
        return pb.RollbackProjectionResponse(build=await self._operations.rollback(_projection(request)))

    @unary
    async def DropBuild(self, request: pb.DropBuildRequest) -> pb.DropBuildResponse:
        """Drop a build that is not live."""
        await self._operations.drop(_projection(request), request.build)
        return pb.DropBuildResponse()

    @unary
    async def ReplayParked(self, request: pb.ReplayParkedRequest) -> pb.ReplayParkedResponse:
        """Fold what is parked."""
        await self._operations.replay_parked(_projection(request))
        return pb.ReplayParkedResponse()


def _projection(
    request: pb.RebuildProjectionRequest
    | pb.PauseRebuildRequest
    | pb.ResumeRebuildRequest
    | pb.CancelRebuildRequest
    | pb.SwapProjectionRequest
    | pb.RollbackProjectionRequest
    | pb.DropBuildRequest
    | pb.ReplayParkedRequest,
) -> str:
    return label(request.projection, "projection")


def _build(status: BuildStatus) -> pb.Build:
    return pb.Build(
        projection=status.name,
        build=status.build,
        version=status.version,
        schema=status.schema,
        state=f"BUILD_STATE_{status.state}",
        live=status.live,
        events=status.position,
        lag_events=status.lag_events,
        lag_seconds=status.lag_seconds,
        parked_keys=status.parked_keys,
        differences=status.differences,
        failed_event=status.failed_position or 0,
        reason=status.reason or "",
    )
