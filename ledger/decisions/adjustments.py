"""Adjustments: points that people give or take, with a reason and somebody who approved it."""

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import Decision, check_enrolled, check_points
from ledger.decisions.debts import claw_back
from ledger.decisions.lifetimes import lifetime, number_of
from ledger.decisions.points import beyond_limit, take
from ledger.errors import InvalidCommand
from ledger.policy import Policy
from ledger.quantities import Amount
from ledger.refusals import Reason, Refusal, refuse
from ledger.states.lookup import States
from ledger.states.member import Member

ADJUSTMENT = "adjustment"
"""The type of source that a positive adjustment's grant stands on; its id is the lot's own, so that it is unique."""


def decide_adjust(states: States, policy: Policy, command: c.Adjust, at: Instant) -> Decision:
    """Grant points, forfeit points, or take back a grant that is named."""
    if not command.reason:
        raise InvalidCommand("reason", "is missing")
    if not command.approver:
        raise InvalidCommand("approver", "is missing")
    unit, points = command.points.unit, command.points.value
    check_points("points", Amount(unit, abs(points)), policy)
    grants = points > 0
    if grants and command.lot:
        raise InvalidCommand("lot", "only negative points correct a grant")
    if not grants and command.expires_at is not None:
        raise InvalidCommand("expires_at", "only positive points expire")
    member = states.member(command.member)
    if (refusal := check_enrolled((command.member, member))) is not None:
        return refusal
    stream = states.member_stream(command.member)
    if grants:
        return _granted(policy, member, stream, command, at)
    if command.lot:
        lot = member.lots(unit).get(number_of(member, command.lot))
        if lot is None:
            return refuse(Reason.GRANT_NOT_FOUND, member=member.id, lot=command.lot)
        clawed = claw_back(member, policy, unit, -points, (lot.number,), at)
        grant = member.taken(lot, -points)
        return [(stream, clawed.event(unit, grant, reason=command.reason, approver=command.approver))]
    taken = take(member, Amount(unit, -points), at)
    if isinstance(taken, Refusal):
        return taken
    lots = tuple(member.taken(lot, given) for lot, given in taken)
    return [(stream, e.PointsForfeited(unit, lots, command.reason, command.approver))]


def _granted(policy: Policy, member: Member, stream: str, command: c.Adjust, at: Instant) -> Decision:
    unit, points = command.points.unit, command.points.value
    if (refusal := beyond_limit(member, unit, points)) is not None:
        return refusal
    terms = policy.terms(at)
    expires_at, period = command.expires_at, 0
    if expires_at is None:
        expires_at, period = lifetime(policy, member, unit, at, at)
    if expires_at <= at:
        raise InvalidCommand("expires_at", "must be after occurred_at")
    lot = member.next_lot()
    source = e.Source(ADJUSTMENT, lot)
    grant = e.PointsEarned(
        lot,
        unit,
        points,
        terms.issued,
        source,
        expires_at,
        reason=command.reason,
        approver=command.approver,
        period=period,
    )
    return [(stream, grant)]
