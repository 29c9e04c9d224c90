"""Days of grace: points that a refund puts back into lots which ended meanwhile may live on (edge case 2)."""

import msgspec

from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import Events
from ledger.ids import lot_number
from ledger.policy import Policy
from ledger.states.lookup import States
from ledger.states.member import Member

Back = list[tuple[str, tuple[e.Taken, ...]]]
"""Points that come back to a member: unit and lots, for each tender."""


def with_grace(states: States, policy: Policy, member: Member, back: Back, at: Instant) -> tuple[Back, Events]:
    """The same points, to the end of the programme's days of grace where their lots have ended.

    Lot by lot: what is still in such a lot ends first, by the events that come along, as it was to. A lot that has
    points held keeps its expiry, so that one lot never ends twice.
    """
    days = policy.settings.refund_grace_days
    if not days or all(taken.expires_at > at for _, lots in back for taken in lots):
        return back, []
    until = policy.calendar.days_later(at, days + 1)
    held = {lot.number for hold in member.holds.values() for lot in hold.lots}
    ended: dict[int, tuple[str, e.Fact]] = {}
    graced: Back = []
    for unit, lots in back:
        there = member.lots(unit)
        now = []
        for taken in lots:
            number = lot_number(taken.lot)
            if taken.expires_at > at or number in held:
                now.append(taken)
                continue
            now.append(msgspec.structs.replace(taken, expires_at=until, period=0))
            rest = there.get(number)
            if rest is not None:
                expired = e.PointsExpired(unit, (member.part(rest, rest.points),), taken.expires_at)
                ended[number] = (states.member_stream(member.id), expired)
        graced.append((unit, tuple(now)))
    return graced, list(ended.values())
