"""What the oracle keeps: plain things in dicts and lists, changed in place."""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from ledger import events as e
from ledger.settings import ClockKind, Settings

PartRow = tuple[str, int]
"""A lot's id and some of its points."""


class Broken(AssertionError):
    """Raised when a log contradicts what must always hold; names the position."""


@dataclass
class Lot:
    """Points granted together, and how many of them are left."""

    id: str
    number: int
    unit: str
    points: int
    earned_at: int
    available_at: int
    expires_at: int
    root: str
    issued: str
    funding: e.Funding
    source: e.Source
    unit_cost: str | None
    awaits: bool = False
    period: int = 0

    def open_at(self, at: int) -> bool:
        return self.points > 0 and self.available_at <= at < self.expires_at

    def pending_at(self, at: int) -> bool:
        return self.points > 0 and at < self.available_at and at < self.expires_at


@dataclass
class Hold:
    """Points out of lots, set aside."""

    id: str
    unit: str
    parts: list[PartRow]
    held_at: int
    expires_at: int
    redemption: str

    @property
    def points(self) -> int:
        return sum(points for _, points in self.parts)


@dataclass
class Account:
    """What ever came to a member and went, in one unit."""

    credits: int = 0
    debits: int = 0
    expiries: int = 0
    settled_at: int = 0
    debt: int = 0


@dataclass
class Member:
    """A member's lots and holds."""

    id: str
    made: int = 0
    lots: dict[str, Lot] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    last_lot: int | None = None
    closed: bool = False
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def frozen(self) -> bool:
        return self.last_lot is not None

    def is_quarantined(self, lot: Lot) -> bool:
        return self.last_lot is not None and lot.number > self.last_lot

    def left(self, unit: str) -> int:
        return sum(lot.points for lot in self.lots.values() if lot.unit == unit)

    def held(self, unit: str) -> int:
        return sum(hold.points for hold in self.holds.values() if hold.unit == unit)

    def held_of(self, lot: Lot) -> int:
        return sum(points for hold in self.holds.values() for part, points in hold.parts if part == lot.id)

    def open(self, unit: str, at: int) -> int:
        return sum(lot.points for lot in self._free(unit) if lot.open_at(at))

    def pending(self, unit: str, at: int) -> int:
        return sum(lot.points for lot in self._free(unit) if lot.pending_at(at))

    def quarantined(self, unit: str, at: int) -> int:
        locked = [lot for lot in self.lots.values() if lot.unit == unit and self.is_quarantined(lot)]
        return sum(lot.points for lot in locked if at < lot.expires_at)

    def _free(self, unit: str) -> list[Lot]:
        return [lot for lot in self.lots.values() if lot.unit == unit and not self.is_quarantined(lot)]

    def in_order(self, unit: str) -> list[Lot]:
        """Lots with points left, first expiring first; what never expires has the latest expiry there is."""
        lots = [lot for lot in self.lots.values() if lot.unit == unit and lot.points]
        return sorted(lots, key=lambda lot: (lot.expires_at, lot.earned_at, lot.number))

    def first_expiring(self, unit: str, points: int, at: int) -> list[PartRow]:
        """Which lots should give so many points at an instant."""
        parts = []
        for lot in self.in_order(unit):
            given = min(points, lot.points) if lot.open_at(at) else 0
            if given:
                parts.append((lot.id, given))
                points -= given
        return parts


@dataclass
class Lock:
    """Units of a stock item, set aside."""

    quantity: int
    locked_at: int
    expires_at: int
    redemption: str


@dataclass
class Stock:
    """Units of one SKU at one location, where they came from and went, and what they cost."""

    on_hand: int = 0
    received: int = 0
    counted: int = 0
    transferred: int = 0
    shipped: int = 0
    locks: dict[str, Lock] = field(default_factory=dict)
    value: int = 0
    average: Fraction = Fraction(0)
    """What a unit costs, or cost while there was one."""
    moved_at: int = 0

    @property
    def locked(self) -> int:
        return sum(lock.quantity for lock in self.locks.values())

    @property
    def free(self) -> int:
        return max(self.on_hand - self.locked, 0)

    @property
    def shortage(self) -> int:
        return max(self.locked - self.on_hand, 0)


@dataclass
class Redemption:
    """A redemption, and what became of it; the stages are called as in the views."""

    placed: e.RedemptionPlaced
    placed_at: int
    open: int
    paid: list[int]
    """What of each tender paid for the open units."""
    fulfilled: int = 0
    returned: int = 0
    """Money that goes back to the member."""
    stage: str = "PLACED"
    outbound: bool = False


@dataclass
class Order:
    """A purchase, and what came back of it."""

    purchase: e.PurchaseRecorded
    units: dict[int, int] = field(default_factory=dict)
    dues: dict[int, int] = field(default_factory=dict)
    money: list[int] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    clawed_back: int = 0
    refunds: set[str] = field(default_factory=set)


@dataclass
class Programme:
    """Everything of one loyalty scheme."""

    name: str
    changes: list[tuple[int, Settings]]
    """All settings, each with the time from which it goes, in the order in which they were made."""
    clock: int
    members: dict[str, Member] = field(default_factory=dict)
    stocks: dict[str, Stock] = field(default_factory=dict)
    discontinued: set[tuple[str, str]] = field(default_factory=set)
    """SKUs and locations; the location is empty where the SKU is discontinued everywhere."""
    policy: e.AllocationPolicyPublished | None = None
    rewards: dict[str, list[e.RewardDefined]] = field(default_factory=dict)
    redemptions: dict[str, Redemption] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    """Points that can be moved back of each command, by its id."""
    reversed: dict[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The newest settings, in force or not yet."""
        return self.changes[-1][1]

    def version_at(self, at: int) -> int:
        """The number of the settings in force at an instant: the newest that go by then, or else the first."""
        versions = [version for version, (valid_from, _) in enumerate(self.changes, 1) if valid_from <= at]
        return max(versions, default=1)

    def settings_at(self, at: int) -> Settings:
        return self.changes[self.version_at(at) - 1][1]

    @property
    def manual(self) -> bool:
        return self.settings.clock is ClockKind.MANUAL

    def sells(self, sku: str, location: str) -> bool:
        """Whether a stock item is on offer."""
        return not self.discontinued & {(sku, ""), (sku, location)}

    def points(self, unit: str) -> int:
        """What all members own together, held points included."""
        return sum(member.left(unit) + member.held(unit) for member in self.members.values())
