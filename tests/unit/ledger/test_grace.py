"""Edge case 2: a programme may grant days of grace to points that come back after their lots ended."""

from ledger import events as e
from ledger.settings import Activity, Inactivity
from tests.unit.ledger.desk import Desk

PAID = "anna buys tea 10.00 as o1 paying 1000 points worth 10.00"


def test_points_that_come_back_late_live_on_for_the_days_of_grace(desk: Desk) -> None:
    """Edge case 2: lot by lot, not all or nothing; the days are full local days after that of the refund."""
    desk.opens(refund_grace_days=14)
    desk.given("anna earns 600 expiring 2026-01-31", "anna earns 900 expiring 2026-06-30", PAID)
    desk.given("time passes to 2026-02-10")
    then = desk.when("all of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsReinstated"]
    assert then.lots("anna") == [(600, "2026-02-24"), (900, "2026-06-30")]


def test_what_was_left_in_such_a_lot_ends_as_it_was_to(desk: Desk) -> None:
    """Edge case 2: nobody gains by points that nothing brought back."""
    desk.opens(refund_grace_days=14)
    desk.given("anna earns 1100 expiring 2026-01-31", PAID, "time passes to 2026-02-10")
    then = desk.when("all of o1 comes back as f1")
    (expired,) = then.events(e.PointsExpired)
    assert (expired.effective_at, expired.parts[0].points) == (desk.lines.end_of("2026-01-31"), 100)
    assert then.lots("anna") == [(1000, "2026-02-24")]


def test_a_second_part_comes_back_to_what_the_first_made_of_the_lot(desk: Desk) -> None:
    desk.opens(refund_grace_days=14)
    desk.given("anna earns 1000 expiring 2026-01-31")
    desk.given("anna buys tea 5.00, cup 5.00 as o1 paying 1000 points worth 10.00", "time passes to 2026-02-10")
    desk.given("#0 of o1 comes back as f1", "time passes to 2026-02-12")
    assert desk.when("#1 of o1 comes back as f2").lots("anna") == [(1000, "2026-02-24")]


def test_grace_pays_a_debt_before_it_can_be_spent(desk: Desk) -> None:
    """Edge cases 1 and 2 together."""
    desk.opens(refund_grace_days=14)
    desk.given("anna earns 1000 expiring 2026-01-31", "anna buys cup 50.00 as o0", PAID, "anna gives 50 to bo")
    desk.given("all of o0 comes back as f0", "time passes to 2026-02-10")
    then = desk.when("all of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsReinstated", "DebtRepaid"]
    assert (then.lots("anna"), then.debt("anna")) == ([(950, "2026-02-24")], 0)


def test_a_lot_of_which_points_are_held_keeps_its_expiry(desk: Desk) -> None:
    """Edge cases 2 and 3: one lot never ends twice."""
    desk.opens(refund_grace_days=14, hold_seconds=60 * 86_400)
    desk.given("anna earns 1100 expiring 2026-01-31", PAID, "anna holds 100 as h1", "time passes to 2026-02-10")
    then = desk.when("all of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsReinstated", "PointsExpired"]
    assert (then.lots("anna"), then.held("anna")) == ([], 100)


def test_points_with_days_of_grace_hang_on_no_activity(desk: Desk) -> None:
    """Edge cases 2 and 19: their days are counted, whatever their owner does meanwhile."""
    desk.opens(refund_grace_days=14, expiry=Inactivity(1, (Activity.PURCHASE,)), earning_rate="0")
    desk.given("anna earns 1000", PAID, "time passes to 2026-02-10")
    (reinstated,) = desk.when("all of o1 comes back as f1").events(e.PointsReinstated)
    assert [lot.period for lot in reinstated.lots] == [0]
    assert desk.when("anna buys cup 1.00 as o2").lots("anna") == [(1000, "2026-02-24")]


def test_a_lot_that_ends_as_its_points_come_back_gets_days_of_grace(desk: Desk) -> None:
    """Edge case 2: at that moment they could not be spent any more."""
    desk.opens(refund_grace_days=14)
    desk.given("anna earns 1000 expiring 2026-01-31", PAID)
    desk.running.clock.instant = desk.lines.end_of("2026-01-31")
    assert desk.when("all of o1 comes back as f1").lots("anna") == [(1000, "2026-02-15")]


def test_a_lot_of_which_points_are_held_keeps_its_end_and_the_others_get_grace(desk: Desk) -> None:
    """Edge case 2: a lot never ends twice."""
    desk.opens(refund_grace_days=14, hold_seconds=60 * 86_400)
    desk.given("anna earns 600 expiring 2026-01-31", "anna holds 100 as h1", "anna earns 900 expiring 2026-02-05", PAID)
    desk.given("what is due for anna by 2026-01-01 12:00 is posted", "time passes to 2026-02-10")
    assert desk.when("all of o1 comes back as f1").lots("anna") == [(500, "2026-02-24")]
