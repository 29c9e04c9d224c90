"""A programme's settings in force, in the form that decisions use: exact fractions and a calendar instead of text."""

from fractions import Fraction
from typing import NamedTuple

from ledger.calendar import NEVER, SECOND, Calendar, Instant
from ledger.events import ClockKind, Settings
from ledger.quantities import Rounding, round_fraction


class Terms(NamedTuple):
    """What goes for all points earned on one local day."""

    issued: str
    """The business month, `YYYY-MM`; finance's cohorts are made of these."""
    available_at: Instant
    """The local day after the pending period; before the day itself where there is none."""
    expires_at: Instant
    """The end of the local day that many calendar months later, or never."""


class Policy:
    """Settings, parsed once; `version` counts the settings events and goes into every event that used them."""

    __slots__ = ("_terms", "backdating", "calendar", "digits", "manual", "point_value", "rate", "settings", "version")

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
        self._terms: dict[object, Terms] = {}

    def terms(self, at: Instant) -> Terms:
        """The terms of points earned at an instant."""
        day = self.calendar.business_date(at)
        terms = self._terms.get(day)
        if terms is None:
            months = self.settings.lot_months
            available = day.fromordinal(day.toordinal() + self.settings.pending_days)
            terms = self._terms[day] = Terms(
                issued=day.isoformat()[:7],
                available_at=self.calendar.start_of(available),
                expires_at=self.calendar.months_later(at, months) if months else NEVER,
            )
        return terms

    def money_of(self, points: int) -> int:
        """What points pay, in minor units of money, rounded down."""
        return round_fraction(points * self.point_value.numerator, self.point_value.denominator, Rounding.DOWN)
