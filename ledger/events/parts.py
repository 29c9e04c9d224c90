"""What events of several subjects are made of: words, sources, points out of lots, tenders."""

from enum import StrEnum

import msgspec

from ledger.calendar import Instant
from ledger.facts import Fact
from ledger.quantities import Amount


class Funding(StrEnum):
    """Who pays for granted points: it decides how finance defers them."""

    SALE = "SALE"
    PROMO = "PROMO"
    PARTNER_SOLD = "PARTNER_SOLD"


class TenderType(StrEnum):
    """What a bill was paid with."""

    CASH = "CASH"
    ON_ACCOUNT = "ON_ACCOUNT"
    COUPON = "COUPON"
    POINTS = "POINTS"


class RewardKind(StrEnum):
    """What a member gets for points."""

    GOODS = "GOODS"
    SERVICE = "SERVICE"
    COUPON = "COUPON"
    PRIVILEGE = "PRIVILEGE"
    PARTNER = "PARTNER"


class RedeemKind(StrEnum):
    """What captured points were used for: the reward's kind, or an offset of a bill."""

    OFFSET = "OFFSET"
    GOODS = "GOODS"
    SERVICE = "SERVICE"
    COUPON = "COUPON"
    PRIVILEGE = "PRIVILEGE"
    PARTNER = "PARTNER"


class RewardStatus(StrEnum):
    """Whether a reward can be redeemed."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DISCONTINUED = "DISCONTINUED"


class ExpiryReason(StrEnum):
    """Why points ended: their time had come, or their owner left."""

    DUE = "DUE"
    CLOSED = "CLOSED"


class CancelReason(StrEnum):
    """Why points or stock went back without being captured or shipped."""

    REQUESTED = "REQUESTED"
    TIMED_OUT = "TIMED_OUT"


EARN = "EARN"
"""The purpose that an empty one stands for."""


class Source(Fact, frozen=True):
    """What a grant of points stands on; (programme, type, id, purpose) credits once, whoever asks."""

    type: str
    id: str
    purpose: str = ""
    """What it is credited for, so that one source can be credited for several reasons; empty: the earning itself."""


class Part(Fact, frozen=True):
    """Points out of one lot, with everything that finance needs to know of that lot."""

    lot: str
    points: int
    root: str
    """The lot that was first granted; differs from `lot` after a transfer."""
    issued: str
    """The business month of the grant, `YYYY-MM`."""
    funding: Funding
    expires_at: Instant
    unit_cost: str | None = None
    """Cost of one minor unit of points, in minor units of money, as a decimal or a fraction."""


class Taken(Fact, frozen=True):
    """Points taken out of one lot, or put back, with everything that it takes to make that lot again."""

    lot: str
    points: int
    root: str
    issued: str
    funding: Funding
    expires_at: Instant
    earned_at: Instant
    available_at: Instant
    source: Source
    unit_cost: str | None = None
    awaits_activation: bool = False
    period: int = 0
    """The period of activity on which the lot's expiry hangs; 0: none."""

    def with_points(self, points: int) -> "Taken":
        """Another number of points of the same lot."""
        return msgspec.structs.replace(self, points=points)

    def part(self) -> Part:
        """The same points, as events name them that nobody undoes."""
        return Part(self.lot, self.points, self.root, self.issued, self.funding, self.expires_at, self.unit_cost)


class Tender(Fact, frozen=True):
    """A part of a bill's payment; `points` and `hold` belong to POINTS only."""

    type: TenderType
    amount: int
    points: Amount | None = None
    hold: str = ""
