"""The holds view's fold: a row from the setting aside of points to the end of the hold.

The id of a hold that has ended may be used again, so a row is known by the position at which it began; at most one row
of an id is open.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import Fact
from projections.projection import Changes, Keys, Projection, Row, Rows, read_script
from projections.recorded import Recorded

HoldKey = tuple[str, str, str]


class Hold(msgspec.Struct, gc=False):
    """A row of `holds`; points = captured + released + what is still held."""

    programme: str
    member: str
    hold: str
    position: int
    state: str
    unit: str
    points: int
    captured: int
    released: int
    redemption: str
    channel: str
    held_at: Instant
    expires_at: Instant
    ended_at: Instant | None

    @property
    def key(self) -> HoldKey:
        """What events call it by."""
        return self.programme, self.member, self.hold


class Fold:
    """The changes of one batch."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.known = [Hold(*row) for row in rows]
        self.begun: list[Hold] = []
        self.open = {hold.key: hold for hold in self.known}

    def changes(self) -> Changes:
        """The rows to write."""
        changed = [
            (*hold.key, hold.position, hold.state, hold.captured, hold.released, hold.ended_at) for hold in self.known
        ]
        return {"changed": changed, "begun": map(msgspec.structs.astuple, self.begun)}

    def _held(self, recorded: Recorded, event: e.PointsHeld) -> None:
        hold = Hold(
            recorded.programme,
            recorded.subject,
            event.hold,
            recorded.position,
            "HELD",
            event.unit,
            sum(part.points for part in event.parts),
            0,
            0,
            event.redemption,
            recorded.channel,
            recorded.occurred_at,
            event.expires_at,
            None,
        )
        self.begun.append(hold)
        self.open[hold.key] = hold

    def _released(self, recorded: Recorded, event: e.PointsReleased) -> None:
        hold = self._of(recorded, event.hold)
        hold.released += sum(part.points for part in event.parts)
        self._go_on(hold, recorded, event.left)

    def _redeemed(self, recorded: Recorded, event: e.PointsRedeemed) -> None:
        if event.hold:
            hold = self._of(recorded, event.hold)
            hold.captured += sum(part.points for part in event.parts)
            self._go_on(hold, recorded, event.left)

    def _of(self, recorded: Recorded, name: str) -> Hold:
        hold = self.open.get((recorded.programme, recorded.subject, name))
        if hold is None:
            raise LookupError(f"no hold {name} of {recorded.subject} is open")
        return hold

    def _go_on(self, hold: Hold, recorded: Recorded, left: int) -> None:
        if left:
            hold.state = "PARTLY_CAPTURED" if hold.captured else "HELD"
            return
        hold.ended_at = recorded.occurred_at
        if hold.captured:
            hold.state = "CAPTURED"
        else:
            hold.state = "TIMED_OUT" if recorded.occurred_at >= hold.expires_at else "RELEASED"
        del self.open[hold.key]


_FOLD: dict[type[Fact], Callable[[Fold, Recorded, Any], None]] = {
    e.PointsHeld: Fold._held,
    e.PointsReleased: Fold._released,
    e.PointsRedeemed: Fold._redeemed,
}


def keys(events: Sequence[Recorded]) -> Keys:
    """The holds that go on or end, if they were not begun by the same events."""
    touched: Sequence[Any] = events
    going_on = {
        (recorded.programme, recorded.subject, recorded.event.hold)
        for recorded in touched
        if not isinstance(recorded.event, e.PointsHeld) and recorded.event.hold
    }
    return {"open": going_on} if going_on else {}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """What these events change."""
    work = Fold(rows.get("open", ()))
    for recorded in events:
        _FOLD[type(recorded.event)](work, recorded, recorded.event)
    return work.changes()


HOLDS = Projection("holds", 1, read_script(__file__), frozenset(_FOLD), fold, keys)
