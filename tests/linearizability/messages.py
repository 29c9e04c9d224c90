"""Calls of the specification as messages of the contract, and its answers out of them."""

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import grpc
from grpc_status import rpc_status

from adapters.grpc.positions import parse_position, position_token
from loyalty.v1 import answers_pb2 as a
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import queries_pb2 as q
from loyalty.v1 import types_pb2 as t
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from loyalty.v1.queries_pb2_grpc import QueryServiceStub
from tests.integration.service import UNIT
from tests.linearizability import specification as s

OPENED_AT = 1_767_225_600
"""When everything happens, in seconds since 1970: the programmes' clocks stand still."""
LOCATION = "central"


class Place(NamedTuple):
    """An object in the service: its programme, and the name that its members, SKU and ids begin with."""

    programme: str
    name: str

    @property
    def key(self) -> str:
        """The object's name in the history."""
        return f"{self.programme}/{self.name}"

    def __str__(self) -> str:
        return self.name


def header(programme: str, command_id: str) -> t.Header:
    """What every command carries."""
    made = t.Header(command_id=command_id, programme=programme, actor="test", channel="till")
    made.occurred_at.seconds = OPENED_AT
    return made


def request(place: Place, command_id: str, call: Any) -> Any:
    """The message of a command."""
    fields = _FIELDS[type(call)](place, call)
    return _REQUESTS[type(call)](header=header(place.programme, command_id), **fields)


def send(commands: CommandServiceStub, message: Any, seconds: float) -> a.Receipt:
    """Send a command; raises grpc.RpcError."""
    method = type(message).__name__.removesuffix("Request")
    return cast(a.Receipt, getattr(commands, method)(message, timeout=seconds))


def _amount(points: int) -> t.Amount:
    return t.Amount(unit=UNIT, value=points)


def _member(place: Place, call: Any) -> dict[str, Any]:
    return {"member": f"{place}-{call.member}"}


def _item(place: Place) -> dict[str, str]:
    return {"sku": f"{place}", "location": LOCATION}


_REQUESTS: dict[type, Any] = {
    s.Earn: c.EarnRequest,
    s.Hold: c.HoldRequest,
    s.Capture: c.CaptureHoldRequest,
    s.Release: c.ReleaseHoldRequest,
    s.Transfer: c.TransferRequest,
    s.Redeem: c.RedeemRequest,
    s.Fulfil: c.FulfilRequest,
    s.Cancel: c.CancelRequest,
    s.Receive: c.ReceiveStockRequest,
    s.Lock: c.LockStockRequest,
    s.Unlock: c.ReleaseStockRequest,
    s.Ship: c.ShipStockRequest,
}
_FIELDS: dict[type, Any] = {
    s.Earn: lambda place, call: (
        _member(place, call)
        | {"points": _amount(call.points), "source": t.Source(type="order", id=f"{place}-{call.source}")}
    ),
    s.Hold: lambda place, call: _member(place, call) | {"hold": call.hold, "points": _amount(call.points)},
    s.Capture: lambda place, call: _member(place, call) | {"hold": call.hold, "points": call.points},
    s.Release: lambda place, call: _member(place, call) | {"hold": call.hold},
    s.Transfer: lambda place, call: {
        "sender": f"{place}-{call.sender}",
        "receiver": f"{place}-{call.receiver}",
        "points": _amount(call.points),
    },
    s.Redeem: lambda place, call: (
        _member(place, call) | {"redemption": f"{place}-{call.redemption}", "reward": f"{place}"}
    ),
    s.Fulfil: lambda place, call: {"redemption": f"{place}-{call.redemption}"},
    s.Cancel: lambda place, call: {"redemption": f"{place}-{call.redemption}"},
    s.Receive: lambda place, call: _item(place) | {"quantity": call.units},
    s.Lock: lambda place, call: _item(place) | {"lock": call.lock, "quantity": call.units},
    s.Unlock: lambda place, call: _item(place) | {"lock": call.lock},
    s.Ship: lambda place, call: _item(place) | {"lock": call.lock},
}


# -- answers


def receipt(place: Place, message: a.Receipt) -> tuple[s.Accepted, int]:
    """What was accepted, and the position of its last event."""
    return s.Accepted(frozenset(_balances(place, message.balances))), parse_position(message.position, "position")


def _balances(place: Place, balances: Iterable[t.Balance]) -> Iterable[s.Balance]:
    for balance in balances:
        assert (balance.unit, balance.balance) == (UNIT, balance.open + balance.held), balance
        yield s.Balance(balance.member.removeprefix(f"{place}-"), balance.open, balance.held)


def refusal(error: grpc.RpcError) -> tuple[s.Refused, bool]:
    """What was refused, and whether that was said before."""
    status = rpc_status.from_call(cast(grpc.Call, error))
    assert status is not None
    message = a.Refusal()
    assert any(detail.Unpack(message) for detail in status.details), status
    reason = a.RefusalReason.Name(message.reason).removeprefix("REFUSAL_REASON_")
    left: dict[str, Any] = {
        "INSUFFICIENT_POINTS": message.insufficient_points.spendable,
        "OUT_OF_STOCK": message.out_of_stock.available,
        "QUANTITY_EXCEEDED": int(message.facts.get("left", 0)),
        "REDEMPTION_CLOSED": message.facts.get("state"),
    }
    return s.Refused(reason, left.get(reason)), message.repeated


def read(
    queries: QueryServiceStub, place: Place, call: s.ReadBalance | s.ReadStock, asked: int, seconds: float
) -> tuple[s.Balance | s.Stock, int]:
    """The answer to a read, and how far the view had come; raises grpc.RpcError."""
    token = position_token(asked)
    if isinstance(call, s.ReadBalance):
        fields = _member(place, call)
        balances = queries.GetBalance(
            q.GetBalanceRequest(programme=place.programme, min_position=token, **fields), timeout=seconds
        )
        found = [*_balances(place, balances.balances), s.Balance(call.member, 0, 0)]
        return found[0], parse_position(balances.position, "position")
    stock = queries.ListInventory(
        q.ListInventoryRequest(programme=place.programme, sku=f"{place}", min_position=token), timeout=seconds
    )
    items = [*stock.items, q.StockItem()]
    return s.Stock(items[0].on_hand, items[0].locked), parse_position(stock.position, "position")
