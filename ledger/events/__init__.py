"""Every event of the ledger: past tense, frozen, with a stable topic and version.

Events hold facts and decisions (which lots gave how many points, the exact fraction before rounding, the version of the
rule), so that nobody who folds them has to decide again. Instants are microseconds since the Unix epoch; money and
points are minor units. Fields left out of the stored JSON have the default that stands here.
"""

import msgspec

from ledger.events.corrections import (
    CommandReinstated,
    CommandReversed,
    DebtRepaid,
    PointsClawedBack,
    PointsForfeited,
    PointsReinstated,
)
from ledger.events.members import MemberClosed, MemberEnrolled, MemberFrozen, MemberUnfrozen
from ledger.events.parts import (
    EARN,
    CancelReason,
    ExpiryReason,
    Funding,
    Part,
    RedeemKind,
    RewardKind,
    RewardStatus,
    Source,
    Taken,
    Tender,
    TenderType,
)
from ledger.events.points import (
    ActivatedLot,
    ChildLot,
    ExpiryExtended,
    ExtendedLot,
    ExtendedPeriod,
    PointsActivated,
    PointsEarned,
    PointsExpired,
    PointsHeld,
    PointsRedeemed,
    PointsReleased,
    PointsTransferredIn,
    PointsTransferredOut,
)
from ledger.events.programmes import ClockAdvanced, ProgrammeChanged, ProgrammeOpened
from ledger.events.purchases import (
    Discount,
    Earning,
    Line,
    Lines,
    PurchaseRecorded,
    PurchaseReturned,
    ReturnedLines,
    Spent,
)
from ledger.events.redemptions import (
    OutboundOpened,
    Price,
    RedemptionCancelled,
    RedemptionFulfilled,
    RedemptionPlaced,
    RewardDefined,
)
from ledger.events.stock import (
    AllocationPolicyPublished,
    Distance,
    StockCounted,
    StockDiscontinued,
    StockLocked,
    StockReceived,
    StockReleased,
    StockShipped,
    StockTransferredIn,
    StockTransferredOut,
)
from ledger.events.upcasting import UPCASTERS
from ledger.facts import Fact

__all__ = (
    "EARN",
    "TOPICS",
    "UPCASTERS",
    "ActivatedLot",
    "AllocationPolicyPublished",
    "CancelReason",
    "ChildLot",
    "ClockAdvanced",
    "CommandReinstated",
    "CommandReversed",
    "DebtRepaid",
    "Discount",
    "Distance",
    "Earning",
    "ExpiryExtended",
    "ExpiryReason",
    "ExtendedLot",
    "ExtendedPeriod",
    "Fact",
    "Funding",
    "Line",
    "Lines",
    "MemberClosed",
    "MemberEnrolled",
    "MemberFrozen",
    "MemberUnfrozen",
    "OutboundOpened",
    "Part",
    "PointsActivated",
    "PointsClawedBack",
    "PointsEarned",
    "PointsExpired",
    "PointsForfeited",
    "PointsHeld",
    "PointsRedeemed",
    "PointsReinstated",
    "PointsReleased",
    "PointsTransferredIn",
    "PointsTransferredOut",
    "Price",
    "ProgrammeChanged",
    "ProgrammeOpened",
    "PurchaseRecorded",
    "PurchaseReturned",
    "RedeemKind",
    "RedemptionCancelled",
    "RedemptionFulfilled",
    "RedemptionPlaced",
    "ReturnedLines",
    "RewardDefined",
    "RewardKind",
    "RewardStatus",
    "Source",
    "Spent",
    "StockCounted",
    "StockDiscontinued",
    "StockLocked",
    "StockReceived",
    "StockReleased",
    "StockShipped",
    "StockTransferredIn",
    "StockTransferredOut",
    "Taken",
    "Tender",
    "TenderType",
    "decode_event",
    "encode_event",
)

TOPICS: dict[type[Fact], str] = {
    ProgrammeOpened: "programme.opened.v1",
    ProgrammeChanged: "programme.changed.v1",
    ClockAdvanced: "programme.clock_advanced.v1",
    MemberEnrolled: "member.enrolled.v1",
    MemberFrozen: "member.frozen.v1",
    MemberUnfrozen: "member.unfrozen.v1",
    MemberClosed: "member.closed.v1",
    PointsEarned: "points.earned.v1",
    PointsActivated: "points.activated.v1",
    ExpiryExtended: "points.expiry_extended.v1",
    PointsHeld: "points.held.v1",
    PointsReleased: "points.released.v1",
    PointsRedeemed: "points.redeemed.v1",
    PointsExpired: "points.expired.v1",
    PointsClawedBack: "points.clawed_back.v1",
    PointsReinstated: "points.reinstated.v1",
    PointsForfeited: "points.forfeited.v1",
    DebtRepaid: "debt.repaid.v1",
    PointsTransferredOut: "points.transferred_out.v1",
    PointsTransferredIn: "points.transferred_in.v1",
    PurchaseRecorded: "purchase.recorded.v1",
    PurchaseReturned: "purchase.returned.v2",
    CommandReversed: "command.reversed.v1",
    CommandReinstated: "command.reinstated.v1",
    RewardDefined: "reward.defined.v1",
    RedemptionPlaced: "redemption.placed.v1",
    OutboundOpened: "outbound.opened.v1",
    RedemptionFulfilled: "redemption.fulfilled.v1",
    RedemptionCancelled: "redemption.cancelled.v1",
    AllocationPolicyPublished: "allocation_policy.published.v1",
    StockReceived: "stock.received.v1",
    StockLocked: "stock.locked.v1",
    StockReleased: "stock.released.v1",
    StockShipped: "stock.shipped.v1",
    StockCounted: "stock.counted.v1",
    StockDiscontinued: "stock.discontinued.v1",
    StockTransferredOut: "stock.transferred_out.v1",
    StockTransferredIn: "stock.transferred_in.v1",
}
"""The current topic of each event; the number at its end is the event's version."""

encode_event = msgspec.json.Encoder().encode
"""The stored JSON bytes of an event."""

_DECODERS = {topic: msgspec.json.Decoder(kind) for kind, topic in TOPICS.items()}


def decode_event(topic: str, state: bytes) -> Fact:
    """The event of stored JSON bytes, upcast to its current version; raises KeyError for a topic nobody declared."""
    while topic in UPCASTERS:
        topic, state = UPCASTERS[topic](state)
    return _DECODERS[topic].decode(state)
