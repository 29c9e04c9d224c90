"""What the log keeps of a command: all that it was told and that somebody asks for later, finance above all."""

from typing import Any

import pytest

from ledger import commands as c
from ledger import events as e
from ledger.events import Funding, RedeemKind, RewardKind, Source, Tender, TenderType
from ledger.quantities import Amount
from ledger.settings import Activity, Inactivity
from tests.unit.ledger.desk import Desk

POINTS = Amount("points", 100)


def test_a_grant_keeps_who_pays_for_it_and_why(desk: Desk) -> None:
    earn = c.Earn(
        "anna", POINTS, Source("review", "r1", "BONUS"), Funding.SALE, None, None, "gold", "may", "bank", "1/3"
    )
    (earned,) = desk.send(earn).events(e.PointsEarned)
    assert (earned.source, earned.funding, earned.rule) == (Source("review", "r1", "BONUS"), Funding.SALE, "gold")
    assert (earned.campaign, earned.partner, earned.unit_cost) == ("may", "bank", "1/3")
    assert (earned.rule_version, earned.period, earned.available_at, earned.awaits_activation) == (0, 0, None, False)


def test_a_grant_that_is_available_at_once_says_nothing_of_a_day(desk: Desk) -> None:
    """Edge case 9: available when it was earned, named or not."""
    (earned,) = desk.send(c.Earn("anna", POINTS, Source("visit", "1"), available_at=desk.now)).events(e.PointsEarned)
    assert earned.available_at is None
    assert desk.when("anna gives 100 to bo").accepted


def test_a_captured_hold_keeps_what_it_paid(desk: Desk) -> None:
    desk.given("anna earns 100", "anna holds 60 as h1")
    capture = c.CaptureHold("h1", "anna", 45, RedeemKind.GOODS, "o1", 450, "may")
    then = desk.send(capture)
    (redeemed,), (released,) = then.events(e.PointsRedeemed), then.events(e.PointsReleased)
    assert (redeemed.kind, redeemed.hold, redeemed.redemption, redeemed.order) == (RedeemKind.GOODS, "h1", "", "o1")
    assert (redeemed.amount, redeemed.campaign, redeemed.left, released.left) == (450, "may", 15, 0)


@pytest.mark.parametrize("goods", ["", "mug"])
def test_a_redemption_keeps_its_order_campaign_price_and_tax_code(desk: Desk, goods: str) -> None:
    kind = RewardKind.GOODS if goods else RewardKind.SERVICE
    price = e.Price(Amount("points", 30), 200)
    paid = (Tender(TenderType.CASH, 200),)
    desk.given("mug@shop receives 2 at 5.00", "anna earns 100")
    desk.send(c.DefineReward("gift", kind, price, sku=goods, location="shop", list_price=900, tax_code="T9"))
    redeem = c.Redeem("r1", "anna", "gift", tenders=paid, order="o1", campaign="may", destination="town")
    then = desk.send(redeem)
    (placed,) = then.events(e.RedemptionPlaced)
    assert (placed.price, placed.list_price, placed.tax_code, placed.tenders) == (price, 900, "T9", paid)
    assert (placed.order, placed.campaign, placed.destination, placed.allocation_version) == ("o1", "may", "town", 0)
    if goods:
        then = desk.when("r1 is fulfilled")
    (redeemed,), (fulfilled,) = then.events(e.PointsRedeemed), then.events(e.RedemptionFulfilled)
    hold = "redemption:r1" if goods else ""
    assert (redeemed.hold, redeemed.redemption, redeemed.order, redeemed.campaign) == (hold, "r1", "o1", "may")
    assert (redeemed.kind.value, redeemed.amount, redeemed.left) == (kind.value, 0, 0)
    assert (fulfilled.order, fulfilled.campaign, fulfilled.list_price, fulfilled.tax_code) == ("o1", "may", 900, "T9")
    assert (fulfilled.tenders, fulfilled.cost, fulfilled.left, fulfilled.quantity) == (paid, 500 if goods else 0, 0, 1)


def test_parts_of_a_redemption_say_what_is_left_of_it(desk: Desk) -> None:
    """Edge case 25: of the hold, of the lock, and of the redemption."""
    desk.given(
        "mug@shop receives 5", "reward mug costs 30 from mug@shop", "anna earns 100", "anna redeems mug x3 as r1"
    )
    then = desk.when("1 of r1 are fulfilled")
    (redeemed,), (shipped,) = then.events(e.PointsRedeemed), then.events(e.StockShipped)
    (fulfilled,) = then.events(e.RedemptionFulfilled)
    assert (redeemed.left, shipped.left, fulfilled.left) == (60, 2, 2)
    then = desk.when("1 of r1 are cancelled")
    (released,), (freed,) = then.events(e.PointsReleased), then.events(e.StockReleased)
    (cancelled,) = then.events(e.RedemptionCancelled)
    assert (released.left, freed.left, cancelled.left) == (30, 1, 1)


def test_what_a_refund_takes_and_gives_back_names_order_refund_and_reason(desk: Desk) -> None:
    """Edge cases 1 and 2: under the order's own channel, and with the grant as it was."""
    desk.opens(expiry=Inactivity(12, (Activity.EARN,)))
    desk.given("anna earns 100", "anna buys tea 60.00 as o1 paying 50 points worth 0.50, cash 59.50")
    (earned,) = (event for event in desk.happened(e.PointsEarned) if event.source.type == "order")
    then = desk.send(c.RefundPurchase("f1", "o1", "shop", reason="broken"), channel="web")
    (returned,), (clawed,) = then.events(e.PurchaseReturned), then.events(e.PointsClawedBack)
    (back,) = then.events(e.PointsReinstated)
    assert (returned.reason, clawed.reason, clawed.approver, clawed.reverses) == ("broken", "broken", "", "")
    assert {(clawed.order, clawed.refund), (back.order, back.refund)} == {("shop/o1", "f1")}
    assert (clawed.grant.lot, clawed.grant.source, clawed.grant.period) == (earned.lot, earned.source, earned.period)
    assert earned.period > 0


def test_a_correction_keeps_its_reason_and_who_approved_it(desk: Desk) -> None:
    desk.given("anna earns 100")
    (taken,) = desk.when("anna loses 5 of lot 1 because of error").events(e.PointsClawedBack)
    (lost,) = desk.when("anna loses 5 because of error").events(e.PointsForfeited)
    (given,) = desk.when("anna gets 1 because of error").events(e.PointsEarned)
    assert {(event.reason, event.approver) for event in (taken, lost, given)} == {("error", "manager")}
    assert (taken.order, taken.refund, taken.reverses, lost.reverses, given.period) == ("", "", "", "", 0)


def test_whatever_a_reversal_moves_names_the_command_that_it_reverses(desk: Desk) -> None:
    """Edge case 10: there and back again."""
    there_and_back: list[tuple[str, tuple[Any, Any]]] = [
        ("anna earns 100", (e.PointsClawedBack, e.PointsReinstated)),
        ("anna loses 10 because of error", (e.PointsReinstated, e.PointsForfeited)),
    ]
    for line, kinds in there_and_back:
        desk.given(line)
        for kind in kinds:
            target = f"{desk.ids:032x}"
            (event,) = desk.when(f"command {desk.ids} is reversed").events(kind)
            assert event.reverses == target
    desk.given("anna gives 20 to bo")
    target = f"{desk.ids:032x}"
    then = desk.when(f"command {desk.ids} is reversed")
    (out,), (into,) = then.events(e.PointsTransferredOut), then.events(e.PointsTransferredIn)
    assert (out.reverses, into.reverses, out.to, into.sender) == (target, target, "anna", "bo")


def test_a_reversed_grant_keeps_the_reason_of_the_reversal(desk: Desk) -> None:
    desk.given("anna earns 100")
    then = desk.when(f"command {desk.ids} is reversed")
    (clawed,), (reversed_,) = then.events(e.PointsClawedBack), then.events(e.CommandReversed)
    assert (clawed.reason, reversed_.reason, clawed.order, clawed.refund) == ("mistake", "mistake", "", "")


def test_a_transfer_counts_on_the_day_it_was_sent_and_not_as_come_back(desk: Desk) -> None:
    """Edge case 4."""
    then = desk.when("anna earns 100", "anna gives 20 to bo")
    (out,), (into,) = then.events(e.PointsTransferredOut), then.events(e.PointsTransferredIn)
    assert (out.day, into.day, out.reverses, into.reverses) == ("2026-01-01", "", "", "")
    (back,) = desk.when(f"command {desk.ids} is reversed").events(e.PointsTransferredIn)
    assert back.day == "2026-01-01"


def test_an_extension_names_what_is_left_after_the_spend_that_led_to_it(desk: Desk) -> None:
    """Edge case 19: of the period that goes on, lots, points and what is held until the rest is released behind it."""
    desk.opens(expiry=Inactivity(12, tuple(Activity)), hold_seconds=300 * 86_400)
    desk.given("anna earns 100", "time passes to 2026-02-01", "anna holds 60 as h1")
    (extended,) = desk.when("anna captures 50 of h1").events(e.ExpiryExtended)
    assert [(row.lots, row.points, row.held) for row in extended.periods] == [(1, 40, 10)]
    desk.given("time passes to 2026-03-01")
    (extended,) = desk.when("anna gives 20 to bo").events(e.ExpiryExtended)
    assert [(row.lots, row.points, row.held) for row in extended.periods] == [(1, 30, 0)]
