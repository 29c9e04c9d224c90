"""Local days, month ends, the window in which commands may be dated, and the two kinds of clock."""

import msgspec
import pytest

from ledger.calendar import MINUTE, SECOND
from ledger.commands import AdvanceClock, EnrolMember, OpenProgramme
from ledger.events import PointsEarned
from ledger.receipts import Outcome
from ledger.refusals import Reason, refuse
from ledger.settings import ClockKind
from tests.unit.ledger.desk import Desk, settings


@pytest.mark.parametrize(
    ("earned", "months", "last_day"),
    [
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2025-01-31", 1, "2025-02-28"),
        ("2025-01-31", 3, "2025-04-30"),
        ("2025-02-28", 1, "2025-03-28"),
        ("2025-12-31", 2, "2026-02-28"),
        ("2025-08-15", 24, "2027-08-15"),
    ],
)
def test_months_are_clamped_to_the_months_end(desk: Desk, earned: str, months: int, last_day: str) -> None:
    """Edge case 5: months are added to the original date, never chained and never counted as days."""
    desk.opens(at=f"{earned} 09:00", lot_months=months)
    assert desk.given("anna earns 10").lots("anna") == [(10, last_day)]


def test_points_live_until_the_end_of_their_last_local_day(desk: Desk) -> None:
    """Edge case 5: the next local midnight is exclusive."""
    desk.opens(lot_months=1)
    desk.given("anna earns 10", "time passes to 2026-02-01 23:59")
    assert desk.when("anna gives 1 to bo").accepted
    desk.running.clock.instant += 60 * SECOND - 1
    assert desk.when("anna gives 1 to bo").accepted
    desk.running.clock.instant += 1
    assert desk.when("anna gives 1 to bo").refused("INSUFFICIENT_POINTS", spendable=0)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Asia/Shanghai", "2026-03-31 23:59", "2026-03-31"),
        ("Asia/Shanghai", "2026-04-01 00:00", "2026-04-01"),
        ("America/New_York", "2026-03-31 23:59", "2026-03-31"),
        ("Pacific/Kiritimati", "2026-04-01 00:00", "2026-04-01"),
    ],
)
def test_the_business_date_is_the_local_day_and_is_stored(desk: Desk, zone: str, moment: str, day: str) -> None:
    """Edge case 6."""
    assert desk.opens(at=moment, zone=zone).business_dates == {day}
    assert desk.given("anna earns 10").business_dates == {day}


def test_a_late_command_has_the_business_date_of_its_own_time(desk: Desk) -> None:
    """Edge case 6: a till that was off line sends its sales later, they belong to the day on which they happened."""
    then = desk.when("anna earns 10 on 2025-12-24 23:30")
    assert then.business_dates == {"2025-12-24"}
    assert [record.recorded_at for record in then.records] == [desk.now]


@pytest.mark.parametrize(
    ("opening", "hours", "last_day"),
    [("2026-02-28 12:00", 23, "2026-03-29"), ("2026-09-24 12:00", 25, "2026-10-25")],
)
def test_a_day_of_summer_time_has_23_or_25_hours(desk: Desk, opening: str, hours: int, last_day: str) -> None:
    """Edge case 6: a lot lives through the whole of its last local day, however long that is."""
    desk.opens(at=opening, zone="Europe/Berlin")
    desk.given(f"anna earns 10 expiring {last_day}", f"time passes to {last_day} 00:00")
    desk.running.clock.instant += hours * 60 * MINUTE - 1
    assert desk.when("anna gives 1 to bo").accepted
    desk.running.clock.instant += 1
    assert desk.when("anna gives 1 to bo").refused("INSUFFICIENT_POINTS")


def test_pending_days_are_local_days_not_periods_of_24_hours(desk: Desk) -> None:
    """Edge case 6: the day after the clocks go forward begins 23 hours later."""
    desk.opens(at="2026-03-28 23:30", zone="Europe/Berlin", pending_days=2)
    desk.given("anna earns 10", "time passes to 2026-03-29 23:59")
    assert desk.when("anna gives 1 to bo").refused("INSUFFICIENT_POINTS")
    assert desk.when("time passes to 2026-03-30 00:00", "anna gives 1 to bo").accepted


def test_points_belong_to_the_business_month_in_which_they_were_earned(desk: Desk) -> None:
    desk.given("time passes to 2026-02-03")
    (earned,) = desk.when("anna earns 10 on 2026-01-31 23:59").events(PointsEarned)
    assert earned.issued == "2026-01"


def test_a_command_may_be_dated_five_minutes_ahead_and_no_more(desk: Desk) -> None:
    ahead = desk.now + 5 * MINUTE
    assert desk.send(EnrolMember("dee"), at=ahead).accepted
    then = desk.send(EnrolMember("eve"), at=ahead + 1)
    assert then.refused("IN_THE_FUTURE", now=desk.now, occurred_at=ahead + 1)


def test_a_command_may_be_dated_as_far_back_as_the_programme_allows(desk: Desk) -> None:
    """Edge case 9."""
    desk.opens(backdating_seconds=3_600)
    earliest = desk.now - 3_600 * SECOND
    assert desk.send(EnrolMember("dee"), at=earliest).accepted
    assert desk.send(EnrolMember("eve"), at=earliest - 1).refused("TOO_FAR_BACK", now=desk.now)


def test_a_manual_clock_alone_says_what_time_it_is(desk: Desk) -> None:
    desk.opens(at="2020-05-01 12:00", clock=ClockKind.MANUAL, backdating_seconds=86_400)
    desk.given("anna earns 10 expiring 2020-05-31")
    desk.running.clock.instant += 10 * 366 * 86_400 * SECOND
    assert desk.given("anna gives 1 to bo").balance("anna") == 9
    then = desk.given("the clock is set to 2020-06-01 00:00", "bo earns 5", "anna earns 1")
    assert (then.balance("anna"), then.balance("bo")) == (1, 5)
    assert desk.when("anna earns 5 on 2020-05-30").refused("TOO_FAR_BACK")


def test_a_manual_clock_never_goes_back(desk: Desk) -> None:
    desk.opens(at="2020-05-01 12:00", clock=ClockKind.MANUAL)
    desk.given("the clock is set to 2020-05-03")
    then = desk.when("the clock is set to 2020-05-02 23:59")
    wanted = desk.lines.moment("2020-05-02 23:59")
    assert then.refused("CLOCK_MOVED_BACK", clock=desk.lines.moment("2020-05-03"), wanted=wanted)
    assert desk.given("the clock is set to 2020-05-03").accepted


def test_a_manual_clock_may_be_set_at_any_time(desk: Desk) -> None:
    """What moves the clock is not bound to the window that the clock makes."""
    desk.opens(at="2020-05-01 12:00", clock=ClockKind.MANUAL)
    far = desk.lines.moment("2024-01-01")
    assert desk.send(AdvanceClock(far), at=far).accepted
    assert desk.now == far


def test_a_clock_on_the_wall_cannot_be_set(desk: Desk) -> None:
    assert desk.when("the clock is set to 2026-01-02").refused("CLOCK_NOT_MANUAL", programme="club")


def test_recorded_at_never_decreases_even_if_the_wall_clock_does(desk: Desk) -> None:
    first = desk.given("anna earns 10").records[-1].recorded_at
    desk.running.clock.instant -= 30 * SECOND
    assert desk.given("anna earns 10").records[-1].recorded_at == first
    desk.running.restart()
    assert desk.given("anna earns 10").records[-1].recorded_at == first


def test_nothing_happens_in_a_programme_that_was_never_opened(desk: Desk) -> None:
    desk.opens()
    elsewhere = msgspec.structs.replace(desk.request(EnrolMember("dee")), programme="elsewhere")
    (answer,) = desk.running.execute([elsewhere])
    assert isinstance(answer, Outcome)
    assert answer.answer == refuse(Reason.PROGRAMME_NOT_FOUND, programme="elsewhere")


def test_a_programme_is_opened_once(desk: Desk) -> None:
    desk.opens()
    assert desk.send(OpenProgramme(settings(zone="Europe/Berlin"))).refused("PROGRAMME_EXISTS", programme="club")
