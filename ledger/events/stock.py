"""What happens to stock, and where goods come from."""

from ledger.calendar import Instant
from ledger.events.parts import CancelReason
from ledger.facts import Fact


class Distance(Fact, frozen=True):
    """How far a location is from a destination, in a unit that is the same in the whole table."""

    destination: str
    location: str
    distance: int


class AllocationPolicyPublished(Fact, frozen=True):
    """Where goods come from if nobody names a location: the nearest that has enough, then the fullest, then by name."""

    version: int
    locations: tuple[str, ...]
    distances: tuple[Distance, ...] = ()


class StockReceived(Fact, frozen=True):
    """Units came in; `unit_cost` in minor units of money."""

    sku: str
    location: str
    quantity: int
    unit_cost: int


class StockLocked(Fact, frozen=True):
    """Units were set aside, for a redemption or by request."""

    lock: str
    sku: str
    location: str
    quantity: int
    expires_at: Instant
    redemption: str = ""


class StockReleased(Fact, frozen=True):
    """Locked units became free again."""

    lock: str
    sku: str
    location: str
    quantity: int
    reason: CancelReason
    left: int = 0
    """Units that stay locked; 0: the lock has ended."""


class StockShipped(Fact, frozen=True):
    """Locked units left; `cost` by moving average, in minor units of money, for the whole quantity."""

    lock: str
    sku: str
    location: str
    quantity: int
    cost: int
    redemption: str = ""
    left: int = 0
    """Units that stay locked; 0: the lock has ended."""


class StockCounted(Fact, frozen=True):
    """Units were counted; the books follow the count, at the same cost of a unit."""

    sku: str
    location: str
    counted: int
    expected: int
    difference: int
    """Counted less expected."""
    value: int
    """What the difference is worth by moving average, in minor units of money, signed as the difference."""
    reason: str
    document: str = ""
    shortage: int = 0
    """Locked units that are not there."""


class StockDiscontinued(Fact, frozen=True):
    """A stock item, or with no location a SKU wherever it lies, is offered no more; what is locked may still ship."""

    sku: str
    reason: str
    location: str = ""


class StockTransferredOut(Fact, frozen=True):
    """Units left for another location; `cost` by moving average, in minor units of money, for the whole quantity."""

    sku: str
    location: str
    quantity: int
    cost: int
    to: str
    document: str = ""


class StockTransferredIn(Fact, frozen=True):
    """Units came from another location, and their cost with them."""

    sku: str
    location: str
    quantity: int
    cost: int
    sender: str
    document: str = ""
