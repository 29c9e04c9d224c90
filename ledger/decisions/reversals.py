"""Reversals: what an earlier command moved is moved back, all of it or in part (edge case 10).

A reversal names a command, not an event: the one event that says what the command moved is found among those it led to.
What was reversed is counted in a stream of that command's own; reversing a reversal takes from that count again.
"""

from collections.abc import Iterator

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import Decision, Events, check_begun
from ledger.decisions.debts import claw_back
from ledger.decisions.lifetimes import as_now
from ledger.decisions.points import transferred
from ledger.decisions.refunds import expire_late, lots_between
from ledger.errors import InvalidCommand
from ledger.events import Fact
from ledger.ids import lot_number
from ledger.policy import Policy
from ledger.refusals import Reason, Refusal, refuse
from ledger.states.lookup import States
from ledger.states.member import Member
from ledger.states.queues import Lot
from ledger.states.reversals import Reversal

_USE_INSTEAD: dict[type[Fact], str] = {
    e.PurchaseRecorded: "RefundPurchase",
    e.RedemptionPlaced: "Cancel",
    e.PointsHeld: "ReleaseHold",
    e.MemberFrozen: "UnfreezeMember",
    e.ProgrammeChanged: "ChangeProgramme",
}
"""What undoes other commands."""

Moving = e.PointsEarned | e.PointsClawedBack | e.PointsForfeited | e.PointsReinstated | e.PointsTransferredIn
"""The events that say what a reversible command moved."""

_FOLLOWING = (
    e.CommandReversed,
    e.CommandReinstated,
    e.DebtRepaid,
    e.ExpiryExtended,
    e.PointsExpired,
    e.PointsTransferredOut,
)
"""Events that come with those; what debts took stays taken, and what an activity kept alive lives on (edge case 19)."""


def reversal_streams(states: States, command: c.Reverse) -> Iterator[str]:
    """What was reversed of the command so far, and whatever it changed."""
    stream = states.reversal_stream(command.target)
    yield stream
    reversal = states.peek(stream)
    if reversal is not None:
        yield from (touched for touched, _ in reversal.origin)


def decide_reverse(states: States, policy: Policy, command: c.Reverse, at: Instant) -> Decision:
    """Move back what an earlier command moved: never more than it did, whatever was reversed before."""
    if not command.reason:
        raise InvalidCommand("reason", "is missing")
    if command.points is not None and command.points < 1:
        raise InvalidCommand("points", f"must be at least 1, not {command.points}")
    reversal = states.reversal(command.target)
    if not reversal.origin:
        return refuse(Reason.COMMAND_NOT_FOUND, target=command.target.hex())
    if (refusal := check_begun(reversal.occurred_at, at)) is not None:
        return refusal
    moved = _moved(reversal)
    if isinstance(moved, Refusal):
        return moved
    left = _points(moved[1]) - reversal.reversed
    points = left if command.points is None else command.points
    if not 0 < points <= left:
        return refuse(Reason.REVERSAL_EXCEEDS_COMMAND, wanted=points, left=left)
    back = _Back(states, policy, command, at, reversal).events(*moved, reversal.reversed, points)
    if isinstance(back, Refusal):
        return back
    target = command.target.hex()
    events: Events = [
        (states.reversal_stream(command.target), e.CommandReversed(target, points, command.reason)),
        *back,
    ]
    for _, fact in reversal.origin:
        # Where the command was a reversal itself, so many points of what it reversed count again.
        if isinstance(fact, e.CommandReversed | e.CommandReinstated):
            other = e.CommandReinstated if isinstance(fact, e.CommandReversed) else e.CommandReversed
            first = states.reversal_stream(bytes.fromhex(fact.target))
            events.append((first, other(fact.target, points, command.reason)))
    return events


def _moved(reversal: Reversal) -> tuple[str, Moving] | Refusal:
    """The event that says what a command moved, with its stream; or the refusal of what is undone in another way."""
    found: list[tuple[str, Moving]] = []
    for stream, fact in reversal.origin:
        if isinstance(fact, Moving):
            found.append((stream, fact))
        elif not isinstance(fact, _FOLLOWING):
            return refuse(Reason.NOT_REVERSIBLE, use=_USE_INSTEAD.get(type(fact), ""))
    return found[0] if len(found) == 1 else refuse(Reason.NOT_REVERSIBLE, use="")


def _points(fact: Moving) -> int:
    """How many points can be moved back."""
    if isinstance(fact, e.PointsEarned):
        return fact.points
    points = sum(lot.points for lot in fact.lots)
    return points + fact.debt if isinstance(fact, e.PointsClawedBack | e.PointsReinstated) else points


class _Back:
    """How each kind of movement is moved back: `points` of it, after the first `begin`."""

    def __init__(self, states: States, policy: Policy, command: c.Reverse, at: Instant, reversal: Reversal) -> None:
        self._states = states
        self._policy = policy
        self._reason = command.reason
        self._target = command.target.hex()
        self._at = at
        self._moved_at = reversal.occurred_at
        self._sent_on = {fact.day for _, fact in reversal.origin if isinstance(fact, e.PointsTransferredOut)}

    def events(self, stream: str, fact: Moving, begin: int, points: int) -> Events | Refusal:
        """The events in the members' streams."""
        member = self._states.member_of(stream)
        if isinstance(fact, e.PointsEarned):
            grant = fact.taken(self._moved_at).with_points(points)
            return self._claw_back(stream, member, fact.unit, grant, (fact.lot,))
        if isinstance(fact, e.PointsClawedBack | e.PointsForfeited):
            return self._reinstate(stream, member, fact, begin, points)
        if isinstance(fact, e.PointsReinstated):
            return self._take_again(stream, member, fact, begin, points)
        return self._send_back(member, fact, begin, points)

    def _claw_back(
        self, stream: str, member: Member, unit: str, grant: e.Taken, lots: tuple[str, ...]
    ) -> Events | Refusal:
        """Granted points are taken back as refunds take them: of these lots first."""
        own = tuple(lot_number(lot) for lot in lots)
        clawed = claw_back(member, self._policy, unit, grant.points, own, self._at)
        return [(stream, clawed.event(unit, grant, reverses=self._target, reason=self._reason))]

    def _reinstate(
        self, stream: str, member: Member, fact: e.PointsClawedBack | e.PointsForfeited, begin: int, points: int
    ) -> Events:
        """Points go back to the lots that gave them; what was owed instead is owed no longer."""
        lots = lots_between(fact.lots, begin, begin + points)
        owed = points - sum(lot.points for lot in lots)
        debt = min(owed, member.debts.get(fact.unit, 0))
        grant = None
        if isinstance(fact, e.PointsClawedBack):
            grant = fact.grant.with_points(points)
            if owed > debt:
                # The debt was paid meanwhile out of other lots: the grant that it was owed for gets that much back.
                lots += (fact.grant.with_points(owed - debt),)
        lots = as_now(member, fact.unit, lots)
        event = e.PointsReinstated(fact.unit, lots, debt, grant=grant, reverses=self._target)
        return [(stream, event), *expire_late(stream, fact.unit, lots, self._at)]

    def _take_again(
        self, stream: str, member: Member, fact: e.PointsReinstated, begin: int, points: int
    ) -> Events | Refusal:
        """Points that had been put back are taken out again."""
        if fact.grant is not None:
            lots = tuple(dict.fromkeys(lot.lot for lot in fact.lots))
            return self._claw_back(stream, member, fact.unit, fact.grant.with_points(points), lots)
        taken = self._there(member, fact.unit, [(lot.lot, lot.points) for lot in fact.lots], begin, points)
        if isinstance(taken, Refusal):
            return taken
        parts = tuple(member.taken(lot, given) for lot, given in taken)
        return [(stream, e.PointsForfeited(fact.unit, parts, self._reason, reverses=self._target))]

    def _send_back(self, receiver: Member, fact: e.PointsTransferredIn, begin: int, points: int) -> Events | Refusal:
        """A transfer goes back, out of the lots that it made and no others.

        On the same business day it counts as not sent; when that is reversed in turn, it counts again (edge case 17).
        """
        sender = self._states.member(fact.sender)
        taken = self._there(receiver, fact.unit, [(lot.lot, lot.points) for lot in fact.lots], begin, points)
        if isinstance(taken, Refusal):
            return taken
        today = self._policy.terms(self._at).day.isoformat()
        return transferred(
            self._states,
            receiver,
            sender,
            fact.unit,
            taken,
            self._at,
            reverses=self._target,
            sent_on=today if fact.day == today else "",
            back_on=today if today in self._sent_on else "",
        )

    def _there(
        self, member: Member, unit: str, parts: list[tuple[str, int]], begin: int, points: int
    ) -> list[tuple[Lot, int]] | Refusal:
        """The lots of these parts, from `begin` on; a refusal where some of the `points` are no longer in them."""
        lots = member.lots(unit)
        taken = []
        offset = there = 0
        for name, given in parts:
            wanted = min(begin + points, offset + given) - max(begin, offset)
            offset += given
            lot = lots.get(lot_number(name)) if wanted > 0 else None
            if lot is not None and member.expiry(lot) > self._at:
                taken.append((lot, wanted))
                there += min(wanted, lot.points)
        if there < points:
            return refuse(Reason.INSUFFICIENT_POINTS, member=member.id, unit=unit, wanted=points, spendable=there)
        return taken
