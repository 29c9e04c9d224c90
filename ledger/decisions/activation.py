"""Activation: points that wait for something to happen, such as the delivery of an order."""

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import Decision, check_enrolled
from ledger.decisions.lifetimes import number_of
from ledger.errors import InvalidCommand
from ledger.ids import lot_id
from ledger.policy import Policy
from ledger.refusals import Reason, Refusal, refuse
from ledger.states.lookup import States
from ledger.states.member import Member
from ledger.states.queues import Lot


def decide_activate(states: States, policy: Policy, command: c.Activate, at: Instant) -> Decision:
    """Let points be spent from now on that waited for it; neither their order nor their expiry changes."""
    if (command.source is None) == (not command.lots):
        raise InvalidCommand("source", "name either what the points were granted for, or lots")
    if len(set(command.lots)) < len(command.lots):
        raise InvalidCommand("lots", "must be named once each")
    member = states.member(command.member)
    if (refusal := check_enrolled((command.member, member))) is not None:
        return refusal
    waiting = _named(member, command)
    if isinstance(waiting, Refusal):
        return waiting
    for _, lot in waiting:
        if not lot.earned_at <= at < lot.available_at:
            return refuse(Reason.NOTHING_AWAITS, member=command.member, lot=lot_id(member.id, lot.number))
        if member.expiry(lot) <= at:
            ended = lot_id(member.id, lot.number)
            return refuse(Reason.LOT_EXPIRED, lot=ended, expired_at=member.expiry(lot))
    return [
        (
            states.member_stream(command.member),
            e.PointsActivated(
                unit,
                tuple(
                    e.ActivatedLot(lot_id(member.id, lot.number), lot.points, lot.available_at)
                    for of, lot in waiting
                    if of == unit
                ),
                at,
            ),
        )
        for unit in dict.fromkeys(unit for unit, _ in waiting)
    ]


def _named(member: Member, command: c.Activate) -> list[tuple[str, Lot]] | Refusal:
    """The lots that a command names, each with its unit; a refusal where one of them does not wait."""
    if command.source is not None:
        source = command.source
        found = [(unit, lot) for unit, lots in member.units.items() if (lot := lots.waiting(source)) is not None]
        if found:
            return found
        return refuse(
            Reason.NOTHING_AWAITS, member=member.id, type=source.type, id=source.id, purpose=source.purpose or e.EARN
        )
    found = []
    for name in command.lots:
        number = number_of(member, name)
        for unit, lots in member.units.items():
            lot = lots.get(number)
            if lot is not None and lots.waiting(lot.source) is lot:
                found.append((unit, lot))
                break
        else:
            return refuse(Reason.NOTHING_AWAITS, member=member.id, lot=name)
    return found
