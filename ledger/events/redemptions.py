"""Rewards, and what becomes of redemptions."""

from ledger.calendar import Instant
from ledger.events.parts import CancelReason, RewardKind, RewardStatus, Tender
from ledger.facts import Fact
from ledger.quantities import Amount


class Price(Fact, frozen=True):
    """What one unit of a reward costs: points, and money on top."""

    points: Amount
    cash: int = 0


class RewardDefined(Fact, frozen=True):
    """A reward's definition, in force from `valid_from` until the next one."""

    reward: str
    kind: RewardKind
    price: Price
    status: RewardStatus
    valid_from: Instant
    sku: str = ""
    location: str = ""
    list_price: int = 0
    tax_code: str = ""
    substitutes: tuple[str, ...] = ()


class RedemptionPlaced(Fact, frozen=True):
    """Points were held and stock was locked for a reward, in one commit; a reward without stock was settled at once."""

    redemption: str
    member: str
    reward: str
    quantity: int
    kind: RewardKind
    price: Price
    hold: str
    expires_at: Instant
    sku: str = ""
    location: str = ""
    list_price: int = 0
    tax_code: str = ""
    tenders: tuple[Tender, ...] = ()
    order: str = ""
    campaign: str = ""
    destination: str = ""
    allocation_version: int = 0
    """The version of the allocation policy that chose the location; 0: the caller or the reward named it."""


class OutboundOpened(Fact, frozen=True):
    """A virtual outbound order (虚拟出库单) was opened for the locked stock."""

    outbound: str
    sku: str
    location: str
    quantity: int


class RedemptionFulfilled(Fact, frozen=True):
    """Points were captured and goods shipped, or the service given, for `quantity` units; all else is their part."""

    redemption: str
    member: str
    reward: str
    quantity: int
    kind: RewardKind
    points: Amount
    list_price: int = 0
    tax_code: str = ""
    tenders: tuple[Tender, ...] = ()
    """Of each tender of the placing, in its order, the part that is earned by now; it may be 0."""
    order: str = ""
    campaign: str = ""
    cost: int = 0
    left: int = 0
    """Units that are still open."""


class RedemptionCancelled(Fact, frozen=True):
    """Points and stock of `quantity` units were given back, and the part of the money that paid for them is owed."""

    redemption: str
    member: str
    reason: CancelReason
    effective_at: Instant
    quantity: int = 0
    """0: all units, as in events of a time when there was no cancelling in parts."""
    tenders: tuple[Tender, ...] = ()
    """Of each tender of the placing, in its order, the part that goes back; it may be 0."""
    left: int = 0
    """Units that are still open."""
