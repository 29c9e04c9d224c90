"""The due view's fold: when points, holds and locks end, for as long as there is something left to end.

Points that never expire are left out, and so are the locks of redemptions: a redemption times out with its hold.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ledger import events as e
from ledger.calendar import NEVER, Instant
from ledger.events import Fact
from projections.projection import Changes, Projection, Row, Rows, read_script
from projections.recorded import Recorded

LotsKey = tuple[str, str, str, Instant]


class Fold:
    """The changes of one batch."""

    def __init__(self) -> None:
        self.lots: dict[LotsKey, int] = {}
        self.held: dict[Row, Row] = {}
        self.ended: dict[Row, None] = {}
        self.locked: dict[Row, Row] = {}
        self.unlocked: dict[Row, None] = {}

    def changes(self) -> Changes:
        """The rows to write."""
        return {
            "moved": [(*key, points) for key, points in self.lots.items() if points],
            "emptied": [key for key, points in self.lots.items() if points < 0],
            "ended": self.ended,
            "held": self.held.values(),
            "unlocked": self.unlocked,
            "locked": self.locked.values(),
        }

    def _move(self, recorded: Recorded, unit: str, expires_at: Instant, points: int) -> None:
        if expires_at != NEVER:
            key = (recorded.programme, recorded.subject, unit, expires_at)
            self.lots[key] = self.lots.get(key, 0) + points

    def _end_hold(self, recorded: Recorded, event: e.PointsReleased | e.PointsRedeemed) -> None:
        key = (recorded.programme, recorded.subject, event.hold)
        if not event.left and self.held.pop(key, None) is None:
            self.ended[key] = None

    def _earned(self, recorded: Recorded, event: e.PointsEarned) -> None:
        self._move(recorded, event.unit, event.expires_at, event.points)

    def _extended(self, recorded: Recorded, event: e.ExpiryExtended) -> None:
        for row in event.rows:
            self._move(recorded, event.unit, row.was, -row.points)
            self._move(recorded, event.unit, event.expires_at, row.points)

    def _left(self, recorded: Recorded, event: e.PointsExpired | e.PointsTransferredOut) -> None:
        for part in event.parts:
            self._move(recorded, event.unit, part.expires_at, -part.points)

    def _taken(self, recorded: Recorded, event: e.PointsClawedBack | e.PointsForfeited | e.DebtRepaid) -> None:
        for taken in event.lots:
            self._move(recorded, event.unit, taken.expires_at, -taken.points)

    def _reinstated(self, recorded: Recorded, event: e.PointsReinstated) -> None:
        for taken in event.lots:
            self._move(recorded, event.unit, taken.expires_at, taken.points)

    def _transferred_in(self, recorded: Recorded, event: e.PointsTransferredIn) -> None:
        for child in event.lots:
            self._move(recorded, event.unit, child.expires_at, child.points)

    def _held(self, recorded: Recorded, event: e.PointsHeld) -> None:
        for part in event.parts:
            self._move(recorded, event.unit, part.expires_at, -part.points)
        key = (recorded.programme, recorded.subject, event.hold)
        self.held[key] = (*key, event.expires_at)

    def _released(self, recorded: Recorded, event: e.PointsReleased) -> None:
        for part in event.parts:
            self._move(recorded, event.unit, part.expires_at, part.points)
        self._end_hold(recorded, event)

    def _redeemed(self, recorded: Recorded, event: e.PointsRedeemed) -> None:
        if event.hold:
            self._end_hold(recorded, event)
        else:
            for part in event.parts:
                self._move(recorded, event.unit, part.expires_at, -part.points)

    def _locked(self, recorded: Recorded, event: e.StockLocked) -> None:
        if not event.redemption:
            key = (recorded.programme, event.sku, event.location, event.lock)
            self.locked[key] = (*key, event.expires_at)

    def _unlocked(self, recorded: Recorded, event: e.StockReleased | e.StockShipped) -> None:
        if ":" in event.lock:  # A redemption's lock is named after it; callers give no such names.
            return
        key = (recorded.programme, event.sku, event.location, event.lock)
        if not event.left and self.locked.pop(key, None) is None:
            self.unlocked[key] = None


_FOLD: dict[type[Fact], Callable[[Fold, Recorded, Any], None]] = {
    e.PointsEarned: Fold._earned,
    e.ExpiryExtended: Fold._extended,
    e.PointsHeld: Fold._held,
    e.PointsReleased: Fold._released,
    e.PointsRedeemed: Fold._redeemed,
    e.PointsExpired: Fold._left,
    e.PointsClawedBack: Fold._taken,
    e.PointsForfeited: Fold._taken,
    e.DebtRepaid: Fold._taken,
    e.PointsReinstated: Fold._reinstated,
    e.PointsTransferredOut: Fold._left,
    e.PointsTransferredIn: Fold._transferred_in,
    e.StockLocked: Fold._locked,
    e.StockReleased: Fold._unlocked,
    e.StockShipped: Fold._unlocked,
}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """What these events change."""
    work = Fold()
    for recorded in events:
        _FOLD[type(recorded.event)](work, recorded, recorded.event)
    return work.changes()


DUE = Projection("due", 3, read_script(__file__), frozenset(_FOLD), fold)
