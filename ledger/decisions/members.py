"""Members: enrolment, freezing, closing (edge case 20)."""

from ledger import commands as c
from ledger import events as e
from ledger.calendar import NEVER, Instant
from ledger.decisions.checks import Decision, Events, check_enrolled, check_text, in_pieces
from ledger.decisions.lifetimes import extend_all
from ledger.decisions.points import parts_of
from ledger.errors import InvalidCommand
from ledger.policy import Policy
from ledger.refusals import Reason, refuse
from ledger.states.lookup import States
from ledger.states.member import Member

HOLDS_NAMED_MAX = 10
"""The open holds that a refusal names at most."""


def decide_enrol(states: States, policy: Policy, command: c.EnrolMember, at: Instant) -> Decision:
    """Take a member in."""
    if states.member(command.member).version:
        return refuse(Reason.MEMBER_EXISTS, member=command.member)
    return [(states.member_stream(command.member), e.MemberEnrolled(command.member))]


def decide_freeze(states: States, policy: Policy, command: c.FreezeMember, at: Instant) -> Decision:
    """Stop a member from spending."""
    check_text("reason", command.reason)
    member = states.member(command.member)
    if (refusal := check_enrolled((command.member, member))) is not None:
        return refusal
    if member.frozen:
        return refuse(Reason.ACCOUNT_FROZEN, member=command.member)
    return [(states.member_stream(command.member), e.MemberFrozen(command.reason, member.lots_made, command.case))]


def decide_unfreeze(states: States, policy: Policy, command: c.UnfreezeMember, at: Instant) -> Decision:
    """Let a member spend again; what would have ended soon may live longer, what has ended stays ended."""
    check_text("reason", command.reason)
    if command.extend_until is not None and command.extend_until <= at:
        raise InvalidCommand("extend_until", "must be after occurred_at")
    member = states.member(command.member)
    if (refusal := check_enrolled((command.member, member))) is not None:
        return refusal
    if not member.frozen:
        return refuse(Reason.ACCOUNT_NOT_FROZEN, member=command.member)
    events: Events = [(states.member_stream(command.member), e.MemberUnfrozen(command.reason, command.case))]
    if command.extend_until is not None:
        events += extend_all(states, member, command.extend_until - 1, command.extend_until, command.reason, at)
    return events


def decide_close(states: States, policy: Policy, command: c.CloseMember, at: Instant) -> Decision:
    """End a membership. Finance takes what is left for expired, so that is what it does: in the same commit."""
    check_text("reason", command.reason)
    member = states.member(command.member)
    if (refusal := check_enrolled((command.member, member))) is not None:
        return refusal
    if member.holds:
        holds = list(member.holds)[:HOLDS_NAMED_MAX]
        return refuse(Reason.HOLDS_OPEN, member=command.member, open=len(member.holds), holds=holds)
    closed = e.MemberClosed(command.reason, command.case)
    return [*_expire_all(states, member, at), (states.member_stream(command.member), closed)]


def _expire_all(states: States, member: Member, at: Instant) -> Events:
    """The end of all lots: as of their own expiry where that has come, otherwise as of now."""
    events: Events = []
    stream = states.member_stream(member.id)
    for unit, lots in member.units.items():
        left = []
        for expiry, ended in lots.due(NEVER):
            if expiry > at:
                left += ended
                continue
            for piece in in_pieces(ended):
                events.append((stream, e.PointsExpired(unit, parts_of(member, [(x, x.points) for x in piece]), expiry)))
        for piece in in_pieces(left):
            parts = parts_of(member, [(lot, lot.points) for lot in piece])
            events.append((stream, e.PointsExpired(unit, parts, at, e.ExpiryReason.CLOSED)))
    return events
