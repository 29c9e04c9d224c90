"""Under contention and under attack: the last unit, the last point, a changed byte, bad input."""

import stat
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import psutil
import psycopg
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from adapters.postgres.embedded import EmbeddedServer
from adapters.postgres.verify import verify
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import queries_pb2 as q
from loyalty.v1 import types_pb2 as t
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from loyalty.v1.queries_pb2_grpc import QueryServiceStub
from tests.integration.service import PROGRAMME, UNIT, Service, earn, enrol, header, open_programme, stubs

FIVE = t.Amount(unit=UNIT, value=5)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for this module."""
    data_dir = tmp_path_factory.mktemp("service") / "data"
    service = Service(data_dir).start()
    try:
        service.wait_until_serving()
        with service.channel() as channel:
            open_programme(stubs(channel)[0])
        yield service
    finally:
        service.stop()
        EmbeddedServer(data_dir).destroy()


@pytest.fixture
def endpoint(service: Service) -> EmbeddedServer:
    """The database under it."""
    return EmbeddedServer(service.data_dir)


def _at_once(service: Service, calls: list[Callable[[CommandServiceStub], object]]) -> Counter[str]:
    """Make all calls at the same moment, each from its own thread and connection; counts the outcomes."""
    outcomes: Counter[str] = Counter()
    barrier = threading.Barrier(len(calls))
    lock = threading.Lock()

    def run(call: Callable[[CommandServiceStub], object]) -> None:
        with service.channel() as channel:
            commands, _ = stubs(channel)
            barrier.wait()
            try:
                call(commands)
                outcome = "accepted"
            except grpc.RpcError as error:
                outcome = _reason(error)
        with lock:
            outcomes[outcome] += 1

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _details(error: grpc.RpcError) -> Iterable[Any]:
    """The details of an error."""
    status = rpc_status.from_call(cast(grpc.Call, error))
    assert status is not None
    details: Iterable[Any] = status.details
    return details


def _reason(error: grpc.RpcError) -> str:
    """The stable reason of an error, from its ErrorInfo."""
    for detail in _details(error):
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    raise AssertionError(f"no reason in {error}")


def _name() -> str:
    return uuid.uuid4().hex[:12]


def test_twenty_threads_fight_for_the_last_unit(service: Service) -> None:
    """One gets it, the others are told what else there is; nothing is oversold (edge case 8, I01, I03, I06)."""
    sku, members = _name(), [_name() for _ in range(20)]
    with service.channel() as channel:
        commands, queries = stubs(channel)
        enrol(commands, *members)
        for member in members:
            commands.Earn(earn(member, source=_name()))
        price = t.Price(points=t.Amount(unit=UNIT, value=10))
        commands.DefineReward(
            c.DefineRewardRequest(
                header=header(),
                reward=sku,
                kind=t.REWARD_KIND_GOODS,
                price=price,
                sku=sku,
                location="central",
                substitutes=["mug"],
            )
        )
        commands.ReceiveStock(c.ReceiveStockRequest(header=header(), sku=sku, location="central", quantity=1))

        def redeem(member: str) -> Callable[[CommandServiceStub], object]:
            request = c.RedeemRequest(header=header(), redemption=_name(), member=member, reward=sku)
            return lambda stub: stub.Redeem(request)

        outcomes = _at_once(service, [redeem(member) for member in members])
        assert outcomes == {"accepted": 1, "OUT_OF_STOCK": 19}
        position = commands.Earn(earn(members[0], source=_name())).position
        item = queries.GetInventory(
            q.GetInventoryRequest(programme=PROGRAMME, sku=sku, location="central", min_position=position)
        ).item
        assert (item.on_hand, item.locked, item.available) == (1, 1, 0)


def test_twenty_threads_fight_for_the_last_units_at_two_locations(service: Service) -> None:
    """The near ones go first, then the far ones; nothing is oversold at either (edge case 8, I03, I04, I06)."""
    sku, members = _name(), [_name() for _ in range(20)]
    near, far = _name(), _name()
    with service.channel() as channel:
        commands, queries = stubs(channel)
        enrol(commands, *members)
        for member in members:
            commands.Earn(earn(member, source=_name()))
        price = t.Price(points=t.Amount(unit=UNIT, value=10))
        commands.DefineReward(
            c.DefineRewardRequest(header=header(), reward=sku, kind=t.REWARD_KIND_GOODS, price=price, sku=sku)
        )
        distances = [
            t.Distance(destination="beijing", location=place, distance=n) for n, place in enumerate((near, far))
        ]
        commands.PublishAllocationPolicy(
            c.PublishAllocationPolicyRequest(header=header(), locations=[far, near], distances=distances)
        )
        for place, units in ((near, 2), (far, 3)):
            commands.ReceiveStock(c.ReceiveStockRequest(header=header(), sku=sku, location=place, quantity=units))
        names = [_name() for _ in members]

        def redeem(name: str, member: str) -> Callable[[CommandServiceStub], object]:
            request = c.RedeemRequest(
                header=header(), redemption=name, member=member, reward=sku, destination="beijing"
            )
            return lambda stub: stub.Redeem(request)

        outcomes = _at_once(service, [redeem(*pair) for pair in zip(names, members, strict=True)])
        assert outcomes == {"accepted": 5, "OUT_OF_STOCK": 15}
        position = commands.Earn(earn(members[0], source=_name())).position
        shelf = queries.ListInventory(q.ListInventoryRequest(programme=PROGRAMME, sku=sku, min_position=position))
        assert {item.location: (item.on_hand, item.locked) for item in shelf.items} == {near: (2, 2), far: (3, 3)}
        assert Counter(_placed_at(queries, names, position)) == {near: 2, far: 3, "NOT_FOUND": 15}


def _placed_at(queries: QueryServiceStub, names: Iterable[str], position: str) -> Iterator[str]:
    """Where each redemption gets its goods from, or why it cannot be asked for."""
    for name in names:
        request = q.GetRedemptionRequest(programme=PROGRAMME, redemption=name, min_position=position)
        try:
            yield queries.GetRedemption(request).redemption.location
        except grpc.RpcError as error:
            yield _reason(error)


def test_twenty_threads_fight_for_the_last_point(service: Service) -> None:
    """A hundred points are spent once, whoever asks; nothing is overdrawn."""
    giver, takers = _name(), [_name() for _ in range(20)]
    with service.channel() as channel:
        commands, queries = stubs(channel)
        enrol(commands, giver, *takers)
        commands.Earn(earn(giver, source=_name(), points=100))

        def transfer(taker: str) -> Callable[[CommandServiceStub], object]:
            points = t.Amount(unit=UNIT, value=100)
            request = c.TransferRequest(header=header(), sender=giver, receiver=taker, points=points)
            return lambda stub: stub.Transfer(request)

        outcomes = _at_once(service, [transfer(taker) for taker in takers])
        assert outcomes == {"accepted": 1, "INSUFFICIENT_POINTS": 19}
        position = commands.Earn(earn(takers[0], source=_name(), points=1)).position
        shown = [
            queries.GetBalance(q.GetBalanceRequest(programme=PROGRAMME, member=member, min_position=position))
            for member in (giver, *takers)
        ]
        assert sum(balance.balance for answer in shown for balance in answer.balances) == 101


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (c.EarnRequest(header=header(), member="anna", points=t.Amount(unit=UNIT, value=-5)), "points"),
        (c.EarnRequest(header=header(), member="anna", points=t.Amount(unit="coins", value=5)), "points.unit"),
        (c.EarnRequest(header=header(), points=FIVE), "member"),
        (c.EarnRequest(header=header(command_id="not a uuid"), member="anna", points=FIVE), "header.command_id"),
        (c.EarnRequest(member="anna", points=FIVE), "header"),
        (c.EarnRequest(header=header(), member="x" * 65, points=FIVE), "member"),
    ],
)
def test_bad_input_names_the_field_and_writes_nothing(
    service: Service, endpoint: EmbeddedServer, request_: c.EarnRequest, field: str
) -> None:
    """INVALID_ARGUMENT, the field, and the log as long as before."""
    if not request_.source.id:
        request_.source.CopyFrom(t.Source(type="order", id=_name()))
    with psycopg.connect(endpoint.endpoint().app_dsn, autocommit=True) as connection:
        counts = "SELECT (SELECT count(*) FROM ledger.events), (SELECT count(*) FROM ledger.outcomes)"
        before = connection.execute(counts).fetchone()
        with service.channel() as channel, pytest.raises(grpc.RpcError) as error:
            stubs(channel)[0].Earn(request_)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert field in _fields(error.value)
        assert connection.execute(counts).fetchone() == before


def _fields(error: grpc.RpcError) -> str:
    for detail in _details(error):
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            return ",".join(violation.field for violation in bad.field_violations)
    raise AssertionError(f"no field in {error}")


def test_the_writer_is_reached_by_its_user_only(service: Service) -> None:
    """Whoever speaks to the writer past the gateway can say anything; the directory of its socket keeps others out."""
    writer = psutil.Process(service.pids()["writer"])
    sockets = {Path(str(end.laddr)) for end in writer.net_connections(kind="unix") if str(end.laddr).startswith("/")}
    assert sockets
    assert {stat.S_IMODE(socket.parent.stat().st_mode) for socket in sockets} == {0o700}
    assert not [end for end in writer.net_connections(kind="inet") if end.status == psutil.CONN_LISTEN]


def test_a_changed_byte_is_found(service: Service, endpoint: EmbeddedServer) -> None:
    """A superuser switches the trigger off and changes one byte: `verify` names the position."""
    member = _name()
    with service.channel() as channel:
        commands, _ = stubs(channel)
        enrol(commands, member)
        commands.Earn(earn(member, source=_name()))
    database = endpoint.endpoint()
    assert verify(database.app_dsn).problems == []
    with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT position, event FROM ledger.events WHERE stream LIKE %s AND version = 2", (f"%/{member}",)
        ).fetchone()
        assert row is not None
        position, event = row
        changed = bytes(event).replace(b'"points":100', b'"points":900')
        assert changed != bytes(event)
        _change(connection, position, changed)
        problems = verify(database.app_dsn).problems
        assert [(problem.where, problem.number) for problem in problems] == [("position", position)]
        _change(connection, position, bytes(event))
    assert verify(database.app_dsn).problems == []


def _change(connection: psycopg.Connection, position: int, event: bytes) -> None:
    connection.execute("ALTER TABLE ledger.events DISABLE TRIGGER append_only")
    connection.execute("UPDATE ledger.events SET event = %s WHERE position = %s", (event, position))
    connection.execute("ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only")
