"""Rewards and redemptions: points and stock together, or neither."""

from collections.abc import Iterable

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import (
    Decision,
    Events,
    check_enrolled,
    check_money,
    check_points,
    check_positive,
    deadline,
)
from ledger.decisions.points import parts_of, release, take
from ledger.decisions.stock import release_lock, ship
from ledger.errors import InvalidCommand
from ledger.events import CancelReason, RewardStatus, TenderType
from ledger.policy import Policy
from ledger.quantities import VALUE_MAX, Amount
from ledger.refusals import Reason, Refusal, refuse
from ledger.states.lookup import States
from ledger.states.member import Member
from ledger.states.rewards import Redemption, Stage
from ledger.states.stock import Stock


def decide_define(states: States, policy: Policy, command: c.DefineReward, at: Instant) -> Decision:
    """Define what a reward is and costs, from a time on."""
    check_points("price.points", command.price.points, policy)
    check_money("price.cash", command.price.cash)
    check_money("list_price", command.list_price)
    definition = e.RewardDefined(
        reward=command.reward,
        kind=command.kind,
        price=command.price,
        status=command.status,
        valid_from=at if command.valid_from is None else command.valid_from,
        sku=command.sku,
        location=command.location,
        list_price=command.list_price,
        tax_code=command.tax_code,
        substitutes=command.substitutes,
    )
    return [(states.reward_stream(command.reward), definition)]


def redeem_streams(states: States, command: c.Redeem) -> Iterable[str]:
    """What a redemption needs: member, reward, its own stream and, once the reward is known, the stock."""
    yield states.member_stream(command.member)
    yield states.reward_stream(command.reward)
    yield states.redemption_stream(command.redemption)
    reward = states.peek(states.reward_stream(command.reward))
    if reward is not None:
        for sku, location in {(d.sku, command.location or d.location) for d in reward.definitions if d.sku}:
            yield states.stock_stream(sku, location)


def decide_redeem(states: States, policy: Policy, command: c.Redeem, at: Instant) -> Decision:
    """Hold the points and lock the stock of a reward; without stock it is settled at once. Stock before points."""
    check_positive("quantity", command.quantity)
    member = states.member(command.member)
    if (refusal := check_enrolled((command.member, member))) is not None:
        return refusal
    if states.redemption(command.redemption).version:
        return refuse(Reason.REDEMPTION_EXISTS, redemption=command.redemption)
    reward = states.reward(command.reward).at(at)
    if reward is None:
        return refuse(Reason.REWARD_NOT_FOUND, reward=command.reward)
    if reward.status is not RewardStatus.ACTIVE:
        substitutes = list(reward.substitutes)
        return refuse(
            Reason.REWARD_UNAVAILABLE, reward=reward.reward, status=reward.status.value, substitutes=substitutes
        )
    price = reward.price
    if (refusal := _check_price(command, price, reward.list_price)) is not None:
        return refusal
    points = Amount(price.points.unit, price.points.value * command.quantity)
    location = command.location or reward.location
    if reward.sku:
        if not location:
            raise InvalidCommand("location", f"is needed: reward {reward.reward!r} names none")
        stock = states.stock(reward.sku, location)
        if stock.available < command.quantity:
            return _out_of_stock(policy, member, reward, command.quantity, location, stock, at)
    taken = take(member, points, at)
    if isinstance(taken, Refusal):
        return taken
    placed = e.RedemptionPlaced(
        redemption=command.redemption,
        member=command.member,
        reward=command.reward,
        quantity=command.quantity,
        kind=reward.kind,
        price=price,
        hold=hold_of(command.redemption),
        expires_at=deadline("", None, policy, at),
        sku=reward.sku,
        location=location if reward.sku else "",
        list_price=reward.list_price,
        tax_code=reward.tax_code,
        tenders=command.tenders,
        order=command.order,
        campaign=command.campaign,
    )
    parts = parts_of(member, taken)
    return _placed_events(states, placed, points, parts)


def hold_of(redemption: str) -> str:
    """The id of a redemption's hold and lock; `:` stands in no id that a caller gives."""
    return f"redemption:{redemption}"


def _check_price(command: c.Redeem, price: e.Price, list_price: int) -> Refusal | None:
    """A refusal where the price is not the expected one, or is not what was paid. Raises InvalidCommand."""
    for place, tender in enumerate(command.tenders):
        if tender.type is TenderType.POINTS or tender.points is not None or tender.hold:
            raise InvalidCommand(f"tenders[{place}]", "the points of a redemption come from its price")
        check_money(f"tenders[{place}].amount", tender.amount)
    if max(price.points.value, price.cash, list_price) * command.quantity > VALUE_MAX:
        raise InvalidCommand("quantity", f"comes to more than {VALUE_MAX}")
    paid = sum(tender.amount for tender in command.tenders)
    if command.expected_price not in (None, price) or paid != price.cash * command.quantity:
        return refuse(
            Reason.PRICE_CHANGED, points=price.points.value, unit=price.points.unit, cash=price.cash, paid=paid
        )
    return None


def _out_of_stock(
    policy: Policy,
    member: Member,
    reward: e.RewardDefined,
    quantity: int,
    location: str,
    stock: Stock,
    at: Instant,
) -> Refusal:
    """Too little stock: what could be had instead, and a price in points and cash for the same goods (I02)."""
    unit = reward.price.points.unit
    wanted = reward.price.points.value * quantity
    points = min(wanted, member.lots(unit).spendable(at))
    quote = {}
    if reward.list_price:
        cash = max(reward.list_price * quantity - policy.money_of(points), 0)
        quote = {"quote_points": points, "quote_unit": unit, "quote_cash": cash}
    return refuse(
        Reason.OUT_OF_STOCK,
        sku=reward.sku,
        location=location,
        wanted=quantity,
        available=stock.available,
        substitutes=list(reward.substitutes),
        **quote,
    )


def _placed_events(states: States, placed: e.RedemptionPlaced, points: Amount, parts: tuple[e.Part, ...]) -> Events:
    """Everything that a placed redemption commits together."""
    stream = states.redemption_stream(placed.redemption)
    owner = states.member_stream(placed.member)
    if not placed.sku:
        kind = e.RedeemKind(placed.kind.value)
        redeemed = e.PointsRedeemed(
            points.unit,
            parts,
            kind,
            redemption=placed.redemption,
            order=placed.order,
            campaign=placed.campaign,
        )
        return [(stream, placed), (owner, redeemed), (stream, _fulfilled(placed, cost=0))]
    held = e.PointsHeld(placed.hold, points.unit, parts, placed.expires_at, placed.redemption)
    locked = e.StockLocked(
        placed.hold, placed.sku, placed.location, placed.quantity, placed.expires_at, placed.redemption
    )
    outbound = e.OutboundOpened(f"out-{placed.redemption}", placed.sku, placed.location, placed.quantity)
    item = states.stock_stream(placed.sku, placed.location)
    return [(stream, placed), (owner, held), (item, locked), (stream, outbound)]


def _fulfilled(placed: e.RedemptionPlaced, cost: int) -> e.RedemptionFulfilled:
    return e.RedemptionFulfilled(
        redemption=placed.redemption,
        member=placed.member,
        reward=placed.reward,
        quantity=placed.quantity,
        kind=placed.kind,
        points=Amount(placed.price.points.unit, placed.price.points.value * placed.quantity),
        list_price=placed.list_price,
        tax_code=placed.tax_code,
        tenders=placed.tenders,
        order=placed.order,
        campaign=placed.campaign,
        cost=cost,
    )


def redemption_streams(states: States, redemption: str) -> Iterable[str]:
    """What the end of a redemption needs: its own stream and, once that is known, member and stock."""
    yield states.redemption_stream(redemption)
    state = states.peek(states.redemption_stream(redemption))
    if state is not None and state.placed is not None:
        yield states.member_stream(state.placed.member)
        if state.placed.sku:
            yield states.stock_stream(state.placed.sku, state.placed.location)


def _open(redemption: str, state: Redemption) -> e.RedemptionPlaced | Refusal:
    """The redemption as it was placed, if it is still open."""
    if state.placed is None:
        return refuse(Reason.REDEMPTION_NOT_FOUND, redemption=redemption)
    if state.stage is not Stage.PLACED:
        return refuse(Reason.REDEMPTION_CLOSED, redemption=redemption, state=state.stage.name)
    return state.placed


def decide_fulfil(states: States, policy: Policy, command: c.Fulfil, at: Instant) -> Decision:
    """Capture the points and ship the stock; lots that expired meanwhile still count (edge case 3)."""
    placed = _open(command.redemption, states.redemption(command.redemption))
    if isinstance(placed, Refusal):
        return placed
    if placed.expires_at <= at:
        return refuse(Reason.HOLD_EXPIRED, hold=placed.hold, expired_at=placed.expires_at)
    member = states.member(placed.member)
    hold = member.holds[placed.hold]
    shipped = ship(states, states.stock(placed.sku, placed.location), placed.hold, placed.sku, placed.location)
    redeemed = e.PointsRedeemed(
        hold.unit,
        parts_of(member, ((lot, lot.points) for lot in hold.lots)),
        e.RedeemKind(placed.kind.value),
        hold=hold.id,
        redemption=placed.redemption,
        order=placed.order,
        campaign=placed.campaign,
    )
    return [
        (states.member_stream(placed.member), redeemed),
        (states.stock_stream(placed.sku, placed.location), shipped),
        (states.redemption_stream(placed.redemption), _fulfilled(placed, shipped.cost)),
    ]


def decide_cancel(states: States, policy: Policy, command: c.Cancel, at: Instant) -> Decision:
    """Give points and stock back: the points to their own lots, with their original expiry."""
    placed = _open(command.redemption, states.redemption(command.redemption))
    if isinstance(placed, Refusal):
        return placed
    return give_back(states, placed, CancelReason.REQUESTED, at, at)


def give_back(
    states: States, placed: e.RedemptionPlaced, reason: CancelReason, effective_at: Instant, at: Instant
) -> Events:
    """Everything that the end of an unfulfilled redemption commits together."""
    member = states.member(placed.member)
    lock = states.stock(placed.sku, placed.location).locks[placed.hold]
    cancelled = e.RedemptionCancelled(placed.redemption, placed.member, reason, effective_at)
    return [
        *release(states, member, member.holds[placed.hold], at),
        (
            states.stock_stream(placed.sku, placed.location),
            release_lock(lock, placed.sku, placed.location, reason),
        ),
        (states.redemption_stream(placed.redemption), cancelled),
    ]
