"""The statement view's fold: one entry for each event of a member, never changed again."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ledger import events as e
from ledger.events import TOPICS, Fact
from projections.projection import Changes, Keys, Projection, Rows, read_script
from projections.recorded import Recorded

Lots = list[tuple[str, int]]


class Effect(msgspec.Struct, frozen=True, gc=False):
    """What an event did to a member's points in one unit, and what it stands on."""

    points: int
    """Signed: what it did to the balance."""
    held: int
    """Signed: what it did to the points held."""
    lots: Lots
    source_type: str = ""
    source_id: str = ""
    rule: str = ""
    reason: str = ""
    order: str = ""
    """`<channel>/<order>`."""


def _lots(parts: Sequence[e.Part]) -> tuple[Lots, int]:
    return [(part.lot, part.points) for part in parts], sum(part.points for part in parts)


def _of_hold(hold: str) -> tuple[str, str]:
    """What a hold was for: `redemption:<id>` is a redemption's; `:` stands in no id that a caller gives."""
    kind, _, name = hold.rpartition(":")
    return (kind, name) if kind else ("hold", hold)


def _earned(event: e.PointsEarned) -> Effect:
    source = event.source
    order = source.id if source.type == "order" else ""
    lots = [(event.lot, event.points)]
    return Effect(event.points, 0, lots, source.type, source.id, event.rule, event.reason, order)


def _activated(event: e.PointsActivated) -> Effect:
    return Effect(0, 0, [(lot.lot, lot.points) for lot in event.lots])


def _extended(event: e.ExpiryExtended) -> Effect:
    """What ends with a period of activity is not named lot by lot."""
    lots = [(lot.lot, lot.points + lot.held) for lot in event.lots]
    source = ("activity", event.activity.value) if event.activity else ("request", event.reason)
    return Effect(0, 0, lots, *source, reason=event.reason)


def _held(event: e.PointsHeld) -> Effect:
    lots, points = _lots(event.parts)
    return Effect(0, points, lots, *_of_hold(event.hold))


def _released(event: e.PointsReleased) -> Effect:
    lots, points = _lots(event.parts)
    return Effect(0, -points, lots, *_of_hold(event.hold))


def _redeemed(event: e.PointsRedeemed) -> Effect:
    lots, points = _lots(event.parts)
    source = ("redemption", event.redemption) if event.redemption else ("order", event.order)
    return Effect(-points, -points if event.hold else 0, lots, *source, order=event.order)


def _taken(event: Any) -> tuple[Lots, int]:
    return [(lot.lot, lot.points) for lot in event.lots], sum(lot.points for lot in event.lots)


def _why(event: e.PointsClawedBack | e.PointsReinstated) -> tuple[str, str]:
    """What points were taken back or put back for."""
    return ("refund", f"{event.order}/{event.refund}") if event.refund else ("command", event.reverses)


def _clawed_back(event: e.PointsClawedBack) -> Effect:
    lots, points = _taken(event)
    source = ("adjustment", event.grant.lot) if event.approver else _why(event)
    return Effect(-points - event.debt, 0, lots, *source, reason=event.reason, order=event.order)


def _reinstated(event: e.PointsReinstated) -> Effect:
    lots, points = _taken(event)
    return Effect(points + event.debt, 0, lots, *_why(event), order=event.order)


def _forfeited(event: e.PointsForfeited) -> Effect:
    lots, points = _taken(event)
    source = ("command", event.reverses) if event.reverses else ("adjustment", "")
    return Effect(-points, 0, lots, *source, reason=event.reason)


def _repaid(event: e.DebtRepaid) -> Effect:
    # What was owed was subtracted from the balance before: that it is paid out of other points changes nothing.
    return Effect(0, 0, _taken(event)[0], "debt", "")


def _expired(event: e.PointsExpired) -> Effect:
    lots, points = _lots(event.parts)
    return Effect(-points, 0, lots, reason=event.reason.value)


def _transferred_out(event: e.PointsTransferredOut) -> Effect:
    lots, points = _lots(event.parts)
    return Effect(-points, 0, lots, "member", event.to)


def _transferred_in(event: e.PointsTransferredIn) -> Effect:
    lots = [(lot.lot, lot.points) for lot in event.lots]
    return Effect(sum(points for _, points in lots), 0, lots, "member", event.sender)


_EFFECT: dict[type[Fact], Callable[[Any], Effect]] = {
    e.PointsEarned: _earned,
    e.PointsActivated: _activated,
    e.ExpiryExtended: _extended,
    e.PointsHeld: _held,
    e.PointsReleased: _released,
    e.PointsRedeemed: _redeemed,
    e.PointsExpired: _expired,
    e.PointsClawedBack: _clawed_back,
    e.PointsReinstated: _reinstated,
    e.PointsForfeited: _forfeited,
    e.DebtRepaid: _repaid,
    e.PointsTransferredOut: _transferred_out,
    e.PointsTransferredIn: _transferred_in,
}
_encode = msgspec.json.Encoder().encode


def keys(events: Sequence[Recorded]) -> Keys:
    """The members and units that these events touch: their last balance is what the next one builds on."""
    touched: Sequence[Any] = events
    return {"balances": {(recorded.programme, recorded.subject, recorded.event.unit) for recorded in touched}}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """The entries of these events."""
    balances = {(programme, member, unit): balance for programme, member, unit, balance in rows["balances"]}
    entries = []
    for recorded in events:
        event: Any = recorded.event
        effect = _EFFECT[type(event)](event)
        key = (recorded.programme, recorded.subject, event.unit)
        balances[key] = balance = balances.get(key, 0) + effect.points
        entries.append(
            (
                recorded.programme,
                recorded.subject,
                recorded.position,
                TOPICS[type(event)],
                event.unit,
                effect.points,
                effect.held,
                balance,
                recorded.occurred_at,
                recorded.recorded_at,
                recorded.business_date.isoformat(),
                recorded.channel,
                effect.source_type,
                effect.source_id,
                effect.rule,
                _encode(effect.lots).decode(),
                effect.reason,
                effect.order,
            )
        )
    return {"entries": entries}


STATEMENT = Projection("statement", 3, read_script(__file__), frozenset(_EFFECT), fold, keys, parks=True)
