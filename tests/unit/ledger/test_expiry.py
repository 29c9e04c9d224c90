"""What falls due: lots that end, holds that time out."""

import pytest

from ledger.commands import ExpireDue
from ledger.events import PointsExpired, RedemptionCancelled, StockReleased
from tests.unit.ledger.desk import Desk

SWEPT = "what is due for anna by 2026-04-02 is posted"


def test_points_past_their_last_day_expire_as_of_that_day(desk: Desk) -> None:
    """Edge case 14."""
    desk.given("anna earns 100 expiring 2026-03-31", "anna earns 50 expiring 2026-04-02", "time passes to 2026-04-02")
    then = desk.when(SWEPT)
    (expired,) = then.events(PointsExpired)
    assert (expired.effective_at, expired.parts[0].points) == (desk.lines.end_of("2026-03-31"), 100)
    assert then.lots("anna") == [(50, "2026-04-02")]


def test_a_late_sweep_changes_no_date(desk: Desk) -> None:
    """Edge case 14: the job may run weeks later, the expiry is effective when it was due."""
    desk.given("anna earns 100 expiring 2026-03-31", "time passes to 2026-07-20")
    (expired,) = desk.when("what is due for anna by 2026-07-20 is posted").events(PointsExpired)
    assert expired.effective_at == desk.lines.end_of("2026-03-31")


def test_a_repeated_sweep_posts_nothing_twice(desk: Desk) -> None:
    """Edge case 14."""
    desk.given("anna earns 100 expiring 2026-03-31", "time passes to 2026-04-02", SWEPT)
    assert desk.when(SWEPT).story == []
    assert desk.when(SWEPT).accepted


def test_a_sweep_where_nothing_is_due_is_accepted(desk: Desk) -> None:
    then = desk.when("what is due for anna by 2026-01-01 is posted")
    assert (then.accepted, then.story) == (True, [])


def test_a_sweep_posts_what_was_due_by_its_cut_off_only(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-03-30", "anna earns 20 expiring 2026-03-31", "time passes to 2026-04-02")
    then = desk.when("what is due for anna by 2026-03-31 00:00 is posted")
    assert [event.parts[0].points for event in then.events(PointsExpired)] == [10]


def test_a_sweep_reaches_no_further_than_its_own_time(desk: Desk) -> None:
    assert desk.when("what is due for anna by 2026-01-01 12:01 is posted").invalid("cut_off")


def test_a_sweep_is_for_a_member_or_for_a_stock_item(desk: Desk) -> None:
    desk.opens()
    assert desk.send(ExpireDue(desk.now)).invalid("member")
    assert desk.send(ExpireDue(desk.now, "anna", "mug", "shop")).invalid("member")


def test_each_unit_and_day_expires_by_itself(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-03-30", "anna earns 20 expiring 2026-03-30")
    desk.given("anna earns 30 stars expiring 2026-03-30", "anna earns 40 expiring 2026-03-31")
    posted = desk.given("time passes to 2026-04-02", SWEPT).events(PointsExpired)
    assert [(event.unit, [part.points for part in event.parts]) for event in posted] == [
        ("points", [10, 20]),
        ("points", [40]),
        ("stars", [30]),
    ]


def test_a_sweep_posts_a_thousand_lots_at_most_and_the_next_one_the_rest(desk: Desk) -> None:
    """Edge case 21."""
    desk.opens()
    grants = [desk.lines.read(f"anna earns 1 expiring 2026-03-{10 + number % 3}")[0] for number in range(1_500)]
    assert desk.send(*grants).accepted
    desk.given("time passes to 2026-04-02")
    posted = desk.when(SWEPT).events(PointsExpired)
    assert [len(event.parts) for event in posted] == [500, 500]
    assert [len(event.parts) for event in desk.when(SWEPT).events(PointsExpired)] == [500]
    assert desk.when(SWEPT).story == []


def test_a_sweep_posts_as_many_lots_as_it_may_whatever_their_days(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edge case 21: the rest stays due."""
    monkeypatch.setattr("ledger.decisions.due.LOTS_MAX", 3)
    desk.given("anna earns 1 expiring 2026-01-10", "anna earns 2 expiring 2026-01-10")
    desk.given("anna earns 4 expiring 2026-01-11", "anna earns 8 expiring 2026-01-11", "time passes to 2026-02-01")
    sweeps = [desk.when("what is due for anna by 2026-02-01 is posted").events(PointsExpired) for _ in range(3)]
    assert [[part.lot for event in events for part in event.parts] for events in sweeps] == [
        ["anna:1", "anna:2", "anna:3"],
        ["anna:4"],
        [],
    ]


def test_a_sweep_skips_held_points(desk: Desk) -> None:
    """Edge case 3."""
    desk.opens(hold_seconds=200 * 86_400)
    desk.given("anna earns 100 expiring 2026-03-31", "anna holds 60 as h1", "time passes to 2026-04-02")
    then = desk.when(SWEPT)
    assert [part.points for event in then.events(PointsExpired) for part in event.parts] == [40]
    assert (then.held("anna"), then.open("anna")) == (60, 0)


def test_a_hold_that_times_out_gives_its_points_back(desk: Desk) -> None:
    desk.given("anna earns 100", "anna holds 60 as h1", "time passes to 2026-01-08 11:59")
    assert desk.when("what is due for anna by 2026-01-08 11:59 is posted").story == []
    desk.given("time passes to 2026-01-08 12:00")
    then = desk.when("what is due for anna by 2026-01-08 12:00 is posted")
    assert (then.story, then.open("anna"), then.held("anna")) == (["PointsReleased"], 100, 0)


def test_points_that_expired_in_a_hold_expire_when_it_times_out_as_of_their_own_expiry(desk: Desk) -> None:
    """Edge case 3."""
    desk.given("anna earns 100 expiring 2026-01-03", "anna holds 60 as h1", "time passes to 2026-01-20")
    then = desk.when("what is due for anna by 2026-01-20 is posted")
    assert then.story == ["PointsReleased", "PointsExpired", "PointsExpired"]
    posted = [(event.effective_at, event.parts[0].points) for event in then.events(PointsExpired)]
    end = desk.lines.end_of("2026-01-03")
    assert posted == [(end, 60), (end, 40)]
    assert then.balance("anna") == 0


def test_a_redemption_that_times_out_gives_points_and_stock_back(desk: Desk) -> None:
    desk.given("mug@shop receives 3", "reward mug costs 60 from mug@shop", "anna earns 100", "anna redeems mug as r1")
    then = desk.given("time passes to 2026-01-09", "what is due for anna by 2026-01-09 is posted")
    assert then.story == ["PointsReleased", "StockReleased", "RedemptionCancelled"]
    (freed,), (cancelled,) = then.events(StockReleased), then.events(RedemptionCancelled)
    assert (freed.reason, cancelled.reason) == ("TIMED_OUT", "TIMED_OUT")
    assert cancelled.effective_at == desk.lines.moment("2026-01-08")
    assert (then.open("anna"), then.stock("mug@shop")) == (100, (3, 0, 0))
    assert desk.when("r1 is fulfilled").refused("REDEMPTION_CLOSED", state="TIMED_OUT")


def test_all_that_times_out_by_the_very_moment_is_swept_together(desk: Desk) -> None:
    """Edge case 3: holds, a redemption, another hold, and a lock."""
    desk.opens(hold_seconds=3_600)
    desk.given("mug@shop receives 3", "reward mug costs 10 from mug@shop", "anna earns 100")
    desk.given("anna holds 5 as h1", "anna redeems mug as r1", "anna holds 7 as h2", "mug@shop locks 1 as k1")
    desk.given("time passes to 2026-01-01 13:00")
    then = desk.when("what is due for anna by 2026-01-01 13:00 is posted")
    assert (then.open("anna"), then.held("anna")) == (100, 0)
    assert then.story.count("PointsReleased") == 3
    then = desk.when("what is due at mug@shop by 2026-01-01 13:00 is posted")
    assert (then.story, then.stock("mug@shop")) == (["StockReleased"], (3, 0, 0))


def test_a_hundred_holds_at_most_time_out_in_one_sweep(desk: Desk) -> None:
    desk.opens()
    desk.given("anna earns 1000")
    desk.send(*(desk.lines.read(f"anna holds 1 as h{number}")[0] for number in range(150)))
    desk.given("time passes to 2026-01-09")
    sweep = "what is due for anna by 2026-01-09 is posted"
    assert [len(desk.when(sweep).story) for _ in range(3)] == [100, 50, 0]


@pytest.mark.parametrize(
    "line", ["what is due for nemo by 2026-01-01 is posted", "what is due at mug@shop by 2026-01-01 is posted"]
)
def test_nothing_is_due_where_nothing_ever_was(desk: Desk, line: str) -> None:
    assert desk.when(line).story == []
