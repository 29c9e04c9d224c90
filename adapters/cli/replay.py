"""A grocery chain's year as commands: what each day of the data set asks of the ledger."""

from collections.abc import Iterator, Sequence
from datetime import date
from datetime import time as clock_time

from adapters.completejourney.dataset import Basket, Dataset, Day, Redemption, instant_of
from adapters.grpc.client.ids import uuid7_text
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import types_pb2 as t

PROGRAMME = "grocery"
ZONE = "America/New_York"
UNIT = "points"
LOCATION = "central"
REWARD_POINTS = 100
REWARD_STOCK = 3
OPENED = date(2017, 1, 1)
END = date(2018, 7, 1)
SECOND = 1_000_000


def header(occurred_at: int, channel: str = "back-office", actor: str = "replay") -> t.Header:
    """What every command carries; `occurred_at` in microseconds since the epoch."""
    made = t.Header(command_id=uuid7_text(), programme=PROGRAMME, actor=actor, channel=channel)
    made.occurred_at.seconds, micros = divmod(occurred_at, SECOND)
    made.occurred_at.nanos = micros * 1_000
    return made


def opening(dataset: Dataset) -> Iterator[c.Command]:
    """The programme, its members, and a reward with three pieces in stock for each coupon."""
    at = instant_of(OPENED)
    settings = t.Settings(
        zone=ZONE,
        clock=t.CLOCK_KIND_MANUAL,
        units=[t.PointUnit(name=UNIT)],
        currency="USD",
        currency_digits=2,
        earning_unit=UNIT,
        earning_rate="1/100",
        rounding=t.ROUNDING_DOWN,
        point_value="1",
        lot_months=12,
    )
    yield c.Command(open_programme=c.OpenProgrammeRequest(header=header(at), settings=settings))
    for household in dataset.households:
        yield c.Command(enrol_member=c.EnrolMemberRequest(header=header(at), member=household))
    price = t.Price(points=t.Amount(unit=UNIT, value=REWARD_POINTS))
    for coupon in dataset.coupons:
        reward = c.DefineRewardRequest(
            header=header(at),
            reward=coupon,
            kind=t.REWARD_KIND_COUPON,
            price=price,
            sku=coupon,
            location=LOCATION,
        )
        yield c.Command(define_reward=reward)
        stock = c.ReceiveStockRequest(header=header(at), sku=coupon, location=LOCATION, quantity=REWARD_STOCK)
        yield c.Command(receive_stock=stock)


def advance(now: int) -> c.Command:
    """The clock moves to an instant."""
    request = c.AdvanceClockRequest(header=header(now))
    request.now.seconds, micros = divmod(now, SECOND)
    request.now.nanos = micros * 1_000
    return c.Command(advance_clock=request)


def day_end(day: date) -> int:
    """23:59:59 local time."""
    return instant_of(day, clock_time(23, 59, 59))


def fulfilments(day: date, redemptions: Sequence[str]) -> Iterator[c.Command]:
    """Yesterday's redemptions are handed out at nine in the morning."""
    at = instant_of(day, clock_time(9))
    for redemption in redemptions:
        yield c.Command(fulfil=c.FulfilRequest(header=header(at), redemption=redemption))


def purchases(day: Day) -> Iterator[c.Command]:
    """A day's baskets, each at its own time, in its store."""
    for basket in day.baskets:
        yield c.Command(record_purchase=_purchase(basket))


def redemptions(day: Day) -> Iterator[tuple[str, c.Command]]:
    """A day's redemptions, at its end, with their ids; some repeat, so the id has an ordinal."""
    for ordinal, redemption in enumerate(day.redemptions):
        name = f"{redemption.household}-{redemption.coupon_upc}-{day.date:%Y%m%d}-{ordinal}"
        yield name, c.Command(redeem=_redeem(name, redemption))


def _redeem(name: str, redemption: Redemption) -> c.RedeemRequest:
    return c.RedeemRequest(
        header=header(redemption.time),
        redemption=name,
        member=redemption.household,
        reward=redemption.coupon_upc,
        campaign=redemption.campaign_id,
    )


def _purchase(basket: Basket) -> c.RecordPurchaseRequest:
    """A basket; what a manufacturer's coupon paid is part of `sales_value`, since the shop gets it back."""
    request = c.RecordPurchaseRequest(
        header=header(basket.time, channel=f"store-{basket.store}", actor="till"),
        member=basket.household,
        order=basket.basket_id,
        store=basket.store,
    )
    add = request.lines.add
    for line in basket.lines:
        product = line.product
        made = add(
            sku=product.product_id,
            quantity=line.quantity,
            list_price=line.sales_value + line.retail_disc + line.coupon_match_disc,
            net=line.sales_value,
            brand=product.brand or "",
            category=product.product_category or "",
        )
        if line.retail_disc:
            made.discounts.add(kind="retail", amount=line.retail_disc)
        if line.coupon_match_disc:
            made.discounts.add(kind="coupon match", amount=line.coupon_match_disc)
    return request
