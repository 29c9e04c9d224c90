"""Stock: units in, set aside, freed and out, and what they cost."""

from ledger.commands import ReleaseHold, ReleaseStock, ShipStock
from ledger.events import StockLocked, StockReleased, StockShipped
from tests.unit.ledger.desk import Desk


def costs(desk: Desk) -> list[int]:
    return [event.cost for event in desk.happened(StockShipped)]


def test_units_received_are_free_then_locked_then_shipped(desk: Desk) -> None:
    assert desk.given("mug@shop receives 10 at 3.50").stock("mug@shop") == (10, 0, 0)
    assert desk.given("mug@shop locks 4 as k1").stock("mug@shop") == (6, 4, 0)
    assert desk.given("mug@shop ships k1").stock("mug@shop") == (6, 0, 4)


def test_locked_units_can_be_freed(desk: Desk) -> None:
    desk.given("mug@shop receives 10", "mug@shop locks 4 as k1")
    then = desk.when("mug@shop releases k1")
    (freed,) = then.events(StockReleased)
    assert (freed.quantity, freed.reason, then.stock("mug@shop")) == (4, "REQUESTED", (10, 0, 0))
    assert desk.when("mug@shop releases k1").refused("LOCK_NOT_FOUND", lock="k1")
    assert desk.when("mug@shop ships k1").refused("LOCK_NOT_FOUND", lock="k1")


def test_no_more_is_locked_than_is_free(desk: Desk) -> None:
    """Edge case 8."""
    desk.given("mug@shop receives 10", "mug@shop locks 7 as k1")
    then = desk.when("mug@shop locks 4 as k2")
    assert then.refused("OUT_OF_STOCK", sku="mug", location="shop", wanted=4, available=3, substitutes=[])
    assert desk.when("mug@shop locks 3 as k2").stock("mug@shop") == (0, 10, 0)


def test_what_never_came_in_cannot_be_locked(desk: Desk) -> None:
    assert desk.when("mug@shop locks 1 as k1").refused("OUT_OF_STOCK", available=0)


def test_each_location_has_its_own_stock(desk: Desk) -> None:
    desk.given("mug@shop receives 1", "mug@depot receives 9")
    assert desk.when("mug@shop locks 2 as k1").refused("OUT_OF_STOCK", available=1)
    assert desk.when("mug@depot locks 2 as k1").stock("mug@depot") == (7, 2, 0)


def test_two_locks_of_one_item_cannot_have_one_name(desk: Desk) -> None:
    desk.given("mug@shop receives 10", "cup@shop receives 10", "mug@shop locks 1 as k1")
    assert desk.when("mug@shop locks 1 as k1").refused("LOCK_EXISTS", lock="k1")
    assert desk.when("cup@shop locks 1 as k1").accepted


def test_units_leave_at_the_moving_average_of_what_they_cost(desk: Desk) -> None:
    desk.given("mug@shop receives 10 at 3.00", "mug@shop receives 10 at 4.00")
    desk.given("mug@shop locks 4 as k1", "mug@shop ships k1", "mug@shop receives 4 at 9.50")
    desk.given("mug@shop locks 1 as k2", "mug@shop ships k2")
    assert costs(desk) == [1400, 470]


def test_shipped_costs_and_the_value_left_come_to_what_was_received_exactly(desk: Desk) -> None:
    """Rounding moves a cent from one shipment to another, never out of the books."""
    desk.given("mug@shop receives 3 at 0.33", "mug@shop receives 4 at 0.34")
    for number in range(7):
        desk.given(f"mug@shop locks 1 as k{number}", f"mug@shop ships k{number}")
    assert (len(costs(desk)), sum(costs(desk))) == (7, 3 * 33 + 4 * 34)
    assert desk.oracle.stock("club", "mug@shop").value == 0
    desk.given("mug@shop receives 1 at 2.00", "mug@shop locks 1 as k9", "mug@shop ships k9")
    assert costs(desk)[-1] == 200


def test_a_lock_lasts_as_long_as_the_programme_says_unless_a_shorter_time_is_asked(desk: Desk) -> None:
    desk.opens(hold_seconds=3_600)
    desk.given("mug@shop receives 10")
    (locked,) = desk.when("mug@shop locks 1 as k1").events(StockLocked)
    assert locked.expires_at == desk.lines.moment("2026-01-01 13:00")
    assert desk.when("mug@shop locks 1 as k2 until 2026-01-01 13:01").invalid("expires_at")
    assert desk.when("mug@shop locks 1 as k2 until 2026-01-01 12:01").accepted


def test_a_lock_that_timed_out_ships_nothing(desk: Desk) -> None:
    desk.given("mug@shop receives 10", "mug@shop locks 4 as k1", "time passes to 2026-01-08 12:00")
    then = desk.when("mug@shop ships k1")
    assert then.refused("LOCK_EXPIRED", lock="k1", expired_at=desk.now)
    assert then.stock("mug@shop") == (6, 4, 0)


def test_a_sweep_frees_what_timed_out_and_nothing_else(desk: Desk) -> None:
    desk.given("mug@shop receives 10", "mug@shop locks 4 as k1 until 2026-01-02", "mug@shop locks 2 as k2")
    desk.given("time passes to 2026-01-03")
    sweep = "what is due at mug@shop by 2026-01-03 is posted"
    then = desk.when(sweep)
    (freed,) = then.events(StockReleased)
    assert (freed.lock, freed.reason, then.stock("mug@shop")) == ("k1", "TIMED_OUT", (8, 2, 0))
    assert desk.when(sweep).story == []


def test_a_redemptions_lock_is_the_redemptions_alone(desk: Desk) -> None:
    """Neither a caller nor the sweep of the stock item takes away what a redemption locked."""
    desk.given("mug@shop receives 5", "reward mug costs 60 from mug@shop", "anna earns 100", "anna redeems mug as r1")
    (lock,) = desk.happened(StockLocked)
    desk.given("time passes to 2026-01-20")
    assert desk.when("what is due at mug@shop by 2026-01-20 is posted").story == []
    assert desk.send(ReleaseStock(lock.lock, "mug", "shop")).refused("LOCK_NOT_FOUND")
    assert desk.send(ShipStock(lock.lock, "mug", "shop")).refused("LOCK_NOT_FOUND")
    assert desk.send(ReleaseHold(lock.lock, "anna")).refused("HOLD_NOT_FOUND")


def test_no_stock_item_holds_more_than_can_be_counted(desk: Desk) -> None:
    desk.given("mug@shop receives 1000000000")
    assert desk.when("mug@shop receives 1").refused("LIMIT_EXCEEDED", owned=10**9, limit=10**9)
    desk.given("cup@shop receives 1000000 at 9999999.00")
    assert desk.when("cup@shop receives 1000000 at 1000.00").refused("LIMIT_EXCEEDED", limit=10**15)
