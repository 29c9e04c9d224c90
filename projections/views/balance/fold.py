"""The balance view's fold.

A lot changes by every event that names it. Lots of one member that expire together share a bucket, which keeps their
sums: a balance is a sum over the few buckets of a member, however many lots there are. Nothing here is derived from
the present: whether points are open, pending or expired is for the reader's clock to say.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ledger import events as e
from ledger.calendar import EARLIEST, Instant
from ledger.events import Fact
from ledger.ids import lot_number
from projections.projection import Changes, Keys, Projection, Row, Rows, read_script
from projections.recorded import Recorded

LotKey = tuple[str, str, int]
BucketKey = tuple[str, str, str, Instant, Instant]


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
    pending_until: Instant
    """`available_at` of a lot that began as pending; EARLIEST for all others, so that they share buckets."""
    expires_at: Instant
    issued: str
    funding: str
    source_type: str
    source_id: str
    root: str
    unit_cost: str | None


class Fold:
    """The changes of one batch."""

    def __init__(self, drawn: Iterable[Row]) -> None:
        self.enrolled: list[Row] = []
        self.granted: dict[LotKey, Lot] = {}
        self.drawn: dict[LotKey, Lot] = {(row[0], row[1], row[2]): Lot(*row) for row in drawn}
        self.buckets: dict[BucketKey, list[int]] = {}

    def changes(self) -> Changes:
        """The rows to write."""
        moved = [(*key, points, held) for key, (points, held) in self.buckets.items() if points or held]
        return {
            "enrolled": self.enrolled,
            "granted": [msgspec.structs.astuple(lot) for lot in self.granted.values()],
            "drawn": [(*key, lot.remaining, lot.held) for key, lot in self.drawn.items()],
            "moved": moved,
            "emptied": [row[:5] for row in moved if row[5] < 0 or row[6] < 0],
        }

    def _grant(self, lot: Lot) -> None:
        self.granted[lot.programme, lot.member, lot.number] = lot
        self._move(lot, lot.remaining, 0)

    def _draw(self, recorded: Recorded, parts: Sequence[e.Part], sign: int, held_sign: int) -> None:
        """Change what is left and what is held of lots by the points of these parts, as signed."""
        for part in parts:
            key = (recorded.programme, recorded.subject, lot_number(part.lot))
            lot = self.granted.get(key) or self.drawn.get(key)
            if lot is None:
                raise LookupError(f"lot {part.lot} was never granted")
            lot.remaining += sign * part.points
            lot.held += held_sign * part.points
            if lot.remaining < 0 or lot.held < 0:
                raise ValueError(f"lot {part.lot} comes to {lot.remaining} points, {lot.held} held")
            self._move(lot, sign * part.points, held_sign * part.points)

    def _move(self, lot: Lot, points: int, held: int) -> None:
        key = (lot.programme, lot.member, lot.unit, lot.pending_until, lot.expires_at)
        bucket = self.buckets.get(key)
        if bucket is None:
            self.buckets[key] = [points, held]
        else:
            bucket[0] += points
            bucket[1] += held

    def _enrolled(self, recorded: Recorded, event: e.MemberEnrolled) -> None:
        self.enrolled.append((recorded.programme, event.member, recorded.occurred_at))

    def _earned(self, recorded: Recorded, event: e.PointsEarned) -> None:
        at = recorded.occurred_at
        self._grant(
            Lot(
                recorded.programme,
                recorded.subject,
                lot_number(event.lot),
                event.unit,
                event.points,
                event.points,
                0,
                at,
                event.available_at,
                event.available_at if event.available_at > at else EARLIEST,
                event.expires_at,
                event.issued,
                event.funding,
                event.source.type,
                event.source.id,
                event.lot,
                event.unit_cost,
            )
        )

    def _transferred_in(self, recorded: Recorded, event: e.PointsTransferredIn) -> None:
        for child in event.lots:
            self._grant(
                Lot(
                    recorded.programme,
                    recorded.subject,
                    lot_number(child.lot),
                    event.unit,
                    child.points,
                    child.points,
                    0,
                    child.earned_at,
                    child.available_at,
                    child.available_at if child.available_at > recorded.occurred_at else EARLIEST,
                    child.expires_at,
                    child.issued,
                    child.funding,
                    child.source.type,
                    child.source.id,
                    child.root,
                    child.unit_cost,
                )
            )

    def _held(self, recorded: Recorded, event: e.PointsHeld) -> None:
        self._draw(recorded, event.parts, -1, +1)

    def _released(self, recorded: Recorded, event: e.PointsReleased) -> None:
        self._draw(recorded, event.parts, +1, -1)

    def _redeemed(self, recorded: Recorded, event: e.PointsRedeemed) -> None:
        if event.hold:
            self._draw(recorded, event.parts, 0, -1)
        else:
            self._draw(recorded, event.parts, -1, 0)

    def _left(self, recorded: Recorded, event: e.PointsExpired | e.PointsTransferredOut) -> None:
        self._draw(recorded, event.parts, -1, 0)


_FOLD: dict[type[Fact], Callable[[Fold, Recorded, Any], None]] = {
    e.MemberEnrolled: Fold._enrolled,
    e.PointsEarned: Fold._earned,
    e.PointsHeld: Fold._held,
    e.PointsReleased: Fold._released,
    e.PointsRedeemed: Fold._redeemed,
    e.PointsExpired: Fold._left,
    e.PointsTransferredOut: Fold._left,
    e.PointsTransferredIn: Fold._transferred_in,
}
_DRAWS = (e.PointsHeld, e.PointsReleased, e.PointsRedeemed, e.PointsExpired, e.PointsTransferredOut)


def keys(events: Sequence[Recorded]) -> Keys:
    """The lots that these events draw on; those granted by the same events are not in the tables yet."""
    drawn = {
        (recorded.programme, recorded.subject, lot_number(part.lot))
        for recorded in events
        if isinstance(recorded.event, _DRAWS)
        for part in recorded.event.parts
    }
    return {"drawn": drawn} if drawn else {}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """What these events change."""
    work = Fold(rows.get("drawn", ()))
    for recorded in events:
        _FOLD[type(recorded.event)](work, recorded, recorded.event)
    return work.changes()


BALANCE = Projection("balance", 1, read_script(__file__), frozenset(_FOLD), fold, keys)
