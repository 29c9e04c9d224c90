"""What happens to points: granted, set aside, spent, ended, moved."""

from ledger.calendar import Instant
from ledger.events.parts import ExpiryReason, Funding, Part, RedeemKind, Source, Taken
from ledger.facts import Fact
from ledger.settings import Activity


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
