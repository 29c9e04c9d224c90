"""An event as folds see it: decoded and upcast, with the part of its envelope that views need."""

from datetime import date

import msgspec

from ledger.calendar import Instant
from ledger.events import Fact


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event of the log."""

    position: int
    programme: str
    subject: str
    """What follows programme and kind in the stream's name: whose event it is. A member, a redemption, a stock item
    `sku@location`, or an order `channel/id`."""
    event: Fact
    occurred_at: Instant
    recorded_at: Instant
    business_date: date
    channel: str

    @property
    def key(self) -> str:
        """Whose event it is, among all programmes: what is parked together."""
        return f"{self.programme}/{self.subject}"


class Undecodable(Fact, frozen=True):
    """Stands in place of an event that could not be decoded; whoever would fold it stops there."""

    topic: str
    reason: str


class Batch(msgspec.Struct, frozen=True):
    """The events after one position up to another, in order; those of topics that nobody folds are left out."""

    after: int
    upto: int
    events: list[Recorded]
