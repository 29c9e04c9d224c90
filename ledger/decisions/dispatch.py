"""Which decision a command goes to, which streams it reads, and the checks of time that go for all."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ledger import commands as c
from ledger.calendar import MINUTE, Instant
from ledger.decisions import (
    activation,
    adjustments,
    allocation,
    fulfilment,
    lifetimes,
    members,
    points,
    programmes,
    purchases,
    redemptions,
    refunds,
    reversals,
    rewards,
    stock,
)
from ledger.decisions.checks import Decision
from ledger.decisions.debts import pay_debts
from ledger.decisions.due import decide_expire, expire_streams
from ledger.errors import InvalidCommand
from ledger.events import Source
from ledger.policy import Policy
from ledger.refusals import Reason, Refusal, refuse
from ledger.states.lookup import States

FUTURE_MAX = 5 * MINUTE
"""How far ahead of the programme's clock a command may be dated: clocks of tills differ."""


class Handler(NamedTuple):
    """A command's decision, and the streams it reads beside the programme's, as far as they are known by now."""

    decide: Callable[[States, Policy, Any, Instant], Decision]
    streams: Callable[[States, Any], Iterable[str]]


def _member(states: States, command: Any) -> Iterable[str]:
    return (states.member_stream(command.member),)


def _opened(states: States, policy: Policy, command: c.OpenProgramme, at: Instant) -> Decision:
    return refuse(Reason.PROGRAMME_EXISTS, programme=states.name)


def _nothing(states: States, command: Any) -> Iterable[str]:
    return ()


HANDLERS: dict[type[c.Command], Handler] = {
    c.OpenProgramme: Handler(_opened, _nothing),
    c.AdvanceClock: Handler(programmes.decide_advance, _nothing),
    c.ChangeProgramme: Handler(programmes.decide_change, _nothing),
    c.EnrolMember: Handler(members.decide_enrol, _member),
    c.FreezeMember: Handler(members.decide_freeze, _member),
    c.UnfreezeMember: Handler(members.decide_unfreeze, _member),
    c.CloseMember: Handler(members.decide_close, _member),
    c.Earn: Handler(points.decide_earn, _member),
    c.Activate: Handler(activation.decide_activate, _member),
    c.ExtendExpiry: Handler(lifetimes.decide_extend, _member),
    c.RecordPurchase: Handler(
        purchases.decide_purchase, lambda s, k: (s.member_stream(k.member), s.order_stream(k.order))
    ),
    c.RefundPurchase: Handler(refunds.decide_refund, refunds.refund_streams),
    c.Adjust: Handler(adjustments.decide_adjust, _member),
    c.Reverse: Handler(reversals.decide_reverse, reversals.reversal_streams),
    c.DefineReward: Handler(rewards.decide_define, lambda s, k: (s.reward_stream(k.reward),)),
    c.PublishAllocationPolicy: Handler(allocation.decide_publish, lambda s, k: (s.allocation_stream(),)),
    c.Redeem: Handler(redemptions.decide_redeem, redemptions.redeem_streams),
    c.Fulfil: Handler(fulfilment.decide_fulfil, fulfilment.redemption_streams),
    c.Cancel: Handler(fulfilment.decide_cancel, fulfilment.redemption_streams),
    c.Hold: Handler(points.decide_hold, _member),
    c.CaptureHold: Handler(points.decide_capture, _member),
    c.ReleaseHold: Handler(points.decide_release, _member),
    c.Transfer: Handler(points.decide_transfer, lambda s, k: (s.member_stream(k.sender), s.member_stream(k.receiver))),
    c.ExpireDue: Handler(decide_expire, expire_streams),
    c.ReceiveStock: Handler(stock.decide_receive, stock.item_stream),
    c.LockStock: Handler(stock.decide_lock, stock.lock_streams),
    c.ReleaseStock: Handler(stock.decide_release, stock.item_stream),
    c.ShipStock: Handler(stock.decide_ship, stock.item_stream),
    c.CountStock: Handler(stock.decide_count, stock.item_stream),
    c.DiscontinueStock: Handler(stock.decide_discontinue, stock.discontinue_streams),
    c.TransferStock: Handler(stock.decide_transfer, stock.transfer_streams),
}


def streams_of(states: States, command: c.Command) -> Iterable[str]:
    """The streams that a command reads, as far as they follow from the command and from what is in memory."""
    yield states.programme_stream()
    yield from HANDLERS[type(command)].streams(states, command)


def source_of(channel: str, command: c.Command) -> Source | None:
    """What a command's grant stands on, if it grants: no two commands may credit the same."""
    if type(command) is c.Earn:
        return command.source
    if type(command) is c.RecordPurchase:
        return purchases.source_of(channel, command.order)
    return None


def decide(states: States, command: c.Command, request: c.Request, wall: Instant) -> Decision:
    """What a command of a request leads to, while the wall clock shows `wall`. Raises InvalidCommand and NotLoaded."""
    at = request.occurred_at
    programme = states.programme()
    if programme.policy is None:
        if isinstance(command, c.OpenProgramme):
            return programmes.decide_open(states, command)
        return refuse(Reason.PROGRAMME_NOT_FOUND, programme=states.name)
    now = programme.now(wall)
    if not now - programme.policy_at(now).backdating <= at <= now + FUTURE_MAX and type(command) is not c.AdvanceClock:
        return refuse(Reason.IN_THE_FUTURE if at > now else Reason.TOO_FAR_BACK, now=now, occurred_at=at)
    if isinstance(command, c.Adjust) and command.approver == request.actor:
        raise InvalidCommand("approver", "must be somebody else than who asks")
    decision = HANDLERS[type(command)].decide(states, programme.policy_at(at), command, at)
    return decision if isinstance(decision, Refusal) else pay_debts(states, decision, at)
