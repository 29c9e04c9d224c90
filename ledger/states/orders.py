"""An order: its purchase, and what came back of it."""

from ledger import events as e
from ledger.calendar import EARLIEST, Instant
from ledger.events import Fact


class Order:
    """An order's purchase, if it was recorded, and what was returned since."""

    __slots__ = (
        "clawed_back",
        "paid_back",
        "purchase",
        "purchased_at",
        "refunds",
        "returned",
        "returned_due",
        "returned_net",
        "version",
    )

    def __init__(self) -> None:
        self.version = 0
        self.purchase: e.PurchaseRecorded | None = None
        self.purchased_at: Instant = EARLIEST
        self.returned: list[int] = []
        """Units that came back of each line; a line of no units counts as one."""
        self.returned_net = self.returned_due = 0
        """Money of what came back, without and with tax."""
        self.paid_back: tuple[int, ...] = ()
        """Money that went back, of each tender of the purchase."""
        self.clawed_back = 0
        """Points that refunds took back, or were to."""
        self.refunds: frozenset[str] = frozenset()

    @property
    def weight(self) -> int:
        """About how many bytes the state takes."""
        return 600 + 400 * (len(self.purchase.lines) if self.purchase else 0) + 200 * len(self.refunds)

    def clone(self) -> "Order":
        """A copy that changes by itself."""
        copy = Order()
        copy.version, copy.purchase, copy.purchased_at = self.version, self.purchase, self.purchased_at
        copy.returned, copy.clawed_back, copy.refunds = self.returned.copy(), self.clawed_back, self.refunds
        copy.returned_net, copy.returned_due, copy.paid_back = self.returned_net, self.returned_due, self.paid_back
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.PurchaseRecorded):
            self.purchase, self.purchased_at = event, at
            self.returned = [0] * len(event.lines)
            self.paid_back = (0,) * len(event.tenders)
        elif isinstance(event, e.PurchaseReturned):
            for place, units in zip(event.lines.line, event.lines.quantity, strict=True):
                self.returned[place] += units
            self.returned_net += sum(event.lines.net)
            self.returned_due += sum(event.lines.due)
            self.paid_back = tuple(
                before + tender.amount for before, tender in zip(self.paid_back, event.tenders, strict=True)
            )
            self.clawed_back += event.clawed_back
            self.refunds |= {event.refund}
