"""When points end by a programme's settings, reckoned day by day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ledger.settings import Expiry, FixedDate, LotAge, NoExpiry, Settings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def local_date(zone: str, instant: int) -> str:
    """The local day of an instant, asked of the time zone database directly."""
    return (_EPOCH + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone)).date().isoformat()


def expiry_of(settings: Settings, name: str) -> Expiry:
    """When lots of a unit end."""
    (unit,) = [unit for unit in settings.units if unit.name == name]
    if unit.expiry is not None:
        return unit.expiry
    if settings.expiry is not None:
        return settings.expiry
    return LotAge(settings.lot_months) if settings.lot_months else NoExpiry()


def end_of(settings: Settings, unit: str, instant: int) -> int:
    """When a lot ends that is earned, or was last kept alive, at an instant."""
    expiry = expiry_of(settings, unit)
    if isinstance(expiry, NoExpiry):
        return FOREVER
    day = _months_later(date.fromisoformat(local_date(settings.zone, instant)), expiry.months)
    if day is None:
        return FOREVER
    if isinstance(expiry, FixedDate):
        while not _is(day, expiry.month, expiry.day):
            day += timedelta(days=1)
    return _end_of_day(settings.zone, day)


def days_after(zone: str, instant: int, days: int) -> int:
    """The end of the local day that lies so many days after that of an instant."""
    return _end_of_day(zone, date.fromisoformat(local_date(zone, instant)) + timedelta(days=days))


def _end_of_day(zone: str, day: date) -> int:
    midnight = datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(zone))
    return (midnight.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _is(day: date, month: int, number: int) -> bool:
    leap = (month, number) == (2, 29)
    return (day.month, day.day) == (month, number) or (leap and day.month == 2 and (day + timedelta(days=1)).month == 3)


def _months_later(day: date, months: int) -> date | None:
    """The same day of a later month, or that month's last; None: no calendar reaches that far."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > 9998:
        return None
    for number in range(day.day, 0, -1):
        try:
            return date(year, month + 1, number)
        except ValueError:
            continue
    raise AssertionError("every month has a first day")
