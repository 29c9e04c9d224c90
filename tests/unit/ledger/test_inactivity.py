"""Points that live as long as their owner is active (edge case 19, X01)."""

from typing import Any

import pytest

from ledger.events import ExpiryExtended
from ledger.settings import Activity, Inactivity, LotAge, PointUnit
from tests.unit.ledger.desk import Desk

YEAR = Inactivity(12, (Activity.PURCHASE,))
ANY = Inactivity(12, tuple(Activity))


def opened(desk: Desk, expiry: Inactivity = YEAR, *, earning_rate: str = "0", **changes: Any) -> Desk:
    """A programme in which purchases usually earn nothing, so that they are activities and no more."""
    desk.opens(expiry=expiry, earning_rate=earning_rate, **changes)
    return desk


def ends(desk: Desk, member: str = "anna", unit: str = "points") -> list[tuple[int, str]]:
    """All that is left of a member's lots: points, last day."""
    lots = desk.oracle.programmes["club"].members[member].in_order(unit)
    return [(lot.points, desk.lines.last_day(lot.expires_at)) for lot in lots]


def test_an_activity_lets_all_points_live_on(desk: Desk) -> None:
    """Edge case 19, X01: twelve months unused, and they are gone; used, and they are not."""
    opened(desk).given("anna earns 100", "time passes to 2026-06-15", "anna earns 50", "anna buys tea 9.99 as o1")
    assert ends(desk) == [(100, "2027-06-15"), (50, "2027-06-15")]


def test_without_an_activity_points_end_together(desk: Desk) -> None:
    """X01: what is granted meanwhile, and is no activity, shares the end of what is there."""
    opened(desk).given("anna earns 100", "time passes to 2026-06-15", "anna earns 50")
    assert ends(desk) == [(100, "2027-01-01"), (50, "2027-01-01")]
    desk.given("time passes to 2027-01-02")
    assert desk.when("anna gives 1 to bo").refused("INSUFFICIENT_POINTS", spendable=0)


def test_what_has_expired_never_comes_back(desk: Desk) -> None:
    """Edge case 19: whether or not its expiry was posted."""
    opened(desk).given("anna earns 100", "time passes to 2027-01-02 00:00", "anna buys tea 9.99 as o1")
    assert desk.happened(ExpiryExtended) == []
    then = desk.given("anna earns 50", "time passes to 2027-03-01", "anna buys tea 9.99 as o2")
    assert (then.open("anna"), ends(desk)) == (50, [(100, "2027-01-01"), (50, "2028-03-01")])
    assert desk.when("what is due for anna by 2027-03-01 is posted").balance("anna") == 50


def test_the_last_moment_of_the_last_day_is_in_time(desk: Desk) -> None:
    """Edge cases 5 and 19: the next midnight is exclusive."""
    opened(desk).given("anna earns 100", "time passes to 2027-01-01 23:59", "anna buys tea 9.99 as o1")
    assert ends(desk) == [(100, "2028-01-01")]


def test_a_late_activity_counts_if_it_precedes_the_expiry(desk: Desk) -> None:
    """Edge cases 9 and 19: a till that was off line reports a purchase of the last day."""
    opened(desk).given("anna earns 100", "time passes to 2027-01-05")
    then = desk.when("anna buys tea 9.99 as o1 on 2027-01-01 18:00")
    assert (then.story, then.open("anna")) == (["PurchaseRecorded", "ExpiryExtended"], 100)
    assert ends(desk) == [(100, "2028-01-01")]


def test_a_late_activity_after_the_expiry_or_after_its_posting_counts_for_nothing(desk: Desk) -> None:
    """Edge case 19: what was posted is never undone."""
    opened(desk).given("anna earns 100", "bo earns 100", "time passes to 2027-01-05")
    assert desk.when("anna buys tea 9.99 as o1 on 2027-01-02 00:00").story == ["PurchaseRecorded"]
    desk.given("what is due for bo by 2027-01-05 is posted")
    then = desk.when("bo buys tea 9.99 as o2 on 2027-01-01 12:00")
    assert (then.story, then.open("anna"), then.open("bo")) == (["PurchaseRecorded"], 0, 0)


def test_a_late_activity_never_shortens(desk: Desk) -> None:
    """Edge case 19."""
    opened(desk).given("anna earns 100 on 2026-01-01", "time passes to 2026-06-15", "anna buys tea 9.99 as o1")
    then = desk.given("anna buys tea 9.99 as o2 on 2026-03-01", "anna earns 5 on 2026-02-01")
    assert then.story == ["PointsEarned"]
    assert ends(desk) == [(100, "2027-06-15"), (5, "2027-06-15")]


def test_what_lives_on_by_a_late_activity_and_what_began_anew_go_on_together(desk: Desk) -> None:
    """Edge case 19: points that had ended by the clock, and others granted since, until somebody reports a purchase."""
    opened(desk).given("anna earns 100", "time passes to 2027-01-05", "anna earns 50")
    desk.given("anna buys tea 9.99 as o1 on 2026-12-30")
    assert ends(desk) == [(100, "2027-12-30"), (50, "2028-01-05")]
    (extended,) = desk.when("anna buys tea 9.99 as o2").events(ExpiryExtended)
    assert [(row.lots, row.points) for row in extended.periods] == [(1, 100)]
    desk.given("time passes to 2027-02-01")
    (extended,) = desk.when("anna buys tea 9.99 as o3").events(ExpiryExtended)
    assert sorted((row.lots, row.points) for row in extended.periods) == [(1, 50), (1, 100)]
    assert ends(desk) == [(100, "2028-02-01"), (50, "2028-02-01")]


@pytest.mark.parametrize(
    ("activity", "line"),
    [
        (Activity.EARN, "anna earns 1"),
        (Activity.PURCHASE, "anna buys tea 9.99 as o1"),
        (Activity.REDEEM, "anna redeems spa as r1"),
        (Activity.REDEEM, "anna redeems mug as r1"),
        (Activity.REDEEM, "anna buys tea 0.20 as o1 paying 20 points worth 0.20"),
        (Activity.REDEEM, "anna buys tea 0.20 as o1 paying 20 points of h1 worth 0.20"),
        (Activity.REDEEM, "anna captures h1"),
        (Activity.REDEEM, "anna captures 5 of h1"),
        (Activity.TRANSFER, "anna gives 20 to bo"),
    ],
)
def test_only_the_activities_that_are_listed_count(desk: Desk, activity: Activity, line: str) -> None:
    """Edge case 19: a whitelist."""
    for counting in (Inactivity(12, (activity,)), Inactivity(12, tuple(set(Activity) - {activity, Activity.PURCHASE}))):
        other = Desk()
        try:
            opened(other, counting)
            other.given("mug@shop receives 5", "reward mug costs 20 from mug@shop", "reward spa costs 20")
            other.given("anna earns 100", "time passes to 2026-01-06", "anna holds 20 as h1", line)
            last_days = {day for _, day in ends(other)}
            expected = "2027-01-06" if activity in counting.activities else "2027-01-01"
            assert last_days == {expected}, counting
        finally:
            other.close()


@pytest.mark.parametrize(
    "line", ["bo gives 5 to anna", "anna holds 5 as h1", "anna releases h0", "anna gets 5 because of x"]
)
def test_what_is_no_activity_of_the_member_changes_nothing(desk: Desk, line: str) -> None:
    """Edge case 19: to receive, to set aside, to be given by the staff."""
    opened(desk, ANY).given("anna earns 100", "bo earns 50", "anna holds 5 as h0", "time passes to 2026-01-06")
    extended = [record for record in desk.given(line).records if record.topic == "points.expiry_extended.v1"]
    assert {record.stream for record in extended} <= {"club/member/bo"}
    assert {day for _, day in ends(desk)} == {"2027-01-01"}


def test_several_activities_in_one_command_extend_once(desk: Desk) -> None:
    opened(desk, ANY, earning_rate="1/100").given("anna earns 100", "time passes to 2026-03-01")
    then = desk.when("anna buys tea 10.00 as o1 paying 20 points worth 0.20, cash 9.80")
    assert then.story == ["PurchaseRecorded", "PointsRedeemed", "ExpiryExtended", "PointsEarned"]
    (extended,) = then.events(ExpiryExtended)
    assert (extended.activity, [(row.lots, row.points) for row in extended.periods]) == (Activity.PURCHASE, [(1, 80)])
    assert ends(desk) == [(80, "2027-03-01"), (9, "2027-03-01")]


def test_a_second_activity_on_the_same_day_extends_nothing(desk: Desk) -> None:
    opened(desk).given("anna earns 100", "time passes to 2026-03-01 09:00", "anna buys tea 9.99 as o1")
    desk.given("time passes to 2026-03-01 23:59")
    assert desk.when("anna buys tea 9.99 as o2").story == ["PurchaseRecorded"]


def test_an_activity_that_is_undone_does_not_shorten(desk: Desk) -> None:
    """Edge case 19: a cancelled redemption, a purchase that comes back, a transfer that is reversed."""
    opened(desk, ANY).given("mug@shop receives 5", "reward mug costs 20 from mug@shop", "anna earns 100")
    desk.given("time passes to 2026-02-01", "anna redeems mug as r1", "r1 is cancelled")
    assert ends(desk) == [(100, "2027-02-01")]
    desk.given("time passes to 2026-03-01", "anna buys tea 9.99 as o1", "all of o1 comes back as f1")
    assert ends(desk) == [(100, "2027-03-01")]
    desk.given("time passes to 2026-04-01")
    desk.when("anna gives 20 to bo", number=700)
    assert desk.when("command 700 is reversed").accepted
    assert sorted(ends(desk)) == [(20, "2027-03-01"), (80, "2027-04-01")]


def test_held_points_live_on_with_the_others(desk: Desk) -> None:
    """Edge cases 3 and 19: a lot ends as a whole."""
    opened(desk, hold_seconds=300 * 86_400)
    desk.given("anna earns 100", "time passes to 2026-06-01", "anna holds 100 as h1", "anna buys tea 9.99 as o1")
    (extended,) = desk.happened(ExpiryExtended)
    assert [(row.lots, row.points, row.held) for row in extended.periods] == [(0, 0, 100)]
    desk.given("time passes to 2027-02-01", "anna releases h1")
    assert ends(desk) == [(100, "2027-06-01")]


def test_a_hold_that_outlived_its_points_gives_back_nothing_that_lives(desk: Desk) -> None:
    """Edge cases 3 and 19: an activity after the expiry does not bring held points back to life."""
    opened(desk, hold_seconds=300 * 86_400)
    desk.given("anna earns 100", "time passes to 2026-12-01", "anna holds 60 as h1", "time passes to 2027-01-05")
    desk.given("anna buys tea 9.99 as o1", "anna earns 7")
    then = desk.when("anna releases h1")
    assert (then.story, then.open("anna")) == (["PointsReleased", "PointsExpired"], 7)


def test_points_held_and_released_in_part_stay_with_their_period(desk: Desk) -> None:
    """Edge cases 19 and 25."""
    opened(desk, ANY).given("mug@shop receives 9", "reward mug costs 10 from mug@shop", "anna earns 100")
    desk.given("time passes to 2026-01-02", "anna redeems mug x6 as r1")
    desk.given("2 of r1 are fulfilled", "1 of r1 are cancelled")
    desk.given("time passes to 2026-01-05", "anna buys tea 9.99 as o1", "3 of r1 are cancelled")
    assert ends(desk) == [(80, "2027-01-05")]


def test_pending_points_live_on_too(desk: Desk) -> None:
    """Edge case 19: those that wait for a day, and those that wait for Activate."""
    opened(desk).given("anna earns 10 available 2026-09-01", "anna earns 20 for visit 7 waiting")
    then = desk.given("time passes to 2026-06-15", "anna buys tea 9.99 as o1")
    assert (then.pending("anna"), ends(desk)) == (30, [(10, "2027-06-15"), (20, "2027-06-15")])
    desk.given("time passes to 2027-03-01")
    assert desk.when("visit 7 of anna is activated").open("anna") == 30


def test_points_that_wait_end_with_the_others(desk: Desk) -> None:
    opened(desk).given("anna earns 20 for visit 7 waiting", "time passes to 2027-01-02")
    assert desk.when("visit 7 of anna is activated").refused("LOT_EXPIRED", lot="anna:1")
    assert desk.when("what is due for anna by 2027-01-02 is posted").balance("anna") == 0


def test_points_that_would_be_available_too_late_begin_a_period_of_their_own(desk: Desk) -> None:
    opened(desk).given("anna earns 10", "time passes to 2026-12-20", "anna earns 20 available 2027-01-10")
    assert ends(desk) == [(10, "2027-01-01"), (20, "2027-12-20")]
    desk.given("anna buys tea 9.99 as o1")
    assert ends(desk) == [(10, "2027-12-20"), (20, "2027-12-20")]


def test_an_expiry_that_was_given_is_kept(desk: Desk) -> None:
    """Edge case 19: a campaign's points end with the campaign."""
    opened(desk).given("anna earns 10 expiring 2026-03-31", "anna earns 20 never expiring", "anna earns 30")
    desk.given("time passes to 2026-03-01", "anna buys tea 9.99 as o1")
    assert ends(desk) == [(10, "2026-03-31"), (30, "2027-03-01"), (20, "never")]


def test_points_that_were_given_away_keep_their_expiry_for_good(desk: Desk) -> None:
    """Edge cases 4 and 19: the receiver's activity does not lengthen the life of a gift."""
    opened(desk).given("anna earns 100", "bo earns 50", "time passes to 2026-06-15", "anna gives 40 to bo")
    desk.given("bo buys tea 9.99 as o1")
    assert (ends(desk), ends(desk, "bo")) == ([(60, "2027-01-01")], [(40, "2027-01-01"), (50, "2027-06-15")])


def test_first_expiring_first_also_where_periods_and_other_lots_end_together(desk: Desk) -> None:
    """Edge case 15: of lots that end together, those earned first go first."""
    opened(desk).given("anna earns 1", "time passes to 2026-01-02", "anna earns 2 expiring 2027-01-01")
    desk.given("time passes to 2026-01-03", "anna earns 4", "time passes to 2026-01-04", "anna gives 5 to bo")
    assert [points for points, _ in ends(desk, "bo")] == [1, 2, 2]
    assert ends(desk) == [(2, "2027-01-01")]


def test_each_unit_has_its_own_rule(desk: Desk) -> None:
    """X01: per programme and unit."""
    units = (PointUnit("points"), PointUnit("stars", 0, LotAge(12)))
    opened(desk, units=units).given("anna earns 10", "anna earns 20 stars")
    desk.given("time passes to 2026-06-15", "anna buys tea 9.99 as o1")
    assert (ends(desk), ends(desk, unit="stars")) == ([(10, "2027-06-15")], [(20, "2027-01-01")])


def test_a_purchase_that_earns_begins_a_period_with_its_own_points(desk: Desk) -> None:
    opened(desk, earning_rate="1/100").given("anna buys tea 10.00 as o1", "time passes to 2026-02-28 23:59")
    desk.given("anna buys tea 20.00 as o2")
    assert ends(desk) == [(10, "2027-02-28"), (20, "2027-02-28")]


def test_points_that_come_back_of_a_refund_live_as_long_as_the_others_do_by_now(desk: Desk) -> None:
    """Edge cases 2 and 19: as if they had never been spent, as long as their period goes on."""
    opened(desk).given("anna earns 100", "anna buys tea 0.40 as o1 paying 40 points worth 0.40")
    desk.given("time passes to 2026-06-15", "anna buys tea 9.99 as o2", "time passes to 2027-02-01")
    then = desk.when("all of o1 comes back as f1")
    assert (then.open("anna"), ends(desk)) == (100, [(100, "2027-06-15")])


def test_points_that_come_back_live_on_with_their_period_though_nothing_of_their_lot_was_left(desk: Desk) -> None:
    """Edge cases 2 and 19."""
    opened(desk).given("anna earns 40", "anna earns 60", "anna buys tea 0.40 as o1 paying 40 points worth 0.40")
    desk.given("all of o1 comes back as f1", "time passes to 2026-06-15", "anna buys tea 9.99 as o2")
    assert ends(desk) == [(40, "2027-06-15"), (60, "2027-06-15")]


def test_points_that_come_back_when_nothing_else_was_left_keep_their_original_expiry(desk: Desk) -> None:
    """Edge case 2: if that has passed, they expire at once."""
    opened(desk).given("anna earns 40", "anna buys tea 0.40 as o1 paying 40 points worth 0.40")
    desk.given("time passes to 2026-06-15", "anna buys tea 9.99 as o2", "time passes to 2027-02-01")
    then = desk.when("all of o1 comes back as f1")
    assert (then.story[-2:], then.balance("anna")) == (["PointsReinstated", "PointsExpired"], 0)


@pytest.mark.parametrize(
    ("zone", "days", "last_day"),
    [
        ("Asia/Shanghai", ["2025-12-31 12:00", "2026-01-31 00:00"], "2026-02-28"),
        ("Asia/Shanghai", ["2025-12-31 12:00", "2026-01-31 00:00", "2026-02-28 23:59"], "2026-03-28"),
        ("Europe/Berlin", ["2026-02-28 12:00", "2026-03-28 23:30"], "2026-04-28"),
        ("Europe/Berlin", ["2026-09-25 12:00", "2026-10-25 02:30"], "2026-11-25"),
        ("America/New_York", ["2024-01-31 12:00", "2024-02-29 23:59"], "2024-03-29"),
        ("America/Sao_Paulo", ["2018-10-04 12:00", "2018-11-04 01:30"], "2018-12-04"),
        ("Pacific/Kiritimati", ["2026-01-31 00:30", "2026-02-28 23:30"], "2026-03-28"),
    ],
)
def test_months_are_added_to_the_day_of_the_activity_never_to_the_expiry_before(
    desk: Desk, zone: str, days: list[str], last_day: str
) -> None:
    """Edge cases 5, 6 and 19: clamped to the month's end, over the change of the clocks, never chained."""
    earned, *bought = days
    opened(desk, Inactivity(1, (Activity.PURCHASE,)), zone=zone, at=earned).given("anna earns 10")
    for number, day in enumerate(bought):
        desk.given(f"time passes to {day}", f"anna buys tea 9.99 as o{number}")
    assert ends(desk) == [(10, last_day)]


def test_a_rule_that_changed_counts_from_the_next_activity_on(desk: Desk) -> None:
    """Edge case 12: what points were given they keep, until an activity gives them more."""
    opened(desk).given("anna earns 10")
    desk.changes(expiry=Inactivity(24, (Activity.PURCHASE,)), since="2026-02-01")
    desk.given("time passes to 2026-03-01")
    assert ends(desk) == [(10, "2027-01-01")]
    desk.given("anna buys tea 9.99 as o1")
    assert ends(desk) == [(10, "2028-03-01")]
    desk.changes(expiry=LotAge(1))
    desk.given("time passes to 2026-04-01", "anna buys tea 9.99 as o2", "anna earns 20")
    assert ends(desk) == [(20, "2026-05-01"), (10, "2028-03-01")]


def test_an_activity_touches_no_lot_however_many_there_are(desk: Desk) -> None:
    """Edge case 21: thousands of lots live on by one event of one row, and stay the very records that they were."""
    opened(desk)
    earn = [desk.lines.read("anna earns 1")[0] for _ in range(5_000)]
    assert desk.send(*earn).accepted
    lots = desk.running.writer.cache.loaded["club/member/anna"].lots("points")  # type: ignore[attr-defined]
    before = {lot.number: id(lot) for lot in lots}
    desk.given("time passes to 2026-06-15")
    (extended,) = desk.when("anna buys tea 9.99 as o1").events(ExpiryExtended)
    assert [(row.lots, row.points) for row in extended.periods] == [(5_000, 5_000)]
    assert {lot.number: id(lot) for lot in lots} == before


def test_a_period_is_known_again_after_a_restart(desk: Desk) -> None:
    opened(desk).given("anna earns 10", "anna holds 10 as h1", "time passes to 2026-06-15", "anna buys tea 9.99 as o1")
    desk.running.restart()
    desk.given("anna earns 5", "anna releases h1", "time passes to 2026-07-01", "anna buys tea 9.99 as o2")
    assert ends(desk) == [(10, "2027-07-01"), (5, "2027-07-01")]
