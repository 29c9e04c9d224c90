"""A service with a little of everything in it, called with bytes as they come."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import grpc
import psycopg
from google.rpc import status_pb2

from adapters.app.sweep import DueSweeper
from adapters.grpc.ports import Sweeper
from adapters.grpc.server import ServerOptions, build_server
from adapters.memory.store import Memory, MemoryLog, MemoryStore
from adapters.postgres.log import PostgresLog
from adapters.postgres.operations import PostgresOperations
from adapters.postgres.projecting import ProjectionRunner
from adapters.postgres.reports import PostgresReports
from adapters.postgres.store import PostgresStore
from ledger.calendar import SECOND
from ledger.commands import Request
from ledger.ports import Log, Store
from ledger.writer import Answer, Writer
from loyalty.v1 import commands_pb2 as c
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from projections.operations import Operations
from projections.registry import PROJECTIONS
from projections.reports import Reports
from tests.conftest import Database
from tests.fuzz.contract import Rpc, parse
from tests.fuzz.opening import NOW_SECONDS, head, opening
from tests.integration.grpc_world import FakeOperations, FakeQueries, FakeSweeper
from tests.unit.ledger.running import ScriptedClock

Result = TypeVar("Result")

NOW = NOW_SECONDS * SECOND
DETAILS = "grpc-status-details-bin"
ANSWERS_MAX = 3
"""Read of a stream that may never end."""
SILENCE_SECONDS = 0.05
"""For so long nothing comes of a stream: then it waits, as it should, for what has not happened yet."""


class Ended(NamedTuple):
    """How a call ended."""

    code: grpc.StatusCode
    details: bytes
    """A google.rpc.Status, or nothing."""
    message: str
    answers: Sequence[bytes]


def status_of(ended: Ended) -> status_pb2.Status:
    """What a call that failed says of it; empty where it says nothing."""
    return status_pb2.Status.FromString(ended.details)


class Stored(NamedTuple):
    """How much the log holds."""

    events: int
    outcomes: int
    batches: int


class CurrentLedger:
    """Whatever writer is at work now."""

    def __init__(self) -> None:
        self.writer: Writer | None = None

    async def execute(self, requests: Sequence[Request]) -> Sequence[Answer]:
        assert self.writer is not None
        return await self.writer.execute(requests)


class CurrentLog:
    """The log of whatever memory there is now."""

    def __init__(self) -> None:
        self.memory = Memory()

    async def outcome(self, command_id: bytes) -> Any:
        return await MemoryLog(self.memory).outcome(command_id)

    def records(self, after: int, **filters: Any) -> Any:
        return MemoryLog(self.memory).records(after, **filters)


class Stage:
    """A server on a free port, and a client that sends bytes. Ordinary functions run it step by step."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.ledger = CurrentLedger()
        self._stack = AsyncExitStack()
        self._writing: AsyncExitStack | None = None
        self._good = 0

    def begin(self) -> None:
        """Make ready for an example."""
        raise NotImplementedError

    def stored(self) -> Stored:
        """How much there is now."""
        raise NotImplementedError

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    async def _serve(self, log: Log, queries: Reports, sweeper: Sweeper, operations: Operations) -> None:
        server = build_server(
            self.ledger, log, queries, sweeper, operations, ServerOptions("127.0.0.1:0", grace_seconds=5)
        )
        await server.start()
        self._stack.push_async_callback(server.stop)
        self._channel: Any = await self._stack.enter_async_context(
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
        )

    def call(self, rpc: Rpc, wires: Sequence[bytes]) -> Ended:
        """Send bytes as requests; more than one only where a stream is taken."""
        return self.run(self._call(rpc, wires))

    async def _call(self, rpc: Rpc, wires: Sequence[bytes]) -> Ended:
        ended = asyncio.Event()
        if rpc.takes_stream:
            call = self._channel.stream_stream(rpc.path)(_one_by_one(rpc, wires, ended))
        elif rpc.gives_stream:
            call = self._channel.unary_stream(rpc.path)(wires[0])
        else:
            call = self._channel.unary_unary(rpc.path)(wires[0])
        try:
            return Ended(grpc.StatusCode.OK, b"", "", await _answers(rpc, call, _follows(rpc, wires[0])))
        except grpc.aio.AioRpcError as error:
            details = dict(error.trailing_metadata()).get(DETAILS, b"")
            return Ended(error.code(), bytes(details), error.details() or "", ())
        finally:
            ended.set()

    def good_command(self, rpc: Rpc) -> Ended:
        """A command that nothing is wrong with: a new member."""
        self._good += 1
        header = head(UUID(int=2**127 + self._good))
        return self.call(rpc, [c.EnrolMemberRequest(header=header, member=f"new-{self._good}").SerializeToString()])

    async def _begin(self, store: Store) -> None:
        """Put a writer to work; its programme is open, with a little of everything."""
        writer = self.ledger.writer = Writer(store, ScriptedClock(NOW))
        leads = asyncio.Event()
        writer.on_lead = lambda _: leads.set()
        writing = asyncio.create_task(writer.run())

        async def stop() -> None:
            writer.stop()
            await writing

        self._writing = AsyncExitStack()
        self._writing.push_async_callback(stop)
        async with asyncio.timeout(20):
            await leads.wait()
        answer = await CommandServiceStub(self._channel).Execute(opening())
        assert all(result.HasField("receipt") for result in answer.results), answer

    async def _end(self) -> None:
        if self._writing is not None:
            await self._writing.aclose()

    def close(self) -> None:
        try:
            self.run(self._end())
            self.run(self._stack.aclose())
        finally:
            self.runner.close()


async def _one_by_one(rpc: Rpc, wires: Sequence[bytes], ended: asyncio.Event) -> AsyncIterator[bytes]:
    """The requests of a stream up to the first that ends it: a client that still writes then may lose the status."""
    for wire in wires:
        yield wire
        if parse(rpc.request, wire) is None:
            await ended.wait()
            return


def _follows(rpc: Rpc, wire: bytes) -> bool:
    """Whether the answer to a request never ends."""
    return bool(getattr(parse(rpc.request, wire), "follow", False))


async def _answers(rpc: Rpc, call: Any, endless: bool) -> list[bytes]:
    if not rpc.gives_stream:
        return [await call]
    if rpc.takes_stream:
        return [answer async for answer in call]
    found: list[bytes] = []
    reading: asyncio.Task[Any] | None = None
    while len(found) < ANSWERS_MAX:
        reading = asyncio.ensure_future(call.read())
        done, _ = await asyncio.wait({reading}, timeout=SILENCE_SECONDS if endless else None)
        if not done:
            break
        answer = reading.result()
        if answer is grpc.aio.EOF:
            return found
        found.append(answer)
    call.cancel()
    if reading is not None:
        await asyncio.gather(reading, return_exceptions=True)
    return found


class MemoryStage(Stage):
    """Begins anew with every example, so that each can be replayed by itself; its views are fakes."""

    def __init__(self) -> None:
        super().__init__()
        self._log = CurrentLog()
        self.run(self._serve(self._log, FakeQueries(), FakeSweeper(), FakeOperations()))

    def begin(self) -> None:
        self._log.memory = Memory()
        self.run(self._end())
        self.run(self._begin(MemoryStore(self._log.memory)))

    def stored(self) -> Stored:
        memory = self._log.memory
        return Stored(len(memory.records), len(memory.outcomes), len(memory.batches))


class PostgresStage(Stage):
    """One history for all examples, on a real PostgreSQL, with the views that are folded from it."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._connection = psycopg.connect(database.app_dsn, autocommit=True)
        self.queries = PostgresReports(database.app_dsn, wait_seconds=0.05)
        self.operations = PostgresOperations(database.app_dsn)
        self.run(self._open(database))

    async def _open(self, database: Database) -> None:
        enter = self._stack.enter_async_context
        log = await enter(PostgresLog(database.app_dsn))
        await enter(self.queries)
        await enter(_projecting(database))
        await self._serve(log, self.queries, DueSweeper(self.ledger, self.queries, 60), self.operations)
        await self._begin(PostgresStore(database.app_dsn))

    def begin(self) -> None:
        """Nothing: what happened has happened."""

    def stored(self) -> Stored:
        row = self._connection.execute(
            "SELECT (SELECT count(*) FROM ledger.events), (SELECT count(*) FROM ledger.outcomes),"
            " (SELECT count(*) FROM ledger.batches)"
        ).fetchone()
        assert row is not None
        return Stored(*row)

    def projections(self) -> dict[str, tuple[str, int]]:
        """The state of every projection, and how many events it lags, once it has had time to fold them all."""

        async def caught_up() -> dict[str, tuple[str, int]]:
            async with asyncio.timeout(30):
                while True:
                    statuses = await self.operations.statuses()
                    if statuses and all(status.lag_events == 0 or status.state == "STOPPED" for status in statuses):
                        return {status.name: (status.state, status.lag_events) for status in statuses}
                    await asyncio.sleep(0.01)

        return self.run(caught_up())

    def close(self) -> None:
        self._connection.close()
        super().close()


@asynccontextmanager
async def _projecting(database: Database) -> AsyncIterator[None]:
    runner = ProjectionRunner(database.app_dsn, PROJECTIONS)
    running = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        runner.stop()
        await running
