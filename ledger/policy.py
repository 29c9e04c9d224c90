"""A programme's settings in force, in the form that decisions use: exact fractions and a calendar instead of text."""

from fractions import Fraction

from ledger.calendar import NEVER, Calendar, Instant
from ledger.events import Settings
from ledger.quantities import Rounding, round_fraction


class Policy:
    """Settings, parsed once; `version` counts the settings events and goes into every event that used them."""

    __slots__ = ("calendar", "digits", "point_value", "rate", "settings", "version")

    def __init__(self, settings: Settings, version: int) -> None:
        self.settings = settings
        self.version = version
        self.calendar = Calendar(settings.zone)
        self.rate = Fraction(settings.earning_rate)
        self.point_value = Fraction(settings.point_value)
        self.digits = {unit.name: unit.digits for unit in settings.units}

    def available_at(self, earned_at: Instant) -> Instant:
        """When points earned at an instant can be spent: at once, or from the local day after the pending period."""
        days = self.settings.pending_days
        if days == 0:
            return earned_at
        begin = self.calendar.business_date(earned_at)
        return self.calendar.start_of(begin.fromordinal(begin.toordinal() + days))

    def expires_at(self, earned_at: Instant) -> Instant:
        """When points earned at an instant end: after the local day that many calendar months later, or never."""
        months = self.settings.lot_months
        return self.calendar.months_later(earned_at, months) if months else NEVER

    def money_of(self, points: int) -> int:
        """What points pay, in minor units of money, rounded down."""
        return round_fraction(points * self.point_value.numerator, self.point_value.denominator, Rounding.DOWN)
