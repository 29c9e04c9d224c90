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


class Fold:
    """The changes of one batch."""

    def __init__(self) -> None:
        self.items: dict[ItemKey, Item] = {}
        self.locked: dict[LockKey, Row] = {}
        self.unlocked: dict[LockKey, None] = {}

    def changes(self) -> Changes:
        """The rows to write."""
        return {
            "moved": [(*key, *msgspec.structs.astuple(item)) for key, item in self.items.items()],
            "unlocked": self.unlocked,
            "locked": self.locked.values(),
        }

    def _item(self, recorded: Recorded, event: Any) -> Item:
        return self.items.setdefault((recorded.programme, event.sku, event.location), Item())

    def _unlock(self, recorded: Recorded, event: e.StockReleased | e.StockShipped) -> None:
        key = (recorded.programme, event.sku, event.location, event.lock)
        if self.locked.pop(key, None) is None:
            self.unlocked[key] = None

    def _received(self, recorded: Recorded, event: e.StockReceived) -> None:
        item = self._item(recorded, event)
        item.on_hand += event.quantity
        item.received += event.quantity
        item.value += event.quantity * event.unit_cost

    def _locked(self, recorded: Recorded, event: e.StockLocked) -> None:
        self._item(recorded, event).locked += event.quantity
        key = (recorded.programme, event.sku, event.location, event.lock)
        self.locked[key] = (*key, event.quantity, recorded.occurred_at, event.expires_at, event.redemption)

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


_FOLD: dict[type[Fact], Callable[[Fold, Recorded, Any], None]] = {
    e.StockReceived: Fold._received,
    e.StockLocked: Fold._locked,
    e.StockReleased: Fold._released,
    e.StockShipped: Fold._shipped,
}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """What these events change."""
    work = Fold()
    for recorded in events:
        _FOLD[type(recorded.event)](work, recorded, recorded.event)
    return work.changes()


INVENTORY = Projection("inventory", 1, read_script(__file__), frozenset(_FOLD), fold)
