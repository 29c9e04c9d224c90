"""The balance view's fold.

A lot changes by every event that names it. Lots of one member that expire together share a bucket, which keeps their
sums: a balance is a sum over the few buckets of a member, however many lots there are. Nothing here is derived from
the present: whether points are open, pending or expired is for the reader's clock to say.

Lots whose expiry hangs on the member's activity name a period, and the period says when they end: an activity changes
one row of periods and two buckets.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import Fact
from ledger.ids import lot_number
from projections.projection import Changes, Projection, Row, Rows, read_script
from projections.recorded import Recorded

MemberKey = tuple[str, str]
LotKey = tuple[str, str, int]
SumKey = tuple[str, str, str, Instant]


class Lot(msgspec.Struct, gc=False):
    """A row of `lots`: points that were granted together."""

    programme: str
    member: str
    number: int
    unit: str
    granted: int
    remaining: int
    """What is left, without what is held."""
    held: int
    earned_at: Instant
    available_at: Instant
    expires_at: Instant
    period: int
    issued: str
    funding: str
    source_type: str
    source_id: str
    root: str
    unit_cost: str | None


class Fold:
    """The changes of one batch."""

    def __init__(self) -> None:
        self.enrolled: list[Row] = []
        self.granted: dict[LotKey, Lot] = {}
        self.drawn: dict[LotKey, list[int]] = {}
        self.buckets: dict[SumKey, list[int]] = {}
        self.owed: dict[tuple[str, str, str], int] = {}
        self.stood: dict[MemberKey, tuple[str, int | None]] = {}
        self.periods: dict[LotKey, Instant] = {}
        self.extended: dict[LotKey, tuple[Instant, int]] = {}
        self.activated: dict[LotKey, Instant] = {}

    def changes(self) -> Changes:
        """The rows to write; all sums are differences."""
        moved = {key: sums for key, sums in self.buckets.items() if sums != [0, 0]}
        return {
            "enrolled": self.enrolled,
            "stood": [(*key, *stood) for key, stood in self.stood.items()],
            "moved": [(*key, *sums) for key, sums in moved.items()],
            "emptied": [key for key, (remaining, held) in moved.items() if remaining < 0 or held < 0],
            "owed": [(*key, points) for key, points in self.owed.items()],
            "went_on": [(*key, expires_at) for key, expires_at in self.periods.items()],
            "drawn": [(*key, *sums) for key, sums in self.drawn.items()],
            "extended": [(*key, *ends) for key, ends in self.extended.items()],
            "activated": [(*key, available_at) for key, available_at in self.activated.items()],
            "granted": [msgspec.structs.astuple(lot) for lot in self.granted.values()],
        }

    def _grant(self, lot: Lot) -> None:
        self.granted[lot.programme, lot.member, lot.number] = lot
        _add(self.buckets, (lot.programme, lot.member, lot.unit, lot.expires_at), lot.granted, 0)
        if lot.period:
            self.periods[lot.programme, lot.member, lot.period] = lot.expires_at

    def _draw(self, recorded: Recorded, event: Any, remaining: int, held: int) -> None:
        """Change what is left and what is held by the points of the event's parts, as signed."""
        programme, member = recorded.programme, recorded.subject
        for part in event.parts:
            more, more_held = remaining * part.points, held * part.points
            self._change(programme, member, event.unit, part, more, more_held)

    def _change(
        self, programme: str, member: str, unit: str, part: e.Part | e.Taken, remaining: int, held: int
    ) -> None:
        _add(self.buckets, (programme, member, unit, part.expires_at), remaining, held)
        key = (programme, member, lot_number(part.lot))
        lot = self.granted.get(key)
        if lot is not None:
            lot.remaining += remaining
            lot.held += held
        else:
            _add(self.drawn, key, remaining, held)

    def _take(self, recorded: Recorded, event: Any) -> None:
        for taken in event.lots:
            self._change(recorded.programme, recorded.subject, event.unit, taken, -taken.points, 0)

    def _put_back(self, recorded: Recorded, event: Any) -> None:
        """Points come back to their lots, which then are as the event says."""
        for taken in event.lots:
            self._change(recorded.programme, recorded.subject, event.unit, taken, taken.points, 0)
            key = (recorded.programme, recorded.subject, lot_number(taken.lot))
            self._open_at(key, taken.available_at)
            self._end_at(key, taken.expires_at, taken.period)

    def _open_at(self, key: LotKey, available_at: Instant) -> None:
        lot = self.granted.get(key)
        if lot is not None:
            lot.available_at = available_at
        else:
            self.activated[key] = available_at

    def _end_at(self, key: LotKey, expires_at: Instant, period: int) -> None:
        lot = self.granted.get(key)
        if lot is not None:
            lot.expires_at, lot.period = expires_at, period
        else:
            self.extended[key] = (expires_at, period)
        if period:
            self.periods[key[0], key[1], period] = expires_at

    def _owe(self, recorded: Recorded, unit: str, points: int) -> None:
        key = (recorded.programme, recorded.subject, unit)
        self.owed[key] = self.owed.get(key, 0) + points

    def _enrolled(self, recorded: Recorded, event: e.MemberEnrolled) -> None:
        self.enrolled.append((recorded.programme, event.member, recorded.occurred_at, "ACTIVE", None))

    def _frozen(self, recorded: Recorded, event: e.MemberFrozen) -> None:
        self.stood[recorded.programme, recorded.subject] = ("FROZEN", event.last_lot)

    def _unfrozen(self, recorded: Recorded, event: e.MemberUnfrozen) -> None:
        self.stood[recorded.programme, recorded.subject] = ("ACTIVE", None)

    def _closed(self, recorded: Recorded, event: e.MemberClosed) -> None:
        self.stood[recorded.programme, recorded.subject] = ("CLOSED", None)

    def _earned(self, recorded: Recorded, event: e.PointsEarned) -> None:
        source = event.source
        lot = Lot(
            recorded.programme,
            recorded.subject,
            lot_number(event.lot),
            event.unit,
            event.points,
            event.points,
            0,
            recorded.occurred_at,
            recorded.occurred_at if event.available_at is None else event.available_at,
            event.expires_at,
            event.period,
            event.issued,
            event.funding,
            source.type,
            source.id,
            event.lot,
            event.unit_cost,
        )
        self._grant(lot)

    def _transferred_in(self, recorded: Recorded, event: e.PointsTransferredIn) -> None:
        for child in event.lots:
            lot = Lot(
                recorded.programme,
                recorded.subject,
                lot_number(child.lot),
                event.unit,
                child.points,
                child.points,
                0,
                child.earned_at,
                child.available_at,
                child.expires_at,
                0,
                child.issued,
                child.funding,
                child.source.type,
                child.source.id,
                child.root,
                child.unit_cost,
            )
            self._grant(lot)

    def _activated(self, recorded: Recorded, event: e.PointsActivated) -> None:
        for row in event.lots:
            self._open_at((recorded.programme, recorded.subject, lot_number(row.lot)), event.available_at)

    def _extended(self, recorded: Recorded, event: e.ExpiryExtended) -> None:
        programme, member = recorded.programme, recorded.subject
        for row in event.rows:
            _add(self.buckets, (programme, member, event.unit, row.was), -row.points, -row.held)
            _add(self.buckets, (programme, member, event.unit, event.expires_at), row.points, row.held)
        for period in event.periods:
            self.periods[programme, member, period.period] = event.expires_at
        for lot in event.lots:
            self._end_at((programme, member, lot_number(lot.lot)), event.expires_at, lot.period)

    def _held(self, recorded: Recorded, event: e.PointsHeld) -> None:
        self._draw(recorded, event, -1, +1)

    def _released(self, recorded: Recorded, event: e.PointsReleased) -> None:
        self._draw(recorded, event, +1, -1)

    def _redeemed(self, recorded: Recorded, event: e.PointsRedeemed) -> None:
        if event.hold:
            self._draw(recorded, event, 0, -1)
        else:
            self._draw(recorded, event, -1, 0)

    def _clawed_back(self, recorded: Recorded, event: e.PointsClawedBack) -> None:
        self._take(recorded, event)
        self._owe(recorded, event.unit, event.debt)

    def _reinstated(self, recorded: Recorded, event: e.PointsReinstated) -> None:
        self._put_back(recorded, event)
        self._owe(recorded, event.unit, -event.debt)

    def _forfeited(self, recorded: Recorded, event: e.PointsForfeited) -> None:
        self._take(recorded, event)

    def _repaid(self, recorded: Recorded, event: e.DebtRepaid) -> None:
        self._take(recorded, event)
        self._owe(recorded, event.unit, -sum(taken.points for taken in event.lots))

    def _left(self, recorded: Recorded, event: e.PointsExpired | e.PointsTransferredOut) -> None:
        self._draw(recorded, event, -1, 0)


def _add(sums: dict[Any, list[int]], key: LotKey | SumKey, remaining: int, held: int) -> None:
    known = sums.get(key)
    if known is None:
        sums[key] = [remaining, held]
    else:
        known[0] += remaining
        known[1] += held


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
    e.PointsExpired: Fold._left,
    e.PointsClawedBack: Fold._clawed_back,
    e.PointsReinstated: Fold._reinstated,
    e.PointsForfeited: Fold._forfeited,
    e.DebtRepaid: Fold._repaid,
    e.PointsTransferredOut: Fold._left,
    e.PointsTransferredIn: Fold._transferred_in,
}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """What these events change."""
    work = Fold()
    for recorded in events:
        _FOLD[type(recorded.event)](work, recorded, recorded.event)
    return work.changes()


BALANCE = Projection("balance", 2, read_script(__file__), frozenset(_FOLD), fold)
