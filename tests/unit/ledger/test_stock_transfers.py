"""Stock that moves from one location to another, and its cost with it."""

import pytest

from ledger.commands import TransferStock
from ledger.events import StockTransferredIn, StockTransferredOut
from tests.unit.ledger.desk import Desk


def test_units_and_their_cost_move_in_one_commit(desk: Desk) -> None:
    desk.given("mug@shop receives 10 at 3.00", "mug@depot receives 2 at 6.00")
    then = desk.when("mug@shop sends 4 to depot as t1")
    assert then.story == ["StockTransferredOut", "StockTransferredIn"]
    (left,), (came,) = then.events(StockTransferredOut), then.events(StockTransferredIn)
    assert (left.location, left.to, left.quantity, left.cost, left.document) == ("shop", "depot", 4, 1200, "t1")
    assert (came.location, came.sender, came.quantity, came.cost, came.document) == ("depot", "shop", 4, 1200, "t1")
    assert (then.stock("mug@shop"), then.value("mug@shop")) == ((6, 0, 0), 1800)
    assert (then.stock("mug@depot"), then.value("mug@depot")) == ((6, 0, 0), 2400)


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_no_cent_is_lost_however_often_units_move(desk: Desk, step: int) -> None:
    desk.given("mug@shop receives 3 at 0.33", "mug@shop receives 4 at 0.34")
    for left in range(7, 0, -step):
        then = desk.when(f"mug@shop sends {min(step, left)} to depot")
        assert then.value("mug@shop") + then.value("mug@depot") == 3 * 33 + 4 * 34
    stock = desk.oracle.stock("club", "mug@shop")
    assert (stock.on_hand, stock.value, desk.oracle.stock("club", "mug@depot").on_hand) == (0, 0, 7)


def test_only_free_units_move(desk: Desk) -> None:
    desk.given("mug@shop receives 5", "mug@shop locks 3 as k1")
    then = desk.when("mug@shop sends 3 to depot")
    assert then.refused("OUT_OF_STOCK", sku="mug", location="shop", wanted=3, available=2, substitutes=[])
    assert desk.when("mug@shop sends 2 to depot").stock("mug@shop") == (0, 3, 0)
    assert desk.when("mug@shop ships k1").stock("mug@shop") == (0, 0, 3)


def test_units_that_moved_can_be_redeemed_where_they_are(desk: Desk) -> None:
    desk.given("mug@depot receives 2 at 5.00", "reward mug costs 50 from mug@shop", "anna earns 100")
    assert desk.when("anna redeems mug as r1").refused("OUT_OF_STOCK")
    desk.given("mug@depot sends 1 to shop")
    then = desk.when("anna redeems mug as r2", "r2 is fulfilled")
    assert (then.stock("mug@shop"), then.value("mug@shop"), then.value("mug@depot")) == ((0, 0, 1), 0, 500)


def test_stock_does_not_move_to_where_it_is(desk: Desk) -> None:
    desk.given("mug@shop receives 5")
    assert desk.when("mug@shop sends 1 to shop").refused("SAME_LOCATION", sku="mug", location="shop")


@pytest.mark.parametrize("quantity", [0, -1, 10**9 + 1])
def test_a_transfer_of_nothing_is_bad_input(desk: Desk, quantity: int) -> None:
    assert desk.send(TransferStock("mug", "shop", "depot", quantity)).invalid("quantity")


def test_no_location_gets_more_than_can_be_counted(desk: Desk) -> None:
    desk.given("mug@shop receives 2", "mug@depot receives 999999999")
    assert desk.when("mug@shop sends 2 to depot").refused("LIMIT_EXCEEDED", owned=999_999_999, limit=10**9)
    assert desk.when("mug@shop sends 1 to depot").accepted
