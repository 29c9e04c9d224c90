"""How much a member may send in a business day (edge cases 4, 6, 17 and 26)."""

from datetime import date, timedelta

from ledger.calendar import DAY
from ledger.events import PointsTransferredOut
from ledger.quantities import Amount
from ledger.states.lifecycle import SENT_DAYS_MAX
from tests.unit.ledger.desk import Desk

CAPS = (Amount("points", 100),)


def opened(desk: Desk, zone: str = "Asia/Shanghai", at: str = "2026-01-01 12:00") -> Desk:
    desk.opens(transfer_caps=CAPS, zone=zone, at=at)
    desk.given("anna earns 900 on 2025-12-01", "bo earns 900 on 2025-12-01")
    return desk


def test_no_more_than_the_limit_is_sent_in_a_day(desk: Desk) -> None:
    """Edge case 4: the refusal says the limit, what was used of it, and when it begins again."""
    opened(desk).given("anna gives 60 to bo", "anna gives 40 to cai")
    midnight = desk.lines.moment("2026-01-02 00:00")
    then = desk.when("anna gives 1 to bo")
    assert then.refused("CAP_EXCEEDED", member="anna", unit="points", wanted=1, cap=100, used=100, resets_at=midnight)
    assert desk.when("bo gives 100 to anna").accepted


def test_a_new_business_day_begins_at_local_midnight(desk: Desk) -> None:
    """Edge case 6."""
    opened(desk).given("anna gives 100 to bo", "time passes to 2026-01-01 23:59")
    assert desk.when("anna gives 1 to bo").refused("CAP_EXCEEDED", used=100)
    assert desk.when("time passes to 2026-01-02 00:00", "anna gives 100 to bo").accepted


def test_a_late_transfer_counts_for_its_own_day(desk: Desk) -> None:
    """Edge cases 6 and 9: whatever order they come in."""
    opened(desk).given("anna gives 100 to bo", "anna gives 70 to bo on 2025-12-30")
    midnight = desk.lines.moment("2025-12-31 00:00")
    assert desk.when("anna gives 31 to bo on 2025-12-30").refused("CAP_EXCEEDED", used=70, resets_at=midnight)
    assert desk.when("anna gives 30 to bo on 2025-12-30 23:59").accepted
    assert desk.when("anna gives 100 to bo on 2025-12-31 00:00").accepted


def test_the_day_on_which_clocks_change_is_one_day(desk: Desk) -> None:
    """Edge case 6: 25 hours."""
    opened(desk, "Europe/Berlin", "2026-10-25 00:30").given("anna gives 100 to bo")
    desk.running.clock.instant += DAY - 1
    resets_at = desk.lines.moment("2026-10-26 00:00")
    assert desk.when("anna gives 1 to bo").refused("CAP_EXCEEDED", resets_at=resets_at)
    desk.running.clock.instant = resets_at
    assert desk.when("anna gives 1 to bo").accepted


def test_only_units_with_a_limit_are_limited(desk: Desk) -> None:
    opened(desk).given("anna earns 500 stars")
    assert desk.when("anna gives 500 stars to bo").accepted


def test_the_limit_in_force_on_the_day_counts(desk: Desk) -> None:
    """Edge case 12: a limit that is made during a day counts what was sent before it."""
    desk.given("anna earns 900 on 2025-12-01", "anna gives 70 to bo")
    desk.changes(transfer_caps=CAPS)
    assert desk.when("anna gives 31 to bo").refused("CAP_EXCEEDED", used=70)
    assert desk.when("anna gives 500 to bo on 2025-12-31").accepted


def test_a_transfer_that_is_reversed_on_its_day_leaves_room_again(desk: Desk) -> None:
    """Edge case 17."""
    opened(desk)
    desk.when("anna gives 90 to bo", number=700)
    desk.when("60 of command 700 is reversed", number=701)
    assert desk.when("anna gives 71 to bo").refused("CAP_EXCEEDED", used=30)
    assert desk.when("anna gives 50 to bo").accepted
    desk.given("command 701 is reversed")
    assert desk.when("anna gives 1 to bo").refused("CAP_EXCEEDED", used=140)


def test_a_transfer_that_is_reversed_later_leaves_no_room_in_a_day_that_is_over(desk: Desk) -> None:
    """Edge case 17."""
    opened(desk)
    desk.when("anna gives 90 to bo", number=700)
    desk.given("time passes to 2026-01-02", "command 700 is reversed")
    assert desk.when("anna gives 11 to bo on 2026-01-01").refused("CAP_EXCEEDED", used=90)
    assert desk.when("anna gives 100 to bo").accepted


def test_what_goes_back_does_not_count_against_who_received(desk: Desk) -> None:
    opened(desk)
    desk.when("anna gives 90 to bo", number=700)
    desk.given("bo gives 100 to cai", "command 700 is reversed")
    assert [event.day for event in desk.happened(PointsTransferredOut)] == ["2026-01-01", "2026-01-01", ""]


def test_only_days_that_a_command_may_still_be_dated_on_are_kept(desk: Desk) -> None:
    """However long a member sends points, the state stays bounded."""
    opened(desk).given("anna earns 9000", "time passes to 2028-01-01")
    first = date(2026, 12, 1)
    for number in range(0, 600, 3):
        day = first + timedelta(days=number)
        desk.running.clock.instant = desk.lines.moment(day.isoformat())
        desk.given("anna gives 1 to bo")
    sent = desk.running.writer.cache.loaded["club/member/anna"].sent  # type: ignore[attr-defined]
    assert len(sent) == SENT_DAYS_MAX // 3 + 1
    desk.running.restart()
    assert desk.when("anna gives 100 to bo").refused("CAP_EXCEEDED", used=1)
