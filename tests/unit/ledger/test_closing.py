"""Members who leave for ever (edge cases 20 and 22)."""

import pytest

from ledger.commands import CloseMember
from ledger.events import ExpiryReason, MemberClosed, PointsExpired
from tests.unit.ledger.desk import Desk

GONE = "anna leaves for moving in case c9"


def test_what_is_left_expires_with_the_membership(desk: Desk) -> None:
    """Finance: closing counts as expiry, lot by lot, in the same commit."""
    desk.given("anna earns 10 expiring 2026-03-31", "anna earns 20", "anna earns 30 stars", "anna earns 5 waiting")
    then = desk.given("time passes to 2026-02-01", GONE)
    assert then.story == ["PointsExpired", "PointsExpired", "MemberClosed"]
    posted = [
        (event.unit, event.reason, event.effective_at, [(part.lot, part.points) for part in event.parts])
        for event in then.events(PointsExpired)
    ]
    assert posted == [
        ("points", ExpiryReason.CLOSED, desk.now, [("anna:1", 10), ("anna:2", 20), ("anna:4", 5)]),
        ("stars", ExpiryReason.CLOSED, desk.now, [("anna:3", 30)]),
    ]
    (closed,) = then.events(MemberClosed)
    assert (closed.reason, closed.case, then.balance("anna"), then.balance("anna", "stars")) == ("moving", "c9", 0, 0)


def test_what_had_expired_before_expires_as_of_its_own_day(desk: Desk) -> None:
    """Edge case 14."""
    desk.given("anna earns 10 expiring 2026-01-31", "anna earns 20 expiring 2026-03-31", "time passes to 2026-02-10")
    due, closed = desk.given(GONE).events(PointsExpired)
    assert (due.effective_at, due.reason) == (desk.lines.end_of("2026-01-31"), ExpiryReason.DUE)
    assert (closed.effective_at, closed.reason) == (desk.now, ExpiryReason.CLOSED)


def test_who_holds_points_cannot_leave_yet(desk: Desk) -> None:
    """Edge case 20: a redemption under way is fulfilled, cancelled or timed out first."""
    desk.given("mug@shop receives 9", "reward mug costs 20 from mug@shop", "anna earns 100", "anna redeems mug as r1")
    desk.given("anna holds 5 as h1")
    assert desk.when(GONE).refused("HOLDS_OPEN", member="anna", open=2, holds=["redemption:r1", "h1"])
    desk.given("r1 is cancelled", "anna releases h1")
    assert desk.when(GONE).accepted


@pytest.mark.parametrize(
    ("line", "member"),
    [
        ("anna earns 5", "anna"),
        ("anna buys tea 9.99 as o9", "anna"),
        ("anna redeems spa as r1", "anna"),
        ("anna holds 5 as h1", "anna"),
        ("anna gives 5 to bo", "anna"),
        ("bo gives 5 to anna", "anna"),
        ("anna gets 5 because of goodwill", "anna"),
        ("visit 1 of anna is activated", "anna"),
        ("lots anna:1 of anna live until 2026-06-30 for goodwill", "anna"),
        ("anna is frozen for anomaly", "anna"),
        ("anna is free again for mistake", "anna"),
        (GONE, "anna"),
    ],
)
def test_whatever_comes_later_is_refused(desk: Desk, line: str, member: str) -> None:
    """Edge case 26."""
    desk.given("reward spa costs 20", "bo earns 50", "anna earns 50", GONE)
    assert desk.when(line).refused("ACCOUNT_CLOSED", member=member)


def test_nobody_joins_again_under_the_same_name(desk: Desk) -> None:
    desk.given(GONE)
    assert desk.when("anna joins").refused("MEMBER_EXISTS", member="anna")


def test_a_sweep_finds_nothing_left(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-03-31", GONE, "time passes to 2026-04-02")
    assert desk.when("what is due for anna by 2026-04-02 is posted").story == []


def test_who_is_frozen_can_be_closed_and_what_is_quarantined_expires_too(desk: Desk) -> None:
    """Edge case 20: a case that ended badly."""
    desk.given("anna earns 100", "anna is frozen for anomaly", "anna earns 50")
    then = desk.given(GONE)
    assert ([len(event.parts) for event in then.events(PointsExpired)], then.balance("anna")) == ([2], 0)


def test_a_late_refund_gives_points_back_only_to_let_them_expire(desk: Desk) -> None:
    """Edge cases 2 and 20: the money goes back as ever, the points to their lots, and those are at their end."""
    desk.given("anna earns 100", "anna buys tea 1.00 as o1 paying 60 points worth 0.60, cash 0.40", GONE)
    then = desk.when("all of o1 comes back as f1")
    assert then.story == ["PurchaseReturned", "PointsReinstated", "PointsExpired"]
    (expired,) = then.events(PointsExpired)
    assert ([part.points for part in expired.parts], expired.reason) == ([60], ExpiryReason.CLOSED)
    refunded = then.receipt.refunded
    assert refunded is not None
    assert ([tender.amount for tender in refunded.tenders], then.balance("anna")) == ([60, 40], 0)


def test_a_late_refund_of_points_that_are_gone_is_owed(desk: Desk) -> None:
    """Edge cases 1 and 20: the debt of somebody who left stays on record; points that come back pay it first."""
    desk.given("anna buys tea 80.00 as o1", "anna buys hat 0.30 as o2 paying 30 points worth 0.30", GONE)
    then = desk.given("all of o1 comes back as f1")
    assert (then.debt("anna"), then.balance("anna")) == (80, 0)
    then = desk.given("all of o2 comes back as f2")
    assert then.story == ["PurchaseReturned", "PointsReinstated", "DebtRepaid"]
    assert (then.debt("anna"), then.balance("anna")) == (50, 0)


def test_points_that_had_expired_when_they_come_back_expire_as_of_their_own_day(desk: Desk) -> None:
    """Edge case 2."""
    desk.given("anna earns 60 expiring 2026-01-31", "anna buys tea 0.60 as o1 paying 60 points worth 0.60")
    desk.given("time passes to 2026-02-10", GONE)
    (expired,) = desk.given("all of o1 comes back as f1").events(PointsExpired)
    assert (expired.effective_at, expired.reason) == (desk.lines.end_of("2026-01-31"), ExpiryReason.DUE)


def test_a_transfer_that_goes_back_to_somebody_who_left_expires(desk: Desk) -> None:
    """Edge case 10."""
    desk.given("anna earns 100")
    desk.when("anna gives 60 to bo", number=700)
    desk.given(GONE)
    then = desk.given("command 700 is reversed")
    assert then.story == ["CommandReversed", "PointsTransferredOut", "PointsTransferredIn", "PointsExpired"]
    assert (then.balance("anna"), then.balance("bo")) == (0, 0)


def test_a_membership_that_ended_is_not_reversed(desk: Desk) -> None:
    desk.given("anna earns 100")
    desk.when(GONE, number=700)
    assert desk.when("command 700 is reversed").refused("NOT_REVERSIBLE")


def test_many_lots_are_named_by_several_events(desk: Desk) -> None:
    """Edge case 21."""
    desk.opens()
    assert desk.send(*(desk.lines.read("anna earns 1")[0] for _ in range(2_300))).accepted
    then = desk.given(GONE)
    assert [len(event.parts) for event in then.events(PointsExpired)] == [1_000, 1_000, 300]


def test_who_left_is_known_again_after_a_restart(desk: Desk) -> None:
    desk.given("anna earns 5", GONE)
    desk.running.restart()
    assert desk.when("anna earns 5").refused("ACCOUNT_CLOSED", member="anna")


def test_a_reason_is_needed(desk: Desk) -> None:
    desk.opens()
    assert desk.send(CloseMember("anna", "")).invalid("reason")
    assert desk.when("nemo leaves for moving").refused("MEMBER_NOT_FOUND", member="nemo")
