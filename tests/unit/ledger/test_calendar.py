"""Local days, against the time zone database asked directly."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.calendar import DAY, HOUR, NEVER, Calendar, add_months, to_datetime, to_instant
from tests.oracle.terms import local_date

ZONES = (
    "UTC",
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # midnight did not exist on the days when summer time began
    "America/Havana",  # the hour after midnight came twice when it ended
    "Atlantic/Azores",
    "Africa/Cairo",
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Apia",  # skipped 30 December 2011
    "America/Nuuk",
)
CALENDARS = {zone: Calendar(zone) for zone in ZONES}
"""Kept over all examples: what was asked before must not change an answer."""

zones = st.sampled_from(ZONES)
instants = st.integers(0, to_instant(datetime(2060, 1, 1, tzinfo=UTC)))
days = st.dates(date(1971, 1, 1), date(2059, 12, 31))


@given(zones, instants)
def test_the_business_date_is_the_local_day(zone: str, instant: int) -> None:
    """Edge case 6."""
    assert CALENDARS[zone].business_date(instant).isoformat() == local_date(zone, instant)


@given(zones, days, st.integers(-4 * HOUR, 4 * HOUR))
def test_the_business_date_is_right_around_midnight(zone: str, day: date, off: int) -> None:
    """Edge case 6: also on the days when the clocks change."""
    instant = CALENDARS[zone].start_of(day) + off
    assert CALENDARS[zone].business_date(instant).isoformat() == local_date(zone, instant)


@given(zones, days)
def test_a_day_begins_where_the_one_before_ends(zone: str, day: date) -> None:
    """Edge case 6."""
    calendar = CALENDARS[zone]
    assert calendar.end_of(day) == calendar.start_of(day + timedelta(days=1))
    start = calendar.start_of(day)
    if (zone, day) == ("Pacific/Apia", date(2011, 12, 30)):
        assert calendar.end_of(day) == start
        return
    assert (local_date(zone, start), local_date(zone, start - 1)) != (local_date(zone, start),) * 2
    assert local_date(zone, start) == day.isoformat()
    assert 23 * HOUR <= calendar.end_of(day) - start <= 25 * HOUR


def test_an_answer_does_not_depend_on_what_was_asked_before() -> None:
    """Edge case 6: in Newfoundland the clocks went back over midnight until 2011, so that a day came twice."""
    zone = "America/St_Johns"
    calendar = Calendar(zone)
    midnight = to_instant(datetime(2010, 11, 7, 2, 30, tzinfo=UTC))
    asked = [midnight + minutes * 60_000_000 for minutes in (-30, 0, 30, 90, 0, 30)]
    assert [calendar.business_date(instant).isoformat() for instant in asked] == [
        local_date(zone, instant) for instant in asked
    ]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        ("America/Havana", date(2025, 11, 2), 25),
        ("Asia/Shanghai", date(2026, 3, 29), 24),
    ],
)
def test_days_have_23_to_25_hours(zone: str, day: date, hours: int) -> None:
    """Edge case 6."""
    calendar = Calendar(zone)
    assert calendar.end_of(day) - calendar.start_of(day) == hours * HOUR


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2025, 1, 31), 1, date(2025, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2025, 2, 28), 1, date(2025, 3, 28)),
        (date(2025, 1, 31), 2, date(2025, 3, 31)),
        (date(2025, 12, 31), 2, date(2026, 2, 28)),
        (date(2025, 6, 15), 0, date(2025, 6, 15)),
        (date(2025, 3, 31), -1, date(2025, 2, 28)),
    ],
)
def test_months_are_added_to_the_original_date_and_clamped(day: date, months: int, later: date) -> None:
    """Edge case 5."""
    assert add_months(day, months) == later


@given(days, st.integers(0, 1200))
def test_months_later_is_the_same_day_or_the_months_last(day: date, months: int) -> None:
    """Edge case 5."""
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


@given(zones, instants, st.integers(1, 120))
def test_a_lot_of_some_months_ends_at_the_end_of_a_local_day(zone: str, instant: int, months: int) -> None:
    """Edge case 5: the first instant of the next day is exclusive."""
    calendar = CALENDARS[zone]
    last = add_months(date.fromisoformat(local_date(zone, instant)), months)
    end = calendar.months_later(instant, months)
    assert end == to_instant(datetime.combine(last + timedelta(days=1), datetime.min.time(), ZoneInfo(zone)))
    assert local_date(zone, end - 1) <= last.isoformat() < local_date(zone, end)


@given(st.integers(-(10**15), NEVER))
def test_instants_and_datetimes_are_the_same(instant: int) -> None:
    assert to_instant(to_datetime(instant)) == instant


def test_never_is_after_every_day_that_can_be_named() -> None:
    assert to_datetime(NEVER - 1).year == 9998
    assert NEVER > 9000 * 365 * DAY - 1970 * 365 * DAY


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "Europe/", "../etc/passwd", "Europe/Berlin\0"])
def test_an_unknown_zone_is_no_calendar(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        Calendar(name)
