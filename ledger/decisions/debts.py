"""What members owe (edge case 1): how granted points are taken back, and how whatever comes next pays the rest."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import Events
from ledger.events import Fact, Taken
from ledger.ids import lot_number
from ledger.policy import Policy
from ledger.settings import Clawback
from ledger.states.lookup import States
from ledger.states.member import Member
from ledger.states.queues import Lot


class Clawed(NamedTuple):
    """Where points that are taken back come from; the sum is what was to be taken back."""

    lots: tuple[Taken, ...]
    debt: int
    waived: int
    deducted: int
    """Points that are paid in money instead."""

    def event(
        self,
        unit: str,
        grant: Taken,
        *,
        reason: str,
        order: str = "",
        refund: str = "",
        reverses: str = "",
        approver: str = "",
    ) -> e.PointsClawedBack:
        """What the log says of it."""
        return e.PointsClawedBack(
            unit,
            grant,
            self.lots,
            self.debt,
            self.waived,
            self.deducted,
            order,
            refund,
            reverses,
            reason,
            approver,
        )


def claw_back(
    member: Member,
    policy: Policy,
    unit: str,
    points: int,
    own: Sequence[int],
    at: Instant,
    *,
    coming: int = 0,
    money: int = 0,
) -> Clawed:
    """Take granted points back: from the grant's own lots (their numbers), then as the programme's policy says.

    `coming` are points that reach the member in the same commit and will pay debt at once; `money`, in minor units, is
    what a refund pays out and a debt above the limit may be deducted from.
    """
    taken, left = _take(member, unit, points, own, at, policy.settings.clawback)
    lots = tuple(member.taken(lot, given) for lot, given in taken)
    if policy.settings.clawback is not Clawback.ALLOW_DEBT:
        return Clawed(lots, 0, left, 0)
    deducted = 0
    limit = policy.settings.debt_limit
    if limit is not None:
        above = member.debts.get(unit, 0) + left - limit - coming
        if above > 0 and policy.point_value:
            # No more than the refund pays out; what that does not cover is owed all the same, never dropped.
            value = policy.point_value
            deducted = min(above, left, money * value.denominator // value.numerator)
    return Clawed(lots, left - deducted, 0, deducted)


def _take(
    member: Member, unit: str, points: int, own: Sequence[int], at: Instant, clawback: Clawback
) -> tuple[list[tuple[Lot, int]], int]:
    """Lots that give points back, and how many points are missing."""
    taken: list[tuple[Lot, int]] = []
    for lot in _givers(member, unit, points, own, at, clawback):
        given = min(lot.points, points)
        taken.append((lot, given))
        points -= given
        if not points:
            break
    return taken, points


def _givers(
    member: Member, unit: str, points: int, own: Sequence[int], at: Instant, clawback: Clawback
) -> Iterator[Lot]:
    """The lots that points may be taken back from, in order: what is pending first (edge case 18), others last."""
    lots = member.lots(unit)
    mine = [lot for lot in map(lots.get, own) if lot is not None]
    yield from (lot for lot in mine if lot.available_at > at)
    if clawback is Clawback.ONLY_PENDING:
        return
    yield from (lot for lot in mine if lot.available_at <= at)
    open_lots = lots.take(points + sum(lot.points for lot in mine), at)
    yield from (lot for lot, _ in open_lots if lot.number not in own)
    # A late command: what became available since was not open yet, but it is there.
    if lots.settled_at > at or lots.open_and_pending(at)[1] or member.frozen:
        later = (lot for lot in lots if lot.available_at > at and lot.number not in own)
        yield from (lot for lot in later if member.expiry(lot) > at)


def _earned(member: Member, event: e.PointsEarned, at: Instant) -> Iterable[Taken]:
    yield event.taken(at)


def _released(member: Member, event: e.PointsReleased, at: Instant) -> Iterable[Taken]:
    held = {lot.number: lot for lot in member.holds[event.hold].lots}
    for part in event.parts:
        yield held[lot_number(part.lot)].taken(member.id, part.points, part.expires_at)


def _reinstated(member: Member, event: e.PointsReinstated, at: Instant) -> Iterable[Taken]:
    return event.lots


def _transferred_in(member: Member, event: e.PointsTransferredIn, at: Instant) -> Iterable[Taken]:
    for lot in event.lots:
        yield Taken(
            lot.lot,
            lot.points,
            lot.root,
            lot.issued,
            lot.funding,
            lot.expires_at,
            lot.earned_at,
            lot.available_at,
            lot.source,
            lot.unit_cost,
        )


_CREDITS: dict[type[Fact], Callable[[Member, Any, Instant], Iterable[Taken]]] = {
    e.PointsEarned: _earned,
    e.PointsReleased: _released,
    e.PointsReinstated: _reinstated,
    e.PointsTransferredIn: _transferred_in,
}
"""The events that bring points, and the lots that they come in."""


def pay_debts(states: States, events: Events, at: Instant) -> Events:
    """The same events with what they pay of debts: whatever comes pays first, before anybody can spend it.

    What comes to somebody who left, such as with a late refund, expires when the debt is paid (edge case 20).
    """
    owed: dict[tuple[str, str], int] = {}
    paid: Events = []
    for stream, fact in events:
        paid.append((stream, fact))
        event: Any = fact
        lots_of = _CREDITS.get(type(fact))
        if lots_of is None and type(fact) is not e.PointsClawedBack:
            continue
        member: Member = states.peek(stream)
        key = (stream, event.unit)
        debt = owed.get(key) or (0 if key in owed else member.debts.get(event.unit, 0))
        if lots_of is None:
            owed[key] = debt + event.debt
            continue
        if type(fact) is e.PointsReinstated:
            debt -= fact.debt
        lots: tuple[Taken, ...] = ()
        if debt:
            lots = _first(lots_of(member, fact, at), debt, at)
            if lots:
                paid.append((stream, e.DebtRepaid(event.unit, lots)))
                debt -= sum(lot.points for lot in lots)
        owed[key] = debt
        if member.closed:
            rest = _without(lots_of(member, fact, at), lots, at)
            if rest:
                parts = tuple(lot.part() for lot in rest)
                paid.append((stream, e.PointsExpired(event.unit, parts, at, e.ExpiryReason.CLOSED)))
    return paid


def _without(lots: Iterable[Taken], gone: Sequence[Taken], at: Instant) -> list[Taken]:
    """What is left of lots that have not expired, without those points of them that are gone."""
    less = Counter[str]()
    for lot in gone:
        less[lot.lot] += lot.points
    left = []
    for lot in lots:
        points = lot.points - min(less[lot.lot], lot.points)
        less[lot.lot] -= lot.points - points
        if points and lot.expires_at > at:
            left.append(lot.with_points(points))
    return left


def _first(lots: Iterable[Taken], points: int, at: Instant) -> tuple[Taken, ...]:
    """At most so many points of lots that have not expired."""
    given = []
    for lot in lots:
        if points and lot.expires_at > at:
            part = min(points, lot.points)
            given.append(lot.with_points(part))
            points -= part
    return tuple(given)
