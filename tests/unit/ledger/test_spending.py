"""Which lots are spent: first expiring, first out, and only what was there at the time."""

import pytest

from ledger.events import PointsEarned, PointsRedeemed, PointsTransferredOut
from tests.unit.ledger.desk import Desk


def test_the_lot_that_expires_first_is_spent_first(desk: Desk) -> None:
    """Edge case 15."""
    desk.given("anna earns 50 expiring 2026-12-31", "anna earns 100 expiring 2026-03-31")
    then = desk.when("anna gives 120 to bo")
    assert then.lots("anna") == [(30, "2026-12-31")]
    assert then.lots("bo") == [(100, "2026-03-31"), (20, "2026-12-31")]


def test_points_that_never_expire_are_spent_last(desk: Desk) -> None:
    """Edge case 15."""
    desk.given("anna earns 40 never expiring", "anna earns 30 expiring 2035-12-31", "anna earns 20 expiring 2026-02-28")
    then = desk.when("anna gives 60 to bo")
    assert then.lots("bo") == [(20, "2026-02-28"), (30, "2035-12-31"), (10, "never")]
    assert then.lots("anna") == [(30, "never")]


def test_of_lots_with_one_expiry_the_earlier_earned_is_spent_first(desk: Desk) -> None:
    """Edge case 15: then by earning time, also where the earlier one was reported later."""
    desk.given(
        "anna earns 10 for visit second expiring 2026-03-31",
        "anna earns 10 for visit third expiring 2026-03-31 on 2026-01-01 12:03",
        "anna earns 10 for visit first expiring 2026-03-31 on 2025-12-01",
    )
    then = desk.when("anna gives 25 to bo on 2026-01-01 12:04")
    (sent,) = then.events(PointsTransferredOut)
    assert [(part.lot, part.points) for part in sent.parts] == [("anna:3", 10), ("anna:1", 10), ("anna:2", 5)]


def test_of_lots_alike_the_one_with_the_lower_number_is_spent_first(desk: Desk) -> None:
    """Edge case 15: then by lot id, where 10 comes after 9."""
    desk.given(*("anna earns 1 expiring 2026-03-31" for _ in range(12)))
    (sent,) = desk.when("anna gives 11 to bo").events(PointsTransferredOut)
    assert [part.lot for part in sent.parts] == [f"anna:{number}" for number in range(1, 12)]


def test_the_allocation_stands_in_the_event(desk: Desk) -> None:
    """Edge case 15: what was taken from which lot is recorded, with all that finance needs of the lot."""
    desk.given("anna earns 100 costing 0.01 expiring 2026-03-31")
    (sent,) = desk.when("anna gives 30 to bo").events(PointsTransferredOut)
    (part,) = sent.parts
    assert (part.lot, part.points, part.root, part.issued, part.unit_cost) == (
        "anna:1",
        30,
        "anna:1",
        "2026-01",
        "0.01",
    )
    assert part.expires_at == desk.lines.end_of("2026-03-31")


def test_points_that_came_back_from_a_hold_take_their_old_place(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-03-31", "anna earns 10 expiring 2026-03-31", "anna holds 15 as h1")
    desk.given("anna earns 10 expiring 2026-03-31", "anna releases h1")
    (sent,) = desk.when("anna gives 25 to bo").events(PointsTransferredOut)
    assert [(part.lot, part.points) for part in sent.parts] == [("anna:1", 10), ("anna:2", 10), ("anna:3", 5)]


def test_pending_points_cannot_be_spent(desk: Desk) -> None:
    desk.given("anna earns 30 available 2026-01-15", "anna earns 5")
    then = desk.when("anna gives 6 to bo")
    assert then.refused("INSUFFICIENT_POINTS", member="anna", unit="points", wanted=6, spendable=5)
    assert (then.open("anna"), then.pending("anna"), then.balance("anna")) == (5, 30, 35)


def test_pending_points_open_at_the_beginning_of_their_day(desk: Desk) -> None:
    desk.given("anna earns 30 available 2026-01-15")
    assert desk.when("time passes to 2026-01-14 23:59", "anna gives 1 to bo").refused("INSUFFICIENT_POINTS")
    assert desk.when("time passes to 2026-01-15 00:00", "anna gives 30 to bo").lots("bo") == [(30, "never")]


def test_a_programme_can_keep_points_pending_for_days(desk: Desk) -> None:
    desk.opens(pending_days=14)
    desk.given("anna earns 30")
    assert desk.when("time passes to 2026-01-14 23:59", "anna gives 30 to bo").refused("INSUFFICIENT_POINTS")
    assert desk.when("time passes to 2026-01-15 00:00", "anna gives 30 to bo").accepted


def test_points_cannot_be_spent_after_their_last_day_whether_or_not_the_expiry_was_posted(desk: Desk) -> None:
    """Edge case 14: the clock decides; the expiry event is the bookkeeping that follows."""
    desk.given("anna earns 100 expiring 2026-03-31", "time passes to 2026-03-31 23:59", "anna gives 1 to bo")
    desk.given("time passes to 2026-04-01 00:00")
    then = desk.when("anna gives 1 to bo")
    assert then.refused("INSUFFICIENT_POINTS", spendable=0)
    assert then.balance("anna") == 0
    assert desk.given("anna earns 7 never expiring").receipt.balances[0].open == 7


def test_a_late_spend_uses_no_points_that_were_earned_afterwards(desk: Desk) -> None:
    """Edge case 9."""
    desk.given("anna earns 10 on 2025-12-20", "anna earns 90 on 2025-12-25")
    then = desk.when("anna gives 11 to bo on 2025-12-22")
    assert then.refused("INSUFFICIENT_POINTS", wanted=11, spendable=10)
    assert desk.when("anna gives 10 to bo on 2025-12-22").lots("anna") == [(90, "never")]


def test_a_late_spend_prefers_no_lot_that_came_later(desk: Desk) -> None:
    """Edge case 9: a lot that expires earlier is passed over, if it was earned only afterwards."""
    desk.given("anna earns 10 expiring 2026-12-31 on 2025-12-20", "anna earns 90 expiring 2026-02-28 on 2025-12-25")
    assert desk.when("anna gives 6 to bo on 2025-12-22").lots("bo") == [(6, "2026-12-31")]


def test_a_late_spend_may_use_a_lot_that_expired_since(desk: Desk) -> None:
    """Edge case 9: what counts is the time at which it was spent."""
    desk.given("anna earns 10 expiring 2026-01-31", "time passes to 2026-02-05")
    then = desk.when("anna gives 4 to bo on 2026-01-31 20:00")
    assert then.story == ["PointsTransferredOut", "PointsTransferredIn"]
    assert (then.balance("anna"), then.balance("bo")) == (0, 0)


def test_a_late_spend_does_not_undo_a_posted_expiry(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-01-31", "time passes to 2026-02-05")
    desk.given("what is due for anna by 2026-02-05 is posted")
    assert desk.when("anna gives 4 to bo on 2026-01-31 20:00").refused("INSUFFICIENT_POINTS", spendable=0)


def test_a_late_earn_counts_for_later_spends(desk: Desk) -> None:
    """Edge case 9: expiry runs from the time of the purchase."""
    desk.opens(lot_months=1)
    desk.given("time passes to 2026-02-20", "anna earns 10 on 2026-01-25")
    assert desk.when("anna gives 10 to bo").lots("bo") == [(10, "2026-02-25")]


def test_a_late_earn_that_has_expired_already_is_credited_and_then_expires(desk: Desk) -> None:
    """Edge case 9."""
    desk.opens(lot_months=1)
    desk.given("time passes to 2026-02-20")
    then = desk.when("anna earns 10 on 2026-01-02")
    assert (then.story, then.balance("anna")) == (["PointsEarned"], 0)
    assert desk.when("what is due for anna by 2026-02-20 is posted").story == ["PointsExpired"]


def test_units_are_kept_apart(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-02-28", "anna earns 20 stars")
    assert desk.when("anna gives 15 to bo").refused("INSUFFICIENT_POINTS", unit="points", spendable=10)
    then = desk.when("anna gives 15 stars to bo")
    assert (then.balance("bo", "stars"), then.balance("bo"), then.lots("anna")) == (15, 0, [(10, "2026-02-28")])


def test_nobody_owns_more_points_than_an_amount_can_be(desk: Desk) -> None:
    most = 10**15
    desk.given(f"anna earns {most - 5}")
    assert desk.when("anna earns 6").refused("LIMIT_EXCEEDED", owned=most - 5, limit=most)
    desk.given("anna earns 5", "bo earns 1")
    assert desk.when("bo gives 1 to anna").refused("LIMIT_EXCEEDED", member="anna")
    desk.given("anna holds 10 as h1")
    assert desk.when("anna earns 1").refused("LIMIT_EXCEEDED", owned=most)


@pytest.mark.parametrize("line", ["nemo earns 5", "nemo gives 5 to anna", "anna gives 5 to nemo", "nemo holds 5 as h1"])
def test_who_never_joined_is_not_found(desk: Desk, line: str) -> None:
    desk.given("anna earns 5")
    assert desk.when(line).refused("MEMBER_NOT_FOUND", member="nemo")


def test_nobody_joins_twice(desk: Desk) -> None:
    assert desk.when("anna joins").refused("MEMBER_EXISTS", member="anna")


def test_held_points_pay_a_bill_after_their_lots_expired(desk: Desk) -> None:
    """Edge case 3."""
    desk.given("anna earns 100 expiring 2026-01-03", "anna holds 60 as h1", "time passes to 2026-01-05")
    then = desk.when("anna buys tea 0.60 as o1 paying 60 points of h1 worth 0.60")
    assert [part.lot for event in then.events(PointsRedeemed) for part in event.parts] == ["anna:1"]
    assert (then.balance("anna"), then.events(PointsEarned)) == (0, [])
