"""Refunds: what comes back of a purchase, by the purchase's own facts (edge cases 1, 2, 7 and 18).

Everything is cumulative: what has to be back after this refund, less what came back before. So any sequence of partial
refunds gives, to the unit, what one refund of all of it gives.
"""

from fractions import Fraction

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import Decision, Events, check_begun
from ledger.decisions.debts import claw_back
from ledger.decisions.grace import Back, with_grace
from ledger.decisions.lifetimes import as_now
from ledger.errors import InvalidCommand
from ledger.ids import lot_number
from ledger.policy import Policy
from ledger.quantities import Amount, round_fraction, split
from ledger.receipts import Refunded
from ledger.refusals import Reason, Refusal, refuse
from ledger.settings import EarningBase
from ledger.states.lookup import States
from ledger.states.orders import Order


def refund_streams(states: States, command: c.RefundPurchase) -> list[str]:
    """The order, and its member once the order is known."""
    stream = order_stream(states, command)
    order = states.peek(stream)
    if order is None or order.purchase is None:
        return [stream]
    return [stream, states.member_stream(order.purchase.member)]


def order_stream(states: States, command: c.RefundPurchase) -> str:
    """The stream of the order that a refund names."""
    return states.order_stream(command.order, command.order_channel)


def decide_refund(states: States, policy: Policy, command: c.RefundPurchase, at: Instant) -> Decision:
    """Return what paid for some lines, to the same lots where it was points, and take back what they earned."""
    stream, order = order_stream(states, command), states.order(command.order, command.order_channel)
    purchase = order.purchase
    if purchase is None:
        return refuse(Reason.ORDER_NOT_FOUND, order=command.order)
    member = states.member(purchase.member)
    if command.refund in order.refunds:
        return refuse(Reason.REFUND_EXISTS, refund=command.refund)
    if (refusal := check_begun(order.purchased_at, at)) is not None:
        return refusal
    left = [(units or 1) - back for units, back in zip(purchase.lines.quantity, order.returned, strict=True)]
    coming = _coming_back(left, command)
    if isinstance(coming, Refusal):
        return coming
    lines = _returned_lines(order, purchase, coming)
    back = _tenders_back(order, purchase, sum(lines.due))
    whole = sum(coming.values()) == sum(left)
    reinstated = [(unit, as_now(member, unit, lots)) for unit, lots in _points_back(order, purchase, back, whole=whole)]
    reinstated, ended = with_grace(states, policy, member, reinstated, at)
    kept, clawed_back = _to_claw_back(order, purchase, lines)
    name, own_stream = f"{command.order_channel or states.channel}/{command.order}", states.member_stream(member.id)
    events: Events = []
    deducted = 0
    if clawed_back:
        assert purchase.earning is not None
        unit = purchase.earning.unit
        clawback = claw_back(
            member,
            policy,
            unit,
            clawed_back,
            (lot_number(purchase.lot),),
            at,
            coming=sum(lot.points for each, lots in reinstated if each == unit for lot in lots if lot.expires_at > at),
            money=sum(money for tender, money in zip(purchase.tenders, back, strict=True) if tender.points is None),
        )
        deducted = policy.money_of(clawback.deducted)
        grant = _grant(order, purchase, name, clawed_back)
        event = clawback.event(unit, grant, order=name, refund=command.refund, reason=command.reason)
        events.append((own_stream, event))
    events += ended
    for unit, lots in reinstated:
        if lots:
            # What expired meanwhile expires at once, as of its own expiry.
            events.append((own_stream, e.PointsReinstated(unit, lots, order=name, refund=command.refund)))
            events += expire_late(own_stream, unit, lots, at)
    returned = e.PurchaseReturned(
        command.refund,
        purchase.member,
        command.order,
        lines,
        _tenders(purchase, back, reinstated),
        purchase.currency,
        kept,
        clawed_back,
        deducted,
        command.reason,
    )
    return [(stream, returned), *events]


def refunded_by(events: Events) -> Refunded | None:
    """What a refund came to, as its caller has to know it; None where these are no refund's events."""
    first = events[0][1] if events else None
    if not isinstance(first, e.PurchaseReturned):
        return None
    debt = waived = 0
    for _, event in events:
        if isinstance(event, e.PointsClawedBack):
            debt, waived = event.debt, event.waived
    return Refunded(first.tenders, first.deducted, first.clawed_back, debt, waived)


def _grant(order: Order, purchase: e.PurchaseRecorded, name: str, points: int) -> e.Taken:
    """What the purchase earned, as far as it is taken back."""
    assert purchase.expires_at is not None
    at = order.purchased_at
    source = e.Source("order", name)
    return e.Taken(
        purchase.lot,
        points,
        purchase.lot,
        purchase.issued,
        e.Funding.SALE,
        purchase.expires_at,
        at,
        at,
        source,
        period=purchase.period,
    )


def _coming_back(left: list[int], command: c.RefundPurchase) -> dict[int, int] | Refusal:
    """The units that come back, by the line's place, where so many are `left` of each line; one for a line of no units.

    Raises InvalidCommand for a line that there is not.
    """
    if not command.lines:
        coming = {place: units for place, units in enumerate(left) if units}
        return coming or refuse(Reason.QUANTITY_EXCEEDED, order=command.order, left=0)
    coming = {}
    for number, line in enumerate(command.lines):
        field = f"lines[{number}]"
        if not 0 <= line.line < len(left):
            raise InvalidCommand(f"{field}.line", f"must be from 0 to {len(left) - 1}, not {line.line}")
        if line.line in coming:
            raise InvalidCommand(f"{field}.line", f"{line.line} is named twice")
        units = left[line.line] if line.quantity is None else line.quantity
        if line.quantity is not None and line.quantity < 1:
            raise InvalidCommand(f"{field}.quantity", f"must be at least 1, not {line.quantity}")
        if not 0 < units <= left[line.line]:
            return refuse(
                Reason.QUANTITY_EXCEEDED, order=command.order, line=line.line, wanted=units, left=left[line.line]
            )
        coming[line.line] = units
    return coming


def _returned_lines(order: Order, purchase: e.PurchaseRecorded, coming: dict[int, int]) -> e.ReturnedLines:
    """The money of what comes back: in proportion to the units, rounded down until the last one."""
    bought, costs = purchase.lines, purchase.lines.dues
    nets, dues = [], []
    for place, units in coming.items():
        net, due, quantity = bought.net[place], costs[place], bought.quantity[place] or 1
        if units != quantity:
            before = order.returned[place]
            net = net * (before + units) // quantity - net * before // quantity
            due = due * (before + units) // quantity - due * before // quantity
        nets.append(net)
        dues.append(due)
    return e.ReturnedLines(tuple(coming), tuple(coming.values()), tuple(nets), tuple(dues))


def _tenders_back(order: Order, purchase: e.PurchaseRecorded, due: int) -> list[int]:
    """The money that goes back of each tender: what is due, in proportion to what has not gone back yet.

    Largest remainder; so no tender ever gives more than it paid, and the last refund gives the rest of each.
    """
    left = [tender.amount - back for tender, back in zip(purchase.tenders, order.paid_back, strict=True)]
    return split(due, left)


def _points_back(order: Order, purchase: e.PurchaseRecorded, back: list[int], *, whole: bool) -> Back:
    """The unit and lots of what goes back of each tender in points, in the order in which its lots gave them."""
    found = []
    spent = iter(purchase.spent)
    for tender, money, before in zip(purchase.tenders, back, order.paid_back, strict=True):
        if tender.points is not None:
            points = tender.points.value
            end = points if whole else points * (before + money) // tender.amount if tender.amount else 0
            begin = points * before // tender.amount if tender.amount else 0
            found.append((tender.points.unit, lots_between(next(spent).lots, begin, end)))
    return found


def _tenders(purchase: e.PurchaseRecorded, back: list[int], reinstated: Back) -> tuple[e.Tender, ...]:
    """What goes back of each tender, as the event says it."""
    points = iter(reinstated)
    found = []
    for tender, money in zip(purchase.tenders, back, strict=True):
        amount = None
        if tender.points is not None:
            unit, lots = next(points)
            amount = Amount(unit, sum(lot.points for lot in lots))
        found.append(e.Tender(tender.type, money, amount))
    return tuple(found)


def _to_claw_back(order: Order, purchase: e.PurchaseRecorded, lines: e.ReturnedLines) -> tuple[int, int]:
    """Points that what is kept would earn, and what is to be taken back now: f(original) - f(kept) - taken before."""
    earning = purchase.earning
    if earning is None or not earning.points:
        return 0, 0
    gross = earning.amounts is EarningBase.GROSS
    returned = order.returned_due if gross else order.returned_net
    base = earning.base - returned - sum(lines.due if gross else lines.net)
    kept = 0
    if base:
        exact = Fraction(earning.exact) * base / earning.base
        kept = round_fraction(exact.numerator, exact.denominator, earning.rounding)
    return kept, earning.points - kept - order.clawed_back


def lots_between(lots: tuple[e.Taken, ...], begin: int, end: int) -> tuple[e.Taken, ...]:
    """Of points that lie in lots one behind the other, those from `begin` up to `end`."""
    found = []
    offset = 0
    for lot in lots:
        points = min(end, offset + lot.points) - max(begin, offset)
        if points > 0:
            found.append(lot.with_points(points))
        offset += lot.points
    return tuple(found)


def expire_late(stream: str, unit: str, lots: tuple[e.Taken, ...], at: Instant) -> Events:
    """The expiry of those points put back whose lots ended meanwhile, one event for each time at which lots ended."""
    events: Events = []
    for expiry in sorted({lot.expires_at for lot in lots if lot.expires_at <= at}):
        parts = tuple(lot.part() for lot in lots if lot.expires_at == expiry)
        events.append((stream, e.PointsExpired(unit, parts, expiry)))
    return events
