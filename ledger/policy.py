"""A programme's settings in the form that decisions use: exact fractions and a calendar instead of text."""

from datetime import date
from fractions import Fraction
from typing import NamedTuple

from ledger.calendar import NEVER, SECOND, Calendar, Instant
from ledger.quantities import Rounding, round_fraction
from ledger.settings import ClockKind, Expiry, FixedDate, Inactivity, LotAge, NoExpiry, PointUnit, Settings


class Terms(NamedTuple):
    """What goes for everything that happens on one local day."""

    begin: Instant
    end: Instant
    """The next local midnight, exclusive."""
    day: date
    issued: str
    """The business month, `YYYY-MM`; finance's cohorts are made of these."""
    available_at: Instant
    """The local day after the pending period, for what is earned; the day's own begin where there is none."""
    expires_at: dict[str, Instant]
    """By unit, when a lot ends that is earned on this day, or that an activity on this day keeps alive."""


class Policy:
    """Settings, parsed once; `version` counts a programme's settings and goes into every event that used them."""

    __slots__ = (
        "_terms",
        "_today",
        "backdating",
        "calendar",
        "digits",
        "expiries",
        "inactivities",
        "manual",
        "point_value",
        "rate",
        "settings",
        "transfer_caps",
        "version",
    )

    def __init__(self, settings: Settings, version: int, calendar: Calendar | None = None) -> None:
        """`calendar` is that of earlier settings: a programme's time zone never changes."""
        self.settings = settings
        self.version = version
        self.calendar = calendar or Calendar(settings.zone)
        self.manual = settings.clock is ClockKind.MANUAL
        self.backdating = settings.backdating_seconds * SECOND
        """How far before the clock a command may be dated, in microseconds."""
        self.rate = Fraction(settings.earning_rate)
        self.point_value = Fraction(settings.point_value)
        self.digits = {unit.name: unit.digits for unit in settings.units}
        self.expiries = {unit.name: expiry_of(settings, unit) for unit in settings.units}
        """When lots end, by unit."""
        self.inactivities = {unit: expiry for unit, expiry in self.expiries.items() if isinstance(expiry, Inactivity)}
        """The units whose lots a member's activity keeps alive."""
        self.transfer_caps = {cap.unit: cap.value for cap in settings.transfer_caps}
        """The most that a member may send in one business day, by unit."""
        self._terms: dict[date, Terms] = {}
        self._today = self._terms_of(0)

    def terms(self, at: Instant) -> Terms:
        """The terms of an instant's local day; the day asked for last is at hand."""
        today = self._today
        if today.begin <= at < today.end:
            return today
        day = self.calendar.business_date(at)
        terms = self._terms.get(day)
        if terms is None:
            terms = self._terms[day] = self._terms_of(at)
        self._today = terms
        return terms

    def _terms_of(self, at: Instant) -> Terms:
        calendar = self.calendar
        # A day that is not one piece is at hand for no instant.
        begin, end, day = calendar.span(at) or (0, 0, calendar.business_date(at))
        return Terms(
            begin=begin,
            end=end,
            day=day,
            issued=day.isoformat()[:7],
            available_at=calendar.days_later(at, self.settings.pending_days),
            expires_at={unit: _end(calendar, expiry, at) for unit, expiry in self.expiries.items()},
        )

    def money_of(self, points: int) -> int:
        """What points pay, in minor units of money, rounded down."""
        return round_fraction(points * self.point_value.numerator, self.point_value.denominator, Rounding.DOWN)


def expiry_of(settings: Settings, unit: PointUnit) -> Expiry:
    """When lots of a unit end: as the unit says, else as the programme says."""
    short = LotAge(settings.lot_months) if settings.lot_months else NoExpiry()
    return unit.expiry or settings.expiry or short


def _end(calendar: Calendar, expiry: Expiry, at: Instant) -> Instant:
    match expiry:
        case LotAge() | Inactivity():
            return calendar.months_later(at, expiry.months)
        case FixedDate():
            return calendar.yearly(at, expiry.month, expiry.day, expiry.months)
        case NoExpiry():
            return NEVER
