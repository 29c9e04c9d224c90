"""Stock that is offered no more (I05)."""

import pytest

from tests.unit.ledger.desk import Desk

MUGS = (
    "mug@shop receives 5 at 4.00",
    "mug@depot receives 5",
    "reward mug costs 50 from mug@shop listed at 30.00 instead cup tea",
    "anna earns 200",
)


@pytest.mark.parametrize("what", ["mug@shop", "mug"])
def test_what_is_discontinued_is_refused_with_substitutes_and_a_quote(desk: Desk, what: str) -> None:
    """I05, I02: the refusal says what could be had instead, as for stock that ran out."""
    desk.given(*MUGS, f"{what} is discontinued")
    then = desk.when("anna redeems mug x2 as r1")
    assert then.refused(
        "STOCK_DISCONTINUED",
        sku="mug",
        location="shop",
        wanted=2,
        available=5,
        substitutes=["cup", "tea"],
        quote_points=100,
        quote_unit="points",
        quote_cash=6000 - 100,
    )
    assert desk.when("mug@shop locks 1 as k1").refused("STOCK_DISCONTINUED", sku="mug", location="shop")


def test_one_location_ends_its_offer_and_the_others_go_on(desk: Desk) -> None:
    desk.given(*MUGS, "mug@shop is discontinued")
    assert desk.when("anna redeems mug as r1 from depot").accepted
    assert desk.when("mug@depot locks 1 as k1").accepted


def test_a_sku_is_discontinued_everywhere_also_where_it_comes_in_later(desk: Desk) -> None:
    desk.given(*MUGS, "mug is discontinued", "mug@hall receives 3")
    for location in ("shop", "depot", "hall"):
        assert desk.when(f"anna redeems mug as r1 from {location}").refused("STOCK_DISCONTINUED", location=location)


def test_what_was_locked_before_is_still_shipped_or_freed(desk: Desk) -> None:
    desk.given(*MUGS, "anna redeems mug x2 as r1", "mug@shop locks 1 as k1", "mug@shop locks 1 as k2")
    desk.given("mug@shop is discontinued", "mug is discontinued")
    then = desk.given("1 of r1 are fulfilled", "r1 is cancelled", "mug@shop ships k1", "mug@shop releases k2")
    assert (then.stock("mug@shop"), then.balance("anna")) == ((3, 0, 2), 150)


def test_what_is_left_is_counted_received_and_moved_to_where_it_is_offered(desk: Desk) -> None:
    desk.given(*MUGS, "mug@shop is discontinued", "mug@shop counts 4", "mug@shop receives 1")
    then = desk.given("mug@shop sends 5 to depot", "anna redeems mug as r1 from depot")
    assert (then.stock("mug@shop"), then.stock("mug@depot")) == ((0, 0, 0), (9, 1, 0))


@pytest.mark.parametrize("what", ["mug@shop", "mug"])
def test_nothing_is_discontinued_twice(desk: Desk, what: str) -> None:
    location = what.partition("@")[2]
    desk.given(*MUGS, f"{what} is discontinued")
    desk.running.restart()
    assert desk.when(f"{what} is discontinued").refused("STOCK_DISCONTINUED", sku="mug", location=location)
