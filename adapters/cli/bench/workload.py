"""The commands of the benchmarks, made before the clock runs."""

import random
import time
from collections.abc import Iterator
from itertools import accumulate

from adapters.grpc.client.ids import uuid7_text
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import types_pb2 as t

PROGRAMME = "bench"
UNIT = "points"
MEMBERS = 100_000
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def header() -> t.Header:
    """What every command carries, a trace context included."""
    made = t.Header(command_id=uuid7_text(), programme=PROGRAMME, actor="bench", channel="shop", traceparent=TRACE)
    made.occurred_at.seconds = int(time.time())
    return made


def open_programme() -> c.Command:
    """A programme on the wall clock."""
    settings = t.Settings(
        zone="Asia/Shanghai",
        clock=t.CLOCK_KIND_WALL,
        units=[t.PointUnit(name=UNIT)],
        currency="CNY",
        currency_digits=2,
        earning_unit=UNIT,
        earning_rate="1/100",
        rounding=t.ROUNDING_DOWN,
        point_value="1",
        lot_months=12,
    )
    return c.Command(open_programme=c.OpenProgrammeRequest(header=header(), settings=settings))


def enrol(first: int, last: int) -> Iterator[c.Command]:
    """Members by number."""
    for number in range(first, last):
        yield c.Command(enrol_member=c.EnrolMemberRequest(header=header(), member=f"m{number}"))


def zipf_members(count: int, draws: int, exponent: float = 1.1, seed: int = 7) -> list[str]:
    """Members drawn by Zipf: with 100,000 of them and s = 1.1, one gets about a seventh of all."""
    weights = list(accumulate(1 / rank**exponent for rank in range(1, count + 1)))
    return [f"m{number}" for number in random.Random(seed).choices(range(count), cum_weights=weights, k=draws)]


def earn(member: str, source: str) -> c.EarnRequest:
    """A grant of a hundred points."""
    return c.EarnRequest(
        header=header(),
        member=member,
        points=t.Amount(unit=UNIT, value=100),
        source=t.Source(type="order", id=source),
    )


def earn_batches(members: list[str], size: int, prefix: str) -> Iterator[c.ExecuteRequest]:
    """Batches of grants."""
    for begin in range(0, len(members), size):
        chunk = members[begin : begin + size]
        yield c.ExecuteRequest(
            commands=[c.Command(earn=earn(member, f"{prefix}{begin + i}")) for i, member in enumerate(chunk)]
        )


def purchase(member: str, order: str) -> c.RecordPurchaseRequest:
    """A purchase of ten lines."""
    request = c.RecordPurchaseRequest(header=header(), member=member, order=order, store="s017")
    for number in range(10):
        request.lines.add(
            sku=f"69{number:02}4587", quantity=1 + number % 3, list_price=1290, net=1190, category="dairy"
        )
    return request


def refund(order: str) -> c.Command:
    """All of an order comes back."""
    return c.Command(refund_purchase=c.RefundPurchaseRequest(header=header(), refund="all", order=order))


def hold(member: str, number: int) -> c.Command:
    """Ten points are set aside."""
    request = c.HoldRequest(header=header(), hold=f"h{number}", member=member, points=t.Amount(unit=UNIT, value=10))
    return c.Command(hold=request)


def reverse(target: str) -> c.Command:
    """What a command moved is moved back."""
    return c.Command(reverse=c.ReverseRequest(header=header(), target=target, reason="mistake"))


def redeem_setup(sku: str, stock: int) -> Iterator[c.Command]:
    """A reward of ten points with a stock."""
    price = t.Price(points=t.Amount(unit=UNIT, value=10))
    reward = c.DefineRewardRequest(
        header=header(), reward=sku, kind=t.REWARD_KIND_GOODS, price=price, sku=sku, location="central"
    )
    yield c.Command(define_reward=reward)
    received = c.ReceiveStockRequest(header=header(), sku=sku, location="central", quantity=stock, unit_cost=500)
    yield c.Command(receive_stock=received)


def redeem(member: str, sku: str, number: int) -> c.Command:
    """A redemption of one unit."""
    request = c.RedeemRequest(header=header(), redemption=f"{sku}-{number}", member=member, reward=sku)
    return c.Command(redeem=request)
