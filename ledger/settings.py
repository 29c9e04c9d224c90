"""A programme's settings: what it counts, what purchases earn, how long points live.

Events carry them whole; `policy.py` has them in the form that decisions use.
"""

from enum import StrEnum

from ledger.facts import Fact
from ledger.quantities import Amount, Rounding


class ClockKind(StrEnum):
    """Where a programme's time comes from: the wall, or AdvanceClock only (imports and replays)."""

    WALL = "WALL"
    MANUAL = "MANUAL"


class EarningBase(StrEnum):
    """Which amount of a line earns: with or without tax."""

    GROSS = "GROSS"
    NET = "NET"


class Clawback(StrEnum):
    """What a refund may take back of the points that the purchase earned."""

    ONLY_PENDING = "ONLY_PENDING"
    """Those of the order that cannot be spent yet; the rest is waived."""
    WITHIN_BALANCE = "WITHIN_BALANCE"
    """First the order's own, then any others that are there; the rest is waived."""
    ALLOW_DEBT = "ALLOW_DEBT"
    """The same; the rest is owed, and paid by what comes next."""


class Activity(StrEnum):
    """What a member does that may keep points alive."""

    EARN = "EARN"
    """Points are granted, by Earn or by a purchase."""
    PURCHASE = "PURCHASE"
    """A purchase is recorded, whether it earns or not."""
    REDEEM = "REDEEM"
    """Points are spent: a redemption is placed, a bill is paid with points, or a hold is captured."""
    TRANSFER = "TRANSFER"
    """Points are sent to another member."""


class LotAge(Fact, frozen=True, tag_field="kind", tag="LOT_AGE"):
    """A lot lives so many calendar months, to the end of the local day."""

    months: int


class FixedDate(Fact, frozen=True, tag_field="kind", tag="FIXED_DATE"):
    """All lots end with one local day of the year; what would live shorter than `months` lives until the next one."""

    month: int
    day: int
    """29 February stands for the last day of February."""
    months: int = 0


class Inactivity(Fact, frozen=True, tag_field="kind", tag="INACTIVITY"):
    """A member's lots end together, so many calendar months after the last of these activities."""

    months: int
    activities: tuple[Activity, ...]


class NoExpiry(Fact, frozen=True, tag_field="kind", tag="NEVER"):
    """Lots never end."""


Expiry = LotAge | FixedDate | Inactivity | NoExpiry
"""When lots end, unless a grant says so itself."""


class PointUnit(Fact, frozen=True):
    """A unit that points are counted in; `digits` decimal places make one whole point."""

    name: str
    digits: int = 0
    expiry: Expiry | None = None
    """When lots of this unit end; None: as the programme says."""


class Settings(Fact, frozen=True):
    """A programme's settings."""

    zone: str
    clock: ClockKind
    units: tuple[PointUnit, ...]
    currency: str
    currency_digits: int
    earning_unit: str
    earning_rate: str
    """Points (minor units) for one minor unit of money, an exact fraction such as `1/100`; `0` earns nothing."""
    rounding: Rounding
    point_value: str
    """Minor units of money that one minor unit of points pays, an exact fraction."""
    hold_seconds: int
    """How long a hold of points and its lock of stock last."""
    backdating_seconds: int
    """How far before the programme's clock a command may be dated."""
    earning_base: EarningBase = EarningBase.GROSS
    lot_months: int = 0
    """Short for an `expiry` of LotAge with so many months; 0: see `expiry`."""
    pending_days: int = 0
    """Local days before earned points can be spent."""
    clawback: Clawback = Clawback.ALLOW_DEBT
    debt_limit: int | None = None
    """Points of a unit that a member may owe; above it a refund is paid out that much less. None: no limit."""
    expiry: Expiry | None = None
    """When lots end; None: as `lot_months` says, and never where that is 0."""
    transfer_caps: tuple[Amount, ...] = ()
    """The most that one member may send in one business day, for the units named."""
    refund_grace_days: int = 0
    """Full local days that points have when a refund puts them back into a lot that ended meanwhile; 0: they end."""
