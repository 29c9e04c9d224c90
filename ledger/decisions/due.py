"""What falls due by the clock: lots that end, holds and locks that time out.

Streams decide; a late or repeated sweep changes nothing.
"""

from collections.abc import Iterable

from ledger import commands as c
from ledger.calendar import Instant
from ledger.decisions.checks import Decision, Events
from ledger.decisions.fulfilment import give_back, goods_streams
from ledger.decisions.points import expire_lots, release
from ledger.decisions.stock import release_lock
from ledger.errors import InvalidCommand
from ledger.events import CancelReason
from ledger.policy import Policy
from ledger.states.holds import Hold
from ledger.states.lookup import States

LOTS_MAX = 1_000
HOLDS_MAX = 100
"""What one command posts at most; the rest stays due and is swept next."""


def due_holds(states: States, member: str, cut_off: Instant) -> list[Hold]:
    """The first holds of a member that timed out by `cut_off`."""
    state = states.peek(states.member_stream(member))
    if state is None:
        return []
    return [hold for hold in state.holds.values() if hold.expires_at <= cut_off][:HOLDS_MAX]


def expire_streams(states: States, command: c.ExpireDue) -> Iterable[str]:
    """What a sweep needs: the member or the stock item and, once that is known, the redemptions that time out."""
    if command.member:
        yield states.member_stream(command.member)
        for hold in due_holds(states, command.member, command.cut_off):
            if hold.redemption:
                yield states.redemption_stream(hold.redemption)
                yield from goods_streams(states, hold.redemption)
    else:
        yield states.stock_stream(command.sku, command.location)


def decide_expire(states: States, policy: Policy, command: c.ExpireDue, at: Instant) -> Decision:
    """Post what is due; nothing due is an acceptance without events."""
    if command.cut_off > at:
        raise InvalidCommand("cut_off", "must not be after occurred_at")
    if bool(command.member) == bool(command.sku):
        raise InvalidCommand("member", "name either a member or a stock item")
    return _expire_member(states, command) if command.member else _expire_locks(states, command)


def _expire_member(states: States, command: c.ExpireDue) -> Events:
    member = states.member(command.member)
    events: Events = []
    for hold in due_holds(states, command.member, command.cut_off):
        if not hold.redemption:
            events += release(states, member, hold, command.cut_off)
            continue
        redemption = states.redemption(hold.redemption)
        events += give_back(
            states, redemption, redemption.open, CancelReason.TIMED_OUT, hold.expires_at, command.cut_off
        )
    return events + expire_lots(states, member, command.cut_off, LOTS_MAX)


def _expire_locks(states: States, command: c.ExpireDue) -> Events:
    stock = states.stock(command.sku, command.location)
    stream = states.stock_stream(command.sku, command.location)
    late = [lock for lock in stock.locks.values() if lock.expires_at <= command.cut_off and not lock.redemption]
    return [
        (stream, release_lock(stock, lock.id, command.sku, command.location, CancelReason.TIMED_OUT, lock.quantity))
        for lock in late[:HOLDS_MAX]
    ]
