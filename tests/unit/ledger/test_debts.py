"""Debts: what a refund takes back, from which lots, what is owed, and how whatever comes next pays it (edge case 1)."""

import pytest

from ledger import events as e
from ledger.events import PointsClawedBack, PurchaseReturned
from ledger.settings import Clawback
from tests.unit.ledger.desk import Desk


def test_a_refund_after_the_points_are_spent_leaves_a_debt_that_the_next_points_pay(desk: Desk) -> None:
    """Edge case 1: debt is explicit, and paid before new points can be spent."""
    desk.given("anna buys tea 50.00 as o1", "anna gives 40 to bo")
    then = desk.when("all of o1 comes back as f1")
    assert (then.clawed, then.open("anna"), then.debt("anna")) == ((10, 40, 0, 0), 0, 40)
    then = desk.when("anna earns 25")
    assert then.story == ["PointsEarned", "DebtRepaid"]
    assert (then.open("anna"), then.debt("anna")) == (0, 15)
    then = desk.when("anna earns 25")
    assert (then.open("anna"), then.debt("anna")) == (10, 0)


def test_pending_points_pay_a_debt_too(desk: Desk) -> None:
    """Edge case 1: pending credits included."""
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo", "all of o1 comes back as f1")
    then = desk.when("anna earns 60 available 2026-02-01")
    assert (then.pending("anna"), then.debt("anna")) == (10, 0)


def test_released_points_pay_a_debt(desk: Desk) -> None:
    """Edge case 1: released holds included; what is held is not taken."""
    desk.given("anna buys tea 50.00 as o1", "anna holds 50 as h1")
    then = desk.when("all of o1 comes back as f1")
    assert (then.held("anna"), then.debt("anna")) == (50, 50)
    then = desk.when("anna releases h1")
    assert (then.story, then.balance("anna"), then.debt("anna")) == (["PointsReleased", "DebtRepaid"], 0, 0)


def test_points_that_come_by_transfer_pay_a_debt(desk: Desk) -> None:
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo", "all of o1 comes back as f1")
    then = desk.when("bo gives 30 to anna")
    assert (then.open("anna"), then.debt("anna"), then.open("bo")) == (0, 20, 20)


def test_a_released_hold_whose_points_expired_pays_nothing(desk: Desk) -> None:
    """Edge case 3: what expired while it was held expires at once, it pays no debt."""
    desk.given("anna earns 20 expiring 2026-01-03", "anna holds 20 as h1", "anna buys tea 50.00 as o1")
    desk.given("anna gives 50 to bo", "all of o1 comes back as f1", "time passes to 2026-01-05")
    then = desk.when("anna releases h1")
    assert (then.story, then.debt("anna")) == (["PointsReleased", "PointsExpired"], 50)


def test_released_points_of_several_lots_pay_what_is_owed_and_no_more(desk: Desk) -> None:
    """Edge case 1."""
    desk.given(
        "anna earns 20 expiring 2026-03-31", "anna earns 20 expiring 2026-04-30", "anna earns 20 expiring 2026-05-31"
    )
    desk.given("anna holds 60 as h1", "anna buys tea 30.00 as o1", "anna gives 30 to bo", "all of o1 comes back as f1")
    then = desk.when("anna releases h1")
    (repaid,) = then.events(e.DebtRepaid)
    assert [(lot.lot, lot.points) for lot in repaid.lots] == [("anna:1", 20), ("anna:2", 10)]
    assert (then.lots("anna"), then.debt("anna")) == ([(10, "2026-04-30"), (20, "2026-05-31")], 0)


def test_points_that_end_the_moment_they_are_released_pay_nothing(desk: Desk) -> None:
    """Edge cases 1 and 3: they expire, and once only."""
    desk.given("anna earns 20 expiring 2026-01-02", "anna holds 20 as h1")
    desk.given("anna buys tea 30.00 as o1", "anna gives 30 to bo", "all of o1 comes back as f1")
    desk.running.clock.instant = desk.lines.end_of("2026-01-02")
    then = desk.when("anna releases h1")
    assert (then.story, then.debt("anna")) == (["PointsReleased", "PointsExpired"], 30)


def test_the_orders_own_points_are_taken_first_then_those_that_expire_first(desk: Desk) -> None:
    """Edge case 1: first from that order's lots."""
    desk.given("anna earns 20 expiring 2026-02-01", "anna buys tea 50.00 as o1", "anna earns 30 expiring 2026-03-01")
    desk.given("anna gives 20 to bo", "anna gives 30 to bo")
    (event,) = desk.when("all of o1 comes back as f1").events(PointsClawedBack)
    assert [(lot.lot, lot.points) for lot in event.lots] == [("anna:2", 50)]


def test_other_lots_give_what_the_orders_own_lack(desk: Desk) -> None:
    """Edge case 1."""
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo", "anna earns 30 expiring 2026-03-01")
    then = desk.when("all of o1 comes back as f1")
    assert (then.clawed, then.open("anna"), then.debt("anna")) == ((30, 20, 0, 0), 0, 20)


def test_as_many_other_lots_give_as_are_needed(desk: Desk) -> None:
    """Edge case 1: also where the order's own points would have been the next to be spent."""
    desk.opens(lot_months=1)
    desk.given("anna buys tea 50.00 as o1", "anna gives 30 to bo")
    desk.given("anna earns 10 expiring 2026-05-31", "anna earns 50 expiring 2026-06-30")
    then = desk.when("all of o1 comes back as f1")
    assert (then.clawed, then.lots("anna")) == ((50, 0, 0, 0), [(30, "2026-06-30")])


def test_a_late_refund_takes_what_came_since_before_anything_is_owed(desk: Desk) -> None:
    """Edge cases 1 and 9: the points are there, although they were not on its own day."""
    desk.given("cai earns 50", "anna buys tea 50.00 as o1", "anna gives 50 to bo", "time passes to 2026-01-08")
    desk.given("cai gives 50 to anna")
    then = desk.when("all of o1 comes back as f1 on 2026-01-05")
    assert (then.clawed, then.balance("anna")) == ((50, 0, 0, 0), 0)


def test_what_waits_is_taken_until_the_moment_that_it_ends(desk: Desk) -> None:
    """Edge cases 1 and 18."""
    for moment, owed in ((-1, 20), (0, 50)):
        one = Desk()
        try:
            one.given("anna buys tea 50.00 as o1", "anna gives 50 to bo", "anna earns 30 waiting expiring 2026-01-31")
            one.running.clock.instant = one.lines.end_of("2026-01-31") + moment
            assert one.when("all of o1 comes back as f1").debt("anna") == owed
        finally:
            one.close()


@pytest.mark.parametrize(
    ("clawback", "expected"), [(Clawback.WITHIN_BALANCE, (30, 0, 20, 0)), (Clawback.ALLOW_DEBT, (30, 20, 0, 0))]
)
def test_what_is_missing_is_waived_or_owed_as_the_programme_says(
    desk: Desk, clawback: Clawback, expected: tuple[int, ...]
) -> None:
    """Edge case 1."""
    desk.opens(clawback=clawback)
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo", "anna earns 30")
    then = desk.when("all of o1 comes back as f1")
    assert then.clawed == expected
    assert then.receipt.refunded is not None
    assert (then.receipt.refunded.debt, then.receipt.refunded.waived) == expected[1:3]


def test_only_pending_leaves_what_could_be_spent(desk: Desk) -> None:
    """Edge case 1: only_pending."""
    desk.opens(clawback=Clawback.ONLY_PENDING)
    desk.given("anna buys tea 50.00 as o1")
    then = desk.when("all of o1 comes back as f1")
    assert (then.clawed, then.open("anna")) == ((0, 0, 50, 0), 50)


def test_a_debt_above_the_limit_is_kept_back_of_the_money(desk: Desk) -> None:
    """Edge case 1: debt > limit is a cash deduction, points times the programme's ratio."""
    desk.opens(debt_limit=20, point_value="2")
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo")
    then = desk.when("all of o1 comes back as f1")
    assert (then.clawed, then.debt("anna")) == ((0, 20, 0, 30), 20)
    (event,) = then.events(PurchaseReturned)
    assert event.deducted == 60


def test_what_the_money_of_a_refund_does_not_cover_is_owed_above_the_limit(desk: Desk) -> None:
    """Edge case 1: never clamp silently."""
    desk.opens(debt_limit=0, point_value="1000")
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo")
    assert desk.when("all of o1 comes back as f1").clawed == (0, 45, 0, 5)


def test_points_that_come_back_with_a_refund_pay_its_debt(desk: Desk) -> None:
    """Edge cases 1 and 2 together."""
    desk.given("anna earns 1000 expiring 2026-03-31")
    desk.given("anna buys tea 20.00 as o1 paying cash 10.00, 1000 points worth 10.00", "anna gives 10 to bo")
    then = desk.when("all of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsClawedBack", "PointsReinstated", "DebtRepaid"]
    assert (then.open("anna"), then.debt("anna")) == (990, 0)


def test_a_debt_one_point_above_the_limit_is_kept_back_of_the_money(desk: Desk) -> None:
    """Edge case 1: up to the limit it is owed."""
    for limit, expected in ((50, (0, 50)), (49, (1, 49))):
        one = Desk()
        try:
            one.opens(debt_limit=limit)
            one.given("anna buys tea 50.00 as o1 paying cash 50.00", "anna gives 50 to bo")
            (returned,) = (then := one.when("all of o1 comes back as f1")).events(PurchaseReturned)
            assert (returned.deducted, then.debt("anna")) == expected
        finally:
            one.close()


def test_no_refund_is_kept_back_for_more_than_its_own_points(desk: Desk) -> None:
    """Edge case 1: what was owed above the limit before, such as by a reversal, no refund's money pays."""
    desk.opens(debt_limit=10)
    desk.given("anna earns 500")
    grant = desk.ids
    desk.given("anna buys tea 50.00 as o1 paying cash 50.00", "anna gives 550 to bo")
    assert desk.given(f"command {grant} is reversed").debt("anna") == 500
    (returned,) = (then := desk.when("all of o1 comes back as f1")).events(PurchaseReturned)
    assert (returned.deducted, then.debt("anna")) == (50, 500)


def test_points_that_are_worth_no_money_are_owed_whatever_the_limit(desk: Desk) -> None:
    """Edge case 1: there is nothing that could be kept back for them."""
    desk.opens(debt_limit=0, point_value="0")
    desk.given("anna buys tea 50.00 as o1 paying cash 50.00", "anna gives 50 to bo")
    (returned,) = (then := desk.when("all of o1 comes back as f1")).events(PurchaseReturned)
    assert (returned.deducted, then.debt("anna")) == (0, 50)


def test_no_money_is_kept_back_for_what_the_points_that_come_back_will_pay(desk: Desk) -> None:
    """Edge cases 1 and 2: unless they expire the moment that they come back."""
    for moment, expected in ((-1, (0, 0)), (0, (50, 0))):
        one = Desk()
        try:
            one.opens(debt_limit=0)
            one.given("anna earns 50 expiring 2026-01-31")
            one.given("anna buys tea 50.50 as o1 paying cash 50.00, 50 points worth 0.50", "anna gives 50 to bo")
            one.running.clock.instant = one.lines.end_of("2026-01-31") + moment
            (returned,) = (then := one.when("all of o1 comes back as f1")).events(PurchaseReturned)
            assert (returned.deducted, then.debt("anna")) == expected
        finally:
            one.close()


def test_points_of_another_unit_that_come_back_pay_no_debt(desk: Desk) -> None:
    """Edge case 1: limits and debts are per unit."""
    desk.opens(debt_limit=0)
    desk.given("anna earns 40 stars")
    desk.given("anna buys tea 50.40 as o1 paying cash 50.00, 40 stars worth 0.40", "anna gives 50 to bo")
    (returned,) = (then := desk.when("all of o1 comes back as f1")).events(PurchaseReturned)
    assert (returned.deducted, then.debt("anna"), then.open("anna", "stars")) == (50, 0, 40)


def test_points_that_come_back_in_several_lots_pay_a_debt_one_after_the_other(desk: Desk) -> None:
    """Edge case 1: what the first of them paid, the next need not."""
    desk.opens(earning_rate="0")
    desk.given("anna earns 60", "anna earns 70")
    grant = desk.ids
    desk.given("anna holds 20 as h1", "anna holds 20 as h2", "anna holds 20 as h3")
    twenty = ", ".join(f"20 points of h{number} worth 0.20" for number in (1, 2, 3))
    desk.given(f"anna buys tea 0.60 as o1 paying {twenty}")
    desk.given("anna gives 70 to bo", f"30 of command {grant} is reversed")
    then = desk.when("all of o1 comes back as f1")
    assert [lot.points for repaid in then.events(e.DebtRepaid) for lot in repaid.lots] == [20, 10]
    assert (then.open("anna"), then.debt("anna")) == (30, 0)


def test_a_debt_that_gifts_pay_keeps_their_cost(desk: Desk) -> None:
    """Edge cases 1 and 4: finance sees what the points that paid had cost."""
    desk.given("anna buys tea 50.00 as o1 paying cash 50.00", "anna gives 50 to bo", "all of o1 comes back as f1")
    desk.given("cai earns 30 costing 1/200")
    (repaid,) = desk.when("cai gives 30 to anna").events(e.DebtRepaid)
    assert [(lot.unit_cost, lot.points) for lot in repaid.lots] == [("1/200", 30)]


def test_a_debt_takes_no_points_that_have_ended_waiting(desk: Desk) -> None:
    """Edge cases 1 and 14: what waits for Activate is taken, what ends now is not."""
    desk.given("anna earns 1 waiting", "anna earns 5 waiting expiring 2026-02-28", "anna buys tea 7.00 as o1")
    desk.given("anna gives 7 to bo")
    desk.running.clock.instant = desk.lines.end_of("2026-02-28")
    assert desk.when("all of o1 comes back as f1").clawed == (1, 6, 0, 0)
