"""Every event of the ledger: past tense, frozen, with a stable topic and version.

Events hold facts and decisions (which lots gave how many points, the exact fraction before rounding, the version of the
rule), so that nobody who folds them has to decide again. Instants are microseconds since the Unix epoch; money and
points are minor units. Fields left out of the stored JSON have the default that stands here.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from ledger.calendar import Instant
from ledger.facts import Fact as Fact  # noqa: PLC0414 - every reader of events needs it
from ledger.quantities import Amount, Rounding
from ledger.settings import Activity, EarningBase, Settings


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


class Discount(Fact, frozen=True):
    """A reduction of a line's list price, in minor units of money."""

    kind: str
    amount: int


class Line(Fact, frozen=True):
    """One line of a purchase; money in minor units of the programme's currency, for the whole line."""

    sku: str
    quantity: int
    list_price: int
    net: int
    """Without tax."""
    gross: int | None = None
    """With tax; None: equal to net."""
    discounts: tuple[Discount, ...] = ()
    tax_rate: str = ""
    """An exact fraction; empty: none."""
    tax_code: str = ""
    standalone_price: int | None = None
    """Stand-alone selling price; None: equal to net."""
    cost: int | None = None
    brand: str = ""
    category: str = ""
    campaign: str = ""
    tags: tuple[str, ...] = ()

    @property
    def due(self) -> int:
        """What the line costs the customer, tax included."""
        return self.net if self.gross is None else self.gross


_COLUMNS_ALWAYS = len(Line.__struct_fields__) - len(Line.__struct_defaults__)
"""The first columns of `Lines` are kept whatever they hold, the others only where a line fills them."""


class Lines(Fact, frozen=True):
    """The lines of a purchase as columns, each with one value a line, or empty where every line has the default.

    Written so, the names of the columns are stored once: ten lines take a third of what ten objects do.
    """

    sku: tuple[str, ...]
    quantity: tuple[int, ...]
    list_price: tuple[int, ...]
    net: tuple[int, ...]
    gross: tuple[int | None, ...] = ()
    discounts: tuple[tuple[Discount, ...], ...] = ()
    tax_rate: tuple[str, ...] = ()
    tax_code: tuple[str, ...] = ()
    standalone_price: tuple[int | None, ...] = ()
    cost: tuple[int | None, ...] = ()
    brand: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()
    tags: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Lines":
        """The columns of lines, of which there is at least one."""
        columns = list(zip(*map(msgspec.structs.astuple, lines), strict=True))
        for place, default in enumerate(Line.__struct_defaults__, _COLUMNS_ALWAYS):
            if columns[place].count(default) == len(lines):
                columns[place] = ()
        return cls(*columns)

    def __len__(self) -> int:
        return len(self.sku)

    @property
    def dues(self) -> tuple[int, ...]:
        """What each line costs the customer, tax included."""
        if not self.gross:
            return self.net
        return tuple(net if gross is None else gross for net, gross in zip(self.net, self.gross, strict=True))

    def rows(self) -> tuple[Line, ...]:
        """The lines one by one."""
        values = msgspec.structs.astuple(self)
        given = [place for place, column in enumerate(values) if column]
        names = [Line.__struct_fields__[place] for place in given]
        columns = [values[place] for place in given]
        return tuple(Line(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True))


class Tender(Fact, frozen=True):
    """A part of a bill's payment; `points` and `hold` belong to POINTS only."""

    type: TenderType
    amount: int
    points: Amount | None = None
    hold: str = ""


class ProgrammeOpened(Fact, frozen=True):
    """A loyalty scheme began."""

    settings: Settings


class ProgrammeChanged(Fact, frozen=True):
    """New settings go from `valid_from` on; lots that exist keep what they were given."""

    settings: Settings
    valid_from: Instant
    version: int
    """The number of these settings, counted from 1."""


class ClockAdvanced(Fact, frozen=True):
    """A manual clock moved forward."""

    now: Instant


class MemberEnrolled(Fact, frozen=True):
    """A member joined the programme."""

    member: str


class MemberFrozen(Fact, frozen=True):
    """A member may not spend until further notice; what is earned from now on is quarantined."""

    reason: str
    last_lot: int
    """The number of the member's last lot: those with higher numbers are quarantined."""
    case: str = ""


class MemberUnfrozen(Fact, frozen=True):
    """A member may spend again, what was quarantined included."""

    reason: str
    case: str = ""


class MemberClosed(Fact, frozen=True):
    """A member left for ever; the points that were left have expired."""

    reason: str
    case: str = ""


class PointsEarned(Fact, frozen=True):
    """A lot of points was granted."""

    lot: str
    unit: str
    points: int
    issued: str
    source: Source
    expires_at: Instant
    funding: Funding = Funding.PROMO
    available_at: Instant | None = None
    """None: at once, from when it was earned."""
    rule: str = ""
    rule_version: int = 0
    campaign: str = ""
    partner: str = ""
    unit_cost: str | None = None
    reason: str = ""
    approver: str = ""
    awaits_activation: bool = False
    """Whether the points wait for Activate, until `available_at` at the latest."""
    period: int = 0
    """The member's period of activity on which the lot's expiry hangs; 0: its expiry is its own."""

    def taken(self, earned_at: Instant) -> Taken:
        """All of the lot's points; it was earned when the event occurred."""
        return Taken(
            self.lot,
            self.points,
            self.lot,
            self.issued,
            self.funding,
            self.expires_at,
            earned_at,
            earned_at if self.available_at is None else self.available_at,
            self.source,
            self.unit_cost,
            self.awaits_activation,
            self.period,
        )


class ActivatedLot(Fact, frozen=True):
    """A lot that no longer waits, with the points left in it."""

    lot: str
    points: int
    was: Instant
    """When it would have become available."""


class PointsActivated(Fact, frozen=True):
    """Points that waited for Activate can be spent from `available_at` on."""

    unit: str
    lots: tuple[ActivatedLot, ...]
    available_at: Instant


class ExtendedPeriod(Fact, frozen=True):
    """All lots of a member's period of activity: so many that have points left, and those points."""

    period: int
    was: Instant
    """When they would have expired."""
    lots: int
    points: int
    """Without what is held."""
    held: int = 0


class ExtendedLot(Fact, frozen=True):
    """One lot, with the points left in it."""

    lot: str
    was: Instant
    """When it would have expired."""
    points: int
    """Without what is held."""
    held: int = 0
    period: int = 0
    """The period of activity that it belongs to from now on; 0: none."""


class ExpiryExtended(Fact, frozen=True):
    """Points live until `expires_at` now: by an activity of the member, or by request with a reason."""

    unit: str
    expires_at: Instant
    periods: tuple[ExtendedPeriod, ...] = ()
    lots: tuple[ExtendedLot, ...] = ()
    activity: Activity | None = None
    reason: str = ""

    @property
    def rows(self) -> tuple[ExtendedPeriod | ExtendedLot, ...]:
        """Periods and lots alike: when they would have expired, and their points."""
        return (*self.periods, *self.lots)


class PointsHeld(Fact, frozen=True):
    """Points were set aside: they are no longer open, and not yet spent."""

    hold: str
    unit: str
    parts: tuple[Part, ...]
    expires_at: Instant
    redemption: str = ""


class PointsReleased(Fact, frozen=True):
    """Held points went back to their own lots, with their original expiry."""

    hold: str
    unit: str
    parts: tuple[Part, ...]
    left: int = 0
    """Points that stay in the hold; 0: it has ended."""


class PointsRedeemed(Fact, frozen=True):
    """Points were captured: spent at once, or out of the hold that is named."""

    unit: str
    parts: tuple[Part, ...]
    kind: RedeemKind
    hold: str = ""
    redemption: str = ""
    order: str = ""
    amount: int = 0
    """The money of a bill that these points paid, in minor units."""
    campaign: str = ""
    left: int = 0
    """Points that stay in the hold; 0: it has ended, or there was none."""


class PointsExpired(Fact, frozen=True):
    """Points reached the end of their lots' lives at `effective_at`, whenever that was noticed."""

    unit: str
    parts: tuple[Part, ...]
    effective_at: Instant
    reason: ExpiryReason = ExpiryReason.DUE


class PointsClawedBack(Fact, frozen=True):
    """Granted points were taken back: those of the grant = lots + debt + waived + deducted."""

    unit: str
    grant: Taken
    """The grant, and how many of its points were to be taken back."""
    lots: tuple[Taken, ...]
    """The lots that gave, the grant's own first; the points of others count as spent in their own cohorts."""
    debt: int = 0
    """What the member owes from now on."""
    waived: int = 0
    """What the programme's policy does not take."""
    deducted: int = 0
    """What was paid back in money instead, out of the refund."""
    order: str = ""
    refund: str = ""
    reverses: str = ""
    """The command id that this reverses."""
    reason: str = ""
    approver: str = ""


class PointsReinstated(Fact, frozen=True):
    """Points went back to the lots that gave them, with their original expiry."""

    unit: str
    lots: tuple[Taken, ...]
    debt: int = 0
    """Debt that is owed no longer."""
    grant: Taken | None = None
    """The grant whose taking back is undone, and how many of its points."""
    order: str = ""
    refund: str = ""
    reverses: str = ""


class PointsForfeited(Fact, frozen=True):
    """Points were taken away by an adjustment that names no grant."""

    unit: str
    lots: tuple[Taken, ...]
    reason: str
    approver: str = ""
    reverses: str = ""


class DebtRepaid(Fact, frozen=True):
    """Points that had just come were taken for what the member owed."""

    unit: str
    lots: tuple[Taken, ...]


class PointsTransferredOut(Fact, frozen=True):
    """Points left for another member."""

    unit: str
    parts: tuple[Part, ...]
    to: str
    reverses: str = ""
    day: str = ""
    """The business day for which they count against the limit of what a member may send, `YYYY-MM-DD`; empty: none."""


class ChildLot(Fact, frozen=True):
    """A lot that came by transfer: a new id at the receiver, everything else as it was at the sender."""

    lot: str
    points: int
    parent: str
    root: str
    earned_at: Instant
    available_at: Instant
    issued: str
    funding: Funding
    source: Source
    expires_at: Instant
    unit_cost: str | None = None


class PointsTransferredIn(Fact, frozen=True):
    """Points came from another member."""

    unit: str
    lots: tuple[ChildLot, ...]
    sender: str
    reverses: str = ""
    day: str = ""
    """With `reverses`: the business day on which they no longer count as sent; empty: they still do."""


class Spent(Fact, frozen=True):
    """The lots that paid one tender in points."""

    unit: str
    lots: tuple[Taken, ...]


class Earning(Fact, frozen=True):
    """How a purchase's points were reckoned: the base, the exact product, one rounding, the points of each line."""

    unit: str
    points: int
    base: int
    exact: str
    rate: str
    rounding: Rounding
    rule: str
    rule_version: int
    by_line: tuple[int, ...]
    amounts: EarningBase = EarningBase.GROSS
    """Which amounts of the lines make the base."""


class PurchaseRecorded(Fact, frozen=True):
    """A purchase, with all that refunds, rules and finance need to know of it later."""

    member: str
    order: str
    store: str
    lines: Lines
    tenders: tuple[Tender, ...]
    currency: str
    earning: Earning | None = None
    lot: str = ""
    issued: str = ""
    expires_at: Instant | None = None
    """Business month and expiry of that lot; left out where nothing was earned."""
    spent: tuple[Spent, ...] = ()
    """The lots behind the tenders in points, in their order."""
    period: int = 0
    """The period of activity of that lot; 0: none."""


class ReturnedLine(Fact, frozen=True):
    """Units of one line that came back; money in minor units, cumulative rounding: all parts sum to the line."""

    line: int
    """The line's place in the purchase, counted from 0."""
    quantity: int
    net: int
    due: int
    """With tax."""


class PurchaseReturned(Fact, frozen=True):
    """Lines of a purchase came back, all or in part."""

    refund: str
    member: str
    order: str
    lines: tuple[ReturnedLine, ...]
    tenders: tuple[Tender, ...]
    """What goes back of each tender of the purchase, in its order; points go to their own lots."""
    currency: str
    kept: int
    """Points that the kept lines would earn, by the original rate and rounding."""
    clawed_back: int
    """Points to be taken back now: original - kept - taken back before."""
    deducted: int = 0
    """Money kept back of the tenders, for points that are gone; in minor units."""
    reason: str = ""


class CommandReversed(Fact, frozen=True):
    """Points that an earlier command moved were moved back."""

    target: str
    """The command's id, as hexadecimal digits."""
    points: int
    reason: str


class CommandReinstated(Fact, frozen=True):
    """A reversal of this command was itself reversed: so many of its points count again."""

    target: str
    points: int
    reason: str


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
    PurchaseReturned: "purchase.returned.v1",
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

UPCASTERS: dict[str, Callable[[bytes], tuple[str, bytes]]] = {}
"""From an outdated topic to its next version: stored JSON in, the new topic and its JSON out."""

encode_event = msgspec.json.Encoder().encode
"""The stored JSON bytes of an event."""

_DECODERS = {topic: msgspec.json.Decoder(kind) for kind, topic in TOPICS.items()}


def decode_event(topic: str, state: bytes) -> Fact:
    """The event of stored JSON bytes, upcast to its current version; raises KeyError for a topic nobody declared."""
    while topic in UPCASTERS:
        topic, state = UPCASTERS[topic](state)
    return _DECODERS[topic].decode(state)
