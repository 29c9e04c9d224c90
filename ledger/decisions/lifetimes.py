"""How long points live: periods of activity that go on, and longer lives by request (edge case 19).

Where a unit's expiry is Inactivity, its lots belong to a period of activity and end with it. An activity that counts
lets the period go on; one that has ended stays ended, and the next grant begins a new one. So an activity names
periods, not lots, and costs the same however many lots there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledger import commands as c
from ledger import events as e
from ledger.calendar import NEVER, Instant
from ledger.decisions.checks import Decision, Events, check_enrolled, check_text, in_pieces
from ledger.errors import InvalidCommand
from ledger.ids import lot_id, lot_number
from ledger.policy import Policy
from ledger.refusals import Reason, refuse
from ledger.settings import Activity
from ledger.states.lookup import States
from ledger.states.lots import Lots
from ledger.states.member import Member
from ledger.states.queues import Lot

_MOVING = e.PointsHeld | e.PointsReleased | e.PointsRedeemed | e.PointsTransferredOut
"""What the activities of a command do to lots before the periods of activity go on."""

# -- what is granted


def lifetime(
    policy: Policy, member: Member, unit: str, available_at: Instant, at: Instant, activities: Sequence[Activity] = ()
) -> tuple[Instant, int]:
    """When a lot ends that is granted at an instant, and its period of activity, which the grant's activities prolong.

    The period is 0 where the expiry does not hang on activity. A period that would end before the lot is available is
    left alone: the lot begins one of its own.
    """
    ends = policy.terms(at).expires_at[unit]
    inactivity = policy.inactivities.get(unit)
    if inactivity is None:
        return ends, 0
    lots = member.lots(unit)
    expiry = lots.period_end(lots.period)
    if expiry is not None and at < expiry:
        if ends > expiry and _counting(inactivity.activities, activities) is not None:
            expiry = ends
        if available_at < expiry or available_at == NEVER:
            return expiry, lots.period
    return ends, member.next_period()


def _counting(counting: Iterable[Activity], activities: Iterable[Activity]) -> Activity | None:
    """The first of a member's activities that counts."""
    return next((activity for activity in activities if activity in counting), None)


def as_now(member: Member, unit: str, lots: Iterable[e.Taken]) -> tuple[e.Taken, ...]:
    """Points that go back to their lots, as these are by now: they may live longer, or no longer wait for Activate."""
    known = member.lots(unit)
    held = _held(member, unit)
    now = []
    for taken in lots:
        number = lot_number(taken.lot)
        lot = known.get(number) or held.get(number)
        ends = known.period_end(taken.period)
        if lot is not None:
            now.append(member.taken(lot, taken.points))
        elif ends is not None:
            now.append(msgspec.structs.replace(taken, expires_at=ends))
        else:
            now.append(taken)
    return tuple(now)


# -- what activities do


def kept_alive(
    states: States,
    policy: Policy,
    member: Member,
    at: Instant,
    activities: Sequence[Activity],
    before: Events | None = None,
) -> Events:
    """What activities of one command lead to: periods of activity that have not ended at its time go on from there.

    They never end sooner than they did. `before` is what the command led to so far.
    """
    events: Events = []
    for unit, inactivity in policy.inactivities.items():
        lots = member.units.get(unit)
        activity = _counting(inactivity.activities, activities)
        if lots is None or activity is None:
            continue
        expires_at = policy.terms(at).expires_at[unit]
        periods = tuple(_periods(member, unit, at, expires_at - 1, before or ()))
        if periods:
            extended = e.ExpiryExtended(unit, expires_at, periods, activity=activity)
            events.append((states.member_stream(member.id), extended))
    return events


def ends_after(alive: Events) -> dict[int, Instant]:
    """When the periods of activity end that `kept_alive` lets go on, by number."""
    return {
        row.period: event.expires_at
        for _, event in alive
        if isinstance(event, e.ExpiryExtended)
        for row in event.periods
    }


def _periods(
    member: Member, unit: str, after: Instant, by: Instant, before: Iterable[tuple[str, e.Fact]]
) -> Iterator[e.ExtendedPeriod]:
    """The periods that end after an instant and by another one, as events name them, if anything is left in them."""
    lots = member.lots(unit)
    moved: dict[int, list[int]] = {}
    for _, event in before:
        if isinstance(event, _MOVING) and event.unit == unit:
            for period, *sums in _moved(member, lots, event):
                moved[period] = [known + more for known, more in zip(moved.get(period, (0, 0, 0)), sums, strict=True)]
    for period, queue in lots.periods(after, by):
        fewer, points, held = moved.get(period, (0, 0, 0))
        if queue.points + points or queue.held + held:
            yield e.ExtendedPeriod(
                period, queue.expires_at, len(queue) + fewer, queue.points + points, queue.held + held
            )


def _moved(member: Member, lots: Lots, event: Any) -> Iterator[tuple[int, int, int, int]]:
    """What an event does to periods: lots with points left, points, and points held, as differences."""
    hold = member.holds.get(event.hold) if isinstance(event, e.PointsRedeemed | e.PointsReleased) else None
    held = {lot.number: lot for lot in hold.lots} if hold is not None else {}
    for part in event.parts:
        number, points = lot_number(part.lot), part.points
        if isinstance(event, e.PointsReleased):
            yield held[number].period, lots.get(number) is None, points, -points
        elif held:
            yield held[number].period, 0, 0, -points
        else:
            lot = lots.there(number)
            yield lot.period, -(lot.points == points), -points, points if isinstance(event, e.PointsHeld) else 0


# -- longer lives by request


def decide_extend(states: States, policy: Policy, command: c.ExtendExpiry, at: Instant) -> Decision:
    """Let lots live longer, held parts included; what has ended stays ended."""
    check_text("reason", command.reason)
    if command.expires_at <= at:
        raise InvalidCommand("expires_at", "must be after occurred_at")
    if bool(command.lots) == (command.until is not None):
        raise InvalidCommand("lots", "name either lots or the day up to which they would end")
    if command.until is not None and command.until >= command.expires_at:
        raise InvalidCommand("expires_at", "must be after `until`")
    if command.unit and (command.lots or command.unit not in policy.digits):
        raise InvalidCommand("unit", "must be a point unit of this programme, and goes with `until` only")
    if len(set(command.lots)) < len(command.lots):
        raise InvalidCommand("lots", "must be named once each")
    member = states.member(command.member)
    if (refusal := check_enrolled((command.member, member))) is not None:
        return refusal
    if command.until is None:
        return _extend_named(states, member, command, at)
    return extend_all(states, member, command.until, command.expires_at, command.reason, at, command.unit)


def extend_all(
    states: States, member: Member, until: Instant, expires_at: Instant, reason: str, at: Instant, unit: str = ""
) -> Events:
    """Let everything live longer that would end by `until` and has not ended at `at`: whole periods, and other lots."""
    events: Events = []
    for name in [unit] if unit else list(member.units):
        lots = {lot.number: lot for lot in member.lots(name).fixed(at, until)}
        held = {number: lot for number, lot in _held(member, name).items() if not lot.period}
        held = {number: lot for number, lot in held.items() if at < lot.expires_at <= until}
        rows = [_row(member, lots.get(number), held.get(number)) for number in sorted(lots.keys() | held.keys())]
        periods = tuple(_periods(member, name, at, until, ()))
        events += _extensions(states, member, e.ExpiryExtended(name, expires_at, periods, reason=reason), rows)
    return events


def _extend_named(states: States, member: Member, command: c.ExtendExpiry, at: Instant) -> Decision:
    """Lots that end with a period of activity begin one of their own, which goes on like the others."""
    events: Events = []
    named = {lot: number_of(member, lot) for lot in command.lots}
    found: set[str] = set()
    period = member.next_period()
    for unit, lots in member.units.items():
        held = _held(member, unit)
        rows = []
        for name, number in named.items():
            lot = lots.get(number) or held.get(number)
            if lot is None:
                continue
            found.add(name)
            ends = member.expiry(lot)
            if ends <= at:
                return refuse(Reason.LOT_EXPIRED, lot=name, expired_at=ends)
            if ends >= command.expires_at:
                return refuse(Reason.EXPIRY_NOT_LATER, lot=name, expires_at=ends)
            rows.append(_row(member, lots.get(number), held.get(number), period if lot.period else 0))
        if any(row.period for row in rows):
            period += 1
        events += _extensions(states, member, e.ExpiryExtended(unit, command.expires_at, reason=command.reason), rows)
    missing = [name for name in named if name not in found]
    return refuse(Reason.LOT_NOT_FOUND, member=member.id, lot=missing[0]) if missing else events


def number_of(member: Member, lot: str) -> int:
    """The number of a member's lot by its id; 0: that is no lot of the member."""
    number = lot.removeprefix(f"{member.id}:")
    return int(number) if number.isascii() and number.isdigit() and lot == lot_id(member.id, int(number)) else 0


def _held(member: Member, unit: str) -> dict[int, Lot]:
    """What holds have of a unit's lots, by number. It goes through all holds: for requests, not for activities."""
    held: dict[int, Lot] = {}
    for hold in member.holds.values():
        for lot in hold.lots if hold.unit == unit else ():
            known = held.get(lot.number)
            held[lot.number] = lot if known is None else lot.with_points(known.points + lot.points)
    return held


def _row(member: Member, lot: Lot | None, held: Lot | None, period: int = 0) -> e.ExtendedLot:
    """A lot as events name it: what is left of it, and what is held."""
    some = lot or held
    assert some is not None
    return e.ExtendedLot(
        lot_id(member.id, some.number),
        member.expiry(some),
        lot.points if lot else 0,
        held.points if held else 0,
        period,
    )


def _extensions(states: States, member: Member, extended: e.ExpiryExtended, rows: Sequence[e.ExtendedLot]) -> Events:
    """An extension by request: the periods with the first of the lots, the others behind."""
    stream = states.member_stream(member.id)
    first, *others = list(in_pieces(rows)) or [()]
    events: Events = []
    if first or extended.periods:
        events.append((stream, msgspec.structs.replace(extended, lots=tuple(first))))
    return events + [(stream, msgspec.structs.replace(extended, periods=(), lots=tuple(piece))) for piece in others]
