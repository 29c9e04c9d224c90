"""Rewards and redemptions: points and stock together, or neither."""

import pytest

from ledger.commands import Redeem
from ledger.events import (
    OutboundOpened,
    PointsExpired,
    PointsHeld,
    PointsRedeemed,
    RedemptionCancelled,
    RedemptionFulfilled,
    RedemptionPlaced,
    StockLocked,
    StockShipped,
    Tender,
    TenderType,
)
from ledger.quantities import Amount
from ledger.receipts import Outcome, Receipt
from tests.unit.ledger.desk import Desk

MUGS = ("mug@shop receives 3 at 4.00", "reward mug costs 500 and 10.00 from mug@shop listed at 30.00 instead cup tea")


def test_a_redemption_holds_points_and_locks_stock_in_one_commit(desk: Desk) -> None:
    desk.given(*MUGS, "anna earns 1200 expiring 2026-03-31")
    then = desk.when("anna redeems mug x2 as r1 paying cash 20.00")
    assert then.story == ["RedemptionPlaced", "PointsHeld", "StockLocked", "OutboundOpened"]
    assert (then.open("anna"), then.held("anna"), then.stock("mug@shop")) == (200, 1000, (1, 2, 0))
    assert desk.running.memory.batches[-1].events == 4
    (placed,), (held,), (locked,) = then.events(RedemptionPlaced), then.events(PointsHeld), then.events(StockLocked)
    assert held.hold == locked.lock == placed.hold
    assert held.expires_at == locked.expires_at == placed.expires_at == desk.lines.moment("2026-01-08")
    (outbound,) = then.events(OutboundOpened)
    assert (outbound.sku, outbound.location, outbound.quantity) == ("mug", "shop", 2)


def test_fulfilling_captures_the_points_and_ships_the_stock(desk: Desk) -> None:
    desk.given(*MUGS, "anna earns 1200 expiring 2026-03-31", "anna redeems mug x2 as r1 paying cash 20.00")
    then = desk.when("r1 is fulfilled")
    assert then.story == ["PointsRedeemed", "StockShipped", "RedemptionFulfilled"]
    (redeemed,), (shipped,) = then.events(PointsRedeemed), then.events(StockShipped)
    assert (redeemed.kind, redeemed.redemption, redeemed.parts[0].points) == ("GOODS", "r1", 1000)
    assert shipped.cost == 800
    (fulfilled,) = then.events(RedemptionFulfilled)
    assert (fulfilled.cost, fulfilled.points, fulfilled.tenders[0].amount) == (800, Amount("points", 1000), 2000)
    assert (then.balance("anna"), then.held("anna"), then.stock("mug@shop")) == (200, 0, (1, 0, 2))


def test_cancelling_gives_points_and_stock_back(desk: Desk) -> None:
    desk.given(*MUGS, "anna earns 300 expiring 2026-03-31", "anna earns 900 expiring 2026-06-30")
    desk.given("anna redeems mug as r1 paying cash 10.00")
    then = desk.when("r1 is cancelled")
    assert then.story == ["PointsReleased", "StockReleased", "RedemptionCancelled"]
    assert (then.lots("anna"), then.stock("mug@shop")) == ([(300, "2026-03-31"), (900, "2026-06-30")], (3, 0, 0))
    (cancelled,) = then.events(RedemptionCancelled)
    assert (cancelled.reason, cancelled.effective_at) == ("REQUESTED", desk.now)


@pytest.mark.parametrize(("end", "state"), [("fulfilled", "FULFILLED"), ("cancelled", "CANCELLED")])
def test_a_redemption_ends_once(desk: Desk, end: str, state: str) -> None:
    desk.given(*MUGS, "anna earns 1200", "anna redeems mug as r1 paying cash 10.00", f"r1 is {end}")
    assert desk.when("r1 is fulfilled").refused("REDEMPTION_CLOSED", redemption="r1", state=state)
    assert desk.when("r1 is cancelled").refused("REDEMPTION_CLOSED", redemption="r1", state=state)
    assert desk.when("anna redeems mug as r1 paying cash 10.00").refused("REDEMPTION_EXISTS", redemption="r1")
    assert desk.when("r2 is fulfilled").refused("REDEMPTION_NOT_FOUND", redemption="r2")
    assert desk.when("r2 is cancelled").refused("REDEMPTION_NOT_FOUND", redemption="r2")


def test_points_that_expire_while_they_are_held_are_captured_all_the_same(desk: Desk) -> None:
    """Edge case 3."""
    desk.given(*MUGS, "anna earns 500 expiring 2026-01-03", "anna redeems mug as r1 paying cash 10.00")
    desk.given("time passes to 2026-01-05", "what is due for anna by 2026-01-05 is posted")
    then = desk.when("r1 is fulfilled")
    assert (then.accepted, then.balance("anna"), desk.happened(PointsExpired)) == (True, 0, [])


def test_points_that_expired_while_they_were_held_expire_at_once_when_cancelled(desk: Desk) -> None:
    """Edge case 3: as of their original expiry."""
    desk.given(*MUGS, "anna earns 500 expiring 2026-01-03", "anna redeems mug as r1 paying cash 10.00")
    then = desk.given("time passes to 2026-01-05", "r1 is cancelled")
    assert then.story == ["PointsReleased", "PointsExpired", "StockReleased", "RedemptionCancelled"]
    (expired,) = then.events(PointsExpired)
    assert (expired.effective_at, then.balance("anna")) == (desk.lines.end_of("2026-01-03"), 0)


def test_a_redemption_that_timed_out_cannot_be_fulfilled_but_cancelled(desk: Desk) -> None:
    """Edge case 3: the time-out bounds the life of what is held, whether or not it was posted."""
    desk.given(*MUGS, "anna earns 500", "anna redeems mug as r1 paying cash 10.00", "time passes to 2026-01-08 12:00")
    assert desk.when("r1 is fulfilled").refused("HOLD_EXPIRED", expired_at=desk.now)
    assert desk.when("r1 is cancelled").balance("anna") == 500


def test_the_last_unit_goes_to_the_first_who_asks(desk: Desk) -> None:
    """Edge case 8: the other one hears what could be had instead, and a price in points and cash."""
    desk.given(*MUGS, "anna earns 1500", "bo earns 700", "anna redeems mug x3 as r1 paying cash 30.00")
    then = desk.when("bo redeems mug as r2 paying cash 10.00")
    assert then.refused(
        "OUT_OF_STOCK",
        sku="mug",
        location="shop",
        wanted=1,
        available=0,
        substitutes=["cup", "tea"],
        quote_points=500,
        quote_unit="points",
        quote_cash=3000 - 500,
    )
    assert desk.when("r1 is cancelled", "bo redeems mug as r2 paying cash 10.00").accepted


def test_the_quote_asks_for_no_more_points_than_the_member_has(desk: Desk) -> None:
    """Edge case 8: the rest of the list price is cash."""
    desk.given(*MUGS, "bo earns 120")
    then = desk.when("bo redeems mug x4 as r1 paying cash 40.00")
    assert then.refused("OUT_OF_STOCK", wanted=4, available=3, quote_points=120, quote_cash=4 * 3000 - 120)


def test_there_is_no_quote_for_what_has_no_list_price(desk: Desk) -> None:
    desk.given("reward mug costs 500 from mug@shop", "anna earns 500")
    then = desk.when("anna redeems mug as r1")
    assert then.refused("OUT_OF_STOCK", available=0, substitutes=[], quote_points="no such fact")


def test_stock_is_looked_at_before_points(desk: Desk) -> None:
    """Edge case 8: who has too few points for goods that are sold out hears that they are sold out."""
    desk.given("reward mug costs 500 from mug@shop", "anna earns 5")
    assert desk.when("anna redeems mug as r1").refused("OUT_OF_STOCK")
    desk.given("mug@shop receives 1")
    then = desk.when("anna redeems mug as r1")
    assert then.refused("INSUFFICIENT_POINTS", wanted=500, spendable=5)
    assert then.stock("mug@shop") == (1, 0, 0)


def test_a_reward_without_stock_is_settled_at_once(desk: Desk) -> None:
    desk.given("reward repair costs 80", "anna earns 100")
    then = desk.when("anna redeems repair as r1")
    assert then.story == ["RedemptionPlaced", "PointsRedeemed", "RedemptionFulfilled"]
    assert (then.balance("anna"), then.held("anna")) == (20, 0)
    (redeemed,) = then.events(PointsRedeemed)
    assert (redeemed.kind, redeemed.hold, redeemed.redemption) == ("SERVICE", "", "r1")
    assert desk.when("r1 is cancelled").refused("REDEMPTION_CLOSED", state="FULFILLED")


def test_the_price_that_was_shown_is_the_price_that_is_taken(desk: Desk) -> None:
    """Edge case 24."""
    desk.given("reward repair costs 80", "anna earns 1000", "reward repair costs 90")
    then = desk.when("anna redeems repair as r1 expecting 80")
    assert then.refused("PRICE_CHANGED", points=90, unit="points", cash=0)
    assert desk.when("anna redeems repair as r1 expecting 90").balance("anna") == 910


def test_a_stale_price_uses_up_no_command_id(desk: Desk) -> None:
    """Edge case 24: the caller shows the new price and asks again."""
    desk.given("reward repair costs 90", "anna earns 1000")
    assert desk.when("anna redeems repair as r1 expecting 80", number=77).refused("PRICE_CHANGED")
    assert desk.when("anna redeems repair as r1 expecting 90", number=77).accepted


@pytest.mark.parametrize("paying", ["", " paying cash 9.99", " paying cash 10.00, coupon 0.01"])
def test_the_money_on_top_is_paid_exactly(desk: Desk, paying: str) -> None:
    """Edge case 24."""
    desk.given(*MUGS, "anna earns 1000")
    assert desk.when(f"anna redeems mug as r1{paying}").refused("PRICE_CHANGED", points=500, cash=1000)


def test_the_points_of_a_redemption_come_from_its_price(desk: Desk) -> None:
    desk.given(*MUGS, "anna earns 1000")
    then = desk.when("anna redeems mug as r1 paying cash 9.00, 100 points worth 1.00")
    assert then.invalid("tenders[1]")


def test_a_reward_is_redeemed_at_the_price_of_its_time(desk: Desk) -> None:
    """Edge case 9: a late command gets the price that was in force, whatever was defined since."""
    desk.given("reward repair costs 80 since 2025-12-01", "reward repair costs 90 since 2025-12-20")
    desk.given("anna earns 1000 on 2025-12-01")
    assert desk.when("anna redeems repair as r1 on 2025-12-19").balance("anna") == 920
    assert desk.when("anna redeems repair as r2 on 2025-12-20").balance("anna") == 830
    assert desk.when("anna redeems repair as r3 on 2025-11-30").refused("REWARD_NOT_FOUND", reward="repair")


def test_a_definition_may_be_made_for_later(desk: Desk) -> None:
    desk.given("reward repair costs 80", "reward repair costs 90 since 2026-02-01", "anna earns 1000")
    assert desk.when("anna redeems repair as r1").balance("anna") == 920
    assert desk.when("time passes to 2026-02-01", "anna redeems repair as r2").balance("anna") == 830


@pytest.mark.parametrize("status", ["suspended", "discontinued"])
def test_a_reward_that_is_no_longer_offered_is_refused_with_substitutes(desk: Desk, status: str) -> None:
    desk.given("mug@shop receives 3", f"reward mug costs 5 from mug@shop instead cup is {status}", "anna earns 9")
    then = desk.when("anna redeems mug as r1")
    assert then.refused("REWARD_UNAVAILABLE", status=status.upper(), substitutes=["cup"])


def test_who_and_what_is_unknown_is_refused(desk: Desk) -> None:
    desk.given(*MUGS)
    assert desk.when("anna redeems hat as r1").refused("REWARD_NOT_FOUND", reward="hat")
    assert desk.when("nemo redeems mug as r1").refused("MEMBER_NOT_FOUND", member="nemo")


def test_goods_can_be_taken_from_another_location(desk: Desk) -> None:
    desk.given("reward mug costs 5 from mug@shop", "mug@depot receives 2", "anna earns 9")
    then = desk.send(Redeem("r1", "anna", "mug", location="depot"))
    assert (then.stock("mug@depot"), then.stock("mug@shop")) == ((1, 1, 0), (0, 0, 0))
    assert desk.when("r1 is fulfilled").stock("mug@depot") == (1, 0, 1)


def test_a_refused_redemption_can_be_asked_for_again(desk: Desk) -> None:
    desk.given(*MUGS)
    assert desk.when("anna redeems mug as r1 paying cash 10.00").refused("INSUFFICIENT_POINTS")
    assert desk.when("anna earns 500", "anna redeems mug as r1 paying cash 10.00").accepted


def test_not_one_unit_is_oversold(desk: Desk) -> None:
    """Edge case 8: a hundred ask for five units, all at once."""
    desk.given("mug@shop receives 5", "reward mug costs 1 from mug@shop", "anna earns 1000")
    requests = [desk.request(Redeem(f"r{number}", "anna", "mug")) for number in range(100)]
    answers = desk.running.execute_apart(requests)
    accepted = [a for a in answers if isinstance(a, Outcome) and isinstance(a.answer, Receipt)]
    desk.oracle.fold(desk.running.memory.records[desk.oracle.position :])
    stock = desk.oracle.stock("club", "mug@shop")
    assert (len(accepted), stock.free, stock.locked) == (5, 0, 5)


@pytest.mark.parametrize(
    "tender",
    [
        Tender(TenderType.POINTS, 0),
        Tender(TenderType.CASH, 0, Amount("points", 500)),
        Tender(TenderType.CASH, 0, hold="h1"),
    ],
)
def test_the_points_of_a_redemption_are_no_tender(desk: Desk, tender: Tender) -> None:
    desk.given(*MUGS, "anna earns 600", "anna holds 50 as h1")
    assert desk.send(Redeem("r1", "anna", "mug", tenders=(tender,))).invalid("tenders[0]")


def test_the_quote_asks_for_no_cash_where_points_pay_all(desk: Desk) -> None:
    """Edge case 8."""
    desk.given("reward mug costs 500 from mug@shop listed at 5.00", "anna earns 500")
    assert desk.when("anna redeems mug as r1").refused("OUT_OF_STOCK", quote_points=500, quote_cash=0)


def test_what_has_no_stock_comes_from_nowhere(desk: Desk) -> None:
    desk.given("reward repair costs 80", "anna earns 100")
    (placed,) = desk.when("anna redeems repair as r1").events(RedemptionPlaced)
    assert (placed.sku, placed.location, placed.allocation_version) == ("", "", 0)


def test_each_definition_of_a_reward_is_a_version_of_its_stream(desk: Desk) -> None:
    defined = [desk.when(f"reward mug costs {points}").records for points in (5, 6, 7)]
    assert [record.version for (record,) in defined] == [1, 2, 3]
