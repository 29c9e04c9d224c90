"""Redemptions that are fulfilled or cancelled in parts."""

import pytest

from ledger.commands import Cancel, Fulfil
from ledger.events import (
    PointsExpired,
    PointsRedeemed,
    PointsReleased,
    RedemptionCancelled,
    RedemptionFulfilled,
    StockReleased,
    StockShipped,
)
from tests.unit.ledger.desk import Desk, Then

MUGS = ("mug@shop receives 9 at 4.00", "reward mug costs 50 and 10.00 from mug@shop listed at 30.00")
THREE = (*MUGS, "anna earns 90 expiring 2026-03-31", "anna earns 600 expiring 2026-06-30")
PLACED = "anna redeems mug x3 as r1 paying cash 29.99, coupon 0.01"


def points(then: Then, kind: type[PointsRedeemed] | type[PointsReleased]) -> dict[str, int]:
    """Points captured or given back, by lot."""
    (event,) = then.events(kind)
    return {part.lot: part.points for part in event.parts}


def money(then: Then, kind: type[RedemptionFulfilled] | type[RedemptionCancelled]) -> list[tuple[str, int]]:
    """The part of each tender."""
    (event,) = then.events(kind)
    return [(tender.type.value, tender.amount) for tender in event.tenders]


def test_some_units_are_fulfilled_and_the_rest_stays_held_and_locked(desk: Desk) -> None:
    """Edge case 25."""
    desk.given(*THREE, PLACED)
    then = desk.when("2 of r1 are fulfilled")
    assert then.story == ["PointsRedeemed", "StockShipped", "RedemptionFulfilled"]
    assert (then.held("anna"), then.balance("anna"), then.stock("mug@shop")) == (50, 590, (6, 1, 2))
    (redeemed,), (shipped,) = then.events(PointsRedeemed), then.events(StockShipped)
    (fulfilled,) = then.events(RedemptionFulfilled)
    assert (redeemed.left, shipped.left, fulfilled.left) == (50, 1, 1)
    assert (fulfilled.quantity, fulfilled.points.value, fulfilled.cost, shipped.cost) == (2, 100, 800, 800)


def test_each_part_takes_of_each_lot_in_proportion_and_all_parts_sum_to_the_whole(desk: Desk) -> None:
    """Edge case 25: 90 and 60 points in three parts of 50, by largest remainder."""
    desk.given(*THREE, PLACED)
    parts = [points(desk.when("1 of r1 are fulfilled"), PointsRedeemed) for _ in range(3)]
    assert parts == [{"anna:1": 30, "anna:2": 20}] * 3
    desk.given("bo earns 10 expiring 2026-01-31", "bo earns 20 expiring 2026-02-28", "bo earns 70 expiring 2026-03-31")
    desk.given("reward cup costs 33 from mug@shop", "bo redeems cup x3 as r2")
    parts = [points(desk.when("1 of r2 are fulfilled"), PointsRedeemed) for _ in range(3)]
    assert [sum(part.values()) for part in parts] == [33, 33, 33]
    assert parts[0] == {"bo:1": 3, "bo:2": 7, "bo:3": 23}
    assert {lot: sum(part.get(lot, 0) for part in parts) for lot in parts[0]} == {"bo:1": 10, "bo:2": 20, "bo:3": 69}


def test_a_part_that_takes_nothing_of_a_lot_leaves_it_to_the_parts_behind(desk: Desk) -> None:
    """Edge case 25: half a point of the first lot in each part, rounded once."""
    desk.given("mug@shop receives 2", "reward mug costs 100 from mug@shop")
    desk.given("anna earns 1 expiring 2026-03-31", "anna earns 199 expiring 2026-06-30", "anna redeems mug x2 as r1")
    parts = [points(desk.when("1 of r1 are fulfilled"), PointsRedeemed) for _ in range(2)]
    assert parts == [{"anna:2": 100}, {"anna:1": 1, "anna:2": 99}]


def test_each_part_has_its_part_of_the_money_and_all_parts_sum_to_what_was_paid(desk: Desk) -> None:
    """Edge case 25: the cash leg follows the units."""
    desk.given(*THREE, PLACED)
    first = money(desk.when("1 of r1 are fulfilled"), RedemptionFulfilled)
    second = money(desk.when("1 of r1 are cancelled"), RedemptionCancelled)
    third = money(desk.when("r1 is fulfilled"), RedemptionFulfilled)
    assert [sum(amount for _, amount in part) for part in (first, second, third)] == [1000, 1000, 1000]
    assert [kind for kind, _ in second] == ["CASH", "COUPON"]
    assert [sum(part[place][1] for part in (first, second, third)) for place in (0, 1)] == [2999, 1]


def test_some_units_are_cancelled_and_their_points_go_back_to_their_own_lots(desk: Desk) -> None:
    """Edge case 25."""
    desk.given(*THREE, PLACED)
    then = desk.when("1 of r1 are cancelled")
    assert then.story == ["PointsReleased", "StockReleased", "RedemptionCancelled"]
    assert then.lots("anna") == [(30, "2026-03-31"), (560, "2026-06-30")]
    assert (then.held("anna"), then.stock("mug@shop")) == (100, (7, 2, 0))
    (released,), (freed,) = then.events(PointsReleased), then.events(StockReleased)
    (cancelled,) = then.events(RedemptionCancelled)
    assert (released.left, freed.left, cancelled.left, cancelled.quantity) == (100, 2, 2, 1)


def test_units_that_are_cancelled_after_their_points_expired_expire_them_at_once(desk: Desk) -> None:
    """Edge case 3: as of their original expiry, and only those of the units given back."""
    desk.given(*THREE, PLACED, "time passes to 2026-01-05")
    desk.given("bo earns 100 expiring 2026-01-06", "bo redeems mug x2 as r2 paying cash 20.00")
    desk.given("time passes to 2026-01-10")
    then = desk.when("1 of r2 are cancelled")
    (expired,) = then.events(PointsExpired)
    assert (expired.effective_at, sum(part.points for part in expired.parts)) == (desk.lines.end_of("2026-01-06"), 50)
    assert (then.held("bo"), then.balance("bo")) == (50, 50)
    assert desk.when("r2 is fulfilled").balance("bo") == 0


def test_a_time_out_gives_back_only_what_is_left(desk: Desk) -> None:
    """Edge case 25."""
    desk.given(*THREE, PLACED, "1 of r1 are fulfilled", "1 of r1 are cancelled", "time passes to 2026-01-09")
    then = desk.when("what is due for anna by 2026-01-09 is posted")
    (cancelled,), (freed,) = then.events(RedemptionCancelled), then.events(StockReleased)
    assert (cancelled.quantity, cancelled.left, cancelled.reason, freed.quantity) == (1, 0, "TIMED_OUT", 1)
    assert (then.balance("anna"), then.held("anna"), then.stock("mug@shop")) == (640, 0, (8, 0, 1))
    assert desk.when("r1 is fulfilled").refused("REDEMPTION_CLOSED", state="FULFILLED")


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        (("2 of r1 are fulfilled", "1 of r1 are fulfilled"), "FULFILLED"),
        (("1 of r1 are fulfilled", "r1 is cancelled"), "FULFILLED"),
        (("2 of r1 are cancelled", "r1 is fulfilled"), "FULFILLED"),
        (("2 of r1 are cancelled", "1 of r1 are cancelled"), "CANCELLED"),
    ],
)
def test_a_redemption_is_closed_with_its_last_unit(desk: Desk, ends: tuple[str, ...], state: str) -> None:
    desk.given(*THREE, PLACED, *ends)
    for end in ("fulfilled", "cancelled"):
        assert desk.when(f"r1 is {end}").refused("REDEMPTION_CLOSED", redemption="r1", state=state)
        assert desk.when(f"1 of r1 are {end}").refused("REDEMPTION_CLOSED", redemption="r1", state=state)


@pytest.mark.parametrize("end", ["fulfilled", "cancelled"])
def test_no_more_units_end_than_are_open(desk: Desk, end: str) -> None:
    """Edge case 25: what is captured is never more than what is held."""
    desk.given(*THREE, PLACED, "1 of r1 are fulfilled")
    then = desk.when(f"3 of r1 are {end}")
    assert then.refused("QUANTITY_EXCEEDED", redemption="r1", wanted=3, left=2)
    assert (then.held("anna"), then.stock("mug@shop")) == (100, (6, 2, 1))


@pytest.mark.parametrize("quantity", [0, -1, 10**9 + 1])
@pytest.mark.parametrize("kind", [Fulfil, Cancel])
def test_a_quantity_that_is_none_is_bad_input(desk: Desk, kind: type[Fulfil] | type[Cancel], quantity: int) -> None:
    desk.given(*THREE, PLACED)
    assert desk.send(kind("r1", quantity)).invalid("quantity")


def test_parts_in_one_group_add_up(desk: Desk) -> None:
    desk.given(*THREE, PLACED)
    then = desk.together("1 of r1 are fulfilled", "1 of r1 are cancelled", "r1 is fulfilled")
    assert (then.accepted, then.held("anna"), then.stock("mug@shop")) == (True, 0, (7, 0, 2))
    assert desk.when("r1 is fulfilled").refused("REDEMPTION_CLOSED", state="FULFILLED")


def test_a_restarted_writer_knows_what_is_left(desk: Desk) -> None:
    desk.given(*THREE, PLACED, "1 of r1 are fulfilled")
    desk.running.restart()
    assert desk.when("3 of r1 are fulfilled").refused("QUANTITY_EXCEEDED", left=2)
    assert desk.when("2 of r1 are fulfilled").stock("mug@shop") == (6, 0, 3)
