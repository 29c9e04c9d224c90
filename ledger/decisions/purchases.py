"""Purchases: what a bill earns, and the points that pay for some of it, in one commit."""

from collections.abc import Sequence

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import (
    QUANTITY_MAX,
    Decision,
    Events,
    check_begun,
    check_enrolled,
    check_fraction,
    check_money,
    check_points,
)
from ledger.decisions.lifetimes import kept_alive, lifetime
from ledger.decisions.points import Taken, availability, beyond_limit, parts_of, take, waits_forever
from ledger.errors import InvalidCommand
from ledger.events import TenderType
from ledger.policy import Policy
from ledger.quantities import VALUE_MAX, Amount, round_fraction, split
from ledger.refusals import Reason, Refusal, refuse
from ledger.settings import Activity, EarningBase
from ledger.states.lookup import States
from ledger.states.member import Member

LINES_MAX = 1_000
EARNING_TENDERS = (TenderType.CASH, TenderType.ON_ACCOUNT)
"""What a member pays with that earns: not points, and not the coupons that points may have bought (edge case 16)."""
BASE_RULE = "base"
"""The rule that a programme's own earning rate is called by in events."""


def source_of(channel: str, order: str) -> e.Source:
    """What a purchase's grant stands on."""
    return e.Source("order", f"{channel}/{order}")


def decide_purchase(states: States, policy: Policy, command: c.RecordPurchase, at: Instant) -> Decision:
    """Record a purchase; spend what pays for it in points, earn on the rest."""
    due = _check_lines(command.lines)
    tenders = _check_tenders(command.tenders, due, policy)
    member = states.member(command.member)
    if (refusal := check_enrolled((command.member, member))) is not None:
        return refusal
    if states.order(command.order).version:
        return refuse(Reason.ORDER_ALREADY_RECORDED, order=command.order, channel=states.channel)
    payments = _payments(member, command, at)
    if isinstance(payments, Refusal):
        return payments
    earning = _earning(policy, command.lines, tenders, due)
    spent = _spent(states, member, command, payments)
    activities = [Activity.PURCHASE]
    activities += [Activity.REDEEM] if payments else []
    activities += [Activity.EARN] if earning is not None and earning.points else []
    alive = kept_alive(states, policy, member, at, activities, spent)
    grant = None
    if earning is not None and earning.points:
        if (refusal := beyond_limit(member, earning.unit, earning.points)) is not None:
            return refusal
        grant = _grant(states, policy, command, earning, member, activities, at)
    purchase = e.PurchaseRecorded(
        command.member,
        command.order,
        command.store,
        e.Lines.of(command.lines),
        tenders,
        policy.settings.currency,
        earning,
        grant.lot if grant else "",
        grant.issued if grant else "",
        grant.expires_at if grant else None,
        tuple(
            e.Spent(amount.unit, tuple(member.taken(lot, points) for lot, points in taken))
            for _, amount, taken in payments
        ),
        grant.period if grant else 0,
    )
    earned: Events = [(states.member_stream(command.member), grant)] if grant else []
    return [(states.order_stream(command.order), purchase), *spent, *alive, *earned]


def _check_lines(lines: tuple[e.Line, ...]) -> int:
    """What the bill comes to. Raises InvalidCommand."""
    if not 0 < len(lines) <= LINES_MAX:
        raise InvalidCommand("lines", f"must have 1 to {LINES_MAX} lines, not {len(lines)}")
    due = 0
    for place, line in enumerate(lines):
        if (
            not 0 <= line.quantity <= QUANTITY_MAX
            or line.net < 0
            or not 0 <= line.list_price <= VALUE_MAX
            or line.gross is not None
            or line.cost is not None
            or line.discounts
            or line.standalone_price is not None
            or line.tax_rate
        ):
            _check_line(f"lines[{place}]", line)
        due += line.due
    if due > VALUE_MAX:
        raise InvalidCommand("lines", f"come to more than {VALUE_MAX}")
    return due


def _check_line(field: str, line: e.Line) -> None:
    if not 0 <= line.quantity <= QUANTITY_MAX:
        raise InvalidCommand(f"{field}.quantity", f"must be from 0 to {QUANTITY_MAX}, not {line.quantity}")
    check_money(f"{field}.net", line.net)
    check_money(f"{field}.list_price", line.list_price)
    check_money(f"{field}.gross", line.due)
    if line.due < line.net:
        raise InvalidCommand(f"{field}.gross", "must not be less than net")
    if line.cost is not None:
        check_money(f"{field}.cost", line.cost)
    if line.standalone_price is not None:
        check_money(f"{field}.standalone_price", line.standalone_price)
    for place, discount in enumerate(line.discounts):
        check_money(f"{field}.discounts[{place}].amount", discount.amount)
    if line.tax_rate:
        check_fraction(f"{field}.tax_rate", line.tax_rate)


def _check_tenders(tenders: tuple[e.Tender, ...], due: int, policy: Policy) -> tuple[e.Tender, ...]:
    """What paid the bill, exactly. Raises InvalidCommand."""
    if not tenders:
        return (e.Tender(TenderType.CASH, due),)
    units: set[str] = set()
    for place, tender in enumerate(tenders):
        field = f"tenders[{place}]"
        check_money(f"{field}.amount", tender.amount)
        if tender.type is not TenderType.POINTS:
            if tender.points is not None or tender.hold:
                raise InvalidCommand(field, "only POINTS carries points or a hold")
            continue
        if tender.points is None:
            raise InvalidCommand(f"{field}.points", "is needed for POINTS")
        check_points(f"{field}.points", tender.points, policy)
        worth = policy.money_of(tender.points.value)
        if tender.amount != worth:
            raise InvalidCommand(f"{field}.amount", f"these points pay {worth}, not {tender.amount}")
        if not tender.hold and tender.points.unit in units:
            raise InvalidCommand(field, "points of one unit must be one tender")
        units.add(tender.points.unit if not tender.hold else "")
    paid = sum(tender.amount for tender in tenders)
    if paid != due:
        raise InvalidCommand("tenders", f"come to {paid}, the lines to {due}")
    return tenders


def _payments(member: Member, command: c.RecordPurchase, at: Instant) -> list[tuple[e.Tender, Amount, Taken]] | Refusal:
    """The tenders in points with the lots that give them: out of the open ones, or out of a hold that is named."""
    payments: list[tuple[e.Tender, Amount, Taken]] = []
    for place, tender in enumerate(command.tenders):
        amount = tender.points
        if amount is None:
            continue
        if tender.hold:
            hold = member.holds.get(tender.hold)
            if hold is None or hold.redemption or any(other.hold == tender.hold for other, _, _ in payments):
                return refuse(Reason.HOLD_NOT_FOUND, hold=tender.hold)
            if (refusal := check_begun(hold.held_at, at)) is not None:
                return refusal
            if hold.expires_at <= at:
                return refuse(Reason.HOLD_EXPIRED, hold=tender.hold, expired_at=hold.expires_at)
            if (hold.unit, hold.points) != (amount.unit, amount.value):
                raise InvalidCommand(f"tenders[{place}].points", f"the hold has {hold.points} {hold.unit}")
            payments.append((tender, amount, [(lot, lot.points) for lot in hold.lots]))
        elif member.frozen:
            return refuse(Reason.ACCOUNT_FROZEN, member=command.member)
        else:
            taken = take(member, amount, at)
            if isinstance(taken, Refusal):
                return taken
            payments.append((tender, amount, taken))
    return payments


def _spent(
    states: States, member: Member, command: c.RecordPurchase, payments: list[tuple[e.Tender, Amount, Taken]]
) -> Events:
    """The events by which points pay for a bill."""
    order = f"{states.channel}/{command.order}"
    stream = states.member_stream(member.id)
    return [
        (
            stream,
            e.PointsRedeemed(
                amount.unit,
                parts_of(member, taken),
                e.RedeemKind.OFFSET,
                hold=tender.hold,
                order=order,
                amount=tender.amount,
            ),
        )
        for tender, amount, taken in payments
    ]


def _earning(policy: Policy, lines: tuple[e.Line, ...], tenders: tuple[e.Tender, ...], due: int) -> e.Earning | None:
    """The points that a bill earns: rate x base x (what earns / what is due), rounded once, for the whole order."""
    rate = policy.rate
    if not rate:
        return None
    settings = policy.settings
    amounts = [line.due for line in lines] if settings.earning_base is EarningBase.GROSS else [x.net for x in lines]
    base = sum(amounts)
    numerator, denominator = rate.numerator * base, rate.denominator
    paid = sum(tender.amount for tender in tenders if tender.type in EARNING_TENDERS)
    if paid != due:
        numerator, denominator = numerator * paid, denominator * due
    points = round_fraction(numerator, denominator, settings.rounding)
    return e.Earning(
        settings.earning_unit,
        points,
        base,
        f"{numerator}/{denominator}",
        settings.earning_rate,
        settings.rounding,
        BASE_RULE,
        policy.version,
        tuple(split(points, amounts)) if points else (),
        settings.earning_base,
    )


def _grant(
    states: States,
    policy: Policy,
    command: c.RecordPurchase,
    earning: e.Earning,
    member: Member,
    activities: Sequence[Activity],
    at: Instant,
) -> e.PointsEarned:
    terms = policy.terms(at)
    available_at = availability(command, terms, at)
    if terms.expires_at[earning.unit] <= available_at and not waits_forever(command):
        field = "occurred_at" if command.available_at is None else "available_at"
        raise InvalidCommand(field, "points earned then would end before they could be spent")
    expires_at, period = lifetime(policy, member, earning.unit, available_at, at, activities)
    return e.PointsEarned(
        lot=member.next_lot(),
        unit=earning.unit,
        points=earning.points,
        available_at=available_at if available_at > at else None,
        issued=terms.issued,
        source=source_of(states.channel, command.order),
        funding=e.Funding.SALE,
        expires_at=expires_at,
        rule=earning.rule,
        rule_version=earning.rule_version,
        awaits_activation=command.awaits_activation,
        period=period,
    )
