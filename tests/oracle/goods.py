"""What the oracle knows of goods: purchases, rewards, redemptions and stock."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ledger import events as e
from ledger.events import Fact
from ledger.ids import order_stream, redemption_stream, stock_stream
from ledger.records import Record
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
            worth = int(points * Fraction(programme.settings.point_value))
            require(tender.amount == worth, record, f"{points} points pay {worth}, not {tender.amount}")
            loose.expect("paid", event.member, order, unit, points, tender.hold, tender.amount)
    check_earning(programme, record, event, due)
    if event.lot:
        assert event.earning is not None
        loose.expect("earned", event.member, event.lot, event.earning.points)


def check_earning(programme: Programme, record: Record, event: e.PurchaseRecorded, due: int) -> None:
    """Rate x base x share that earns, rounded once; the lines' points sum to it, each within one of its share."""
    settings, earning = programme.settings, event.earning
    points = 0 if earning is None else earning.points
    require(bool(event.lot) == bool(points), record, "there is a lot if and only if there are points")
    if earning is None:
        require(Fraction(settings.earning_rate) == 0, record, "a programme with a rate reckons")
        return
    amounts = [line.net if settings.earning_base is e.EarningBase.NET else line.due for line in event.lines.rows()]
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
    cash = sum(tender.amount for tender in event.tenders)
    require(cash == offer.price.cash * event.quantity, record, "the money on top is another")
    programme.redemptions[event.redemption] = Redemption(event)
    unit, points = event.price.points.unit, event.price.points.value * event.quantity
    if event.sku:
        loose.expect("held", event.redemption, event.member, unit, points, event.expires_at)
        loose.expect("locked", event.redemption, event.sku, event.location, event.quantity, event.expires_at)
        loose.expect("outbound", event.redemption, event.sku, event.location, event.quantity)
    else:
        loose.expect("captured", event.redemption, event.member, unit, points)


def opened_outbound(programme: Programme, record: Record, event: e.OutboundOpened, loose: Loose) -> None:
    redemption = record.stream.removeprefix(f"{programme.name}/redemption/")
    loose.meet(record, "outbound", redemption, event.sku, event.location, event.quantity)


def fulfilled(programme: Programme, record: Record, event: e.RedemptionFulfilled, loose: Loose) -> None:
    redemption = programme.redemptions[event.redemption]
    require(redemption.stage == "PLACED", record, f"it was {redemption.stage} before")
    redemption.stage = "FULFILLED"
    loose.meet(record, "settled", event.redemption)
    if redemption.placed.sku:
        loose.meet(record, "sent out", event.redemption, event.quantity, event.cost)
    price = redemption.placed.price.points
    require(event.points.value == price.value * event.quantity, record, "another price than was agreed")


def cancelled(programme: Programme, record: Record, event: e.RedemptionCancelled, loose: Loose) -> None:
    redemption = programme.redemptions[event.redemption]
    require(redemption.stage == "PLACED", record, f"it was {redemption.stage} before")
    require(event.effective_at <= record.occurred_at, record, "an end before its time")
    redemption.stage = "CANCELLED"
    loose.meet(record, "given back", event.redemption)
    loose.meet(record, "put back", event.redemption, event.reason)


def stock_of(programme: Programme, record: Record, sku: str, location: str) -> Stock:
    require(record.stream == stock_stream(programme.name, sku, location), record, "another stock item")
    return programme.stocks.setdefault(f"{sku}@{location}", Stock())


def received(programme: Programme, record: Record, event: e.StockReceived, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    require(event.quantity > 0, record, "nothing came in")
    stock.received += event.quantity
    stock.free += event.quantity
    stock.cost_in += event.quantity * event.unit_cost


def locked(programme: Programme, record: Record, event: e.StockLocked, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    require(event.lock not in stock.locks, record, f"{event.lock} is locked already")
    require(0 < event.quantity <= stock.free, record, f"{event.quantity} of {stock.free} free units are locked")
    require(event.expires_at > record.occurred_at, record, "a lock that ends before it begins")
    stock.free -= event.quantity
    stock.locks[event.lock] = event
    if event.redemption:
        end = ("locked", event.redemption, event.sku, event.location, event.quantity, event.expires_at)
        loose.meet(record, *end)


def freed(programme: Programme, record: Record, event: e.StockReleased, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    lock = stock.locks.pop(event.lock, None)
    require(lock is not None and lock.quantity == event.quantity, record, f"{event.lock} is not locked so")
    assert lock is not None
    stock.free += event.quantity
    if lock.redemption:
        loose.expect("put back", lock.redemption, event.reason)


def shipped(programme: Programme, record: Record, event: e.StockShipped, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    lock = stock.locks.pop(event.lock, None)
    require(lock is not None and lock.quantity == event.quantity, record, f"{event.lock} is not locked so")
    assert lock is not None
    require(lock.redemption == event.redemption, record, f"{event.lock} belongs to {lock.redemption!r}")
    require(record.occurred_at < lock.expires_at, record, f"{event.lock} had timed out")
    left = stock.cost_in - stock.cost_out
    exact = Fraction(left * event.quantity, stock.received - stock.shipped)
    require(abs(event.cost - exact) <= Fraction(1, 2), record, f"the moving average is {exact}, not {event.cost}")
    stock.shipped += event.quantity
    stock.cost_out += event.cost
    require(stock.cost_out <= stock.cost_in, record, "more cost went out than came in")
    if event.redemption:
        loose.expect("sent out", event.redemption, event.quantity, event.cost)


FOLDS: dict[type[Fact], Callable[[Programme, Record, Any, Loose], None]] = {
    e.PurchaseRecorded: bought,
    e.RewardDefined: defined,
    e.RedemptionPlaced: placed,
    e.OutboundOpened: opened_outbound,
    e.RedemptionFulfilled: fulfilled,
    e.RedemptionCancelled: cancelled,
    e.StockReceived: received,
    e.StockLocked: locked,
    e.StockReleased: freed,
    e.StockShipped: shipped,
}
