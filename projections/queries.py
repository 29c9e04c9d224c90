"""What can be asked of the views: the answers' shapes, and the port that an adapter implements.

Every question takes `min_position`: the answer waits until the views have folded that position, so that a caller reads
its own writes. `as_of` is a time of business, which defaults to the programme's present: what is dated later does not
count. `known_at` is a time of recording: what was recorded later does not count; None: all that is recorded by now.
An answer about the past is a sum of postings, exact for what came late and what was reversed.

Pages are keyed by an opaque `page_token`; "" asks for the first page, and a "" in the answer says that there is no next
one.
"""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from ledger.calendar import Instant
from ledger.quantities import Balance

Row = TypeVar("Row")


class View(msgspec.Struct, frozen=True, gc=False):
    """The base of all answers."""


class BalanceAnswer(View, frozen=True):
    """A member's balances, one a unit; `position` is how far the view has come.

    In the past a sum may be negative, where a late command spent what came back only later, or paid what was not owed
    yet.
    """

    balances: tuple[Balance, ...]
    as_of: Instant
    known_at: Instant | None
    position: int
    status: str
    """The member's: ACTIVE, FROZEN or CLOSED; in the past also NOT_ENROLLED."""


class LotRow(View, frozen=True):
    """One lot with points left, open or held."""

    lot: str
    unit: str
    points: int
    """Points still open, pending or quarantined, without those held; 0 once the lot has ended."""
    held: int
    granted: int
    earned_at: Instant
    available_at: Instant
    """NEVER: not before Activate."""
    expires_at: Instant
    issued: str
    funding: str
    source_type: str
    source_id: str
    root: str
    unit_cost: str | None
    quarantined: bool
    """Whether the points are locked away while the member is frozen."""


class EntryRow(View, frozen=True):
    """One line of a member's statement: an event that touched the member's points, with its source."""

    position: int
    kind: str
    """The event's topic, such as `points.earned.v1`."""
    unit: str
    points: int
    """Signed: what the event did to the member's balance; holds and releases are 0 and show in `held`."""
    held: int
    """Signed: what the event did to the member's held points."""
    balance: int
    """The balance after this event."""
    occurred_at: Instant
    recorded_at: Instant
    business_date: str
    channel: str
    source_type: str
    source_id: str
    rule: str
    lots: tuple[tuple[str, int], ...]
    """The lots touched, each with its points."""
    reason: str = ""
    """As it was given, or why points expired: DUE or CLOSED."""
    order: str = ""
    """`<channel>/<order>` where it was recorded as a purchase."""


class RedemptionRow(View, frozen=True):
    """A redemption and its state: PLACED, PARTLY_FULFILLED, FULFILLED, CANCELLED or TIMED_OUT."""

    redemption: str
    member: str
    reward: str
    quantity: int
    state: str
    kind: str
    points: int
    unit: str
    cash: int
    sku: str
    location: str
    outbound: str
    placed_at: Instant
    expires_at: Instant
    closed_at: Instant | None
    order: str
    destination: str
    allocation_version: int
    fulfilled: int
    cancelled: int
    """Units given back, by request or by the clock; what is neither fulfilled nor cancelled is open."""
    cash_returned: int
    """The money on top of these, in minor units."""


class StockRow(View, frozen=True):
    """A stock item: received + counted + transferred = on hand + shipped, on hand + shortage = available + locked."""

    sku: str
    location: str
    on_hand: int
    locked: int
    available: int
    shipped: int
    received: int
    value: int
    """What the units on hand cost, in minor units of money."""
    counted: int
    """Units that counts found more than were expected, less those that they missed."""
    transferred: int
    """Units that came from other locations, less those that went there."""
    shortage: int
    """Locked units that are not there."""
    discontinued: bool
    """Whether it is offered no more, here or anywhere."""


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """Rows, the token of the next page ("" when there is none), and how far the view has come."""

    rows: tuple[Row, ...]
    next_page_token: str
    position: int


class Queries(Protocol):
    """The questions. What is unknown raises `NotFound`, a view that lags past the deadline `TooFarBehind`."""

    async def balance(
        self,
        programme: str,
        member: str,
        *,
        as_of: Instant | None = None,
        known_at: Instant | None = None,
        min_position: int = 0,
    ) -> BalanceAnswer:
        """A member's balances in every unit of the programme."""

    async def lots(
        self,
        programme: str,
        member: str,
        *,
        as_of: Instant | None = None,
        known_at: Instant | None = None,
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[LotRow]:
        """A member's lots that have not expired at `as_of`, in the order in which they are spent."""

    async def entries(
        self, programme: str, member: str, *, min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[EntryRow]:
        """A member's statement, newest first."""

    async def redemption(self, programme: str, redemption: str, *, min_position: int = 0) -> RedemptionRow:
        """One redemption."""

    async def redemptions(
        self, programme: str, member: str, *, min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[RedemptionRow]:
        """A member's redemptions, those placed last first."""

    async def stock_item(
        self,
        programme: str,
        sku: str,
        location: str,
        *,
        as_of: Instant | None = None,
        known_at: Instant | None = None,
        min_position: int = 0,
    ) -> StockRow:
        """One SKU at one location; not found before anything was ever there."""

    async def inventory(
        self,
        programme: str,
        *,
        sku: str = "",
        as_of: Instant | None = None,
        known_at: Instant | None = None,
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[StockRow]:
        """All stock items of a programme, or those of one SKU, by SKU and location."""


class DueSubject(View, frozen=True):
    """A member, or a stock item, with something due."""

    member: str
    sku: str
    location: str


class DueQueries(Protocol):
    """What the sweep asks."""

    async def programmes(self) -> Sequence[tuple[str, Instant]]:
        """Every programme with its present instant."""

    async def due(self, programme: str, until: Instant, limit: int) -> Sequence[DueSubject]:
        """Members and stock items with something that ended by an instant, at most so many."""

    async def wait(self, position: int) -> None:
        """Wait until what is due is known up to a position. Raises TooFarBehind."""


class NotFound(Exception):
    """Raised when the thing asked for is not in the view."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name!r} not found")
        self.kind = kind
        self.name = name


class TooFarBehind(Exception):
    """Raised when a view did not reach `min_position` in time."""
