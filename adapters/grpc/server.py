"""The gRPC server: its services, health and reflection; how it starts, and how it stops without losing an answer.

With access control configured, a guard stands in front of the services; without, they are reached directly.
"""

import asyncio
from typing import Any

import grpc
import msgspec
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from adapters.grpc import commands_service, operations_service, queries_service
from adapters.grpc.access.guard import Guard
from adapters.grpc.access.options import AccessOptions, guard_of
from adapters.grpc.access.tls import TlsFiles, server_credentials
from adapters.grpc.addresses import listening_address
from adapters.grpc.closing import Closed, Closing
from adapters.grpc.commands_service import CommandService
from adapters.grpc.operations_service import OperationsService
from adapters.grpc.ports import Sweeper
from adapters.grpc.queries_service import QueryService
from adapters.grpc.undecodable import Tolerant
from ledger.ports import Ledger, Log
from loyalty.v1.commands_pb2_grpc import add_CommandServiceServicer_to_server
from loyalty.v1.operations_pb2_grpc import add_OperationsServiceServicer_to_server
from loyalty.v1.queries_pb2_grpc import add_QueryServiceServicer_to_server
from projections.operations import Operations
from projections.reports import Reports

SERVICES = (commands_service.SERVICE, queries_service.SERVICE, operations_service.SERVICE)
PROJECTION_HEALTH = "loyalty.projections."
"""With a projection's name behind it: what the health service tells of that projection alone."""


class ServerOptions(msgspec.Struct, frozen=True):
    """How a server listens and what it takes."""

    address: str = "127.0.0.1:50051"
    """Host and port; other machines may reach it only with `tls` and `access`. Port 0 takes a free one."""
    tls: TlsFiles | None = None
    """None: not encrypted."""
    access: AccessOptions | None = None
    """None: whoever reaches the address may do everything, under any name."""
    message_bytes_max: int = 16 * 1024 * 1024
    rpcs_max: int = 4_096
    """Calls under way at once; more are answered RESOURCE_EXHAUSTED at once."""
    grace_seconds: float = 10.0
    """How long a stop waits for the answers to what was accepted."""


class LedgerServer:
    """A server that listens; it is healthy only while it is told so."""

    def __init__(
        self, server: grpc.aio.Server, port: int, closing: Closing, guard: Guard | None, grace_seconds: float
    ) -> None:
        """Made by `build_server`."""
        self.port = port
        self._server = server
        self._guard = guard
        self._guarding: asyncio.Task[None] | None = None
        self._closing = closing
        self._grace_seconds = grace_seconds
        self._health = _Health(closing)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)

    async def start(self) -> None:
        """Begin to answer calls; the health service says NOT_SERVING until `set_serving`."""
        await self.set_serving(False)
        if self._guard is not None:
            self._guarding = asyncio.create_task(self._guard.run())
        await self._server.start()

    async def set_serving(self, serving: bool) -> None:
        """Say whether commands and queries can be answered."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", *SERVICES):
            await self._health.set(service, status)

    async def set_projection_serving(self, name: str, serving: bool) -> None:
        """Say whether a projection is healthy; commands and other views go on whatever becomes of it."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set(PROJECTION_HEALTH + name, status)

    async def stop(self) -> None:
        """Say NOT_SERVING, take no more calls, answer those under way, end the endless ones."""
        await self._health.enter_graceful_shutdown()
        self._closing.begin()
        await self._server.stop(self._grace_seconds)
        if self._guarding is not None:
            self._guarding.cancel()


class _Health(health.aio.HealthServicer):
    """The health service; watching it ends when the server stops."""

    def __init__(self, closing: Closing) -> None:
        super().__init__()
        self._closing = closing

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        try:
            await self._closing.race(super().Watch(request, context))
        except Closed:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server stops")


def build_server(
    ledger: Ledger,
    log: Log,
    queries: Reports,
    sweeper: Sweeper,
    operations: Operations,
    options: ServerOptions | None = None,
) -> LedgerServer:
    """A server that listens on its port and is yet to be started; call it where the event loop runs.

    Raises RuntimeError for an address that is taken; ValueError for one that other machines can reach without TLS and
    access control; OSError or ValueError for certificates or keys that can't be used.
    """
    options = options or ServerOptions()
    guard = guard_of(options.access) if options.access else None
    secured = options.tls is not None and guard is not None
    address = listening_address(options.address, secured=secured)
    server = grpc.aio.server(
        interceptors=(guard,) if guard else (),
        options=(
            ("grpc.max_receive_message_length", options.message_bytes_max),
            ("grpc.max_send_message_length", options.message_bytes_max),
            # Without this a second server could share the port, and each would see some of the calls.
            ("grpc.so_reuseport", 0),
        ),
        maximum_concurrent_rpcs=options.rpcs_max,
    )
    closing = Closing()
    tolerant = Tolerant(server)
    add_CommandServiceServicer_to_server(CommandService(ledger, sweeper, closing), tolerant)
    add_QueryServiceServicer_to_server(QueryService(log, queries, closing), tolerant)
    add_OperationsServiceServicer_to_server(OperationsService(operations, closing), tolerant)
    reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    if options.tls is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, server_credentials(options.tls))
    return LedgerServer(server, port, closing, guard, options.grace_seconds)


async def serve(server: LedgerServer, stopping: asyncio.Event) -> None:
    """Run a server until it is told to stop."""
    await server.start()
    try:
        await stopping.wait()
    finally:
        await server.stop()
