"""A member: lots in each unit, the holds on them, what is owed, and how the member stands in the programme."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import Fact, Part, Taken
from ledger.ids import lot_number
from ledger.quantities import Balance
from ledger.states import lifecycle
from ledger.states.holds import Hold
from ledger.states.lots import Lots, LotsImage
from ledger.states.queues import Lot


class MemberImage(msgspec.Struct, frozen=True, array_like=True):
    """A member's state in a snapshot."""

    version: int
    id: str
    lots_made: int
    units: dict[str, LotsImage]
    holds: list[Hold]
    debts: dict[str, int]
    periods_made: int
    last_lot: int | None
    closed: bool
    sent: dict[tuple[str, str], int]


class Member:
    """What a member owns. `version` is the stream's version; 0: not enrolled."""

    __slots__ = (
        "_held_sums",
        "closed",
        "debts",
        "holds",
        "id",
        "last_lot",
        "lots_made",
        "periods_made",
        "sent",
        "units",
        "version",
    )

    Image = MemberImage

    def __init__(self) -> None:
        self.version = 0
        self.id = ""
        self.lots_made = 0
        self.units: dict[str, Lots] = {}
        self.holds: dict[str, Hold] = {}
        self._held_sums: dict[str, int] = {}
        self.debts: dict[str, int] = {}
        """Points owed, by unit; a unit in which nothing is owed has no entry."""
        self.periods_made = 0
        self.last_lot: int | None = None
        """Of a frozen member: the number of the last lot that is not quarantined."""
        self.closed = False
        self.sent: dict[tuple[str, str], int] = {}
        """Points sent to others, by business day and unit, for as long as a command may be dated on that day."""

    @property
    def frozen(self) -> bool:
        """Whether the member may not spend."""
        return self.last_lot is not None

    @property
    def enrolled(self) -> bool:
        """Whether the member is in the programme."""
        return self.version > 0

    @property
    def weight(self) -> int:
        """About how many bytes the state takes, as measured: so much for a unit, so much for each lot in it."""
        weight = 350 + 600 * len(self.holds) + 200 * len(self.sent)
        for lots in self.units.values():
            weight += 900 + 340 * lots.count
        return weight

    def lots(self, unit: str) -> Lots:
        """The lots of a unit; an empty set, not kept, where there are none."""
        lots = self.units.get(unit)
        return Lots() if lots is None else lots

    def owned(self, unit: str) -> int:
        """Points of a unit in lots and holds."""
        lots = self.units.get(unit)
        return (lots.total if lots is not None else 0) + self._held_sums.get(unit, 0)

    def next_lot(self, ahead: int = 0) -> str:
        """The id (see `ids.lot_id`) of the next lot, or of the one `ahead` places behind it."""
        return f"{self.id}:{self.lots_made + 1 + ahead}"

    def next_period(self) -> int:
        """The number of the next period of activity."""
        return self.periods_made + 1

    def expiry(self, lot: Lot) -> Instant:
        """When a lot of this member ends, open or held; a lot with a period of activity ends with that."""
        if lot.period:
            for lots in self.units.values():
                ends = lots.period_end(lot.period)
                if ends is not None:
                    return ends
        return lot.expires_at

    def part(self, lot: Lot, points: int) -> Part:
        """Some of a lot's points, as events name them."""
        return lot.part(self.id, points, self.expiry(lot))

    def taken(self, lot: Lot, points: int) -> Taken:
        """Some of a lot's points, as events name them that may have to be undone."""
        return lot.taken(self.id, points, self.expiry(lot))

    def balances(self, at: Instant) -> tuple[Balance, ...]:
        """The balances in each unit, at an instant or at the time of the last event, whichever is later."""
        balances = []
        for unit, lots in self.units.items():
            opened, pending = lots.open_and_pending(at)
            held, debt = self._held_sums.get(unit, 0), self.debts.get(unit, 0)
            quarantined = 0 if self.last_lot is None else lots.quarantined(at)
            balances.append(Balance(self.id, unit, opened, pending, held, quarantined, debt))
        return tuple(balances)

    def clone(self) -> "Member":
        """A copy that changes by itself."""
        copy = Member()
        copy.version, copy.id, copy.lots_made = self.version, self.id, self.lots_made
        copy.units = {unit: lots.clone() for unit, lots in self.units.items()}
        copy.holds, copy._held_sums = self.holds.copy(), self._held_sums.copy()
        copy.debts = self.debts.copy()
        copy.periods_made, copy.last_lot, copy.closed = self.periods_made, self.last_lot, self.closed
        copy.sent = self.sent.copy()
        return copy

    def image(self) -> MemberImage:
        """What a snapshot keeps."""
        return MemberImage(
            self.version,
            self.id,
            self.lots_made,
            {unit: lots.image() for unit, lots in self.units.items()},
            list(self.holds.values()),
            self.debts.copy(),
            self.periods_made,
            self.last_lot,
            self.closed,
            self.sent.copy(),
        )

    @classmethod
    def restore(cls, image: MemberImage) -> "Member":
        """The state that a snapshot was taken of."""
        member = cls()
        member.version, member.id, member.lots_made = image.version, image.id, image.lots_made
        member.periods_made, member.last_lot = image.periods_made, image.last_lot
        member.closed, member.sent = image.closed, image.sent
        member.units = {unit: Lots.restore(lots, image.last_lot) for unit, lots in image.units.items()}
        for hold in image.holds:
            member._add(hold)
        member.debts = image.debts
        return member

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        _EVOLVE[type(event)](self, event, at)
        self.version += 1

    def _unit(self, unit: str, at: Instant) -> Lots:
        lots = self.units.get(unit)
        if lots is None:
            lots = self.units[unit] = Lots()
            if self.last_lot is not None:
                lots.freeze(self.last_lot)
        lots.settle(at)
        return lots

    def _add(self, hold: Hold) -> None:
        self.holds[hold.id] = hold
        self.units[hold.unit].count_held(hold.lots, 1)
        self._held_sums[hold.unit] = self._held_sums.get(hold.unit, 0) + hold.points

    def _take_held(self, hold_id: str, parts: Sequence[Part]) -> tuple[Lot, ...]:
        """Take parts out of a hold, which ends with its last point; returns their lots, with the points taken."""
        hold = self.holds[hold_id]
        points = sum(part.points for part in parts)
        self._held_sums[hold.unit] -= points
        if points == hold.points:
            del self.holds[hold_id]
            return hold.lots
        taken, self.holds[hold_id] = hold.divide(parts)
        return taken

    def _enrolled(self, event: e.MemberEnrolled, at: Instant) -> None:
        self.id = event.member

    def _earned(self, event: e.PointsEarned, at: Instant) -> None:
        self.lots_made += 1
        lot = Lot(
            self.lots_made,
            event.points,
            at,
            at if event.available_at is None else event.available_at,
            event.expires_at,
            event.lot,
            event.issued,
            event.funding,
            event.source,
            event.unit_cost,
            event.awaits_activation,
            event.period,
        )
        lots = self._unit(event.unit, at)
        lots.add(lot)
        if event.period:
            self.periods_made = max(self.periods_made, event.period)
            lots.period = event.period

    def _held(self, event: e.PointsHeld, at: Instant) -> None:
        lots = self._unit(event.unit, at)
        points = sum(part.points for part in event.parts)
        parts = tuple([lots.there(lot_number(part.lot)).with_points(part.points) for part in event.parts])
        # Held before they are drawn, so that their period of activity goes on.
        self._add(Hold(event.hold, event.unit, points, parts, at, event.expires_at, event.redemption))
        lots.draw_parts(event.parts)

    def _released(self, event: e.PointsReleased, at: Instant) -> None:
        lots = self._unit(event.unit, at)
        taken = self._take_held(event.hold, event.parts)
        for lot in taken:
            lots.add(lot)
        lots.count_held(taken, -1)

    def _redeemed(self, event: e.PointsRedeemed, at: Instant) -> None:
        if event.hold:
            self._unit(event.unit, at).count_held(self._take_held(event.hold, event.parts), -1)
        else:
            self._drawn(event, at)

    def _drawn(self, event: Any, at: Instant) -> None:
        self._unit(event.unit, at).draw_parts(event.parts)

    def _taken(self, event: Any, at: Instant) -> None:
        self._unit(event.unit, at).draw_parts(event.lots)

    def _clawed_back(self, event: e.PointsClawedBack, at: Instant) -> None:
        self._taken(event, at)
        self._owe(event.unit, event.debt)

    def _reinstated(self, event: e.PointsReinstated, at: Instant) -> None:
        lots = self._unit(event.unit, at)
        for taken in event.lots:
            lots.put_back(taken)
        self._owe(event.unit, -event.debt)

    def _repaid(self, event: e.DebtRepaid, at: Instant) -> None:
        self._taken(event, at)
        self._owe(event.unit, -sum(taken.points for taken in event.lots))

    def _owe(self, unit: str, points: int) -> None:
        debt = self.debts.pop(unit, 0) + points
        if debt:
            self.debts[unit] = debt

    def _transferred_out(self, event: e.PointsTransferredOut, at: Instant) -> None:
        self._drawn(event, at)
        lifecycle.count_sent(self, event.day, event.unit, sum(part.points for part in event.parts))

    def _transferred_in(self, event: e.PointsTransferredIn, at: Instant) -> None:
        lots = self._unit(event.unit, at)
        for child in event.lots:
            self.lots_made += 1
            lot = Lot(
                self.lots_made,
                child.points,
                child.earned_at,
                child.available_at,
                child.expires_at,
                child.root,
                child.issued,
                child.funding,
                child.source,
                child.unit_cost,
            )
            lots.add(lot)
        lifecycle.count_sent(self, event.day, event.unit, -sum(child.points for child in event.lots))


_EVOLVE: dict[type[Fact], Callable[[Member, Any, Instant], None]] = {
    e.MemberEnrolled: Member._enrolled,
    e.PointsEarned: Member._earned,
    e.PointsHeld: Member._held,
    e.PointsReleased: Member._released,
    e.PointsRedeemed: Member._redeemed,
    e.PointsExpired: Member._drawn,
    e.PointsClawedBack: Member._clawed_back,
    e.PointsReinstated: Member._reinstated,
    e.PointsForfeited: Member._taken,
    e.DebtRepaid: Member._repaid,
    e.PointsTransferredOut: Member._transferred_out,
    e.PointsTransferredIn: Member._transferred_in,
    **lifecycle.EVOLVE,
}
