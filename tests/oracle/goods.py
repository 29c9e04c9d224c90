"""What the oracle knows of goods: purchases, rewards and redemptions."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ledger import events as e
from ledger.events import Fact
from ledger.ids import allocation_stream, order_stream, redemption_stream
from ledger.records import Record
from ledger.settings import EarningBase
from tests.oracle.facts import Programme, Redemption, Stock
from tests.oracle.loose import Loose, require


def bought(programme: Programme, record: Record, event: e.PurchaseRecorded, loose: Loose) -> None:
    require(record.stream == order_stream(programme.name, record.channel, event.order), record, "another order")
    require(record.version == 1, record, "an order is recorded twice")
    due = sum(line.due for line in event.lines.rows())
    require(sum(tender.amount for tender in event.tenders) == due, record, f"the tenders do not come to {due}")
    for tender in event.tenders:
        if tender.points is not None:
            order = f"{record.channel}/{event.order}"
            unit, points = tender.points.unit, tender.points.value
            worth = int(points * Fraction(programme.settings_at(record.occurred_at).point_value))
            require(tender.amount == worth, record, f"{points} points pay {worth}, not {tender.amount}")
            loose.expect("paid", event.member, order, unit, points, tender.hold, tender.amount)
    check_earning(programme, record, event, due)
    if event.lot:
        assert event.earning is not None
        loose.expect("earned", event.member, event.lot, event.earning.points)


def check_earning(programme: Programme, record: Record, event: e.PurchaseRecorded, due: int) -> None:
    """Rate x base x share that earns, rounded once; the lines' points sum to it, each within one of its share."""
    settings, earning = programme.settings_at(record.occurred_at), event.earning
    points = 0 if earning is None else earning.points
    require(bool(event.lot) == bool(points), record, "there is a lot if and only if there are points")
    if earning is None:
        require(Fraction(settings.earning_rate) == 0, record, "a programme with a rate reckons")
        return
    version = programme.version_at(record.occurred_at)
    require(earning.rule_version == version, record, f"it goes by settings {version}, not {earning.rule_version}")
    amounts = [line.net if settings.earning_base is EarningBase.NET else line.due for line in event.lines.rows()]
    paid = sum(tender.amount for tender in event.tenders if tender.type in {e.TenderType.CASH, e.TenderType.ON_ACCOUNT})
    share = Fraction(paid, due) if due else Fraction(1)
    exact = Fraction(settings.earning_rate) * sum(amounts) * share
    require(Fraction(earning.exact) == exact, record, f"{earning.exact} is not {exact}")
    off = {"DOWN": exact - points, "UP": points - exact, "HALF_UP": points - exact + Fraction(1, 2)}
    if settings.rounding.value == "HALF_UP":
        require(0 < off["HALF_UP"] <= 1, record, f"{points} is not {exact} rounded to the nearest")
    else:
        require(0 <= off[settings.rounding.value] < 1, record, f"{points} is not {exact} rounded")
    if points:
        require(sum(earning.by_line) == points, record, "the lines' points do not sum to the order's")
        for part, amount in zip(earning.by_line, amounts, strict=True):
            require(abs(part - Fraction(points * amount, sum(amounts))) < 1, record, "a line is off by a point")


def defined(programme: Programme, record: Record, event: e.RewardDefined, loose: Loose) -> None:
    programme.rewards.setdefault(event.reward, []).append(event)


def placed(programme: Programme, record: Record, event: e.RedemptionPlaced, loose: Loose) -> None:
    require(record.stream == redemption_stream(programme.name, event.redemption), record, "another redemption")
    require(event.redemption not in programme.redemptions, record, "placed twice")
    offers = [offer for offer in programme.rewards.get(event.reward, []) if offer.valid_from <= record.occurred_at]
    require(bool(offers), record, "a reward that was not on offer")
    latest = max(offer.valid_from for offer in offers)
    offer = [offer for offer in offers if offer.valid_from == latest][-1]
    require(offer.status is e.RewardStatus.ACTIVE, record, "a reward that was withdrawn")
    require((offer.price, offer.sku, offer.kind) == (event.price, event.sku, event.kind), record, "another offer")
    paid = [tender.amount for tender in event.tenders]
    require(sum(paid) == offer.price.cash * event.quantity, record, "the money on top is another")
    programme.redemptions[event.redemption] = Redemption(event, record.occurred_at, event.quantity, paid)
    unit, points = event.price.points.unit, event.price.points.value * event.quantity
    if event.sku:
        check_place(programme, record, event, offer)
        loose.expect("held", event.redemption, event.member, unit, points, event.expires_at)
        loose.expect("locked", event.redemption, event.sku, event.location, event.quantity, event.expires_at)
        loose.expect("outbound", event.redemption, event.sku, event.location, event.quantity)
    else:
        loose.expect("captured", event.redemption, event.member, unit, points)


def check_place(programme: Programme, record: Record, event: e.RedemptionPlaced, offer: e.RewardDefined) -> None:
    """Where a policy chose: of all places with enough, the nearest; of these the fullest, then the first by name."""
    if not event.allocation_version:
        return
    policy = programme.policy
    require(policy is not None and policy.version == event.allocation_version, record, "another policy is in force")
    require(not offer.location, record, "the reward names a location, and a policy chose")
    assert policy is not None
    far = {row.location: row.distance for row in policy.distances if row.destination == event.destination}
    places = []
    for location in policy.locations:
        free = programme.stocks.get(f"{event.sku}@{location}", Stock()).free
        if free >= event.quantity and programme.sells(event.sku, location):
            places.append((far.get(location, float("inf")), -free, location))
    require(bool(places) and min(places)[2] == event.location, record, f"{event.location} is not the first of {places}")


def opened_outbound(programme: Programme, record: Record, event: e.OutboundOpened, loose: Loose) -> None:
    redemption = record.stream.removeprefix(f"{programme.name}/redemption/")
    loose.meet(record, "outbound", redemption, event.sku, event.location, event.quantity)


def close(programme: Programme, record: Record, event: e.RedemptionFulfilled | e.RedemptionCancelled) -> Redemption:
    """Close open units: their part of the money is within one of what is in proportion, and all parts sum up."""
    redemption = programme.redemptions[event.redemption]
    require(record.occurred_at >= redemption.placed_at, record, "it ends before it begins")
    require(0 < event.quantity <= redemption.open, record, f"{event.quantity} of {redemption.open} open units")
    require(event.left == redemption.open - event.quantity, record, f"{event.left} units are said to be left")
    amounts = [tender.amount for tender in event.tenders]
    require(
        sum(amounts) == redemption.placed.price.cash * event.quantity
        and [tender.type for tender in event.tenders] == [tender.type for tender in redemption.placed.tenders],
        record,
        f"{event.tenders} are not what paid for {event.quantity} units",
    )
    for amount, paid in zip(amounts, redemption.paid, strict=True):
        exact = Fraction(paid * event.quantity, redemption.open)
        require(abs(amount - exact) < 1 and 0 <= amount <= paid, record, f"the part of a tender is {exact}")
    redemption.paid = [paid - amount for paid, amount in zip(redemption.paid, amounts, strict=True)]
    redemption.open = event.left
    return redemption


def fulfilled(programme: Programme, record: Record, event: e.RedemptionFulfilled, loose: Loose) -> None:
    redemption = close(programme, record, event)
    points = redemption.placed.price.points.value * event.quantity
    redemption.fulfilled += event.quantity
    redemption.stage = "PARTLY_FULFILLED" if redemption.open else "FULFILLED"
    loose.meet(record, "settled", event.redemption, points)
    if redemption.placed.sku:
        loose.meet(record, "sent out", event.redemption, event.quantity, event.cost)
    require(event.points.value == points, record, "another price than was agreed")


def cancelled(programme: Programme, record: Record, event: e.RedemptionCancelled, loose: Loose) -> None:
    redemption = close(programme, record, event)
    require(event.effective_at <= record.occurred_at, record, "an end before its time")
    redemption.returned += sum(tender.amount for tender in event.tenders)
    if not redemption.open:
        given_back = "TIMED_OUT" if event.reason is e.CancelReason.TIMED_OUT else "CANCELLED"
        redemption.stage = "FULFILLED" if redemption.fulfilled else given_back
    points = redemption.placed.price.points.value * event.quantity
    loose.meet(record, "given back", event.redemption, points)
    loose.meet(record, "put back", event.redemption, event.quantity, event.reason)


def published(programme: Programme, record: Record, event: e.AllocationPolicyPublished, loose: Loose) -> None:
    require(record.stream == allocation_stream(programme.name), record, "another stream")
    require(event.version == record.version, record, f"{event.version} is not the next version")
    programme.policy = event


FOLDS: dict[type[Fact], Callable[[Programme, Record, Any, Loose], None]] = {
    e.PurchaseRecorded: bought,
    e.RewardDefined: defined,
    e.RedemptionPlaced: placed,
    e.OutboundOpened: opened_outbound,
    e.RedemptionFulfilled: fulfilled,
    e.RedemptionCancelled: cancelled,
    e.AllocationPolicyPublished: published,
}
