"""Points that wait for something to happen."""

import pytest

from ledger.commands import Activate, Earn
from ledger.events import PointsActivated, PointsClawedBack, Source
from ledger.quantities import Amount
from tests.unit.ledger.desk import Desk

DELIVERED = "order shop/o1 of anna is activated"


def test_points_wait_until_the_order_is_delivered(desk: Desk) -> None:
    desk.opens(lot_months=12)
    then = desk.given("anna buys tea 100.00 as o1 waiting", "time passes to 2026-03-01")
    assert (then.open("anna"), then.pending("anna"), then.balance("anna")) == (0, 100, 100)
    assert desk.when("anna gives 1 to bo").refused("INSUFFICIENT_POINTS", spendable=0)
    (activated,) = desk.when(DELIVERED).events(PointsActivated)
    assert [(row.lot, row.points) for row in activated.lots] == [("anna:1", 100)]
    assert activated.available_at == desk.now
    assert desk.when("anna gives 1 to bo").lots("anna") == [(99, "2027-01-01")]


def test_activation_changes_no_expiry(desk: Desk) -> None:
    """Edge case 5: months count from the day of the purchase."""
    desk.opens(lot_months=2)
    desk.given("anna buys tea 100.00 as o1 waiting", "time passes to 2026-02-20", DELIVERED)
    assert desk.when("anna gives 1 to bo").lots("anna") == [(99, "2026-03-01")]


def test_points_stop_waiting_by_themselves_on_the_latest_day(desk: Desk) -> None:
    """As where the receipt of goods counts as confirmed after some days: what lapses is nothing."""
    desk.given("anna earns 100 for visit 7 waiting available 2026-01-15", "time passes to 2026-01-14 23:59")
    assert desk.when("anna gives 1 to bo").refused("INSUFFICIENT_POINTS", spendable=0)
    assert desk.when("time passes to 2026-01-15 00:00", "anna gives 1 to bo").accepted
    assert desk.when("visit 7 of anna is activated").refused("NOTHING_AWAITS", lot="anna:1")


def test_points_may_be_activated_before_the_latest_day(desk: Desk) -> None:
    desk.given("anna earns 100 for visit 7 waiting available 2026-01-15", "time passes to 2026-01-02")
    assert desk.when("visit 7 of anna is activated").open("anna") == 100


def test_points_that_wait_for_a_day_only_cannot_be_activated(desk: Desk) -> None:
    desk.given("anna earns 100 for visit 7 available 2026-01-15")
    assert desk.when("visit 7 of anna is activated").refused("NOTHING_AWAITS", type="visit", id="7", purpose="EARN")
    assert desk.when("lots anna:1 of anna are activated").refused("NOTHING_AWAITS", lot="anna:1")


def test_lots_can_be_named_instead_of_what_they_were_granted_for(desk: Desk) -> None:
    desk.given("anna earns 10 waiting", "anna earns 20 waiting", "anna earns 30 stars waiting", "anna earns 40 waiting")
    then = desk.when("lots anna:1 anna:3 anna:4 of anna are activated")
    assert [(event.unit, len(event.lots)) for event in then.events(PointsActivated)] == [("points", 2), ("stars", 1)]
    assert (then.open("anna"), then.pending("anna"), then.open("anna", "stars")) == (50, 20, 30)


@pytest.mark.parametrize("lot", ["anna:2", "anna:3", "bo:1", "anna:x"])
def test_a_lot_that_does_not_wait_is_refused_and_with_it_the_others(desk: Desk, lot: str) -> None:
    desk.given("anna earns 10 waiting", "anna earns 20", "bo earns 5 waiting")
    then = desk.when(f"lots anna:1 {lot} of anna are activated")
    assert then.refused("NOTHING_AWAITS", member="anna", lot=lot)
    assert then.pending("anna") == 10


def test_points_may_be_activated_the_moment_they_are_earned_and_not_when_they_have_opened(desk: Desk) -> None:
    """Edge case 14: the clock decides, to the microsecond."""
    desk.given(
        "anna earns 10 for visit 1 waiting available 2026-02-01",
        "anna earns 20 for visit 2 waiting available 2026-02-01",
    )
    assert desk.when("visit 1 of anna is activated").open("anna") == 10
    desk.given("time passes to 2026-02-01 00:00")
    assert desk.when("visit 2 of anna is activated").refused("NOTHING_AWAITS", lot="anna:2")


def test_points_of_two_units_that_wait_for_one_thing_are_activated_together(desk: Desk) -> None:
    desk.given("anna earns 10 for order 7 waiting", "bo earns 1")
    desk.send(Earn("anna", Amount("stars", 20), Source("order", "7", "STARS"), awaits_activation=True))
    then = desk.when("lots anna:1 anna:2 of anna are activated")
    (points, stars) = then.events(PointsActivated)
    assert [(row.lot, row.points) for row in points.lots] == [("anna:1", 10)]
    assert [(row.lot, row.points) for row in stars.lots] == [("anna:2", 20)]


def test_points_are_activated_once(desk: Desk) -> None:
    desk.given("anna buys tea 100.00 as o1 waiting", DELIVERED)
    assert desk.when(DELIVERED).refused("NOTHING_AWAITS", type="order", id="shop/o1")


def test_a_late_activation_counts_from_its_own_day(desk: Desk) -> None:
    """Edge case 9: a spend of a day before does not use the points."""
    desk.given("anna earns 100 for visit 7 waiting", "time passes to 2026-01-20")
    desk.given("visit 7 of anna is activated on 2026-01-10")
    assert desk.when("anna gives 1 to bo on 2026-01-09").refused("INSUFFICIENT_POINTS", spendable=0)
    assert desk.when("anna gives 1 to bo on 2026-01-10").accepted


def test_nothing_is_activated_before_it_was_earned(desk: Desk) -> None:
    desk.given("time passes to 2026-01-20", "anna earns 100 for visit 7 waiting")
    assert desk.when("visit 7 of anna is activated on 2026-01-19").refused("NOTHING_AWAITS", lot="anna:1")


def test_points_expire_while_they_wait(desk: Desk) -> None:
    """Edge case 14: they count in neither pending nor open, and the sweep posts them like all others."""
    desk.opens(lot_months=1)
    then = desk.given("anna buys tea 100.00 as o1 waiting", "anna earns 5 available 2026-01-20")
    assert then.pending("anna") == 105
    then = desk.given("time passes to 2026-02-02", "anna earns 1")
    assert (then.pending("anna"), then.open("anna")) == (0, 1)
    assert desk.when(DELIVERED).refused("LOT_EXPIRED", lot="anna:1", expired_at=desk.lines.end_of("2026-02-01"))
    assert desk.when("what is due for anna by 2026-02-02 is posted").story == ["PointsExpired"]
    assert desk.when(DELIVERED).refused("NOTHING_AWAITS", type="order")


def test_a_refund_takes_what_waits_and_the_rest_can_still_be_activated(desk: Desk) -> None:
    """Edge case 18: what is pending is taken first; the part that is kept keeps its activation."""
    desk.given("anna earns 50", "anna buys tea 60.00, bag 40.00 as o1 waiting")
    (clawed,) = desk.when("#1 of o1 comes back as f1").events(PointsClawedBack)
    assert [(lot.lot, lot.points) for lot in clawed.lots] == [("anna:2", 40)]
    then = desk.when(DELIVERED)
    assert (then.open("anna"), then.pending("anna")) == (110, 0)


def test_a_refund_of_everything_cancels_the_activation(desk: Desk) -> None:
    """Edge case 18."""
    desk.given("anna buys tea 60.00 as o1 waiting", "all of o1 comes back as f1")
    assert desk.when(DELIVERED).refused("NOTHING_AWAITS", id="shop/o1")


def test_what_was_taken_back_by_mistake_waits_again(desk: Desk) -> None:
    """Edge case 10: a reversal of a reversal restores the lot as it was."""
    desk.opens()
    desk.when("anna earns 60 for visit 7 waiting", number=700)
    desk.when("command 700 is reversed", number=701)
    assert desk.when("visit 7 of anna is activated").refused("NOTHING_AWAITS", id="7")
    then = desk.given("command 701 is reversed")
    assert (then.pending("anna"), then.open("anna")) == (60, 0)
    assert desk.when("visit 7 of anna is activated").open("anna") == 60


def test_points_that_wait_pay_what_is_owed_at_once(desk: Desk) -> None:
    """Edge case 1: whatever comes pays debts first."""
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo", "all of o1 comes back as f1")
    then = desk.given("anna earns 80 for visit 7 waiting")
    assert (then.debt("anna"), then.pending("anna")) == (0, 30)
    assert desk.when("visit 7 of anna is activated").open("anna") == 30


def test_first_expiring_first_passes_over_what_waits(desk: Desk) -> None:
    """Edge case 15."""
    desk.given("anna earns 10 for visit 7 waiting expiring 2026-02-28", "anna earns 20 expiring 2026-03-31")
    then = desk.given("anna gives 5 to bo", "visit 7 of anna is activated", "anna gives 12 to cai")
    assert then.lots("cai") == [(10, "2026-02-28"), (2, "2026-03-31")]


def test_what_waits_is_known_again_after_a_restart(desk: Desk) -> None:
    desk.given("anna buys tea 100.00 as o1 waiting", "anna earns 5 waiting", "lots anna:2 of anna are activated")
    desk.running.restart()
    assert desk.when("lots anna:2 of anna are activated").refused("NOTHING_AWAITS", lot="anna:2")
    assert desk.when(DELIVERED).open("anna") == 105


def test_a_command_names_a_source_or_lots(desk: Desk) -> None:
    desk.given("anna earns 5 waiting")
    assert desk.send(Activate("anna")).invalid("source")
    assert desk.send(Activate("anna", Source("visit", "1"), ("anna:1",))).invalid("source")
    assert desk.send(Activate("anna", lots=("anna:1", "anna:1"))).invalid("lots")
    assert desk.send(Activate("nemo", lots=("anna:1",))).refused("MEMBER_NOT_FOUND", member="nemo")
