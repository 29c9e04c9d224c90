"""The life of a member and of lots after they were granted: freezing, closing, activation, longer lives, limits.

Folds of a member's events, as functions beside `Member`, with its private parts.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import Fact
from ledger.ids import lot_number
from ledger.states.lots import Lots

if TYPE_CHECKING:
    from ledger.states.member import Member

SENT_DAYS_MAX = 368
"""For so many days it is known what a member sent: two more than a command may be dated back where that is limited."""


def count_sent(member: "Member", day: str, unit: str, points: int) -> None:
    """Count what was sent on a business day, or came back of it; forget days that no command may be dated on any more.

    Without a day there is nothing to count.
    """
    if not day:
        return
    key = (day, unit)
    if key not in member.sent:
        latest = max([day, *(other for other, _ in member.sent)])
        earliest = (date.fromisoformat(latest) - timedelta(days=SENT_DAYS_MAX)).isoformat()
        member.sent = {other: known for other, known in member.sent.items() if other[0] >= earliest}
    member.sent[key] = member.sent.get(key, 0) + points


def _frozen(member: "Member", event: e.MemberFrozen, at: Instant) -> None:
    member.last_lot = event.last_lot
    for lots in member.units.values():
        lots.freeze(event.last_lot)


def _unfrozen(member: "Member", event: e.MemberUnfrozen | e.MemberClosed, at: Instant) -> None:
    member.last_lot = None
    for lots in member.units.values():
        lots.unfreeze()


def _closed(member: "Member", event: e.MemberClosed, at: Instant) -> None:
    _unfrozen(member, event, at)
    member.closed = True


def _activated(member: "Member", event: e.PointsActivated, at: Instant) -> None:
    lots = member._unit(event.unit, at)
    for lot in event.lots:
        lots.activate(lot_number(lot.lot), event.available_at)


def _extended(member: "Member", event: e.ExpiryExtended, at: Instant) -> None:
    lots = member._unit(event.unit, at)
    for period in event.periods:
        lots.extend_period(period.period, event.expires_at)
    for extended in event.lots:
        if extended.period:
            member.periods_made = max(member.periods_made, extended.period)
            lots.begin_period(extended.period, event.expires_at)
        if extended.points:
            lots.extend_lot(lot_number(extended.lot), event.expires_at, extended.period)
    if any(extended.held for extended in event.lots):
        _extend_held(member, lots, event)


def _extend_held(member: "Member", lots: Lots, event: e.ExpiryExtended) -> None:
    """A lot ends as a whole: what is held of it goes along. Only requests that name lots go through the holds."""
    periods = {lot_number(extended.lot): extended.period for extended in event.lots}
    for hold in list(member.holds.values()):
        if periods.keys().isdisjoint(lot.number for lot in hold.lots):
            continue
        parts = []
        for lot in hold.lots:
            part = lot
            if lot.number in periods:
                part = msgspec.structs.replace(lot, expires_at=event.expires_at, period=periods[lot.number])
                lots.count_held((part,), 1)
                lots.count_held((lot,), -1)
            parts.append(part)
        member.holds[hold.id] = msgspec.structs.replace(hold, lots=tuple(parts))


EVOLVE: dict[type[Fact], Callable[["Member", Any, Instant], None]] = {
    e.MemberFrozen: _frozen,
    e.MemberUnfrozen: _unfrozen,
    e.MemberClosed: _closed,
    e.PointsActivated: _activated,
    e.ExpiryExtended: _extended,
}
