"""Every command of the ledger, in the imperative, and the request that carries one.

Ids are already percent-encoded here; instants are microseconds since the Unix epoch; money and points are minor units.
"""

import hashlib

import msgspec

from ledger.calendar import Instant
from ledger.events import Distance, Funding, Line, Price, RedeemKind, RewardKind, RewardStatus, Source, Tender
from ledger.quantities import Amount
from ledger.settings import Settings


class Command(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The base of all commands. A field added later needs a default, so that old requests keep their hash."""


class OpenProgramme(Command, frozen=True, tag="open_programme"):
    """Begin a loyalty scheme; a manual clock starts at the request's `occurred_at`."""

    settings: Settings


class ChangeProgramme(Command, frozen=True, tag="change_programme"):
    """Put new settings in force from `valid_from` on (default: from the request's `occurred_at`)."""

    settings: Settings
    valid_from: Instant | None = None


class AdvanceClock(Command, frozen=True, tag="advance_clock"):
    """Move a manual clock to `now`; it never moves back."""

    now: Instant


class EnrolMember(Command, frozen=True, tag="enrol_member"):
    """Take a member into the programme."""

    member: str


class FreezeMember(Command, frozen=True, tag="freeze_member"):
    """Stop a member from spending, and quarantine what is earned, while a case is looked into."""

    member: str
    reason: str
    case: str = ""


class UnfreezeMember(Command, frozen=True, tag="unfreeze_member"):
    """Let a member spend again; lots that would end before `extend_until`, and have not ended yet, end then."""

    member: str
    reason: str
    case: str = ""
    extend_until: Instant | None = None


class CloseMember(Command, frozen=True, tag="close_member"):
    """End a membership for ever; the points that are left expire."""

    member: str
    reason: str
    case: str = ""


class Earn(Command, frozen=True, tag="earn"):
    """Grant points; availability and expiry follow the programme unless they are given."""

    member: str
    points: Amount
    source: Source
    funding: Funding = Funding.PROMO
    available_at: Instant | None = None
    expires_at: Instant | None = None
    rule: str = ""
    campaign: str = ""
    partner: str = ""
    unit_cost: str | None = None
    awaits_activation: bool = False
    """Whether the points wait for Activate; `available_at`, if given, is then the latest time."""


class RecordPurchase(Command, frozen=True, tag="record_purchase"):
    """Record a purchase: earn on what was paid, spend the points that paid for some of it."""

    member: str
    order: str
    lines: tuple[Line, ...]
    store: str = ""
    tenders: tuple[Tender, ...] = ()
    """What paid the bill; none: all of it in cash."""
    available_at: Instant | None = None
    """When the points can be spent; None: as the programme says."""
    awaits_activation: bool = False
    """Whether the points wait for Activate; `available_at`, if given, is then the latest time."""


class Activate(Command, frozen=True, tag="activate"):
    """Let points be spent that wait for it: those that were granted for a source, or lots by their ids."""

    member: str
    source: Source | None = None
    lots: tuple[str, ...] = ()


class ExtendExpiry(Command, frozen=True, tag="extend_expiry"):
    """Let points live until `expires_at`: named lots, or all that would end by `until`, in one unit or in all."""

    member: str
    expires_at: Instant
    reason: str
    lots: tuple[str, ...] = ()
    until: Instant | None = None
    unit: str = ""


class RefundLine(msgspec.Struct, frozen=True, gc=False):
    """Units of one line that come back; None: all that is left of it."""

    line: int
    quantity: int | None = None


class RefundPurchase(Command, frozen=True, tag="refund_purchase"):
    """Take lines of a purchase back: return what paid for them, take back what they earned."""

    refund: str
    order: str
    order_channel: str = ""
    """The channel that recorded the order; empty: the request's own."""
    lines: tuple[RefundLine, ...] = ()
    """None: all that is left of the order."""
    reason: str = ""


class Adjust(Command, frozen=True, tag="adjust"):
    """Give or take points by a decision of people; `points` are signed."""

    member: str
    points: Amount
    reason: str
    approver: str
    lot: str = ""
    """With negative points: the grant that is corrected; its own points are taken first, then as refunds do."""
    expires_at: Instant | None = None
    """With positive points; None: as the programme's settings say."""


class Reverse(Command, frozen=True, tag="reverse"):
    """Move back what an earlier command moved, all of it or in part."""

    target: bytes
    """The id of that command."""
    reason: str
    points: int | None = None
    """None: all that is not reversed yet."""


class DefineReward(Command, frozen=True, tag="define_reward"):
    """Define a reward from `valid_from` on (default: from now); the price at the time of a redemption counts."""

    reward: str
    kind: RewardKind
    price: Price
    status: RewardStatus = RewardStatus.ACTIVE
    valid_from: Instant | None = None
    sku: str = ""
    location: str = ""
    list_price: int = 0
    tax_code: str = ""
    substitutes: tuple[str, ...] = ()


class Redeem(Command, frozen=True, tag="redeem"):
    """Hold points and lock stock for a reward, in one commit."""

    redemption: str
    member: str
    reward: str
    quantity: int = 1
    location: str = ""
    expected_price: Price | None = None
    tenders: tuple[Tender, ...] = ()
    order: str = ""
    campaign: str = ""
    destination: str = ""
    """Where the goods go: what an allocation policy measures its distances from."""


class Fulfil(Command, frozen=True, tag="fulfil"):
    """Capture a redemption's points and ship its stock: of so many units, or of all that are open."""

    redemption: str
    quantity: int | None = None


class Cancel(Command, frozen=True, tag="cancel"):
    """Give a redemption's points and stock back: of so many units, or of all that are open."""

    redemption: str
    quantity: int | None = None


class Hold(Command, frozen=True, tag="hold"):
    """Set points aside; the programme's time-out applies unless a shorter one is given."""

    hold: str
    member: str
    points: Amount
    expires_at: Instant | None = None


class CaptureHold(Command, frozen=True, tag="capture_hold"):
    """Spend held points, all of them or some; the rest goes back to its lots at once."""

    hold: str
    member: str
    points: int | None = None
    """None: all that is held."""
    kind: RedeemKind = RedeemKind.OFFSET
    order: str = ""
    amount: int = 0
    """The money that these points paid, in minor units."""
    campaign: str = ""


class ReleaseHold(Command, frozen=True, tag="release_hold"):
    """Give held points back to their lots."""

    hold: str
    member: str


class Transfer(Command, frozen=True, tag="transfer"):
    """Move points from one member to another; lots keep their expiry, cost and origin."""

    sender: str
    receiver: str
    points: Amount


class ExpireDue(Command, frozen=True, tag="expire_due"):
    """Post what is due by `cut_off` for one member, or for one stock item: expiries, time-outs of holds and locks."""

    cut_off: Instant
    member: str = ""
    sku: str = ""
    location: str = ""


class PublishAllocationPolicy(Command, frozen=True, tag="publish_allocation_policy"):
    """Say from which locations goods come where nobody names one, and how far these are from where goods go."""

    locations: tuple[str, ...]
    distances: tuple[Distance, ...] = ()


class ReceiveStock(Command, frozen=True, tag="receive_stock"):
    """Take units in, at a unit cost in minor units of money."""

    sku: str
    location: str
    quantity: int
    unit_cost: int = 0


class LockStock(Command, frozen=True, tag="lock_stock"):
    """Set units aside; the programme's time-out applies unless a shorter one is given."""

    lock: str
    sku: str
    location: str
    quantity: int
    expires_at: Instant | None = None


class ReleaseStock(Command, frozen=True, tag="release_stock"):
    """Free locked units."""

    lock: str
    sku: str
    location: str


class ShipStock(Command, frozen=True, tag="ship_stock"):
    """Send locked units out."""

    lock: str
    sku: str
    location: str


class CountStock(Command, frozen=True, tag="count_stock"):
    """Set the units on hand to what was counted."""

    sku: str
    location: str
    counted: int
    reason: str
    document: str = ""


class DiscontinueStock(Command, frozen=True, tag="discontinue_stock"):
    """Offer a stock item no more, or with no location a SKU wherever it lies."""

    sku: str
    reason: str
    location: str = ""


class TransferStock(Command, frozen=True, tag="transfer_stock"):
    """Move free units from one location to another, with their cost."""

    sku: str
    sender: str
    receiver: str
    quantity: int
    document: str = ""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One or more commands with everything that goes for all of them.

    More than one command is an atomic group: it commits whole or not at all, under this one id.
    """

    id: bytes
    """The command id, a UUID's 16 bytes."""
    programme: str
    occurred_at: Instant
    commands: tuple[Command, ...]
    actor: str
    channel: str
    correlation_id: str = ""
    trace: bytes = b""
    """W3C trace context: version, trace id, parent id and flags, 26 bytes at most."""
    validate_only: bool = False


_pack = msgspec.msgpack.Encoder().encode


def request_hash(request: Request) -> bytes:
    """What tells a retry from another request under the same id: the first 16 bytes of a SHA-256.

    Actor, correlation and trace are left out, since a retry may come from another process.
    """
    body = _pack((request.programme, request.occurred_at, request.channel, request.commands))
    return hashlib.sha256(body).digest()[:16]
