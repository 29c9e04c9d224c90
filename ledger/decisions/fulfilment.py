"""What becomes of a redemption: its units are fulfilled or given back, all at once or in parts (edge case 25)."""

from collections.abc import Iterable

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import Decision, Events, check_begun, check_positive
from ledger.decisions.points import parts_of, release
from ledger.decisions.redemptions import fulfilled
from ledger.decisions.stock import check_there, release_lock, ship
from ledger.events import CancelReason
from ledger.policy import Policy
from ledger.refusals import Reason, Refusal, refuse
from ledger.states.lookup import States
from ledger.states.rewards import Redemption


def redemption_streams(states: States, command: c.Fulfil | c.Cancel) -> Iterable[str]:
    """What the end of a redemption needs: its own stream and, once that is known, member and stock."""
    yield states.redemption_stream(command.redemption)
    yield from goods_streams(states, command.redemption)


def goods_streams(states: States, redemption: str) -> Iterable[str]:
    """The member and the stock of a redemption, if it is known by now."""
    state = states.peek(states.redemption_stream(redemption))
    if state is not None and state.placed is not None:
        yield states.member_stream(state.placed.member)
        if state.placed.sku:
            yield states.stock_stream(state.placed.sku, state.placed.location)


def _units(command: c.Fulfil | c.Cancel, redemption: Redemption, at: Instant) -> int | Refusal:
    """How many of the open units a command means, or why it may not move them. Raises InvalidCommand."""
    if command.quantity is not None:
        check_positive("quantity", command.quantity)
    if redemption.placed is None:
        return refuse(Reason.REDEMPTION_NOT_FOUND, redemption=command.redemption)
    if not redemption.open:
        return refuse(Reason.REDEMPTION_CLOSED, redemption=command.redemption, state=redemption.stage.name)
    if (refusal := check_begun(redemption.placed_at, at)) is not None:
        return refusal
    quantity = redemption.open if command.quantity is None else command.quantity
    if quantity > redemption.open:
        return refuse(Reason.QUANTITY_EXCEEDED, redemption=command.redemption, wanted=quantity, left=redemption.open)
    return quantity


def decide_fulfil(states: States, policy: Policy, command: c.Fulfil, at: Instant) -> Decision:
    """Capture the points of units and ship them; lots that expired meanwhile still count (edge case 3)."""
    redemption = states.redemption(command.redemption)
    quantity = _units(command, redemption, at)
    if isinstance(quantity, Refusal):
        return quantity
    placed = redemption.placed
    assert placed is not None, "an open redemption was placed"
    if placed.expires_at <= at:
        return refuse(Reason.HOLD_EXPIRED, hold=placed.hold, expired_at=placed.expires_at)
    stock = states.stock(placed.sku, placed.location)
    if (refusal := check_there(stock, placed.sku, placed.location, quantity)) is not None:
        return refusal
    member = states.member(placed.member)
    hold = member.holds[placed.hold]
    points = placed.price.points.value * quantity
    redeemed = e.PointsRedeemed(
        hold.unit,
        parts_of(member, hold.take(points)),
        e.RedeemKind(placed.kind.value),
        hold=hold.id,
        redemption=placed.redemption,
        order=placed.order,
        campaign=placed.campaign,
        left=hold.points - points,
    )
    shipped = ship(stock, placed.hold, placed.sku, placed.location, quantity)
    tenders, left = redemption.tenders_of(quantity), redemption.open - quantity
    return [
        (states.member_stream(placed.member), redeemed),
        (states.stock_stream(placed.sku, placed.location), shipped),
        (states.redemption_stream(placed.redemption), fulfilled(placed, quantity, tenders, shipped.cost, left)),
    ]


def decide_cancel(states: States, policy: Policy, command: c.Cancel, at: Instant) -> Decision:
    """Give points and stock of units back: the points to their own lots, with their original expiry."""
    redemption = states.redemption(command.redemption)
    quantity = _units(command, redemption, at)
    if isinstance(quantity, Refusal):
        return quantity
    return give_back(states, redemption, quantity, CancelReason.REQUESTED, at, at)


def give_back(
    states: States, redemption: Redemption, quantity: int, reason: CancelReason, effective_at: Instant, at: Instant
) -> Events:
    """Everything that the end of so many unfulfilled units commits together."""
    placed = redemption.placed
    assert placed is not None, "only what was placed can be given back"
    member = states.member(placed.member)
    stock = states.stock(placed.sku, placed.location)
    points = placed.price.points.value * quantity
    freed = release_lock(stock, placed.hold, placed.sku, placed.location, reason, quantity)
    cancelled = e.RedemptionCancelled(
        placed.redemption,
        placed.member,
        reason,
        effective_at,
        quantity,
        redemption.tenders_of(quantity),
        redemption.open - quantity,
    )
    return [
        *release(states, member, member.holds[placed.hold], at, points),
        (states.stock_stream(placed.sku, placed.location), freed),
        (states.redemption_stream(placed.redemption), cancelled),
    ]
