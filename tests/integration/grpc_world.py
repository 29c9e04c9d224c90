"""A gRPC server on a free port of the loopback, in front of fakes, and the requests that tests send to it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any, cast

import grpc
import msgspec
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from adapters.grpc.client.ids import uuid7_text
from adapters.grpc.ports import SweepResult
from adapters.grpc.server import LedgerServer, ServerOptions, build_server
from ledger.calendar import NEVER, Instant, to_instant
from ledger.commands import Request, request_hash
from ledger.errors import CommandIdReused, LedgerError
from ledger.quantities import Balance
from ledger.receipts import Outcome, Receipt
from ledger.records import Record
from ledger.refusals import Refusal
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import types_pb2 as t
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from loyalty.v1.operations_pb2_grpc import OperationsServiceStub
from loyalty.v1.queries_pb2_grpc import QueryServiceStub
from projections.operations import BuildStatus, Difference, ParkedKey, State, WrongState
from projections.queries import (
    BalanceAnswer,
    EntryRow,
    LotRow,
    NotFound,
    Page,
    RedemptionRow,
    StockRow,
)
from projections.reports import Dimension, ExpiringRow, HoldRow, LockRow, TotalsRow

Failure = grpc.aio.AioRpcError

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
AT = to_instant(NOON)


class FakeLedger:
    """Accepts everything, once; `answers` and `failures` say otherwise, `gate` makes it wait."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Request]] = []
        self.arrivals: asyncio.Queue[None] = asyncio.Queue()
        self.answers: list[Receipt | Refusal | LedgerError] = []
        self.failures: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.outcomes: dict[bytes, Outcome] = {}

    async def execute(self, requests: Sequence[Request]) -> Sequence[Outcome | LedgerError]:
        self.batches.append(requests)
        self.arrivals.put_nowait(None)
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Outcome | LedgerError:
        stored = self.outcomes.get(request.id)
        if stored is not None:
            if stored.request_hash != request_hash(request):
                return CommandIdReused()
            return Outcome(stored.id, stored.request_hash, stored.answer, repeated=True)
        answer = self.answers.pop(0) if self.answers else Receipt(len(self.outcomes) + 1, (Balance("a%2Fb", "PTS", 5),))
        if isinstance(answer, LedgerError):
            return answer
        self.outcomes[request.id] = Outcome(request.id, request_hash(request), answer)
        return self.outcomes[request.id]


class FakeLog:
    """A few records; following, it waits for ever after them."""

    def __init__(self, ledger: FakeLedger) -> None:
        self._ledger = ledger
        self.asked: tuple[Any, ...] = ()

    async def outcome(self, command_id: bytes) -> Outcome | None:
        return self._ledger.outcomes.get(command_id)

    async def records(
        self, after: int, *, programme: str = "", stream: str = "", topics: Sequence[str] = (), follow: bool = True
    ) -> AsyncIterator[Sequence[Record]]:
        self.asked = (after, programme, stream, topics, follow)
        yield [record(after + 1), record(after + 2)]
        yield [record(after + 3, size=700_000), record(after + 4, size=700_000)]
        if follow:
            await asyncio.Event().wait()


def record(position: int, size: int = 2) -> Record:
    return Record(
        position=position,
        programme="acme",
        stream="acme/member/a%2Fb",
        version=position,
        topic="member.enrolled.v1",
        command_id=bytes(range(16)),
        actor="shop",
        channel="till%207",
        correlation_id="",
        trace=bytes.fromhex("000af7651916cd43dd8448eb211c80319cb7ad6b716920333101"),
        business_key=b"",
        occurred_at=AT,
        recorded_at=AT + 1,
        business_date=date(2026, 3, 31),
        event=b"{" + b" " * (size - 2) + b"}",
        hash=bytes(32),
    )


REDEMPTION: Sequence[Any] = (
    "anna", "mug", 2, "TIMED_OUT", "GOODS", 1000, "PTS", 20, "cup", "north", "out-1", AT, AT, AT, "", "bei%20jing", 3,
    0, 2, 20,
)  # fmt: skip
"""What comes after a redemption's name."""
ITEM = (5, 7, 0, 4, 9, 4500, -1, 1, 2, True)
"""On hand, locked, available, shipped, received, value, counted, transferred, shortage, discontinued."""


class FakeQueries:
    """One member, one redemption, one stock item; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: tuple[Any, ...] = ()
        self.times_asked = 0
        self.failure: Exception | None = None

    def _ask(self, *asked: Any) -> None:
        self.asked = asked
        self.times_asked += 1
        if self.failure is not None:
            raise self.failure

    async def balance(
        self, programme: str, member: str, *, as_of: Instant | None = None, known_at: Instant | None = None,
        min_position: int = 0,
    ) -> BalanceAnswer:  # fmt: skip
        self._ask(programme, member, as_of, known_at, min_position)
        return BalanceAnswer((Balance(member, "PTS", 5, held=3),), as_of or AT, known_at, 255, "FROZEN")

    async def lots(
        self, programme: str, member: str, *, as_of: Instant | None = None, known_at: Instant | None = None,
        min_position: int = 0, page_size: int = 100, page_token: str = "",
    ) -> Page[LotRow]:  # fmt: skip
        self._ask(programme, member, as_of, known_at, min_position, page_size, page_token)
        row = LotRow(
            "anna:1", "PTS", 5, 3, 8, AT, AT, NEVER, "2026-03", "SALE", "order", "till/A%201", "anna:1", None, True
        )
        return Page((row,), "next", 255)

    async def entries(
        self, programme: str, member: str, *, min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[EntryRow]:
        self._ask(programme, member, min_position, page_size, page_token)
        row = EntryRow(
            16, "points.earned.v1", "PTS", 8, 0, 8, AT, AT, "2026-03-31", "till%207", "order", "A1", "r1",
            (("a:1", 8),), "thanks", "till%207/A1",
        )  # fmt: skip
        return Page((row,), "", 255)

    async def redemption(self, programme: str, redemption: str, *, min_position: int = 0) -> RedemptionRow:
        self._ask(programme, redemption, min_position)
        return RedemptionRow(redemption, *REDEMPTION)

    async def redemptions(
        self, programme: str, member: str, *, min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[RedemptionRow]:
        self._ask(programme, member, min_position, page_size, page_token)
        return Page((RedemptionRow("x%201", *REDEMPTION),), "next", 255)

    async def stock_item(
        self, programme: str, sku: str, location: str, *, as_of: Instant | None = None,
        known_at: Instant | None = None, min_position: int = 0,
    ) -> StockRow:  # fmt: skip
        self._ask(programme, sku, location, as_of, known_at, min_position)
        return StockRow(sku, location, *ITEM)

    async def inventory(
        self, programme: str, *, sku: str = "", as_of: Instant | None = None, known_at: Instant | None = None,
        min_position: int = 0, page_size: int = 100, page_token: str = "",
    ) -> Page[StockRow]:  # fmt: skip
        self._ask(programme, sku, as_of, known_at, min_position, page_size, page_token)
        return Page((StockRow("cup", "north", *ITEM),), "", 255)

    async def locks(
        self, programme: str, *, sku: str = "", location: str = "", min_position: int = 0, page_size: int = 100,
        page_token: str = "",
    ) -> Page[LockRow]:  # fmt: skip
        self._ask(programme, sku, location, min_position, page_size, page_token)
        rows = (
            LockRow("cup", "north", "k%201", 2, AT, AT, ""),
            LockRow("cup", "north", "redemption:x%201", 1, AT, AT, "x%201"),
        )
        return Page(rows, "next", 255)

    async def holds(
        self, programme: str, *, member: str = "", min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[HoldRow]:
        self._ask(programme, member, min_position, page_size, page_token)
        rows = (
            HoldRow("h%201", "a%2Fb", "PARTLY_CAPTURED", "PTS", 9, 4, 1, "", "till%207", AT, AT, None, 16),
            HoldRow("redemption:x%201", "anna", "TIMED_OUT", "PTS", 5, 0, 5, "x%201", "shop", AT, AT, AT, 17),
        )
        return Page(rows, "next", 255)

    async def expiring(
        self, programme: str, *, member: str = "", first: date | None = None, last: date | None = None,
        min_position: int = 0, page_size: int = 100, page_token: str = "",
    ) -> Page[ExpiringRow]:  # fmt: skip
        self._ask(programme, member, first, last, min_position, page_size, page_token)
        return Page((ExpiringRow("a%2Fb", "PTS", 9, AT, date(2026, 3, 30)),), "next", 255)

    async def totals(
        self, programme: str, *, first: date, last: date, by: Collection[Dimension] = (), min_position: int = 0,
        page_size: int = 100, page_token: str = "",
    ) -> Page[TotalsRow]:  # fmt: skip
        self._ask(programme, first, last, by, min_position, page_size, page_token)
        numbers = (8, 7, 6, 5, 4, 3, 2, -8)
        return Page((TotalsRow("2026-03-31", "PTS", "till%207", "s%201", "order", "c%201", *numbers),), "next", 255)


class FakeSweeper:
    """Posts as many as it may."""

    async def sweep(self, programme: str, limit: int, min_position: int) -> SweepResult:
        return SweepResult(limit, 7)


class FakeOperations:
    """One view, `balance`; what is asked is kept, and what cannot be done is refused."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.state = State.RUNNING
        self.failing: WrongState | None = None

    def _ask(self, operation: str, name: str, *values: object) -> None:
        if name != "balance":
            raise NotFound("projection", name)
        if self.failing is not None:
            raise self.failing
        self.asked.append((operation, name, *values))

    async def statuses(self) -> list[BuildStatus]:
        plain = BuildStatus(
            "balance", 1, 2, "projections", True, State.RUNNING, 250, 5, 0.5, 0, 1, False, None, None, None
        )
        failed = msgspec.structs.replace(
            plain, build=2, live=False, state=self.state, differences=3, failed_position=251, reason="too much"
        )
        return [plain, failed]

    async def parked(self) -> list[ParkedKey]:
        return [ParkedKey("balance", 1, "acme/anna", 16, 2, "too much")]

    async def rebuild(self, name: str, rate_max: int | None = None) -> int:
        self._ask("rebuild", name, rate_max)
        return 2

    async def replay(self, name: str, upto: int, schema: str) -> int:
        self._ask("replay", name, upto, schema)
        return 2

    async def differences(self, name: str, build: int) -> list[Difference]:
        self._ask("differences", name, build)
        return []

    async def pause(self, name: str) -> None:
        self._ask("pause", name)

    async def resume(self, name: str) -> None:
        self._ask("resume", name)

    async def cancel(self, name: str) -> None:
        self._ask("cancel", name)

    async def swap(self, name: str) -> None:
        self._ask("swap", name)

    async def rollback(self, name: str) -> int:
        self._ask("rollback", name)
        return 1

    async def drop(self, name: str, build: int) -> None:
        self._ask("drop", name, build)

    async def replay_parked(self, name: str) -> None:
        self._ask("replay_parked", name)

    async def replaying_parked(self, name: str) -> bool:
        return False


class World:
    """A server on a free port, the fakes behind it, and stubs in front of it."""

    def __init__(self, options: ServerOptions | None = None) -> None:
        self.ledger = FakeLedger()
        self.log = FakeLog(self.ledger)
        self.queries = FakeQueries()
        self.operations = FakeOperations()
        options = options or ServerOptions("127.0.0.1:0", grace_seconds=5)
        self.server: LedgerServer = build_server(
            self.ledger, self.log, self.queries, FakeSweeper(), self.operations, options
        )
        self.address = f"127.0.0.1:{self.server.port}"
        self.channel = grpc.aio.insecure_channel(self.address)
        self.commands = CommandServiceStub(self.channel)
        self.views = QueryServiceStub(self.channel)
        self.operator = OperationsServiceStub(self.channel)


@asynccontextmanager
async def running(options: ServerOptions | None = None) -> AsyncIterator[World]:
    world = World(options)
    await world.server.start()
    try:
        yield world
    finally:
        await world.channel.close()
        await world.server.stop()


def earn(member: str = "anna", command_id: str = "", **header: Any) -> c.EarnRequest:
    header |= {"programme": "acme", "occurred_at": NOON, "actor": "shop", "channel": "shop"}
    head = t.Header(command_id=command_id or uuid7_text(), **header)
    points, source = t.Amount(unit="PTS", value=5), t.Source(type="order", id="A1")
    return c.EarnRequest(header=head, member=member, points=points, source=source)


def batch(*requests: c.EarnRequest) -> c.ExecuteRequest:
    return c.ExecuteRequest(commands=[c.Command(earn=request) for request in requests])


def detail_of(failure: Failure, kind: Any) -> Any:
    """The one detail of this kind that a status has."""
    status = rpc_status.from_call(cast(grpc.Call, failure))
    assert status is not None
    (found,) = [kind.FromString(detail.value) for detail in status.details if detail.Is(kind.DESCRIPTOR)]
    return found


def reason_of(failure: Failure) -> str:
    """The stable reason of a status."""
    info = detail_of(failure, error_details_pb2.ErrorInfo)
    assert info.domain == "loyalty.v1"
    return str(info.reason)


async def fails(call: Any) -> Failure:
    """The status that a call ends with, which must not be OK."""
    with pytest.raises(Failure) as caught:
        await call
    return caught.value
