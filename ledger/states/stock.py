"""A stock item, one SKU at one location: units on hand, what they cost, and the locks on them."""

from collections.abc import Callable
from typing import Any

import msgspec

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import Fact
from ledger.quantities import Rounding, round_fraction


class Lock(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Units set aside."""

    id: str
    quantity: int
    expires_at: Instant
    redemption: str


class StockImage(msgspec.Struct, frozen=True, array_like=True):
    """A stock item's state in a snapshot."""

    version: int
    on_hand: int
    locked: int
    value: int
    locks: list[Lock]


class Stock:
    """What is known of a stock item; on hand = available + locked."""

    __slots__ = ("locked", "locks", "on_hand", "value", "version")

    Image = StockImage

    def __init__(self) -> None:
        self.version = 0
        self.on_hand = 0
        self.locked = 0
        self.value = 0
        """What the units on hand cost, in minor units of money."""
        self.locks: dict[str, Lock] = {}

    @property
    def available(self) -> int:
        """Units that can be locked."""
        return self.on_hand - self.locked

    @property
    def weight(self) -> int:
        """About how many bytes the state takes."""
        return 500 + 300 * len(self.locks)

    def cost_of(self, quantity: int) -> int:
        """What `quantity` of the units on hand cost by moving average; the last unit takes what is left."""
        return round_fraction(self.value * quantity, self.on_hand, Rounding.HALF_UP)

    def clone(self) -> "Stock":
        """A copy that changes by itself."""
        return Stock.restore(self.image())

    def image(self) -> StockImage:
        """What a snapshot keeps."""
        return StockImage(self.version, self.on_hand, self.locked, self.value, list(self.locks.values()))

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
        stock.locks = {lock.id: lock for lock in image.locks}
        return stock

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        _EVOLVE[type(event)](self, event)
        self.version += 1

    def _received(self, event: e.StockReceived) -> None:
        self.on_hand += event.quantity
        self.value += event.quantity * event.unit_cost

    def _locked(self, event: e.StockLocked) -> None:
        self.locked += event.quantity
        self.locks[event.lock] = Lock(event.lock, event.quantity, event.expires_at, event.redemption)

    def _released(self, event: e.StockReleased) -> None:
        self.locked -= self.locks.pop(event.lock).quantity

    def _shipped(self, event: e.StockShipped) -> None:
        self.locked -= self.locks.pop(event.lock).quantity
        self.on_hand -= event.quantity
        self.value -= event.cost


_EVOLVE: dict[type[Fact], Callable[[Stock, Any], None]] = {
    e.StockReceived: Stock._received,
    e.StockLocked: Stock._locked,
    e.StockReleased: Stock._released,
    e.StockShipped: Stock._shipped,
}
