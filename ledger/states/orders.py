"""An order: what a later command needs to know of a purchase."""

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import Fact


class Order:
    """An order's purchase, if it was recorded."""

    __slots__ = ("purchase", "version")

    def __init__(self) -> None:
        self.version = 0
        self.purchase: e.PurchaseRecorded | None = None

    @property
    def weight(self) -> int:
        """About how many bytes the state takes."""
        return 600 + 400 * (len(self.purchase.lines) if self.purchase else 0)

    def clone(self) -> "Order":
        """A copy that changes by itself."""
        copy = Order()
        copy.version, copy.purchase = self.version, self.purchase
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.PurchaseRecorded):
            self.purchase = event
