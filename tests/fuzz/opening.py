"""What is there when bad input arrives: a programme with a little of everything."""

from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import types_pb2 as t

PROGRAMME, UNIT = "club", "points"
NOW_SECONDS = 1_767_240_000
"""Noon of 2026-01-01 in Shanghai."""


def head(command_id: UUID) -> t.Header:
    """The header of a command that nothing is wrong with."""
    return t.Header(
        command_id=str(command_id),
        programme=PROGRAMME,
        occurred_at=Timestamp(seconds=NOW_SECONDS),
        actor="till",
        channel="shop",
    )


def opening() -> c.ExecuteRequest:
    """A programme with members, points, rewards and stock, and something open of every kind."""
    settings = t.Settings(
        zone="Asia/Shanghai",
        clock="CLOCK_KIND_WALL",
        units=[t.PointUnit(name=UNIT)],
        currency="CNY",
        currency_digits=2,
        earning_unit=UNIT,
        earning_rate="1/100",
        rounding="ROUNDING_DOWN",
        point_value="1",
        lot_months=12,
    )
    thousand, ten = t.Amount(unit=UNIT, value=1_000), t.Amount(unit=UNIT, value=10)
    price = t.Price(points=ten)
    line = t.Line(sku="cup", quantity=2, list_price=500, net=400)
    made: list[dict[str, Any]] = [
        {"open_programme": c.OpenProgrammeRequest(settings=settings)},
        *({"enrol_member": c.EnrolMemberRequest(member=member)} for member in ("anna", "bo")),
        *({"earn": c.EarnRequest(member=member, points=thousand, source=t.Source(type="gift", id=member))}
          for member in ("anna", "bo")),
        {"define_reward": c.DefineRewardRequest(reward="mug", kind="REWARD_KIND_GOODS", price=price, sku="cup")},
        {"define_reward": c.DefineRewardRequest(reward="pass", kind="REWARD_KIND_SERVICE", price=price)},
        {"publish_allocation_policy": c.PublishAllocationPolicyRequest(locations=["north", "south"])},
        {"receive_stock": c.ReceiveStockRequest(sku="cup", location="north", quantity=1_000, unit_cost=5)},
        {"hold": c.HoldRequest(hold="h1", member="anna", points=ten)},
        {"lock_stock": c.LockStockRequest(lock="k1", sku="cup", location="north", quantity=2)},
        {"redeem": c.RedeemRequest(redemption="r1", member="anna", reward="mug", quantity=2)},
        {"record_purchase": c.RecordPurchaseRequest(member="anna", order="o1", lines=[line])},
    ]  # fmt: skip
    commands = [c.Command(**each) for each in made]
    for number, command in enumerate(commands, 1):
        getattr(command, str(command.WhichOneof("command"))).header.CopyFrom(head(UUID(int=number)))
    return c.ExecuteRequest(commands=commands)
