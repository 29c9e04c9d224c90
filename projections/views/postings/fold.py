"""The postings view's fold: what each event did, to which lot, from when on. Nothing is ever changed again.

A posting is effective when its command says that it happened; an expiry, when the points ended.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import Fact
from ledger.ids import lot_number
from projections.projection import Changes, Projection, Row, Rows, read_script
from projections.recorded import Recorded


class Fold:
    """The postings of one batch."""

    def __init__(self) -> None:
        self.points: list[Row] = []
        self.members: list[Row] = []
        self.stock: list[Row] = []
        self.discontinued: list[Row] = []

    def changes(self) -> Changes:
        """The rows to write."""
        return {
            "points": self.points,
            "members": self.members,
            "stock": self.stock,
            "discontinued": self.discontinued,
        }

    # -- points

    def _post(
        self,
        recorded: Recorded,
        unit: str,
        lot: int,
        remaining: int = 0,
        held: int = 0,
        debt: int = 0,
        earned_at: Instant | None = None,
        available_at: Instant | None = None,
        expires_at: Instant | None = None,
        period: int | None = None,
        effective_at: Instant | None = None,
    ) -> None:
        self.points.append(
            (
                recorded.position,
                recorded.occurred_at if effective_at is None else effective_at,
                recorded.recorded_at,
                remaining,
                held,
                debt,
                earned_at,
                available_at,
                expires_at,
                period,
                lot,
                recorded.programme,
                recorded.subject,
                unit,
            )
        )

    def _draw(
        self, recorded: Recorded, event: Any, remaining: int, held: int, effective_at: Instant | None = None
    ) -> None:
        """Change what is left and what is held by the points of the event's parts, as signed."""
        for part in event.parts:
            self._post(
                recorded,
                event.unit,
                lot_number(part.lot),
                remaining * part.points,
                held * part.points,
                effective_at=effective_at,
            )

    def _take(self, recorded: Recorded, unit: str, lots: Iterable[e.Taken]) -> None:
        for taken in lots:
            self._post(recorded, unit, lot_number(taken.lot), -taken.points)

    def _owe(self, recorded: Recorded, unit: str, points: int) -> None:
        if points:
            self._post(recorded, unit, 0, debt=points)

    def _earned(self, recorded: Recorded, event: e.PointsEarned) -> None:
        at = recorded.occurred_at
        available_at = at if event.available_at is None else event.available_at
        self._post(
            recorded,
            event.unit,
            lot_number(event.lot),
            event.points,
            earned_at=at,
            available_at=available_at,
            expires_at=event.expires_at,
            period=event.period,
        )

    def _transferred_in(self, recorded: Recorded, event: e.PointsTransferredIn) -> None:
        for child in event.lots:
            self._post(
                recorded,
                event.unit,
                lot_number(child.lot),
                child.points,
                earned_at=child.earned_at,
                available_at=child.available_at,
                expires_at=child.expires_at,
                period=0,
            )

    def _activated(self, recorded: Recorded, event: e.PointsActivated) -> None:
        for row in event.lots:
            self._post(recorded, event.unit, lot_number(row.lot), available_at=event.available_at)

    def _extended(self, recorded: Recorded, event: e.ExpiryExtended) -> None:
        for period in event.periods:
            self._post(recorded, event.unit, 0, expires_at=event.expires_at, period=period.period)
        for lot in event.lots:
            self._post(recorded, event.unit, lot_number(lot.lot), expires_at=event.expires_at, period=lot.period)

    def _held(self, recorded: Recorded, event: e.PointsHeld) -> None:
        self._draw(recorded, event, -1, +1)

    def _released(self, recorded: Recorded, event: e.PointsReleased) -> None:
        self._draw(recorded, event, +1, -1)

    def _redeemed(self, recorded: Recorded, event: e.PointsRedeemed) -> None:
        if event.hold:
            self._draw(recorded, event, 0, -1)
        else:
            self._draw(recorded, event, -1, 0)

    def _expired(self, recorded: Recorded, event: e.PointsExpired) -> None:
        self._draw(recorded, event, -1, 0, event.effective_at)

    def _transferred_out(self, recorded: Recorded, event: e.PointsTransferredOut) -> None:
        self._draw(recorded, event, -1, 0)

    def _clawed_back(self, recorded: Recorded, event: e.PointsClawedBack) -> None:
        self._take(recorded, event.unit, event.lots)
        self._owe(recorded, event.unit, event.debt)

    def _reinstated(self, recorded: Recorded, event: e.PointsReinstated) -> None:
        """Points come back to their lots, which then are as the event says."""
        for taken in event.lots:
            self._post(
                recorded,
                event.unit,
                lot_number(taken.lot),
                taken.points,
                available_at=taken.available_at,
                expires_at=taken.expires_at,
                period=taken.period,
            )
        self._owe(recorded, event.unit, -event.debt)

    def _forfeited(self, recorded: Recorded, event: e.PointsForfeited) -> None:
        self._take(recorded, event.unit, event.lots)

    def _repaid(self, recorded: Recorded, event: e.DebtRepaid) -> None:
        self._take(recorded, event.unit, event.lots)
        self._owe(recorded, event.unit, -sum(taken.points for taken in event.lots))

    # -- members

    def _stand(self, recorded: Recorded, status: str, last_lot: int | None = None) -> None:
        at = (recorded.position, recorded.occurred_at, recorded.recorded_at)
        self.members.append((*at, last_lot, recorded.programme, recorded.subject, status))

    def _enrolled(self, recorded: Recorded, event: e.MemberEnrolled) -> None:
        self._stand(recorded, "ACTIVE")

    def _frozen(self, recorded: Recorded, event: e.MemberFrozen) -> None:
        self._stand(recorded, "FROZEN", event.last_lot)

    def _unfrozen(self, recorded: Recorded, event: e.MemberUnfrozen) -> None:
        self._stand(recorded, "ACTIVE")

    def _closed(self, recorded: Recorded, event: e.MemberClosed) -> None:
        self._stand(recorded, "CLOSED")

    # -- stock

    def _move(
        self,
        recorded: Recorded,
        event: Any,
        on_hand: int = 0,
        locked: int = 0,
        shipped: int = 0,
        received: int = 0,
        value: int = 0,
        counted: int = 0,
        transferred: int = 0,
    ) -> None:
        at = (recorded.position, recorded.occurred_at, recorded.recorded_at)
        sums = (on_hand, locked, shipped, received, value, counted, transferred)
        self.stock.append((*at, *sums, recorded.programme, event.sku, event.location))

    def _received(self, recorded: Recorded, event: e.StockReceived) -> None:
        units = event.quantity
        self._move(recorded, event, units, received=units, value=units * event.unit_cost)

    def _locked(self, recorded: Recorded, event: e.StockLocked) -> None:
        self._move(recorded, event, locked=event.quantity)

    def _unlocked(self, recorded: Recorded, event: e.StockReleased) -> None:
        self._move(recorded, event, locked=-event.quantity)

    def _shipped(self, recorded: Recorded, event: e.StockShipped) -> None:
        units = event.quantity
        self._move(recorded, event, -units, locked=-units, shipped=units, value=-event.cost)

    def _counted(self, recorded: Recorded, event: e.StockCounted) -> None:
        self._move(recorded, event, event.difference, counted=event.difference, value=event.value)

    def _sent(self, recorded: Recorded, event: e.StockTransferredOut) -> None:
        self._move(recorded, event, -event.quantity, transferred=-event.quantity, value=-event.cost)

    def _came(self, recorded: Recorded, event: e.StockTransferredIn) -> None:
        self._move(recorded, event, event.quantity, transferred=event.quantity, value=event.cost)

    def _discontinued(self, recorded: Recorded, event: e.StockDiscontinued) -> None:
        at = (recorded.position, recorded.occurred_at, recorded.recorded_at)
        self.discontinued.append((*at, recorded.programme, event.sku, event.location))


_FOLD: dict[type[Fact], Callable[[Fold, Recorded, Any], None]] = {
    e.MemberEnrolled: Fold._enrolled,
    e.MemberFrozen: Fold._frozen,
    e.MemberUnfrozen: Fold._unfrozen,
    e.MemberClosed: Fold._closed,
    e.PointsEarned: Fold._earned,
    e.PointsActivated: Fold._activated,
    e.ExpiryExtended: Fold._extended,
    e.PointsHeld: Fold._held,
    e.PointsReleased: Fold._released,
    e.PointsRedeemed: Fold._redeemed,
    e.PointsExpired: Fold._expired,
    e.PointsClawedBack: Fold._clawed_back,
    e.PointsReinstated: Fold._reinstated,
    e.PointsForfeited: Fold._forfeited,
    e.DebtRepaid: Fold._repaid,
    e.PointsTransferredOut: Fold._transferred_out,
    e.PointsTransferredIn: Fold._transferred_in,
    e.StockReceived: Fold._received,
    e.StockLocked: Fold._locked,
    e.StockReleased: Fold._unlocked,
    e.StockShipped: Fold._shipped,
    e.StockCounted: Fold._counted,
    e.StockTransferredOut: Fold._sent,
    e.StockTransferredIn: Fold._came,
    e.StockDiscontinued: Fold._discontinued,
}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """The postings of these events."""
    work = Fold()
    for recorded in events:
        _FOLD[type(recorded.event)](work, recorded, recorded.event)
    return work.changes()


POSTINGS = Projection("postings", 1, read_script(__file__), frozenset(_FOLD), fold)
