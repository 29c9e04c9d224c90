"""Counted stock: the books follow the count."""

import pytest

from ledger.commands import CountStock
from ledger.events import StockCounted
from ledger.refusals import Reason
from tests.unit.ledger.desk import Desk


def count(desk: Desk, line: str) -> tuple[int, int, int, int]:
    """Counted, expected, difference, and what the difference is worth."""
    (event,) = desk.given(line).events(StockCounted)
    return event.counted, event.expected, event.difference, event.value


def test_a_count_sets_what_is_on_hand_and_records_the_difference(desk: Desk) -> None:
    desk.given("mug@shop receives 10 at 3.00")
    then = desk.when("mug@shop counts 8 as inv7")
    (event,) = then.events(StockCounted)
    assert (event.counted, event.expected, event.difference, event.value) == (8, 10, -2, -600)
    assert (event.reason, event.document, event.shortage) == ("yearly count", "inv7", 0)
    assert (then.stock("mug@shop"), then.value("mug@shop")) == ((8, 0, 0), 2400)


def test_a_count_that_agrees_is_recorded_too(desk: Desk) -> None:
    """How often counts agree is the accuracy of the stock (I03)."""
    desk.given("mug@shop receives 10 at 3.00")
    assert count(desk, "mug@shop counts 10") == (10, 10, 0, 0)


def test_the_cost_of_a_unit_stays_as_it_is(desk: Desk) -> None:
    desk.given("mug@shop receives 3 at 3.33", "mug@shop receives 4 at 4.00")
    assert count(desk, "mug@shop counts 9") == (9, 7, 2, 743)
    assert count(desk, "mug@shop counts 1") == (1, 9, -8, -2971)
    assert desk.given("mug@shop locks 1 as k1", "mug@shop ships k1").value("mug@shop") == 0


def test_units_that_were_missed_are_worth_as_much_when_they_are_found(desk: Desk) -> None:
    """A count of nothing by mistake, mended by another one, leaves no trace in the value."""
    desk.given("mug@shop receives 7 at 3.33", "mug@shop locks 2 as k1", "mug@shop ships k1")
    assert count(desk, "mug@shop counts 0") == (0, 5, -5, -1665)
    assert count(desk, "mug@shop counts 0") == (0, 0, 0, 0)
    desk.running.restart()
    assert count(desk, "mug@shop counts 5") == (5, 0, 5, 1665)


def test_units_found_where_there_never_were_any_cost_nothing(desk: Desk) -> None:
    assert count(desk, "mug@shop counts 4") == (4, 0, 4, 0)
    assert desk.given("mug@shop locks 4 as k1").stock("mug@shop") == (0, 4, 0)


def test_a_count_below_what_is_locked_is_recorded_with_its_shortage(desk: Desk) -> None:
    """I03: what is not there must not be promised again, whatever becomes of those it was promised to."""
    desk.given("mug@shop receives 5 at 1.00", "mug@shop locks 2 as k1", "mug@shop locks 2 as k2")
    then = desk.when("mug@shop counts 3")
    (event,) = then.events(StockCounted)
    assert (event.shortage, then.stock("mug@shop")) == (1, (0, 4, 0))
    assert desk.when("mug@shop locks 1 as k3").refused("OUT_OF_STOCK", wanted=1, available=0)
    assert desk.when("mug@shop sends 1 to depot").refused("OUT_OF_STOCK", wanted=1, available=0)
    desk.given("mug@shop ships k1")
    assert desk.when("mug@shop ships k2").refused("OUT_OF_STOCK", wanted=2, available=1)
    assert desk.when("mug@shop releases k2").stock("mug@shop") == (1, 0, 2)


def test_units_that_come_in_cover_a_shortage_first(desk: Desk) -> None:
    desk.given("mug@shop receives 5", "mug@shop locks 5 as k1", "mug@shop counts 3")
    assert desk.when("mug@shop receives 3").stock("mug@shop") == (1, 5, 0)
    assert desk.when("mug@shop ships k1").stock("mug@shop") == (1, 0, 5)


def test_a_redemption_whose_goods_are_missing_is_not_fulfilled_but_may_be_cancelled(desk: Desk) -> None:
    desk.given("mug@shop receives 2", "reward mug costs 50 from mug@shop", "anna earns 100")
    desk.given("anna redeems mug x2 as r1", "mug@shop counts 1")
    assert desk.when("r1 is fulfilled").refused("OUT_OF_STOCK", sku="mug", location="shop", wanted=2, available=1)
    assert desk.when("1 of r1 are fulfilled").stock("mug@shop") == (0, 1, 1)
    then = desk.when("r1 is cancelled")
    assert (then.balance("anna"), then.stock("mug@shop")) == (50, (0, 0, 1))


@pytest.mark.parametrize("counted", [-1, 10**9 + 1])
def test_a_count_that_cannot_be_is_bad_input(desk: Desk, counted: int) -> None:
    assert desk.send(CountStock("mug", "shop", counted, "yearly count")).invalid("counted")


def test_a_count_that_is_worth_more_than_an_amount_can_be_is_refused(desk: Desk) -> None:
    desk.given("mug@shop receives 1000000 at 9999999.00")
    then = desk.when("mug@shop counts 1000002")
    assert then.refused(Reason.LIMIT_EXCEEDED, limit=10**15)


def test_units_that_turn_up_cost_what_the_last_ones_did_on_average(desk: Desk) -> None:
    """I03: where none was on hand, the average of those that were there last."""
    desk.given("mug@shop receives 2 at 5.00", "mug@shop receives 2 at 7.00", "mug@shop counts 0")
    assert count(desk, "mug@shop counts 1") == (1, 0, 1, 600)
