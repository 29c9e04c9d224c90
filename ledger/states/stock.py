"""A stock item, one SKU at one location: units on hand, what they cost, and the locks on them."""

from collections.abc import Callable
from typing import Any

import msgspec

from ledger import events as e
from ledger.calendar import EARLIEST, Instant
from ledger.events import Fact
from ledger.quantities import Rounding, round_fraction


class Lock(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Units set aside."""

    id: str
    quantity: int
    locked_at: Instant
    expires_at: Instant
    redemption: str


class StockImage(msgspec.Struct, frozen=True, array_like=True):
    """A stock item's state in a snapshot."""

    version: int
    on_hand: int
    locked: int
    value: int
    average: tuple[int, int]
    moved_at: Instant
    discontinued: bool
    locks: list[Lock]


class Stock:
    """What is known of a stock item; on hand = available + locked, unless a count found fewer units than are locked."""

    __slots__ = ("_average", "discontinued", "locked", "locks", "moved_at", "on_hand", "value", "version")

    Image = StockImage

    def __init__(self) -> None:
        self.version = 0
        self.on_hand = 0
        self.locked = 0
        self.value = 0
        """What the units on hand cost, in minor units of money."""
        self._average = (0, 1)
        """What the units cost that were there last, and how many they were; counts where none is on hand."""
        self.moved_at: Instant = EARLIEST
        """The latest instant of anything that changed what is on hand."""
        self.discontinued = False
        self.locks: dict[str, Lock] = {}

    @property
    def available(self) -> int:
        """Units that are not locked."""
        return max(self.on_hand - self.locked, 0)

    @property
    def weight(self) -> int:
        """About how many bytes the state takes."""
        return 600 + 310 * len(self.locks)

    def cost_of(self, quantity: int) -> int:
        """What so many units cost by moving average, signed as they are; the last unit on hand takes what is left.

        While none is on hand, the average of the units that were there last goes on.
        """
        value, units = (self.value, self.on_hand) if self.on_hand else self._average
        return round_fraction(value * quantity, units, Rounding.HALF_UP)

    def clone(self) -> "Stock":
        """A copy that changes by itself."""
        return Stock.restore(self.image())

    def image(self) -> StockImage:
        """What a snapshot keeps."""
        return StockImage(
            self.version,
            self.on_hand,
            self.locked,
            self.value,
            self._average,
            self.moved_at,
            self.discontinued,
            list(self.locks.values()),
        )

    @classmethod
    def restore(cls, image: StockImage) -> "Stock":
        """The state that a snapshot was taken of."""
        stock = cls()
        stock.version, stock.on_hand, stock.locked, stock.value = (
            image.version,
            image.on_hand,
            image.locked,
            image.value,
        )
        stock._average, stock.moved_at, stock.discontinued = image.average, image.moved_at, image.discontinued
        stock.locks = {lock.id: lock for lock in image.locks}
        return stock

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        _EVOLVE[type(event)](self, event, at)
        self.version += 1

    def _move(self, quantity: int, value: int, at: Instant) -> None:
        """Change what is on hand and what it cost."""
        if quantity and self.on_hand == -quantity:
            self._average = (self.value, self.on_hand)
        self.on_hand += quantity
        self.value += value
        self.moved_at = max(self.moved_at, at)

    def _unlock(self, lock_id: str, quantity: int) -> None:
        lock = self.locks[lock_id]
        self.locked -= quantity
        if quantity == lock.quantity:
            del self.locks[lock_id]
        else:
            left = lock.quantity - quantity
            self.locks[lock_id] = Lock(lock.id, left, lock.locked_at, lock.expires_at, lock.redemption)

    def _received(self, event: e.StockReceived, at: Instant) -> None:
        self._move(event.quantity, event.quantity * event.unit_cost, at)

    def _locked(self, event: e.StockLocked, at: Instant) -> None:
        self.locked += event.quantity
        self.locks[event.lock] = Lock(event.lock, event.quantity, at, event.expires_at, event.redemption)

    def _released(self, event: e.StockReleased, at: Instant) -> None:
        self._unlock(event.lock, event.quantity)

    def _shipped(self, event: e.StockShipped, at: Instant) -> None:
        self._unlock(event.lock, event.quantity)
        self._move(-event.quantity, -event.cost, at)

    def _counted(self, event: e.StockCounted, at: Instant) -> None:
        self._move(event.difference, event.value, at)

    def _transferred_out(self, event: e.StockTransferredOut, at: Instant) -> None:
        self._move(-event.quantity, -event.cost, at)

    def _transferred_in(self, event: e.StockTransferredIn, at: Instant) -> None:
        self._move(event.quantity, event.cost, at)

    def _discontinued(self, event: e.StockDiscontinued, at: Instant) -> None:
        self.discontinued = True


class Sku:
    """What goes for a SKU wherever it lies."""

    __slots__ = ("discontinued", "version")

    weight = 150

    def __init__(self) -> None:
        self.version = 0
        self.discontinued = False

    def clone(self) -> "Sku":
        """A copy that changes by itself."""
        copy = Sku()
        copy.version, copy.discontinued = self.version, self.discontinued
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.StockDiscontinued):
            self.discontinued = True


_EVOLVE: dict[type[Fact], Callable[[Stock, Any, Instant], None]] = {
    e.StockReceived: Stock._received,
    e.StockLocked: Stock._locked,
    e.StockReleased: Stock._released,
    e.StockShipped: Stock._shipped,
    e.StockCounted: Stock._counted,
    e.StockDiscontinued: Stock._discontinued,
    e.StockTransferredOut: Stock._transferred_out,
    e.StockTransferredIn: Stock._transferred_in,
}
