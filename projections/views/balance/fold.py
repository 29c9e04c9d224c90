"""The balance view's fold.

A lot changes by every event that names it. Lots of one member that expire together share a bucket, which keeps their
sums: a balance is a sum over the few buckets of a member, however many lots there are. Nothing here is derived from
the present: whether points are open, pending or expired is for the reader's clock to say.

What began as pending is kept apart, by the time until which it is. Only clawbacks and the like touch it: points are
otherwise taken out of lots that are available by then.
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
        self.pending: dict[SumKey, int] = {}
        self.owed: dict[tuple[str, str, str], int] = {}

    def changes(self) -> Changes:
        """The rows to write; all sums are differences."""
        moved = {key: sums for key, sums in self.buckets.items() if sums != [0, 0]}
        return {
            "enrolled": self.enrolled,
            "moved": [(*key, *sums) for key, sums in moved.items()],
            "emptied": [key for key, (remaining, held) in moved.items() if remaining < 0 or held < 0],
            "pending": [(*key, points) for key, points in self.pending.items()],
            "owed": [(*key, points) for key, points in self.owed.items() if points],
            "drawn": [(*key, *sums) for key, sums in self.drawn.items()],
            "granted": [msgspec.structs.astuple(lot) for lot in self.granted.values()],
        }

    def _grant(self, lot: Lot, at: Instant) -> None:
        self.granted[lot.programme, lot.member, lot.number] = lot
        _add(self.buckets, (lot.programme, lot.member, lot.unit, lot.expires_at), lot.granted, 0)
        if lot.available_at > at:
            key = (lot.programme, lot.member, lot.unit, lot.available_at)
            self.pending[key] = self.pending.get(key, 0) + lot.granted

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

    def _move(self, recorded: Recorded, event: Any, sign: int) -> None:
        """Put points into the event's lots, or take them out; they may be pending yet."""
        programme, member, unit = recorded.programme, recorded.subject, event.unit
        for taken in event.lots:
            self._change(programme, member, unit, taken, sign * taken.points, 0)
            if taken.available_at > recorded.occurred_at:
                key = (programme, member, unit, taken.available_at)
                self.pending[key] = self.pending.get(key, 0) + sign * taken.points

    def _owe(self, recorded: Recorded, unit: str, points: int) -> None:
        key = (recorded.programme, recorded.subject, unit)
        self.owed[key] = self.owed.get(key, 0) + points

    def _enrolled(self, recorded: Recorded, event: e.MemberEnrolled) -> None:
        self.enrolled.append((recorded.programme, event.member, recorded.occurred_at))

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
            event.issued,
            event.funding,
            source.type,
            source.id,
            event.lot,
            event.unit_cost,
        )
        self._grant(lot, recorded.occurred_at)

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
                child.issued,
                child.funding,
                child.source.type,
                child.source.id,
                child.root,
                child.unit_cost,
            )
            self._grant(lot, recorded.occurred_at)

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
        self._move(recorded, event, -1)
        self._owe(recorded, event.unit, event.debt)

    def _reinstated(self, recorded: Recorded, event: e.PointsReinstated) -> None:
        self._move(recorded, event, +1)
        self._owe(recorded, event.unit, -event.debt)

    def _forfeited(self, recorded: Recorded, event: e.PointsForfeited) -> None:
        self._move(recorded, event, -1)

    def _repaid(self, recorded: Recorded, event: e.DebtRepaid) -> None:
        self._move(recorded, event, -1)
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
    e.PointsEarned: Fold._earned,
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


BALANCE = Projection("balance", 1, read_script(__file__), frozenset(_FOLD), fold)
