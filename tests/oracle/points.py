"""What the oracle knows of points: grants, holds, spends, transfers, expiries."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ledger import events as e
from ledger.events import Fact
from ledger.ids import lot_id, lot_number
from ledger.records import Record
from ledger.settings import Inactivity
from tests.oracle.facts import Account, Hold, Lot, Member, PartRow, Programme
from tests.oracle.loose import Loose, require
from tests.oracle.terms import FOREVER, end_of, expiry_of


def member_of(programme: Programme, record: Record) -> Member:
    member = programme.members.get(record.stream.removeprefix(f"{record.programme}/member/"))
    require(member is not None, record, "a member who never joined has events")
    assert member is not None
    return member


def account_of(member: Member, unit: str, record: Record) -> Account:
    account = member.accounts.setdefault(unit, Account())
    account.settled_at = max(account.settled_at, record.occurred_at)
    return account


def rows(parts: Sequence[e.Part]) -> list[PartRow]:
    return [(part.lot, part.points) for part in parts]


def check_parts(member: Member, unit: str, parts: Sequence[e.Part], record: Record) -> None:
    """Parts say of their lots what was said when these were granted."""
    require(len(parts) > 0, record, "points move without lots")
    for part in parts:
        lot = member.lots.get(part.lot)
        require(lot is not None, record, f"{part.lot} is no lot of {member.id}")
        assert lot is not None
        told = (unit, part.root, part.issued, part.funding, part.expires_at, part.unit_cost)
        known = (lot.unit, lot.root, lot.issued, lot.funding, lot.expires_at, lot.unit_cost)
        require(told == known, record, f"{part.lot} was {known}, now {told}")
        require(part.points > 0, record, f"{part.lot} gives {part.points} points")


def spend(member: Member, unit: str, parts: Sequence[e.Part], record: Record) -> None:
    """Take points out of open lots: first expiring first, none expired, none earned or available only later."""
    require(not member.frozen and not member.closed, record, f"{member.id} is frozen, or left")
    check_parts(member, unit, parts, record)
    at = record.occurred_at
    points = sum(part.points for part in parts)
    wanted = member.first_expiring(unit, points, at)
    require(rows(parts) == wanted, record, f"{points} points come from {rows(parts)}, not from {wanted}")
    draw(member, parts, record)


def draw(member: Member, parts: Sequence[e.Part], record: Record) -> None:
    for part in parts:
        lot = member.lots[part.lot]
        lot.points -= part.points
        require(lot.points >= 0, record, f"{part.lot} is below zero")


def take_held(
    member: Member, hold_id: str, unit: str, parts: Sequence[e.Part], left: int, record: Record
) -> tuple[Hold, int]:
    """Take parts out of a hold: of each lot in proportion, within a point. Returns the hold as it was, and a sum."""
    hold = member.holds.get(hold_id)
    require(hold is not None, record, f"{hold_id} is not held")
    assert hold is not None
    require(record.occurred_at >= hold.held_at, record, f"{hold_id} ends before it begins")
    check_parts(member, unit, parts, record)
    taken, points = dict(rows(parts)), sum(part.points for part in parts)
    known = hold.unit == unit and len(taken) == len(parts) and taken.keys() <= dict(hold.parts).keys()
    require(known, record, f"{hold_id} had {hold.parts}, not {rows(parts)}")
    for lot, held_points in hold.parts:
        exact = Fraction(points * held_points, hold.points)
        require(abs(taken.get(lot, 0) - exact) < 1, record, f"{lot} gives {taken.get(lot, 0)}, not {exact}")
        require(taken.get(lot, 0) <= held_points, record, f"{lot} has {held_points} held")
    rest = [(lot, held_points - taken.get(lot, 0)) for lot, held_points in hold.parts]
    rest = [(lot, held_points) for lot, held_points in rest if held_points]
    require(sum(row[1] for row in rest) == left, record, f"{hold_id} keeps {rest}, not {left}")
    if rest:
        member.holds[hold_id] = replace(hold, parts=rest)
    else:
        del member.holds[hold_id]
    return hold, points


def joined(programme: Programme, record: Record, event: e.MemberEnrolled, loose: Loose) -> None:
    require(record.stream == f"{programme.name}/member/{event.member}", record, "another member's stream")
    require(event.member not in programme.members, record, f"{event.member} joined before")
    programme.members[event.member] = Member(event.member)


def earned(programme: Programme, record: Record, event: e.PointsEarned, loose: Loose) -> None:
    member = member_of(programme, record)
    member.made += 1
    at = record.occurred_at
    require(event.lot == lot_id(member.id, member.made), record, f"{event.lot} is lot {member.made} of {member.id}")
    require(event.points > 0, record, "a grant of nothing")
    available_at = at if event.available_at is None else event.available_at
    waits = event.awaits_activation and available_at == FOREVER
    require(waits or available_at < event.expires_at, record, "a lot that is never open")
    require(at <= available_at and at < event.expires_at, record, "a lot of the past")
    require(not member.closed, record, f"{member.id} left before")
    require(event.issued == record.business_date.isoformat()[:7], record, f"{event.issued} is another month")
    member.lots[event.lot] = Lot(
        event.lot,
        member.made,
        event.unit,
        event.points,
        at,
        available_at,
        event.expires_at,
        event.lot,
        event.issued,
        event.funding,
        event.source,
        event.unit_cost,
        event.awaits_activation,
        event.period,
    )
    account_of(member, event.unit, record).credits += event.points
    bought = loose.meet_if("earned", member.id, event.lot, event.points)
    if bought or event.period:
        check_life(programme, record, member, event)


def check_life(programme: Programme, record: Record, member: Member, event: e.PointsEarned) -> None:
    """A lot ends as the settings in force say, or together with the others of its period of activity."""
    settings = programme.settings_at(record.occurred_at)
    ends = end_of(settings, event.unit, record.occurred_at)
    active = isinstance(expiry_of(settings, event.unit), Inactivity)
    require(active == bool(event.period), record, "a lot has a period if and only if activity keeps it alive")
    others = {
        lot.expires_at
        for lot in member.lots.values()
        if event.period and lot.period == event.period and lot.id != event.lot and (lot.points or member.held_of(lot))
    }
    require(others <= {event.expires_at}, record, f"the others of its period end at {others}")
    if not others:
        require(event.expires_at >= ends if active else event.expires_at == ends, record, f"it ends at {ends}")


def held(programme: Programme, record: Record, event: e.PointsHeld, loose: Loose) -> None:
    member = member_of(programme, record)
    require(event.hold not in member.holds, record, f"{event.hold} is held already")
    require(event.expires_at > record.occurred_at, record, "a hold that ends before it begins")
    account_of(member, event.unit, record)
    spend(member, event.unit, event.parts, record)
    hold = Hold(event.hold, event.unit, rows(event.parts), record.occurred_at, event.expires_at, event.redemption)
    member.holds[event.hold] = hold
    if event.redemption:
        loose.meet(record, "held", event.redemption, member.id, event.unit, hold.points, event.expires_at)


def released(programme: Programme, record: Record, event: e.PointsReleased, loose: Loose) -> None:
    member = member_of(programme, record)
    account_of(member, event.unit, record)
    hold, points = take_held(member, event.hold, event.unit, event.parts, event.left, record)
    for part in event.parts:
        member.lots[part.lot].points += part.points
    if hold.redemption:
        loose.expect("given back", hold.redemption, points)
    else:
        require(event.left == 0, record, f"{event.hold} is given back in part")


def redeemed(programme: Programme, record: Record, event: e.PointsRedeemed, loose: Loose) -> None:
    member = member_of(programme, record)
    account = account_of(member, event.unit, record)
    if event.hold:
        hold, _ = take_held(member, event.hold, event.unit, event.parts, event.left, record)
        require(hold.redemption == event.redemption, record, f"{event.hold} belongs to {hold.redemption!r}")
        require(record.occurred_at < hold.expires_at, record, f"{event.hold} had timed out")
    else:
        spend(member, event.unit, event.parts, record)
    points = sum(part.points for part in event.parts)
    account.debits += points
    if event.redemption:
        if not event.hold:
            loose.meet(record, "captured", event.redemption, member.id, event.unit, points)
        loose.expect("settled", event.redemption, points)
    else:
        paid = ("paid", member.id, event.order, event.unit, points, event.hold, event.amount)
        if event.hold:  # A bill's, or captured by itself.
            loose.meet_if(*paid)
        else:
            require(event.kind is e.RedeemKind.OFFSET, record, "points are spent for nothing")
            loose.meet(record, *paid)


def expired(programme: Programme, record: Record, event: e.PointsExpired, loose: Loose) -> None:
    member = member_of(programme, record)
    check_parts(member, event.unit, event.parts, record)
    require(event.effective_at <= record.occurred_at, record, "an expiry before its time")
    for part in event.parts:
        if event.reason is e.ExpiryReason.CLOSED:
            require(event.effective_at == record.occurred_at < part.expires_at, record, f"{part.lot} ends by itself")
        else:
            require(part.expires_at == event.effective_at, record, f"{part.lot} expires at another time")
    if event.reason is e.ExpiryReason.CLOSED and not member.closed and ("closes", member.id) not in loose.ends:
        loose.expect("closes", member.id)
    draw(member, event.parts, record)
    account_of(member, event.unit, record).expiries += sum(part.points for part in event.parts)


def sent(programme: Programme, record: Record, event: e.PointsTransferredOut, loose: Loose) -> None:
    member = member_of(programme, record)
    require(member.id != event.to, record, "a transfer to oneself")
    points = sum(part.points for part in event.parts)
    day = record.business_date.isoformat()
    require(event.day in ({"", day} if event.reverses else {day}), record, f"it counts for {event.day}, not for {day}")
    if event.reverses:
        check_parts(member, event.unit, event.parts, record)
        draw(member, event.parts, record)
    else:
        spend(member, event.unit, event.parts, record)
        caps = {cap.unit: cap.value for cap in programme.settings_at(record.occurred_at).transfer_caps}
        used, cap = member.sent[day, event.unit] + points, caps.get(event.unit, points)
        require(event.unit not in caps or used <= cap, record, f"{used} were sent on {day}, more than {cap}")
    if event.day:
        member.sent[day, event.unit] += points
    account_of(member, event.unit, record).debits += points
    children = []
    for part in event.parts:
        lot = member.lots[part.lot]
        children.append((part.points, lot.id, lot.root, lot.earned_at, lot.issued, lot.funding, lot.source.id))
    loose.expect("came", member.id, event.to, event.unit, tuple(children), record.occurred_at)


def came(programme: Programme, record: Record, event: e.PointsTransferredIn, loose: Loose) -> None:
    member = member_of(programme, record)
    account = account_of(member, event.unit, record)
    if event.reverses:
        require(event.day in {"", record.business_date.isoformat()}, record, "it counts for another day")
    else:
        require(not member.frozen and not event.day, record, f"{member.id} is frozen, or gets room")
    if event.day:
        member.sent[event.day, event.unit] -= sum(child.points for child in event.lots)
        require(member.sent[event.day, event.unit] >= 0, record, "more came back than was sent")
    sender = programme.members[event.sender]
    children = []
    for child in event.lots:
        member.made += 1
        require(child.lot == lot_id(member.id, member.made), record, f"{child.lot} is lot {member.made}")
        parent = sender.lots[child.parent]
        same = (parent.expires_at, parent.unit_cost, parent.source) == (child.expires_at, child.unit_cost, child.source)
        require(same, record, f"{child.lot} is not as {child.parent} was")
        require(child.available_at == record.occurred_at, record, f"{child.lot} is available at another time")
        children.append(
            (child.points, child.parent, child.root, child.earned_at, child.issued, child.funding, child.source.id)
        )
        member.lots[child.lot] = Lot(
            child.lot,
            lot_number(child.lot),
            event.unit,
            child.points,
            child.earned_at,
            child.available_at,
            child.expires_at,
            child.root,
            child.issued,
            child.funding,
            child.source,
            child.unit_cost,
        )
        account.credits += child.points
    loose.meet(record, "came", event.sender, member.id, event.unit, tuple(children), record.occurred_at)


FOLDS: dict[type[Fact], Callable[[Programme, Record, Any, Loose], None]] = {
    e.MemberEnrolled: joined,
    e.PointsEarned: earned,
    e.PointsHeld: held,
    e.PointsReleased: released,
    e.PointsRedeemed: redeemed,
    e.PointsExpired: expired,
    e.PointsTransferredOut: sent,
    e.PointsTransferredIn: came,
}
