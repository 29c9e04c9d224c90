"""Instants and local days.

An Instant is an integer of microseconds since the Unix epoch, UTC. A Calendar knows one time zone; it answers which
local day an instant falls in and when that day begins and ends, summer time included.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Instant = int

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NEVER: Instant = 253_370_764_800 * SECOND
"""What stands for "no end", in the year 9999: it sorts after every real instant, so no order needs a special case."""

EARLIEST: Instant = 0
_YEAR_MAX = 9_998
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_instant(moment: datetime) -> Instant:
    """The instant of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: Instant) -> datetime:
    """The UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=instant)


def add_months(day: date, months: int) -> date:
    """`day` moved by calendar months, clamped to the month's end: 29 February 2024 + 12 is 28 February 2025."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return _clamped(year, month + 1, day.day)


def _clamped(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


class Calendar:
    """The local days of one IANA time zone."""

    __slots__ = ("_days", "zone", "zone_name")

    def __init__(self, zone_name: str) -> None:
        """Raises ValueError for a name that the time zone database does not hold."""
        try:
            self.zone = ZoneInfo(zone_name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"unknown time zone {zone_name!r}") from error
        self.zone_name = zone_name
        # Local days seen so far, by the UTC days they touch: a look-up costs a tenth of a conversion.
        self._days: dict[int, list[tuple[Instant, Instant, date]]] = {}

    def business_date(self, instant: Instant) -> date:
        """The local day that `instant` falls in."""
        span = self.span(instant)
        return self._local_date(instant) if span is None else span[2]

    def span(self, instant: Instant) -> tuple[Instant, Instant, date] | None:
        """Begin, end (exclusive) and date of the local day that `instant` falls in.

        None where the day is not one piece: in Newfoundland clocks went back over midnight until 2011.
        """
        spans = self._days.get(instant // DAY, ())
        for span in spans:
            if span[0] <= instant < span[1]:
                return span
        day = self._local_date(instant)
        begin, end = self.start_of(day), self.end_of(day)
        # Clocks never went back by more than three hours.
        quarters = range(0, 3 * HOUR, 15 * MINUTE)
        if not begin <= instant < end or any(self._local_date(begin + quarter) != day for quarter in quarters):
            return None
        if len(self._days) >= 10_000:
            self._days.clear()
        self._days.setdefault(instant // DAY, []).append((begin, end, day))
        return begin, end, day

    def _local_date(self, instant: Instant) -> date:
        return to_datetime(instant).astimezone(self.zone).date()

    def start_of(self, day: date) -> Instant:
        """The first instant of a local day."""
        return to_instant(datetime.combine(day, time.min, self.zone).astimezone(UTC))

    def end_of(self, day: date) -> Instant:
        """The instant at which a local day is over: the next local midnight, exclusive."""
        return self.start_of(day + timedelta(days=1))

    def months_later(self, instant: Instant, months: int) -> Instant:
        """The end of the local day that lies `months` calendar months after that of `instant`; at most NEVER."""
        day = self.business_date(instant)
        if day.year + (day.month + months) // 12 > _YEAR_MAX:
            return NEVER
        return min(self.end_of(add_months(day, months)), NEVER)

    def yearly(self, instant: Instant, month: int, day: int, months: int) -> Instant:
        """The end of the first local day of this name that lies at least so many months after that of `instant`.

        29 February stands for the last day of February; at most NEVER.
        """
        earliest = self.business_date(instant)
        if earliest.year + (earliest.month + months) // 12 + 1 > _YEAR_MAX:
            return NEVER
        earliest = add_months(earliest, months)
        first = _clamped(earliest.year, month, day)
        return self.end_of(first if first >= earliest else _clamped(earliest.year + 1, month, day))

    def days_later(self, instant: Instant, days: int) -> Instant:
        """The begin of the local day that lies `days` after that of `instant`; at most NEVER."""
        day = self.business_date(instant)
        if days and day.year + 1 + days // 365 > _YEAR_MAX:
            return NEVER
        return self.start_of(day + timedelta(days=days))
