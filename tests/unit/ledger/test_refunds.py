"""Refunds: what comes back, what is taken back, and what is owed."""

import pytest

from ledger import commands as c
from ledger import events as e
from ledger.events import Line, PointsClawedBack, PurchaseReturned, Tender, TenderType
from ledger.quantities import Amount
from ledger.receipts import Refunded
from ledger.settings import Clawback, EarningBase
from tests.unit.ledger.desk import Desk, Then


def parts_of(then: Then) -> tuple[int, int, int, int]:
    """Of what is taken back: points of lots, owed, waived, kept back in money."""
    (event,) = then.events(PointsClawedBack)
    return sum(lot.points for lot in event.lots), event.debt, event.waived, event.deducted


def test_a_refund_takes_back_what_the_purchase_earned(desk: Desk) -> None:
    """Edge case 1."""
    desk.given("anna buys tea 50.00, cup 30.00 as o1")
    then = desk.when("#0 of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsClawedBack"]
    assert (then.balance("anna"), parts_of(then)) == (30, (50, 0, 0, 0))
    assert then.receipt.refunded is not None
    assert then.receipt.refunded.tenders == (Tender(TenderType.CASH, 5000),)
    assert then.receipt.refunded.clawed_back == 50
    assert desk.when("all of o1 comes back as f2").balance("anna") == 0


def test_a_refund_after_the_points_are_spent_leaves_a_debt_that_the_next_points_pay(desk: Desk) -> None:
    """Edge case 1: debt is explicit, and paid before new points can be spent."""
    desk.given("anna buys tea 50.00 as o1", "anna gives 40 to bo")
    then = desk.when("all of o1 comes back as f1")
    assert (parts_of(then), then.open("anna"), then.debt("anna")) == ((10, 40, 0, 0), 0, 40)
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
    assert (parts_of(then), then.open("anna"), then.debt("anna")) == ((30, 20, 0, 0), 0, 20)


def test_as_many_other_lots_give_as_are_needed(desk: Desk) -> None:
    """Edge case 1: also where the order's own points would have been the next to be spent."""
    desk.opens(lot_months=1)
    desk.given("anna buys tea 50.00 as o1", "anna gives 30 to bo")
    desk.given("anna earns 10 expiring 2026-05-31", "anna earns 50 expiring 2026-06-30")
    then = desk.when("all of o1 comes back as f1")
    assert (parts_of(then), then.lots("anna")) == ((50, 0, 0, 0), [(30, "2026-06-30")])


def test_a_late_refund_takes_what_came_since_before_anything_is_owed(desk: Desk) -> None:
    """Edge cases 1 and 9: the points are there, although they were not on its own day."""
    desk.given("cai earns 50", "anna buys tea 50.00 as o1", "anna gives 50 to bo", "time passes to 2026-01-08")
    desk.given("cai gives 50 to anna")
    then = desk.when("all of o1 comes back as f1 on 2026-01-05")
    assert (parts_of(then), then.balance("anna")) == ((50, 0, 0, 0), 0)


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


def test_three_lines_are_clawed_back_without_a_leak(desk: Desk) -> None:
    """Edge case 7: 3 lines of 3.33 at 1.5 points earn 14; taken back one by one they sum to 14: 5 + 5 + 4."""
    desk.opens(earning_rate="3/200")
    then = desk.given("anna buys tea 3.33, cup 3.33, pot 3.33 as o1")
    assert then.balance("anna") == 14
    taken = []
    for line in range(3):
        then = desk.when(f"#{line} of o1 comes back as f{line}")
        taken.append(sum(parts_of(then)))
    assert (taken, then.balance("anna")) == ([5, 5, 4], 0)


def test_units_of_a_line_come_back_one_by_one(desk: Desk) -> None:
    desk.given("anna buys tea x3 10.00 as o1")
    back = [desk.when(f"#0 x1 of o1 comes back as f{number}").receipt.refunded for number in range(3)]
    assert [refunded.tenders[0].amount for refunded in back if refunded is not None] == [333, 333, 334]
    assert desk.when("#0 x1 of o1 comes back as f9").refused("QUANTITY_EXCEEDED", left=0)
    assert desk.when("all of o1 comes back as f9").refused("QUANTITY_EXCEEDED", left=0)


def test_points_that_paid_go_back_to_their_own_lots(desk: Desk) -> None:
    """Edge case 2: the same lots with their original expiry, pro rata of points and money."""
    desk.given("anna earns 600 expiring 2026-03-31", "anna earns 900 expiring 2026-06-30")
    desk.given("anna buys tea 10.00, cup 10.00 as o1 paying cash 10.00, 1000 points worth 10.00")
    then = desk.when("#0 of o1 comes back as f1")
    assert then.receipt.refunded is not None
    assert then.receipt.refunded.tenders == (
        Tender(TenderType.CASH, 500),
        Tender(TenderType.POINTS, 500, Amount("points", 500)),
    )
    assert then.lots("anna")[:2] == [(500, "2026-03-31"), (500, "2026-06-30")]
    then = desk.when("#1 of o1 comes back as f2")
    assert then.lots("anna") == [(600, "2026-03-31"), (900, "2026-06-30")]


def test_points_that_expired_meanwhile_expire_at_once(desk: Desk) -> None:
    """Edge case 2: per lot, as of their own expiry."""
    desk.given("anna earns 600 expiring 2026-01-31", "anna earns 900 expiring 2026-06-30")
    desk.given("anna buys tea 10.00 as o1 paying 1000 points worth 10.00", "time passes to 2026-02-10")
    then = desk.when("all of o1 comes back as f1")
    (expired,) = then.events(e.PointsExpired)
    assert (expired.effective_at, expired.parts[0].points) == (desk.lines.end_of("2026-01-31"), 600)
    assert then.lots("anna") == [(900, "2026-06-30")]


def test_a_lot_that_was_spent_to_the_last_point_comes_back_as_it_was(desk: Desk) -> None:
    """Edge case 2."""
    desk.given("anna earns 500 expiring 2026-03-31", "anna buys tea 5.00 as o1 paying 500 points worth 5.00")
    desk.given("all of o1 comes back as f1")
    then = desk.when("anna gives 500 to bo")
    assert then.lots("bo") == [(500, "2026-03-31")]


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
    assert parts_of(then) == expected
    assert then.receipt.refunded is not None
    assert (then.receipt.refunded.debt, then.receipt.refunded.waived) == expected[1:3]


def test_only_pending_leaves_what_could_be_spent(desk: Desk) -> None:
    """Edge case 1: only_pending."""
    desk.opens(clawback=Clawback.ONLY_PENDING)
    desk.given("anna buys tea 50.00 as o1")
    then = desk.when("all of o1 comes back as f1")
    assert (parts_of(then), then.open("anna")) == ((0, 0, 50, 0), 50)


def test_pending_points_of_a_refunded_order_never_become_available(desk: Desk) -> None:
    """Edge case 18: pending first; a part of them keeps its date."""
    desk.opens(clawback=Clawback.ONLY_PENDING, pending_days=14)
    desk.given("anna buys tea 50.00, cup 30.00 as o1")
    then = desk.when("#0 of o1 comes back as f1")
    assert (then.pending("anna"), parts_of(then)) == (30, (50, 0, 0, 0))
    then = desk.when("time passes to 2026-01-20", "anna gives 30 to bo")
    assert then.open("anna") == 0


def test_a_debt_above_the_limit_is_kept_back_of_the_money(desk: Desk) -> None:
    """Edge case 1: debt > limit is a cash deduction, points times the programme's ratio."""
    desk.opens(debt_limit=20, point_value="2")
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo")
    then = desk.when("all of o1 comes back as f1")
    assert (parts_of(then), then.debt("anna")) == ((0, 20, 0, 30), 20)
    (event,) = then.events(PurchaseReturned)
    assert event.deducted == 60


def test_what_the_money_of_a_refund_does_not_cover_is_owed_above_the_limit(desk: Desk) -> None:
    """Edge case 1: never clamp silently."""
    desk.opens(debt_limit=0, point_value="1000")
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo")
    assert parts_of(desk.when("all of o1 comes back as f1")) == (0, 45, 0, 5)


def test_points_that_come_back_with_a_refund_pay_its_debt(desk: Desk) -> None:
    """Edge cases 1 and 2 together."""
    desk.given("anna earns 1000 expiring 2026-03-31")
    desk.given("anna buys tea 20.00 as o1 paying cash 10.00, 1000 points worth 10.00", "anna gives 10 to bo")
    then = desk.when("all of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsClawedBack", "PointsReinstated", "DebtRepaid"]
    assert (then.open("anna"), then.debt("anna")) == (990, 0)


def test_what_earned_nothing_comes_back_without_taking_anything(desk: Desk) -> None:
    """Edge case 1."""
    desk.opens(earning_rate="0")
    desk.given("anna buys tea 5.00 as o1 paying cash 5.00", "anna earns 10")
    then = desk.when("all of o1 comes back as f1")
    assert then.story == ["PurchaseReturned"]
    assert then.receipt.refunded == Refunded((Tender(TenderType.CASH, 500),), 0, 0, 0, 0)


def test_points_that_paid_no_money_go_back_with_the_last_line(desk: Desk) -> None:
    """Edge case 2: ten points at a hundred for a cent have no share of any line."""
    desk.opens(point_value="1/100")
    desk.given("anna earns 10 expiring 2026-03-31", "anna earns 20 expiring 2026-06-30")
    desk.given("anna buys tea 5.00, cup 5.00 as o1 paying cash 10.00, 10 points worth 0.00")
    assert desk.when("#0 of o1 comes back as f1").lots("anna")[0] == (20, "2026-06-30")
    assert desk.when("#1 of o1 comes back as f2").lots("anna") == [(10, "2026-03-31"), (20, "2026-06-30")]


def test_a_gift_on_a_bill_comes_back_for_nothing(desk: Desk) -> None:
    """Edge case 2: also after all that was paid went back."""
    desk.given("anna buys tea 5.00, gift 0.00 as o1 paying cash 5.00", "#0 of o1 comes back as f1")
    then = desk.when("#1 of o1 comes back as f2")
    assert then.receipt.refunded is not None
    assert then.receipt.refunded.tenders == (Tender(TenderType.CASH, 0),)


def test_what_is_taken_stays_taken_where_points_that_come_back_expire_at_once(desk: Desk) -> None:
    """Edge cases 1 and 2: all in one commit."""
    desk.given("anna earns 100 expiring 2026-01-31")
    desk.given("anna buys tea 51.00 as o1 paying cash 50.00, 100 points worth 1.00", "time passes to 2026-02-01 00:00")
    then = desk.when("all of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsClawedBack", "PointsReinstated", "PointsExpired"]
    assert then.balance("anna") == 0


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


def test_a_refund_is_recorded_once(desk: Desk) -> None:
    """Edge case 13: another command id changes nothing."""
    desk.given("anna buys tea x2 50.00 as o1", "#0 x1 of o1 comes back as f1")
    assert desk.when("#0 x1 of o1 comes back as f1").refused("REFUND_EXISTS", refund="f1")


def test_an_order_that_nobody_recorded_does_not_come_back(desk: Desk) -> None:
    assert desk.when("all of o9 comes back as f1").refused("ORDER_NOT_FOUND", order="o9")


def test_nothing_comes_back_before_it_was_bought(desk: Desk) -> None:
    desk.given("time passes to 2026-01-10", "anna buys tea 50.00 as o1")
    assert desk.when("all of o1 comes back as f1 on 2026-01-05").refused("OUT_OF_ORDER")


def test_an_order_comes_back_through_another_channel(desk: Desk) -> None:
    desk.given("anna buys tea 50.00 as o1")
    then = desk.send(c.RefundPurchase("f1", "o1", "shop"), channel="till")
    assert then.balance("anna") == 0


def test_the_base_of_a_net_programme_comes_back_net(desk: Desk) -> None:
    desk.opens(earning_base=EarningBase.NET)
    desk.send(c.RecordPurchase("anna", "o1", (Line("tea", 2, 2000, 2000, gross=2260),)))
    then = desk.when("#0 x1 of o1 comes back as f1")
    (event,) = then.events(PurchaseReturned)
    assert (event.lines, event.kept, then.balance("anna")) == (e.ReturnedLines((0,), (1,), (1000,), (1130,)), 10, 10)


def test_units_of_a_net_programme_come_back_one_by_one(desk: Desk) -> None:
    """Edge cases 1 and 7: what was returned before counts without its tax, however often something comes back."""
    desk.opens(earning_base=EarningBase.NET)
    desk.send(c.RecordPurchase("anna", "o1", (Line("tea", 3, 3000, 3000, gross=3390),)))
    kept = []
    for number in range(3):
        (event,) = desk.when(f"#0 x1 of o1 comes back as f{number}").events(PurchaseReturned)
        kept.append((event.kept, event.clawed_back))
    assert kept == [(20, 10), (10, 10), (0, 10)]


def test_a_line_of_no_units_comes_back_whole(desk: Desk) -> None:
    desk.send(c.RecordPurchase("anna", "o1", (Line("deposit", 0, 500, 500), Line("tea", 1, 700, 700))))
    assert desk.when("#0 of o1 comes back as f1").balance("anna") == 7
    assert desk.when("#0 of o1 comes back as f2").refused("QUANTITY_EXCEEDED", line=0, left=0)


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ((c.RefundLine(1),), "lines[0].line"),
        ((c.RefundLine(-1),), "lines[0].line"),
        ((c.RefundLine(0, 1), c.RefundLine(0, 1)), "lines[1].line"),
        ((c.RefundLine(0, 0),), "lines[0].quantity"),
    ],
)
def test_a_refund_of_no_line_is_bad_input(desk: Desk, lines: tuple[c.RefundLine, ...], field: str) -> None:
    desk.given("anna buys tea x2 50.00 as o1")
    assert desk.send(c.RefundPurchase("f1", "o1", lines=lines)).invalid(field)


def test_a_refund_can_be_asked_for_its_outcome_first(desk: Desk) -> None:
    desk.given("anna buys tea 50.00 as o1", "anna gives 40 to bo")
    then = desk.send(c.RefundPurchase("f1", "o1"), validate_only=True)
    assert then.receipt.refunded is not None
    assert (then.receipt.refunded.clawed_back, then.receipt.refunded.debt) == (50, 40)
    assert desk.when("all of o1 comes back as f1").accepted


def test_a_debt_takes_no_points_that_have_ended_waiting(desk: Desk) -> None:
    """Edge cases 1 and 14: what waits for Activate is taken, what ends now is not."""
    desk.given("anna earns 1 waiting", "anna earns 5 waiting expiring 2026-02-28", "anna buys tea 7.00 as o1")
    desk.given("anna gives 7 to bo")
    desk.running.clock.instant = desk.lines.end_of("2026-02-28")
    assert parts_of(desk.when("all of o1 comes back as f1")) == (1, 6, 0, 0)


def test_no_tender_gives_back_more_than_it_paid(desk: Desk) -> None:
    """Edge case 7: a cent at a time."""
    desk.given("anna buys tea x3 0.03 as o1 paying cash 0.01, coupon 0.02")
    back = [desk.when(f"#0 x1 of o1 comes back as f{number}").receipt.refunded for number in range(3)]
    paid = [[tender.amount for tender in refunded.tenders] for refunded in back if refunded is not None]
    assert [sum(each) for each in zip(*paid, strict=True)] == [1, 2]


def test_points_come_back_to_each_of_their_lots(desk: Desk) -> None:
    """Edge case 2: the part of each refund goes on where that of the one before ended."""
    desk.given(*(f"anna earns {points} expiring 2026-0{month}-28" for points, month in ((1, 2), (9, 3), (5, 4))))
    desk.given("anna buys tea x3 0.15 as o1 paying 15 points worth 0.15")
    lots = [(1, "2026-02-28"), (9, "2026-03-28"), (5, "2026-04-28")]
    assert desk.when("#0 x1 of o1 comes back as f1").lots("anna") == [lots[0], (4, "2026-03-28")]
    assert desk.when("#0 x1 of o1 comes back as f2").lots("anna") == lots[:2]
    assert desk.when("#0 x1 of o1 comes back as f3").lots("anna") == lots


def test_what_earned_on_its_price_with_tax_is_taken_back_by_it(desk: Desk) -> None:
    """Edge case 7: in parts as at once."""
    desk.opens(earning_base=EarningBase.GROSS)
    line = Line("tea", 4, 1000, 1000, gross=1200)
    desk.send(c.RecordPurchase("anna", "o1", (line,)))
    left = [desk.when(f"#0 x1 of o1 comes back as f{number}").balance("anna") for number in range(4)]
    assert left == [9, 6, 3, 0]
