"""Points: granting, holding, moving and expiring them."""

from collections.abc import Iterable
from datetime import date

from ledger import commands as c
from ledger import events as e
from ledger.calendar import NEVER, Instant
from ledger.decisions.checks import (
    Decision,
    Events,
    absent,
    check_active,
    check_begun,
    check_fraction,
    check_money,
    check_points,
    check_positive,
    deadline,
    insufficient,
)
from ledger.decisions.lifetimes import ends_after, kept_alive, lifetime
from ledger.errors import InvalidCommand
from ledger.policy import Policy, Terms
from ledger.quantities import VALUE_MAX, Amount
from ledger.refusals import Reason, Refusal, refuse
from ledger.settings import Activity
from ledger.states.holds import Hold
from ledger.states.lookup import States
from ledger.states.member import Member
from ledger.states.queues import Lot

Taken = list[tuple[Lot, int]]
EARNING = (Activity.EARN,)


def parts_of(member: Member, taken: Iterable[tuple[Lot, int]]) -> tuple[e.Part, ...]:
    """Points taken from lots, as events name them."""
    return tuple(member.part(lot, points) for lot, points in taken)


def take(member: Member, amount: Amount, at: Instant) -> Taken | Refusal:
    """The lots that give an amount, first expiring first, or a refusal when there is not enough."""
    lots = member.lots(amount.unit)
    if amount.value <= lots.total:
        taken = lots.take(amount.value, at)
        if sum(points for _, points in taken) == amount.value:
            return taken
    return insufficient(member, amount, at)


def decide_earn(states: States, policy: Policy, command: c.Earn, at: Instant) -> Decision:
    """Grant a lot of points."""
    check_points("points", command.points, policy)
    unit, points = command.points.unit, command.points.value
    terms = policy.terms(at)
    available_at = availability(command, terms, at)
    expires_at, period = command.expires_at, 0
    if expires_at is None:
        expires_at = terms.expires_at[unit]
    if expires_at <= at or (expires_at <= available_at and not waits_forever(command)):
        raise InvalidCommand("expires_at", "must be after the points become available")
    if command.unit_cost is not None:
        check_fraction("unit_cost", command.unit_cost)
    member = states.member(command.member)
    if member.version == 0 or member.closed:
        return absent(command.member, member)
    if (refusal := beyond_limit(member, unit, points)) is not None:
        return refusal
    events: Events = []
    if policy.inactivities:
        events = kept_alive(states, policy, member, at, EARNING)
        if command.expires_at is None:
            expires_at, period = lifetime(policy, member, unit, available_at, at, EARNING)
    event = e.PointsEarned(
        member.next_lot(),
        unit,
        points,
        terms.issued,
        command.source,
        expires_at,
        command.funding,
        available_at if available_at > at else None,
        command.rule,
        0,
        command.campaign,
        command.partner,
        command.unit_cost,
        awaits_activation=command.awaits_activation,
        period=period,
    )
    events.append((states.member_stream(command.member), event))
    return events


def waits_forever(command: c.Earn | c.RecordPurchase) -> bool:
    """Whether granted points wait for Activate however long that takes."""
    return command.awaits_activation and command.available_at is None


def availability(command: c.Earn | c.RecordPurchase, terms: Terms, at: Instant) -> Instant:
    """When granted points can be spent by themselves. Raises InvalidCommand."""
    asked = command.available_at
    if asked is None:
        if command.awaits_activation:
            return NEVER
        return terms.available_at if terms.available_at > at else at
    if asked < at:
        raise InvalidCommand("available_at", "must not be before occurred_at")
    return asked


def beyond_limit(member: Member, unit: str, points: int) -> Refusal | None:
    """A refusal where a grant would carry a member's points past what an amount may be."""
    owned = member.owned(unit)
    if owned + points > VALUE_MAX:
        return refuse(Reason.LIMIT_EXCEEDED, member=member.id, unit=unit, owned=owned, limit=VALUE_MAX)
    return None


def decide_hold(states: States, policy: Policy, command: c.Hold, at: Instant) -> Decision:
    """Set points aside."""
    check_points("points", command.points, policy)
    expires_at = deadline("expires_at", command.expires_at, policy, at)
    member = states.member(command.member)
    if (refusal := check_active((command.member, member))) is not None:
        return refusal
    if command.hold in member.holds:
        return refuse(Reason.HOLD_EXISTS, hold=command.hold)
    taken = take(member, command.points, at)
    if isinstance(taken, Refusal):
        return taken
    event = e.PointsHeld(command.hold, command.points.unit, parts_of(member, taken), expires_at)
    return [(states.member_stream(command.member), event)]


def decide_capture(states: States, policy: Policy, command: c.CaptureHold, at: Instant) -> Decision:
    """Spend held points though their lots expired meanwhile (edge case 3); the rest is released (edge case 25)."""
    if command.points is not None:
        check_positive("points", command.points, VALUE_MAX)
    check_money("amount", command.amount)
    member = states.member(command.member)
    hold = member.holds.get(command.hold)
    if hold is None or hold.redemption:
        return refuse(Reason.HOLD_NOT_FOUND, hold=command.hold)
    if (refusal := check_begun(hold.held_at, at)) is not None:
        return refusal
    if hold.expires_at <= at:
        return refuse(Reason.HOLD_EXPIRED, hold=command.hold, expired_at=hold.expires_at)
    points = hold.points if command.points is None else command.points
    if points > hold.points:
        return refuse(Reason.QUANTITY_EXCEEDED, hold=command.hold, wanted=points, left=hold.points)
    taken = hold.take(points)
    captured = {lot.number: given for lot, given in taken}
    rest = [(lot, lot.points - captured.get(lot.number, 0)) for lot in hold.lots]
    redeemed = e.PointsRedeemed(
        hold.unit,
        parts_of(member, taken),
        command.kind,
        hold.id,
        order=command.order,
        amount=command.amount,
        campaign=command.campaign,
        left=hold.points - points,
    )
    events: Events = [(states.member_stream(member.id), redeemed)]
    # Before the rest is released: that may pay a debt to its last point, and then there is nothing left to keep alive.
    alive = kept_alive(states, policy, member, at, (Activity.REDEEM,), events)
    events += alive
    if points < hold.points:
        ends = ends_after(alive)
        parts = tuple(
            lot.part(member.id, left, ends.get(lot.period) or member.expiry(lot)) for lot, left in rest if left
        )
        events += _released(states, member, hold, parts, 0, at)
    return events


def decide_release(states: States, policy: Policy, command: c.ReleaseHold, at: Instant) -> Decision:
    """Give held points back."""
    member = states.member(command.member)
    hold = member.holds.get(command.hold)
    if hold is None or hold.redemption:
        return refuse(Reason.HOLD_NOT_FOUND, hold=command.hold)
    if (refusal := check_begun(hold.held_at, at)) is not None:
        return refusal
    return release(states, member, hold, at)


def release(states: States, member: Member, hold: Hold, at: Instant, points: int | None = None) -> Events:
    """Give all or some points of a hold back to their lots; what expired meanwhile expires at once (edge case 3)."""
    points = hold.points if points is None else points
    return _released(states, member, hold, parts_of(member, hold.take(points)), hold.points - points, at)


def _released(states: States, member: Member, hold: Hold, parts: tuple[e.Part, ...], left: int, at: Instant) -> Events:
    stream = states.member_stream(member.id)
    events: Events = [(stream, e.PointsReleased(hold.id, hold.unit, parts, left))]
    for expiry in sorted({part.expires_at for part in parts if part.expires_at <= at}):
        late = tuple(part for part in parts if part.expires_at == expiry)
        events.append((stream, e.PointsExpired(hold.unit, late, expiry)))
    return events


def decide_transfer(states: States, policy: Policy, command: c.Transfer, at: Instant) -> Decision:
    """Move points between two members of one programme; lots keep their expiry, cost and origin (edge case 4)."""
    check_points("points", command.points, policy)
    if command.sender == command.receiver:
        return refuse(Reason.SAME_MEMBER, member=command.sender)
    sender, receiver = states.member(command.sender), states.member(command.receiver)
    if (refusal := check_active((command.sender, sender), (command.receiver, receiver))) is not None:
        return refusal
    if (refusal := beyond_limit(receiver, command.points.unit, command.points.value)) is not None:
        return refusal
    day = policy.terms(at).day
    if (refusal := _beyond_cap(policy, sender, command.points, day)) is not None:
        return refusal
    taken = take(sender, command.points, at)
    if isinstance(taken, Refusal):
        return taken
    events = transferred(states, sender, receiver, command.points.unit, taken, at, sent_on=day.isoformat())
    return events + kept_alive(states, policy, sender, at, (Activity.TRANSFER,), events)


def transferred(
    states: States,
    sender: Member,
    receiver: Member,
    unit: str,
    taken: Taken,
    at: Instant,
    *,
    sent_on: str,
    reverses: str = "",
    back_on: str = "",
) -> Events:
    """The events by which points taken from one member's lots come to another's.

    They count as sent on one business day, or as come back of what the receiver sent on one; empty: on none.
    """
    parts = parts_of(sender, taken)
    children = tuple(
        e.ChildLot(
            lot=receiver.next_lot(place),
            points=points,
            parent=parts[place].lot,
            root=lot.root,
            earned_at=lot.earned_at,
            available_at=at,
            issued=lot.issued,
            funding=lot.funding,
            source=lot.source,
            expires_at=parts[place].expires_at,
            unit_cost=lot.unit_cost,
        )
        for place, (lot, points) in enumerate(taken)
    )
    return [
        (states.member_stream(sender.id), e.PointsTransferredOut(unit, parts, receiver.id, reverses, sent_on)),
        (states.member_stream(receiver.id), e.PointsTransferredIn(unit, children, sender.id, reverses, back_on)),
    ]


def _beyond_cap(policy: Policy, sender: Member, amount: Amount, day: date) -> Refusal | None:
    """A refusal where a member would send more in a business day than the programme allows (edge case 4)."""
    cap = policy.transfer_caps.get(amount.unit)
    used = sender.sent.get((day.isoformat(), amount.unit), 0)
    if cap is None or used + amount.value <= cap:
        return None
    return refuse(
        Reason.CAP_EXCEEDED,
        member=sender.id,
        unit=amount.unit,
        wanted=amount.value,
        cap=cap,
        used=used,
        resets_at=policy.calendar.end_of(day),
    )


def expire_lots(states: States, member: Member, cut_off: Instant, most: int) -> Events:
    """Post the end of at most `most` lots that ended by `cut_off`, one event for each unit and expiry."""
    events: Events = []
    for unit, lots in member.units.items():
        for expiry, ended in lots.due(cut_off):
            if most <= 0:
                return events
            parts = parts_of(member, ((lot, lot.points) for lot in ended[:most]))
            most -= len(parts)
            events.append((states.member_stream(member.id), e.PointsExpired(unit, parts, expiry)))
    return events
