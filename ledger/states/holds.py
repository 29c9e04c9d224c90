"""Points of a member that are set aside, in whole or in part taken out again."""

from collections.abc import Sequence

import msgspec

from ledger.calendar import Instant
from ledger.events import Part
from ledger.ids import lot_number
from ledger.quantities import split
from ledger.states.queues import Lot


class Hold(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Points set aside, with the lots that gave them; each part's lot carries the held points."""

    id: str
    unit: str
    points: int
    lots: tuple[Lot, ...]
    held_at: Instant
    expires_at: Instant
    redemption: str

    def take(self, points: int) -> list[tuple[Lot, int]]:
        """Some of the held points: of each lot in proportion, by largest remainder; taken in turn, all of them."""
        shares = split(points, [lot.points for lot in self.lots])
        return [(lot, share) for lot, share in zip(self.lots, shares, strict=True) if share]

    def divide(self, parts: Sequence[Part]) -> tuple[tuple[Lot, ...], "Hold"]:
        """What these parts take out of the hold, as lots with the points taken, and the hold with what is left."""
        taken = {lot_number(part.lot): part.points for part in parts}
        out = tuple(lot.with_points(taken[lot.number]) for lot in self.lots if lot.number in taken)
        rest = ((lot, lot.points - taken.get(lot.number, 0)) for lot in self.lots)
        lots = tuple(lot.with_points(points) for lot, points in rest if points)
        points = self.points - sum(taken.values())
        return out, Hold(self.id, self.unit, points, lots, self.held_at, self.expires_at, self.redemption)
