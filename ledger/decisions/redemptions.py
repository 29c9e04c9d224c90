"""Placing redemptions: points and stock together, or neither."""

from collections.abc import Iterable

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.allocation import Place, place_of, place_streams
from ledger.decisions.checks import Decision, Events, check_active, check_money, check_positive, time_out
from ledger.decisions.lifetimes import kept_alive
from ledger.decisions.points import parts_of, take
from ledger.errors import InvalidCommand
from ledger.events import RewardStatus, TenderType
from ledger.policy import Policy
from ledger.quantities import VALUE_MAX, Amount
from ledger.refusals import Reason, Refusal, refuse
from ledger.settings import Activity
from ledger.states.lookup import States
from ledger.states.member import Member


def redeem_streams(states: States, command: c.Redeem) -> Iterable[str]:
    """What a redemption needs: member, reward, its own stream and, once the reward is known, its SKU and the stock."""
    yield states.member_stream(command.member)
    yield states.reward_stream(command.reward)
    yield states.redemption_stream(command.redemption)
    reward = states.peek(states.reward_stream(command.reward))
    if reward is not None:
        for sku, location in {(d.sku, command.location or d.location) for d in reward.definitions if d.sku}:
            yield states.sku_stream(sku)
            yield from place_streams(states, sku, location)


def decide_redeem(states: States, policy: Policy, command: c.Redeem, at: Instant) -> Decision:
    """Hold the points and lock the stock of a reward; without stock it is settled at once. Stock before points."""
    check_positive("quantity", command.quantity)
    member = states.member(command.member)
    if (refusal := check_active((command.member, member))) is not None:
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
    if (refusal := _check_price(command, reward.price, reward.list_price)) is not None:
        return refusal
    place = None
    if reward.sku:
        place = place_of(states, reward, command)
        if (reason := _check_stock(states, reward.sku, command.quantity, place)) is not None:
            return _refuse_stock(reason, policy, member, reward, command.quantity, place, at)
    points = Amount(reward.price.points.unit, reward.price.points.value * command.quantity)
    taken = take(member, points, at)
    if isinstance(taken, Refusal):
        return taken
    placed = _placed(policy, command, reward, place, at)
    events = _placed_events(states, placed, points, parts_of(member, taken))
    return events + kept_alive(states, policy, member, at, (Activity.REDEEM,), events)


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


def _check_stock(states: States, sku: str, quantity: int, place: Place) -> Reason | None:
    """Why so many units cannot be had there, if they cannot."""
    if states.sku(sku).discontinued or place.stock.discontinued:
        return Reason.STOCK_DISCONTINUED
    return Reason.OUT_OF_STOCK if place.stock.available < quantity else None


def _refuse_stock(
    reason: Reason, policy: Policy, member: Member, reward: e.RewardDefined, quantity: int, place: Place, at: Instant
) -> Refusal:
    """No stock: what could be had instead, and a price in points and cash for the same goods (I02, I05)."""
    unit = reward.price.points.unit
    wanted = reward.price.points.value * quantity
    points = min(wanted, member.lots(unit).spendable(at))
    quote = {}
    if reward.list_price:
        cash = max(reward.list_price * quantity - policy.money_of(points), 0)
        quote = {"quote_points": points, "quote_unit": unit, "quote_cash": cash}
    return refuse(
        reason,
        sku=reward.sku,
        location=place.location,
        wanted=quantity,
        available=place.stock.available,
        substitutes=list(reward.substitutes),
        **quote,
    )


def _placed(
    policy: Policy, command: c.Redeem, reward: e.RewardDefined, place: Place | None, at: Instant
) -> e.RedemptionPlaced:
    return e.RedemptionPlaced(
        redemption=command.redemption,
        member=command.member,
        reward=command.reward,
        quantity=command.quantity,
        kind=reward.kind,
        price=reward.price,
        hold=hold_of(command.redemption),
        expires_at=time_out(policy, at),
        sku=reward.sku,
        location=place.location if place else "",
        list_price=reward.list_price,
        tax_code=reward.tax_code,
        tenders=command.tenders,
        order=command.order,
        campaign=command.campaign,
        destination=command.destination,
        allocation_version=place.allocation_version if place else 0,
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
        settled = fulfilled(placed, placed.quantity, placed.tenders, cost=0, left=0)
        return [(stream, placed), (owner, redeemed), (stream, settled)]
    held = e.PointsHeld(placed.hold, points.unit, parts, placed.expires_at, placed.redemption)
    locked = e.StockLocked(
        placed.hold, placed.sku, placed.location, placed.quantity, placed.expires_at, placed.redemption
    )
    outbound = e.OutboundOpened(f"out-{placed.redemption}", placed.sku, placed.location, placed.quantity)
    item = states.stock_stream(placed.sku, placed.location)
    return [(stream, placed), (owner, held), (item, locked), (stream, outbound)]


def fulfilled(
    placed: e.RedemptionPlaced, quantity: int, tenders: tuple[e.Tender, ...], cost: int, left: int
) -> e.RedemptionFulfilled:
    """The fulfilling of so many units; `tenders` paid for them, `cost` is theirs, `left` are open after it."""
    return e.RedemptionFulfilled(
        redemption=placed.redemption,
        member=placed.member,
        reward=placed.reward,
        quantity=quantity,
        kind=placed.kind,
        points=Amount(placed.price.points.unit, placed.price.points.value * quantity),
        list_price=placed.list_price,
        tax_code=placed.tax_code,
        tenders=tenders,
        order=placed.order,
        campaign=placed.campaign,
        cost=cost,
        left=left,
    )
