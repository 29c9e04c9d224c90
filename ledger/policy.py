"""A programme's settings in force, in the form that decisions use: exact fractions and a calendar instead of text."""

from datetime import date
from fractions import Fraction
from typing import NamedTuple

from ledger.calendar import NEVER, SECOND, Calendar, Instant
from ledger.events import ClockKind, Settings
from ledger.quantities import Rounding, round_fraction


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
    expires_at: Instant
    """The end of the local day that many calendar months later, or never."""


class Policy:
    """Settings, parsed once; `version` counts the settings events and goes into every event that used them."""

    __slots__ = (
        "_terms",
        "_today",
        "backdating",
        "calendar",
        "digits",
        "manual",
        "point_value",
        "rate",
        "settings",
        "version",
    )

    def __init__(self, settings: Settings, version: int) -> None:
        self.settings = settings
        self.version = version
        self.calendar = Calendar(settings.zone)
        self.manual = settings.clock is ClockKind.MANUAL
        self.backdating = settings.backdating_seconds * SECOND
        """How far before the clock a command may be dated, in microseconds."""
        self.rate = Fraction(settings.earning_rate)
        self.point_value = Fraction(settings.point_value)
        self.digits = {unit.name: unit.digits for unit in settings.units}
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
        calendar, settings = self.calendar, self.settings
        # A day that is not one piece is at hand for no instant.
        begin, end, day = calendar.span(at) or (0, 0, calendar.business_date(at))
        return Terms(
            begin=begin,
            end=end,
            day=day,
            issued=day.isoformat()[:7],
            available_at=calendar.days_later(at, settings.pending_days),
            expires_at=calendar.months_later(at, settings.lot_months) if settings.lot_months else NEVER,
        )

    def money_of(self, points: int) -> int:
        """What points pay, in minor units of money, rounded down."""
        return round_fraction(points * self.point_value.numerator, self.point_value.denominator, Rounding.DOWN)
