"""The inventory view's fold: sums for each stock item, however many events a batch holds of it, and the open locks."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ledger import events as e
from ledger.events import Fact
from projections.projection import Changes, Projection, Row, Rows, read_script
from projections.recorded import Recorded

ItemKey = tuple[str, str, str]
LockKey = tuple[str, str, str, str]


class Item(msgspec.Struct, gc=False):
    """What is added to a row of `items`."""

    on_hand: int = 0
    locked: int = 0
    shipped: int = 0
    received: int = 0
    value: int = 0
    counted: int = 0
    transferred: int = 0


class Lock(msgspec.Struct, gc=False):
    """A row of `locks`."""

    programme: str
    sku: str
    location: str
    lock: str
    quantity: int
    locked_at: int
    expires_at: int
    redemption: str


class Fold:
    """The changes of one batch."""

    def __init__(self) -> None:
        self.items: dict[ItemKey, Item] = {}
        self.locked: dict[LockKey, Lock] = {}
        self.lowered: dict[LockKey, int] = {}
        self.unlocked: dict[LockKey, None] = {}
        self.discontinued: list[Row] = []

    def changes(self) -> Changes:
        """The rows to write."""
        return {
            "moved": [(*key, *msgspec.structs.astuple(item)) for key, item in self.items.items()],
            "lowered": [(*key, quantity) for key, quantity in self.lowered.items()],
            "unlocked": self.unlocked,
            "locked": map(msgspec.structs.astuple, self.locked.values()),
            "discontinued": self.discontinued,
        }

    def _item(self, recorded: Recorded, event: Any) -> Item:
        return self.items.setdefault((recorded.programme, event.sku, event.location), Item())

    def _unlock(self, recorded: Recorded, event: e.StockReleased | e.StockShipped) -> None:
        key = (recorded.programme, event.sku, event.location, event.lock)
        lock = self.locked.get(key)
        if event.left:
            if lock is not None:
                lock.quantity = event.left
            else:
                self.lowered[key] = event.left
        elif lock is not None:
            del self.locked[key]
        else:
            self.lowered.pop(key, None)
            self.unlocked[key] = None

    def _received(self, recorded: Recorded, event: e.StockReceived) -> None:
        item = self._item(recorded, event)
        item.on_hand += event.quantity
        item.received += event.quantity
        item.value += event.quantity * event.unit_cost

    def _locked(self, recorded: Recorded, event: e.StockLocked) -> None:
        self._item(recorded, event).locked += event.quantity
        key = (recorded.programme, event.sku, event.location, event.lock)
        self.locked[key] = Lock(*key, event.quantity, recorded.occurred_at, event.expires_at, event.redemption)

    def _released(self, recorded: Recorded, event: e.StockReleased) -> None:
        self._item(recorded, event).locked -= event.quantity
        self._unlock(recorded, event)

    def _shipped(self, recorded: Recorded, event: e.StockShipped) -> None:
        item = self._item(recorded, event)
        item.on_hand -= event.quantity
        item.locked -= event.quantity
        item.shipped += event.quantity
        item.value -= event.cost
        self._unlock(recorded, event)

    def _counted(self, recorded: Recorded, event: e.StockCounted) -> None:
        item = self._item(recorded, event)
        item.on_hand += event.difference
        item.counted += event.difference
        item.value += event.value

    def _transferred_out(self, recorded: Recorded, event: e.StockTransferredOut) -> None:
        item = self._item(recorded, event)
        item.on_hand -= event.quantity
        item.transferred -= event.quantity
        item.value -= event.cost

    def _transferred_in(self, recorded: Recorded, event: e.StockTransferredIn) -> None:
        item = self._item(recorded, event)
        item.on_hand += event.quantity
        item.transferred += event.quantity
        item.value += event.cost

    def _discontinued(self, recorded: Recorded, event: e.StockDiscontinued) -> None:
        self.discontinued.append((recorded.programme, event.sku, event.location, recorded.occurred_at, event.reason))


_FOLD: dict[type[Fact], Callable[[Fold, Recorded, Any], None]] = {
    e.StockReceived: Fold._received,
    e.StockLocked: Fold._locked,
    e.StockReleased: Fold._released,
    e.StockShipped: Fold._shipped,
    e.StockCounted: Fold._counted,
    e.StockTransferredOut: Fold._transferred_out,
    e.StockTransferredIn: Fold._transferred_in,
    e.StockDiscontinued: Fold._discontinued,
}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """What these events change."""
    work = Fold()
    for recorded in events:
        _FOLD[type(recorded.event)](work, recorded, recorded.event)
    return work.changes()


INVENTORY = Projection("inventory", 2, read_script(__file__), frozenset(_FOLD), fold)
