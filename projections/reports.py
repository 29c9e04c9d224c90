"""What can be asked across a programme: what expires soon, open holds and locks, totals by day.

As in `queries`: the port that an adapter implements, and the shapes of the answers.
"""

from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import Protocol

from ledger.calendar import Instant
from projections.queries import Page, Queries, View

RANGE_DAYS_MAX = 3_660
"""Ten years of days can be asked for at once."""


class ExpiringRow(View, frozen=True):
    """Points of a member that end together."""

    member: str
    unit: str
    points: int
    """Without those held."""
    expires_at: Instant
    last_day: date
    """The last local day on which they can be spent."""


class HoldRow(View, frozen=True):
    """Points set aside: points = captured + released + what is still held."""

    hold: str
    member: str
    state: str
    """HELD, PARTLY_CAPTURED, CAPTURED, RELEASED or TIMED_OUT."""
    unit: str
    points: int
    captured: int
    released: int
    redemption: str
    channel: str
    held_at: Instant
    expires_at: Instant
    ended_at: Instant | None
    position: int


class LockRow(View, frozen=True):
    """Units of a stock item that are set aside."""

    sku: str
    location: str
    lock: str
    quantity: int
    locked_at: Instant
    expires_at: Instant
    redemption: str


class Dimension(StrEnum):
    """By what totals can be told apart; without a dimension its column is empty."""

    CHANNEL = "CHANNEL"
    STORE = "STORE"
    SOURCE = "SOURCE"
    CAMPAIGN = "CAMPAIGN"


class TotalsRow(View, frozen=True):
    """What became of points on a business day, in minor units of a point unit."""

    business_date: str
    unit: str
    channel: str
    store: str
    source: str
    campaign: str
    issued: int
    available: int
    """By the first day on which they can be spent."""
    redeemed: int
    expired: int
    clawed_back: int
    forfeited: int
    reinstated: int
    outstanding: int
    """issued - redeemed - expired - clawed back - forfeited + reinstated, from the beginning to the end of the day."""


class Reports(Queries, Protocol):
    """All questions: those of `Queries`, and these."""

    async def expiring(
        self,
        programme: str,
        *,
        member: str = "",
        first: date | None = None,
        last: date | None = None,
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[ExpiringRow]:
        """Points whose last day lies in a range and that have not expired: of a member, or of all; first due first.

        Without a first day from the present on, without a last one for ever.
        """

    async def holds(
        self, programme: str, *, member: str = "", min_position: int = 0, page_size: int = 100, page_token: str = ""
    ) -> Page[HoldRow]:
        """A member's holds, those that have ended too; without a member all that are open. The oldest come first."""

    async def locks(
        self,
        programme: str,
        *,
        sku: str = "",
        location: str = "",
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[LockRow]:
        """The open locks of all stock items, of one SKU, of one location, or of both; by SKU, location and name."""

    async def totals(
        self,
        programme: str,
        *,
        first: date,
        last: date,
        by: Collection[Dimension] = (),
        min_position: int = 0,
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[TotalsRow]:
        """Totals of the days of a range on which something happened, by unit and by dimensions."""
