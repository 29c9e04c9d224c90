"""What the past looked like: the log folded anew for each question, with nothing kept from one to the next.

Only what was recorded by one time, and only what had happened by another; then the clock says what was open.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ledger import events as e
from ledger.events import Fact
from ledger.records import Record

Told = tuple[Record, Fact]
"""A record with its event."""


def happened_at(record: Record, event: Fact) -> int:
    """When an event counts: an expiry from the end of its lots on, all else from when its command is dated."""
    return event.effective_at if isinstance(event, e.PointsExpired) else record.occurred_at


def seen(log: Iterable[Told], as_of: int, known_at: int) -> list[Told]:
    """The part of a log that counts, in its order."""
    known = [told for told in log if told[0].recorded_at <= known_at]
    return [(record, event) for record, event in known if happened_at(record, event) <= as_of]


@dataclass
class Lot:
    """A lot as it stood."""

    unit: str = ""
    granted: bool = False
    left: int = 0
    held: int = 0
    earned_at: int = 0
    available_at: int = 0
    expires_at: int = 0
    period: int = 0


@dataclass
class PastMember:
    """A member as they stood."""

    status: str = "NOT_ENROLLED"
    last_lot: int | None = None
    lots: dict[str, Lot] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    """When periods of activity end."""
    debts: Counter[str] = field(default_factory=Counter)

    def lot(self, name: str) -> Lot:
        return self.lots.setdefault(name, Lot())

    def end_of(self, lot: Lot) -> int:
        return self.ends[lot.period] if lot.period else lot.expires_at

    def quarantined(self, name: str) -> bool:
        return self.last_lot is not None and int(name.rpartition(":")[2]) > self.last_lot

    def balances(self, at: int) -> dict[str, tuple[int, int, int, int, int]]:
        """By unit: open, pending, held, quarantined, owed; units in which there is nothing are left out."""
        found: dict[str, list[int]] = {}
        for name, lot in self.lots.items():
            if not lot.granted:
                continue
            sums = found.setdefault(lot.unit, [0] * 5)
            sums[2] += lot.held
            if self.end_of(lot) > at:
                place = 3 if self.quarantined(name) else 0 if lot.available_at <= at else 1
                sums[place] += lot.left
        for unit, debt in self.debts.items():
            found.setdefault(unit, [0] * 5)[4] = debt
        return {unit: (a, b, c, d, f) for unit, (a, b, c, d, f) in found.items() if any((a, b, c, d, f))}

    def spending_order(self, at: int) -> list[tuple[str, str, int, int, int, int, bool]]:
        """Lot, unit, left, held, available, end, quarantined: what has not ended or is held."""
        rows = []
        for name, lot in self.lots.items():
            left = lot.left if self.end_of(lot) > at else 0
            if lot.granted and (left or lot.held):
                place = (lot.unit, self.end_of(lot), lot.earned_at, int(name.rpartition(":")[2]))
                row = (lot.unit, left, lot.held, lot.available_at, self.end_of(lot), self.quarantined(name))
                rows.append((place, (name, *row)))
        return [row for _, row in sorted(rows)]


def member_then(log: Iterable[Told], as_of: int, known_at: int) -> PastMember:
    """How a member stood; the log is that of their stream."""
    member = PastMember()
    for record, event in seen(log, as_of, known_at):
        _fold(member, record, event)
    return member


def _fold(member: PastMember, record: Record, event: Any) -> None:
    match event:
        case e.MemberEnrolled() | e.MemberUnfrozen():
            member.status, member.last_lot = "ACTIVE", None
        case e.MemberClosed():
            member.status, member.last_lot = "CLOSED", None
        case e.MemberFrozen():
            member.status, member.last_lot = "FROZEN", event.last_lot
        case e.PointsActivated() | e.ExpiryExtended():
            _redate(member, event)
        case e.PointsEarned() | e.PointsTransferredIn() | e.PointsReinstated():
            _bring(member, record, event)
        case _:
            _move(member, event)


def _redate(member: PastMember, event: e.PointsActivated | e.ExpiryExtended) -> None:
    if isinstance(event, e.PointsActivated):
        for row in event.lots:
            member.lot(row.lot).available_at = event.available_at
        return
    for period in event.periods:
        member.ends[period.period] = event.expires_at
    for extended in event.lots:
        lot = member.lot(extended.lot)
        lot.expires_at, lot.period = event.expires_at, extended.period
        if extended.period:
            member.ends[extended.period] = event.expires_at


def _bring(member: PastMember, record: Record, event: Any) -> None:
    """Points come in new lots, or back to their own; the event says all dates of these."""
    for row in (event.taken(record.occurred_at),) if isinstance(event, e.PointsEarned) else event.lots:
        lot = member.lot(row.lot)
        lot.unit, lot.earned_at = event.unit, row.earned_at
        lot.granted |= not isinstance(event, e.PointsReinstated)
        lot.left += row.points
        lot.available_at, lot.expires_at, lot.period = row.available_at, row.expires_at, getattr(row, "period", 0)
        if lot.period:
            member.ends[lot.period] = row.expires_at
    if isinstance(event, e.PointsReinstated):
        member.debts[event.unit] -= event.debt


def _move(member: PastMember, event: Any) -> None:
    """What only moves points: out of lots, into holds, out of holds."""
    for row in event.parts if hasattr(event, "parts") else event.lots:
        lot = member.lot(row.lot)
        match event:
            case e.PointsHeld():
                lot.left, lot.held = lot.left - row.points, lot.held + row.points
            case e.PointsReleased():
                lot.left, lot.held = lot.left + row.points, lot.held - row.points
            case e.PointsRedeemed() if event.hold:
                lot.held -= row.points
            case _:
                lot.left -= row.points
    if isinstance(event, e.PointsClawedBack):
        member.debts[event.unit] += event.debt
    elif isinstance(event, e.DebtRepaid):
        member.debts[event.unit] -= sum(row.points for row in event.lots)


def stock_then(log: Iterable[Told], as_of: int, known_at: int) -> dict[str, int] | None:
    """A stock item as it stood: on hand, locked, shipped, received, counted, transferred; None: it was not there."""
    there = seen(log, as_of, known_at)
    sums = Counter[str]()
    for _, event in there:
        match event:
            case e.StockReceived():
                sums["received"] += event.quantity
                sums["value"] += event.quantity * event.unit_cost
            case e.StockLocked():
                sums["locked"] += event.quantity
            case e.StockReleased():
                sums["locked"] -= event.quantity
            case e.StockShipped():
                sums["locked"] -= event.quantity
                sums["shipped"] += event.quantity
                sums["value"] -= event.cost
            case e.StockCounted():
                sums["counted"] += event.difference
                sums["value"] += event.value
            case e.StockTransferredIn():
                sums["transferred"] += event.quantity
                sums["value"] += event.cost
            case e.StockTransferredOut():
                sums["transferred"] -= event.quantity
                sums["value"] -= event.cost
    sums["on_hand"] = sums["received"] + sums["counted"] + sums["transferred"] - sums["shipped"]
    return dict(sums) if any(not isinstance(event, e.StockDiscontinued) for _, event in there) else None
