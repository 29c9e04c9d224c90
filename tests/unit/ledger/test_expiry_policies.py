"""When lots end: by age, on a day of the year, by inactivity, never; with month ends, leap days and summer time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.calendar import NEVER, Calendar, to_instant
from ledger.events import PointsEarned, PointsExpired
from ledger.settings import Activity, Expiry, FixedDate, Inactivity, LotAge, NoExpiry
from tests.oracle.terms import end_of
from tests.unit.ledger.desk import Desk, settings

ACTIVE = (Activity.EARN,)
YEAR_END = FixedDate(12, 31)
ZONES = (
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "America/Sao_Paulo",  # midnight did not exist on the days when summer time began
    "America/Havana",  # the hour after midnight came twice when it ended
    "Pacific/Kiritimati",
    "Pacific/Apia",  # skipped 30 December 2011
    "Asia/Kathmandu",
)


def last_day_of(desk: Desk) -> str:
    """The last local day of the lot that was granted last."""
    return desk.lines.last_day(desk.happened(PointsEarned)[-1].expires_at)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    ("expiry", "earned", "last_day"),
    [
        (LotAge(12), "2024-02-29 09:00", "2025-02-28"),
        (LotAge(1), "2025-01-31 23:59", "2025-02-28"),
        (LotAge(1), "2025-02-28 00:00", "2025-03-28"),
        (YEAR_END, "2026-01-01 00:00", "2026-12-31"),
        (YEAR_END, "2026-12-31 23:59", "2026-12-31"),
        (FixedDate(12, 31, 3), "2026-09-30 12:00", "2026-12-31"),
        (FixedDate(12, 31, 3), "2026-10-01 12:00", "2027-12-31"),
        (FixedDate(2, 29), "2026-02-28 12:00", "2026-02-28"),
        (FixedDate(2, 29), "2026-03-01 12:00", "2027-02-28"),
        (FixedDate(2, 29), "2027-03-01 12:00", "2028-02-29"),
        (FixedDate(2, 29, 12), "2024-02-29 12:00", "2025-02-28"),
        (FixedDate(3, 31, 1), "2025-02-28 12:00", "2025-03-31"),
        (FixedDate(2, 28, 1), "2025-01-31 12:00", "2025-02-28"),
        (FixedDate(6, 30, 30), "2024-01-31 12:00", "2027-06-30"),
        (Inactivity(12, ACTIVE), "2024-02-29 09:00", "2025-02-28"),
        (Inactivity(6, ACTIVE), "2025-08-31 23:59", "2026-02-28"),
        (NoExpiry(), "2026-01-01 12:00", "never"),
    ],
)
def test_a_lot_ends_with_a_local_day(desk: Desk, zone: str, expiry: Expiry, earned: str, last_day: str) -> None:
    """X01, X02, X03, edge case 5: months are added to the original date and clamped, wherever that is."""
    desk.opens(at=earned, zone=zone, expiry=expiry)
    desk.given("anna earns 10")
    assert last_day_of(desk) == last_day


@pytest.mark.parametrize(
    ("zone", "expiry", "earned", "last_day", "hours"),
    [
        ("Europe/Berlin", FixedDate(3, 29), "2026-01-10 12:00", "2026-03-29", 23),
        ("Europe/Berlin", FixedDate(10, 25), "2026-01-10 12:00", "2026-10-25", 25),
        ("America/New_York", Inactivity(1, ACTIVE), "2026-02-08 12:00", "2026-03-08", 23),
        ("America/New_York", Inactivity(1, ACTIVE), "2026-10-01 12:00", "2026-11-01", 25),
        ("America/Sao_Paulo", FixedDate(11, 4), "2018-06-01 12:00", "2018-11-04", 23),
        ("America/Havana", LotAge(1), "2025-10-02 12:00", "2025-11-02", 25),
    ],
)
def test_a_lot_lives_through_the_whole_of_a_day_on_which_clocks_change(
    desk: Desk, zone: str, expiry: Expiry, earned: str, last_day: str, hours: int
) -> None:
    """Edge case 6: days of summer time have 23 or 25 hours, and the next midnight is exclusive."""
    desk.opens(at=earned, zone=zone, expiry=expiry)
    desk.given("anna earns 10")
    begin = desk.lines.calendar.start_of(datetime.fromisoformat(last_day).date())
    desk.running.clock.instant = begin + hours * 3_600_000_000 - 1
    assert desk.when("anna gives 1 to bo").accepted
    desk.running.clock.instant += 1
    assert desk.when("anna gives 1 to bo").refused("INSUFFICIENT_POINTS", spendable=0)


def test_points_earned_just_before_the_day_live_until_the_next_one(desk: Desk) -> None:
    """X03: nobody loses in January what was earned in December."""
    desk.opens(at="2026-12-30 12:00", expiry=FixedDate(12, 31, 1))
    desk.given("anna earns 10", "time passes to 2027-01-02", "what is due for anna by 2027-01-02 is posted")
    assert desk.when("anna gives 10 to bo").lots("bo") == [(10, "2027-12-31")]


def test_all_points_end_on_the_day_of_the_year(desk: Desk) -> None:
    """X03, X06: one sweep for everybody, whenever they were earned."""
    desk.opens(expiry=YEAR_END)
    desk.given("anna earns 10", "time passes to 2026-07-01", "anna earns 20", "bo earns 5")
    desk.given("time passes to 2027-01-01 00:00")
    posted = []
    for name in ("anna", "bo"):
        (expired,) = desk.when(f"what is due for {name} by 2027-01-01 00:00 is posted").events(PointsExpired)
        posted.append([part.points for part in expired.parts])
    assert posted == [[10, 20], [5]]


def test_a_grant_may_say_itself_when_it_ends(desk: Desk) -> None:
    desk.opens(expiry=YEAR_END)
    then = desk.given("anna earns 10 expiring 2026-03-31", "anna earns 20 never expiring", "anna earns 30")
    assert then.lots("anna") == [(10, "2026-03-31"), (30, "2026-12-31"), (20, "never")]


def test_points_that_would_end_before_they_could_be_spent_are_bad_input(desk: Desk) -> None:
    desk.opens(expiry=YEAR_END)
    assert desk.when("anna earns 10 available 2027-01-01").invalid("expires_at")
    assert desk.when("anna buys tea 10.00 as o1 available 2027-01-01").invalid("available_at")
    assert desk.when("anna earns 10 available 2027-01-01 expiring 2027-03-31").accepted


@pytest.mark.parametrize(
    "expiry", [FixedDate(1, 1), FixedDate(12, 31, 1_200), LotAge(1), LotAge(1_200), Inactivity(1_200, ACTIVE)]
)
def test_the_shortest_and_the_longest_lives_are_settings(desk: Desk, expiry: Expiry) -> None:
    assert desk.opens(expiry=expiry).accepted


expiries = st.one_of(
    st.builds(LotAge, st.integers(1, 60)),
    st.builds(FixedDate, st.integers(1, 12), st.integers(1, 28), st.integers(0, 30)),
    st.just(FixedDate(2, 29, 5)),
    st.just(FixedDate(1, 31)),
    st.builds(Inactivity, st.integers(1, 60), st.just(ACTIVE)),
    st.just(NoExpiry()),
)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1))  # noqa: DTZ001 - local times of any zone


@given(st.sampled_from(ZONES), expiries, moments)
def test_every_policy_ends_where_a_search_day_by_day_does(zone: str, expiry: Expiry, moment: datetime) -> None:
    """Edge cases 5 and 6: against the time zone database, asked directly."""
    at = to_instant(moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))
    made = settings(zone=zone, expiry=expiry)
    calendar = Calendar(zone)
    if isinstance(expiry, FixedDate):
        found = calendar.yearly(at, expiry.month, expiry.day, expiry.months)
        assert found == calendar.end_of(calendar.business_date(found - 1))
    elif isinstance(expiry, NoExpiry):
        found = NEVER
    else:
        found = calendar.months_later(at, expiry.months)
    assert found == end_of(made, "points", at)
    assert found > at


@pytest.mark.parametrize("months", [0, 1, 1_200])
def test_a_day_that_no_calendar_holds_is_never(months: int) -> None:
    late = to_instant(datetime(9998, 12, 30, tzinfo=UTC))
    assert Calendar("UTC").yearly(late, 1, 1, months) == NEVER
    assert Calendar("UTC").yearly(late - timedelta(days=400) // timedelta(microseconds=1), 1, 1, months) <= NEVER
