"""Refunds: what comes back, and what is taken back of what was earned."""

import pytest

from ledger import commands as c
from ledger import events as e
from ledger.events import Line, PurchaseReturned, Tender, TenderType
from ledger.quantities import Amount
from ledger.receipts import Refunded
from ledger.settings import Clawback, EarningBase
from tests.unit.ledger.desk import Desk


def test_a_refund_takes_back_what_the_purchase_earned(desk: Desk) -> None:
    """Edge case 1."""
    desk.given("anna buys tea 50.00, cup 30.00 as o1")
    then = desk.when("#0 of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsClawedBack"]
    assert (then.balance("anna"), then.clawed) == (30, (50, 0, 0, 0))
    assert then.receipt.refunded is not None
    assert then.receipt.refunded.tenders == (Tender(TenderType.CASH, 5000),)
    assert then.receipt.refunded.clawed_back == 50
    assert desk.when("all of o1 comes back as f2").balance("anna") == 0


def test_three_lines_are_clawed_back_without_a_leak(desk: Desk) -> None:
    """Edge case 7: 3 lines of 3.33 at 1.5 points earn 14; taken back one by one they sum to 14: 5 + 5 + 4."""
    desk.opens(earning_rate="3/200")
    then = desk.given("anna buys tea 3.33, cup 3.33, pot 3.33 as o1")
    assert then.balance("anna") == 14
    taken = []
    for line in range(3):
        then = desk.when(f"#{line} of o1 comes back as f{line}")
        taken.append(sum(then.clawed))
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


def test_pending_points_of_a_refunded_order_never_become_available(desk: Desk) -> None:
    """Edge case 18: pending first; a part of them keeps its date."""
    desk.opens(clawback=Clawback.ONLY_PENDING, pending_days=14)
    desk.given("anna buys tea 50.00, cup 30.00 as o1")
    then = desk.when("#0 of o1 comes back as f1")
    assert (then.pending("anna"), then.clawed) == (30, (50, 0, 0, 0))
    then = desk.when("time passes to 2026-01-20", "anna gives 30 to bo")
    assert then.open("anna") == 0


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
    line = Line("tea", 4, 1000, 1000, gross=2000)
    desk.send(c.RecordPurchase("anna", "o1", (line,)))
    left = [desk.when(f"#0 x1 of o1 comes back as f{number}").balance("anna") for number in range(4)]
    assert left == [15, 10, 5, 0]
