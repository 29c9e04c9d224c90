"""What the oracle knows of corrections: refunds, clawbacks, debts, adjustments, reversals."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from ledger import events as e
from ledger.events import Fact
from ledger.ids import order_stream
from ledger.records import Record
from ledger.settings import Clawback, EarningBase
from tests.oracle.facts import Member, Order, Programme
from tests.oracle.loose import Loose, require
from tests.oracle.points import account_of, member_of
from tests.oracle.terms import days_after


def check_taken(member: Member, unit: str, lots: Sequence[e.Taken], record: Record) -> int:
    """Points say of their lots what was said when these were granted; returns how many there are."""
    for taken in lots:
        lot = member.lots.get(taken.lot)
        require(lot is not None, record, f"{taken.lot} is no lot of {member.id}")
        assert lot is not None
        told = (unit, taken.root, taken.issued, taken.funding, taken.expires_at, taken.unit_cost, taken.source)
        known = (lot.unit, lot.root, lot.issued, lot.funding, lot.expires_at, lot.unit_cost, lot.source)
        require(told == known, record, f"{taken.lot} was {known}, now {told}")
        require(taken.earned_at == lot.earned_at, record, f"{taken.lot} was earned at another time")
        require(taken.points > 0, record, f"{taken.lot} gives {taken.points} points")
    return sum(taken.points for taken in lots)


def take(member: Member, unit: str, lots: Sequence[e.Taken], record: Record) -> int:
    points = check_taken(member, unit, lots, record)
    for taken in lots:
        lot = member.lots[taken.lot]
        lot.points -= taken.points
        require(lot.points >= 0, record, f"{taken.lot} is below zero")
    account_of(member, unit, record).debits += points
    return points


def moved(programme: Programme, record: Record, points: int) -> None:
    """So many points of this command can be moved back."""
    command = record.command_id.hex()
    programme.moved[command] = programme.moved.get(command, 0) + points


def returned(programme: Programme, record: Record, event: e.PurchaseReturned, loose: Loose) -> None:
    order = programme.orders.get(record.stream)
    require(order is not None, record, "nobody bought what came back")
    assert order is not None
    purchase = order.purchase
    require(event.refund not in order.refunds, record, f"{event.refund} was recorded before")
    order.refunds.add(event.refund)
    rows = purchase.lines.rows()
    due = 0
    lines = event.lines
    for place, quantity, due_back in zip(lines.line, lines.quantity, lines.due, strict=True):
        row = rows[place]
        order.units[place] = units = order.units.get(place, 0) + quantity
        order.dues[place] = dues = order.dues.get(place, 0) + due_back
        require(quantity > 0 and units <= max(row.quantity, 1), record, f"{units} of {row.quantity} units are back")
        exact = Fraction(row.due * units, max(row.quantity, 1))
        require(0 <= exact - dues < 1, record, f"{dues} is back of {exact}")
        due += due_back
    require(sum(tender.amount for tender in event.tenders) == due, record, f"the tenders do not come to {due}")
    whole = all(order.units.get(place, 0) >= max(row.quantity, 1) for place, row in enumerate(rows))
    for place, (was, back) in enumerate(zip(purchase.tenders, event.tenders, strict=True)):
        order.money[place] += back.amount
        require(back.amount >= 0, record, "a tender is paid back below zero")
        require(order.money[place] <= was.amount, record, "more money goes back than was paid")
        if was.points is not None:
            assert back.points is not None
            order.points[place] += back.points.value
            require(back.points.value >= 0, record, "points are paid back below zero")
            left = was.points.value - order.points[place]
            require(left >= 0 and (left == 0 or not whole), record, f"{left} points do not come back")
            if back.points.value:
                loose.expect("points back", event.refund, back.points.unit, back.points.value)
    check_kept(order, event, rows, record)
    if event.clawed_back:
        loose.expect("clawed back", event.refund, event.clawed_back)


def check_kept(order: Order, event: e.PurchaseReturned, rows: Sequence[e.Line], record: Record) -> None:
    """What is kept earns what it would have earned by itself; the rest is taken back, all refunds together."""
    earning = order.purchase.earning
    order.clawed_back += event.clawed_back
    if earning is None or not earning.points:
        require((event.kept, event.clawed_back) == (0, 0), record, "points of a purchase that earned none")
        return
    kept = 0
    for place, row in enumerate(rows):
        amount = row.due if earning.amounts is EarningBase.GROSS else row.net
        units = max(row.quantity, 1)
        kept += amount - amount * order.units.get(place, 0) // units
    exact = Fraction(earning.exact) * kept / earning.base if earning.base else Fraction(0)
    off = {"DOWN": exact - event.kept, "UP": event.kept - exact, "HALF_UP": event.kept - exact + Fraction(1, 2)}
    require(0 <= off[earning.rounding.value] <= 1, record, f"{event.kept} is not {exact} rounded")
    require(event.clawed_back >= 0, record, "a refund grants points")
    require(earning.points - event.kept == order.clawed_back, record, "parts do not sum to the whole")


def clawed_back(programme: Programme, record: Record, event: e.PointsClawedBack, loose: Loose) -> None:
    member = member_of(programme, record)
    account = account_of(member, event.unit, record)
    at = record.occurred_at
    points = take(member, event.unit, event.lots, record)
    sums = points + event.debt + event.waived + event.deducted
    require(event.grant.points == sums, record, f"{event.grant.points} points are {sums}")
    account.debt += event.debt
    moved(programme, record, points + event.debt)
    settings = programme.settings_at(at)
    policy = settings.clawback
    require(policy is Clawback.ALLOW_DEBT or not event.debt, record, "debt where there may be none")
    require(policy is not Clawback.ALLOW_DEBT or not event.waived, record, "points are waived")
    if policy is Clawback.ONLY_PENDING:
        require(all(lot.available_at > at for lot in event.lots), record, "points are taken that could be spent")
    elif event.waived or event.debt or event.deducted:
        left = sum(of(event.unit, at) for of in (member.open, member.pending, member.quarantined))
        require(left == 0, record, f"{left} points are left, and yet some are missing")
    if event.deducted:
        limit = settings.debt_limit
        require(limit is not None and account.debt >= limit, record, "money is kept back below the limit")
    if event.refund:
        loose.meet(record, "clawed back", event.refund, event.grant.points)


def reinstated(programme: Programme, record: Record, event: e.PointsReinstated, loose: Loose) -> None:
    member = member_of(programme, record)
    account = account_of(member, event.unit, record)
    for taken in event.lots:
        lot = member.lots[taken.lot]
        if not lot.points and not member.held_of(lot):
            # Of a lot that was used up, nobody knows what would have become of it: it ends no later than it would have.
            settings = programme.settings_at(record.occurred_at)
            grace = settings.refund_grace_days if event.refund else 0
            if grace and not record.occurred_at < taken.expires_at <= lot.expires_at:
                until = days_after(settings.zone, record.occurred_at, grace)
                require(taken.expires_at == until, record, f"{lot} has {grace} days of grace")
            else:
                require(taken.expires_at <= lot.expires_at, record, f"{lot} lives longer than ever")
            lot.expires_at, lot.period = taken.expires_at, taken.period
            lot.available_at, lot.awaits = taken.available_at, taken.awaits_activation
        told, known = (
            (taken.period, taken.available_at, taken.awaits_activation),
            (lot.period, lot.available_at, lot.awaits),
        )
        require(told == known, record, f"{lot} is another one")
        lot.points += taken.points
    points = check_taken(member, event.unit, event.lots, record)
    account.credits += points
    account.debt -= event.debt
    require(account.debt >= 0, record, "more debt is forgiven than is owed")
    moved(programme, record, points + event.debt)
    if event.refund:
        loose.meet(record, "points back", event.refund, event.unit, points)


def forfeited(programme: Programme, record: Record, event: e.PointsForfeited, loose: Loose) -> None:
    points = take(member_of(programme, record), event.unit, event.lots, record)
    moved(programme, record, points)


def repaid(programme: Programme, record: Record, event: e.DebtRepaid, loose: Loose) -> None:
    member = member_of(programme, record)
    account_of(member, event.unit, record).debt -= take(member, event.unit, event.lots, record)
    require(member.accounts[event.unit].debt >= 0, record, "more is paid than is owed")


def command_reversed(programme: Programme, record: Record, event: e.CommandReversed, loose: Loose) -> None:
    total = programme.reversed[event.target] = programme.reversed.get(event.target, 0) + event.points
    most = programme.moved.get(event.target, 0)
    require(event.points > 0 and total <= most, record, f"{total} of {most} points are reversed")


def command_reinstated(programme: Programme, record: Record, event: e.CommandReinstated, loose: Loose) -> None:
    programme.reversed[event.target] -= event.points
    require(programme.reversed[event.target] >= 0, record, "more counts again than was reversed")


def bought(programme: Programme, record: Record, event: e.PurchaseRecorded) -> None:
    """Remember a purchase, for what may come back of it."""
    parts = len(event.tenders)
    programme.orders[order_stream(programme.name, record.channel, event.order)] = Order(
        event, money=[0] * parts, points=[0] * parts
    )


FOLDS: dict[type[Fact], Callable[[Programme, Record, Any, Loose], None]] = {
    e.PurchaseReturned: returned,
    e.PointsClawedBack: clawed_back,
    e.PointsReinstated: reinstated,
    e.PointsForfeited: forfeited,
    e.DebtRepaid: repaid,
    e.CommandReversed: command_reversed,
    e.CommandReinstated: command_reinstated,
}
