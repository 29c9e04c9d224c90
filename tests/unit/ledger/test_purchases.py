"""Purchases: what a bill earns, and the points that pay for some of it."""

import pytest

from ledger.commands import RecordPurchase
from ledger.events import Earning, Line, PointsEarned, PointsRedeemed, PurchaseRecorded, Tender, TenderType
from ledger.quantities import Amount, Rounding
from ledger.settings import EarningBase
from tests.unit.ledger.desk import Desk, Then


def earning(then: Then) -> Earning:
    (purchase,) = then.events(PurchaseRecorded)
    assert purchase.earning is not None
    return purchase.earning


def test_a_purchase_earns_a_point_for_each_whole_yuan(desk: Desk) -> None:
    then = desk.when("anna buys tea x2 19.98, mug 30.00 as o1")
    assert then.story == ["PurchaseRecorded", "PointsEarned"]
    (grant,) = then.events(PointsEarned)
    assert (grant.points, grant.source.type, grant.source.id, grant.funding) == (49, "order", "shop/o1", "SALE")
    assert (grant.rule, grant.rule_version, then.balance("anna")) == ("base", 1, 49)
    (purchase,) = then.events(PurchaseRecorded)
    assert (purchase.lot, purchase.currency, purchase.tenders) == (grant.lot, "CNY", (Tender(TenderType.CASH, 4998),))


def test_an_order_is_rounded_once_and_its_lines_sum_to_it(desk: Desk) -> None:
    """Edge case 7: 3 lines of 3.33 at 1.5 points a yuan come to 14, in parts that differ by one at most."""
    desk.opens(earning_rate="3/200")
    then = desk.when("anna buys tea 3.33, mug 3.33, cup 3.33 as o1")
    assert (earning(then).points, earning(then).by_line) == (14, (5, 5, 4))
    assert (earning(then).exact, earning(then).base, earning(then).rate) == ("2997/200", 999, "3/200")


@pytest.mark.parametrize(
    ("rounding", "price", "points"),
    [
        (Rounding.DOWN, "9.99", 9),
        (Rounding.UP, "9.01", 10),
        (Rounding.HALF_UP, "9.49", 9),
        (Rounding.HALF_UP, "9.50", 10),
        (Rounding.UP, "9.00", 9),
    ],
)
def test_a_programme_says_how_points_are_rounded(desk: Desk, rounding: Rounding, price: str, points: int) -> None:
    """Edge case 7."""
    desk.opens(rounding=rounding)
    assert earning(desk.when(f"anna buys tea {price} as o1")).points == points


def test_points_of_lines_are_split_by_largest_remainder(desk: Desk) -> None:
    """Edge case 7."""
    then = desk.when("anna buys tea 1.50, mug 2.70, cup 5.80, hat 0.00 as o1")
    assert (earning(then).points, earning(then).by_line) == (10, (1, 3, 6, 0))


def test_a_rate_may_be_any_exact_fraction(desk: Desk) -> None:
    """Edge case 7: a third is not 0.333."""
    desk.opens(earning_rate="1/3")
    assert earning(desk.when("anna buys tea 3.00 as o1")).points == 100


def test_a_rate_in_decimals_is_exact(desk: Desk) -> None:
    """Edge case 7: 0.07 x 100 is 7, though not in floating point."""
    desk.opens(earning_rate="0.07")
    assert earning(desk.when("anna buys tea 1.00 as o1")).points == 7


def test_an_earning_base_may_be_without_tax(desk: Desk) -> None:
    desk.opens(earning_base=EarningBase.NET)
    then = desk.send(RecordPurchase("anna", "o1", (Line("tea", 1, 1000, 1000, gross=1130),)))
    assert (earning(then).points, earning(then).base) == (10, 1000)


def test_tax_counts_unless_the_programme_says_otherwise(desk: Desk) -> None:
    then = desk.send(RecordPurchase("anna", "o1", (Line("tea", 1, 1000, 1000, gross=1130),)))
    assert (earning(then).points, earning(then).base) == (11, 1130)


@pytest.mark.parametrize("items", ["bag 0.00", "tea 0.99", "bag 0.00, sample 0.00"])
def test_a_basket_that_earns_nothing_is_recorded_without_a_lot(desk: Desk, items: str) -> None:
    """Edge case 26: there are no events of nothing."""
    then = desk.when(f"anna buys {items} as o1")
    assert (then.story, then.balance("anna"), earning(then).points) == (["PurchaseRecorded"], 0, 0)
    (purchase,) = then.events(PurchaseRecorded)
    assert (purchase.lot, purchase.earning and purchase.earning.by_line) == ("", ())


def test_a_line_may_have_quantity_0(desk: Desk) -> None:
    """Tills send them, for a deposit or a weighed item."""
    then = desk.when("anna buys deposit x0 0.25, tea 1.00 as o1")
    assert (earning(then).points, earning(then).base) == (1, 125)


def test_a_programme_without_a_rate_reckons_nothing(desk: Desk) -> None:
    desk.opens(earning_rate="0")
    (purchase,) = desk.when("anna buys tea 99.00 as o1").events(PurchaseRecorded)
    assert (purchase.earning, purchase.lot) == (None, "")


def test_what_points_paid_earns_nothing(desk: Desk) -> None:
    """Edge case 16: the base is what was paid in cash or on account."""
    desk.given("anna earns 1000 expiring 2026-03-31")
    then = desk.when("anna buys tea 40.00 as o1 paying 1000 points worth 10.00, cash 20.00, on_account 10.00")
    assert then.story == ["PurchaseRecorded", "PointsRedeemed", "PointsEarned"]
    (spent,) = then.events(PointsRedeemed)
    assert (spent.kind, spent.order, spent.amount, spent.parts[0].points) == ("OFFSET", "shop/o1", 1000, 1000)
    assert (earning(then).points, then.lots("anna")) == (30, [(30, "never")])


def test_what_a_coupon_paid_earns_nothing(desk: Desk) -> None:
    """Edge case 16."""
    assert earning(desk.when("anna buys tea 40.00 as o1 paying coupon 15.50, cash 24.50")).points == 24


def test_the_share_that_earns_is_reckoned_before_the_one_rounding(desk: Desk) -> None:
    """Edge cases 7 and 16: two thirds of 10.00 are exactly 6 2/3 points."""
    then = desk.when("anna buys tea 10.00, mug 5.00 as o1 paying coupon 5.00, cash 10.00")
    assert (earning(then).points, earning(then).by_line) == (10, (7, 3))


def test_a_bill_paid_with_points_alone_earns_nothing(desk: Desk) -> None:
    """Edge case 16."""
    desk.given("anna earns 1000")
    then = desk.when("anna buys tea 10.00 as o1 paying 1000 points worth 10.00")
    assert (then.story, then.balance("anna")) == (["PurchaseRecorded", "PointsRedeemed"], 0)


def test_points_are_worth_what_the_programme_says_rounded_down(desk: Desk) -> None:
    """100 points pay one yuan: 150 points pay 1.50, 155 points still 1.55; 1 point of 3/7 fen pays nothing."""
    desk.opens(point_value="3/7")
    desk.given("anna earns 1000")
    assert desk.when("anna buys tea 1.00 as o1 paying 100 points worth 0.43, cash 0.57").invalid("tenders[0].amount")
    assert desk.when("anna buys tea 1.00 as o1 paying 100 points worth 0.42, cash 0.58").balance("anna") == 900


def test_points_in_a_hold_can_pay(desk: Desk) -> None:
    desk.given("anna earns 1000", "anna holds 400 as h1")
    then = desk.when("anna buys tea 10.00 as o1 paying 400 points of h1 worth 4.00, 500 points worth 5.00, cash 1.00")
    spent = then.events(PointsRedeemed)
    assert [(event.hold, event.parts[0].points) for event in spent] == [("h1", 400), ("", 500)]
    assert (then.held("anna"), then.balance("anna")) == (0, 101)


def test_several_holds_can_pay_one_bill_but_each_once(desk: Desk) -> None:
    desk.given("anna earns 1000", "anna holds 400 as h1", "anna holds 100 as h2")
    twice = "paying 400 points of h1 worth 4.00, 400 points of h1 worth 4.00"
    assert desk.when(f"anna buys tea 8.00 as o1 {twice}").refused("HOLD_NOT_FOUND", hold="h1")
    both = "paying 400 points of h1 worth 4.00, 100 points of h2 worth 1.00"
    assert desk.when(f"anna buys tea 5.00 as o1 {both}").balance("anna") == 500


def test_a_hold_pays_whole(desk: Desk) -> None:
    desk.given("anna earns 1000", "anna holds 400 as h1")
    assert desk.when("anna buys tea 3.00 as o1 paying 300 points of h1 worth 3.00").invalid("tenders[0].points")
    assert desk.when("anna buys tea 3.00 as o1 paying 300 points of h9 worth 3.00").refused("HOLD_NOT_FOUND", hold="h9")


def test_a_redemptions_hold_pays_no_bill(desk: Desk) -> None:
    desk.given("mug@shop receives 1", "reward mug costs 60 from mug@shop", "anna earns 100", "anna redeems mug as r1")
    tender = Tender(TenderType.POINTS, 60, Amount("points", 60), "redemption:r1")
    then = desk.send(RecordPurchase("anna", "o1", (Line("tea", 1, 60, 60),), tenders=(tender,)))
    assert then.refused("HOLD_NOT_FOUND")


def test_points_of_two_units_can_pay_one_bill(desk: Desk) -> None:
    desk.given("anna earns 100", "anna earns 70 stars")
    then = desk.when("anna buys tea 1.70 as o1 paying 100 points worth 1.00, 70 stars worth 0.70")
    assert (then.balance("anna"), then.balance("anna", "stars")) == (0, 0)


def test_too_few_points_refuse_the_whole_purchase(desk: Desk) -> None:
    desk.given("anna earns 99")
    then = desk.when("anna buys tea 1.70 as o1 paying 100 points worth 1.00, cash 0.70")
    assert then.refused("INSUFFICIENT_POINTS", wanted=100, spendable=99)
    assert desk.when("anna buys tea 1.70 as o1").accepted


@pytest.mark.parametrize(
    ("paying", "field"),
    [
        ("cash 9.99", "tenders"),
        ("cash 10.00, coupon 0.01", "tenders"),
        ("500 points worth 4.99, cash 5.01", "tenders[0].amount"),
        ("cash 5.00, 0 points worth 5.00", "tenders[1].points.value"),
        ("200 points worth 2.00, 800 points worth 8.00", "tenders[1]"),
    ],
)
def test_tenders_that_do_not_match_the_bill_are_bad_input(desk: Desk, paying: str, field: str) -> None:
    desk.given("anna earns 1000")
    assert desk.when(f"anna buys tea 10.00 as o1 paying {paying}").invalid(field)


def test_only_points_carry_points(desk: Desk) -> None:
    line = (Line("tea", 1, 100, 100),)
    odd = Tender(TenderType.CASH, 100, Amount("points", 100))
    assert desk.send(RecordPurchase("anna", "o1", line, tenders=(odd,))).invalid("tenders[0]")
    assert desk.send(RecordPurchase("anna", "o1", line, tenders=(Tender(TenderType.POINTS, 100),))).invalid(
        "tenders[0].points"
    )
    assert desk.send(RecordPurchase("anna", "o1", line, tenders=(Tender(TenderType.COUPON, 100, hold="h1"),))).invalid(
        "tenders[0]"
    )


def test_an_order_is_recorded_once(desk: Desk) -> None:
    """Edge case 13."""
    desk.given("anna buys tea 10.00 as o1")
    assert desk.when("anna buys tea 10.00 as o1").refused("ORDER_ALREADY_RECORDED", order="o1", channel="shop")
    assert desk.when("bo buys mug 5.00 as o1").refused("ORDER_ALREADY_RECORDED", order="o1")
    assert desk.when("anna buys bag 0.00 as o2").balance("anna") == 10
    assert desk.when("anna buys bag 0.00 as o2").refused("ORDER_ALREADY_RECORDED", order="o2")


def test_each_channel_has_orders_of_its_own(desk: Desk) -> None:
    desk.given("anna buys tea 10.00 as o1")
    assert desk.when("anna buys tea 10.00 as o1", channel="web").balance("anna") == 20


def test_the_time_and_terms_of_a_purchase_are_those_of_its_own_day(desk: Desk) -> None:
    """Edge case 9."""
    desk.opens(lot_months=1, pending_days=3)
    then = desk.when("anna buys tea 10.00 as o1 on 2025-12-30")
    (grant,) = then.events(PointsEarned)
    assert desk.lines.last_day(grant.expires_at) == "2026-01-30"
    assert grant.available_at == desk.lines.moment("2026-01-02 00:00")
    assert (then.open("anna"), then.pending("anna"), grant.issued) == (0, 10, "2025-12")


def test_what_is_available_at_once_names_no_time(desk: Desk) -> None:
    (earned,) = desk.when("anna buys tea 9.99 as o1").events(PointsEarned)
    assert earned.available_at is None


def test_a_purchase_says_what_became_of_its_grant(desk: Desk) -> None:
    """Edge case 1: as issued, so that a refund takes back the same."""
    then = desk.when("anna buys tea 9.99 as o1")
    (purchase,), (earned,) = then.events(PurchaseRecorded), then.events(PointsEarned)
    assert (purchase.lot, purchase.issued, purchase.expires_at) == (earned.lot, earned.issued, earned.expires_at)
    (purchase,) = desk.when("anna buys tea 0.99 as o2").events(PurchaseRecorded)
    assert (purchase.lot, purchase.issued, purchase.expires_at, purchase.period) == ("", "", None, 0)
