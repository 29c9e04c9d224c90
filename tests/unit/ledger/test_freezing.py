"""Members who may not spend while a case is looked into (edge case 20, K01)."""

import pytest

from ledger.commands import FreezeMember, UnfreezeMember
from ledger.events import MemberFrozen, MemberUnfrozen, PointsExpired
from tests.unit.ledger.desk import Desk

FROZEN = "anna is frozen for anomaly in case c7"
FREE = "anna is free again for mistake in case c7"


def opened(desk: Desk) -> Desk:
    desk.given("mug@shop receives 9", "reward mug costs 20 from mug@shop", "reward spa costs 20", "anna earns 100")
    return desk


def test_reason_and_case_are_recorded(desk: Desk) -> None:
    """Edge case 20: reason, actor, case."""
    then = opened(desk).given(FROZEN)
    (frozen,) = then.events(MemberFrozen)
    assert (frozen.reason, frozen.case, frozen.last_lot) == ("anomaly", "c7", 1)
    assert {record.actor for record in then.records} == {"till-1"}
    (free,) = desk.when(FREE).events(MemberUnfrozen)
    assert (free.reason, free.case) == ("mistake", "c7")


@pytest.mark.parametrize(
    "line",
    [
        "anna redeems mug as r1",
        "anna redeems spa as r1",
        "anna holds 10 as h1",
        "anna gives 10 to bo",
        "anna buys tea 0.10 as o1 paying 10 points worth 0.10",
        "bo gives 5 to anna",
        "anna gives 10 to bo on 2025-12-31",
    ],
)
def test_who_is_frozen_neither_spends_nor_sends_nor_receives(desk: Desk, line: str) -> None:
    """Edge cases 20 and 26, K01: whatever the line's date is, for it came to us after the freeze."""
    opened(desk).given("bo earns 10", "anna earns 50 on 2025-12-30", FROZEN)
    assert desk.when(line).refused("ACCOUNT_FROZEN", member="anna")
    assert desk.given(FREE).accepted
    assert desk.when(line).accepted


def test_what_was_held_before_is_captured_released_or_cancelled(desk: Desk) -> None:
    """Edge case 20: promises that were made are kept."""
    opened(desk).given("anna redeems mug as r1", "anna redeems mug as r2", "anna holds 10 as h1", "anna holds 15 as h2")
    desk.given(FROZEN, "r1 is fulfilled", "r2 is cancelled", "anna captures 6 of h1")
    then = desk.given("anna buys tea 0.15 as o1 paying 15 points of h2 worth 0.15")
    assert (then.open("anna"), then.held("anna"), then.quarantined("anna")) == (59, 0, 0)


def test_what_is_earned_is_quarantined_until_the_member_is_free_again(desk: Desk) -> None:
    """Edge case 20: balance = open + pending + held + quarantined."""
    opened(desk).given("anna holds 30 as h1")
    then = desk.given(FROZEN, "anna earns 50", "anna buys tea 20.00 as o1", "anna earns 7 available 2026-02-01")
    balance = then.receipt.balances[0]
    assert (balance.open, balance.pending, balance.held, balance.quarantined) == (70, 0, 30, 77)
    assert balance.balance == 177
    then = desk.given(FREE)
    assert (then.open("anna"), then.pending("anna"), then.quarantined("anna")) == (140, 7, 0)
    assert desk.when("anna gives 140 to bo").accepted


def test_each_unit_is_quarantined_also_one_that_is_new(desk: Desk) -> None:
    opened(desk).given(FROZEN)
    then = desk.given("anna earns 5 stars", "anna earns 3")
    assert (then.quarantined("anna", "stars"), then.quarantined("anna"), then.open("anna")) == (5, 3, 100)


def test_expiry_runs_on_in_quarantine_and_outside(desk: Desk) -> None:
    """Edge case 20."""
    desk.given("anna earns 10 expiring 2026-01-31", FROZEN, "anna earns 20 expiring 2026-01-31", "anna earns 30")
    then = desk.given("time passes to 2026-02-02", "anna earns 1")
    assert (then.open("anna"), then.quarantined("anna")) == (0, 31)
    then = desk.given("what is due for anna by 2026-02-02 is posted")
    assert [part.points for event in then.events(PointsExpired) for part in event.parts] == [10, 20]
    assert desk.given(FREE).open("anna") == 31


def test_on_exoneration_points_may_live_longer(desk: Desk) -> None:
    """Edge case 20: what ended meanwhile stays ended, what would end soon is given time."""
    desk.given("anna earns 10 expiring 2026-01-31", "anna earns 20 expiring 2026-03-31", FROZEN)
    desk.given("anna earns 30 expiring 2026-04-30", "anna earns 40 expiring 2026-12-31", "time passes to 2026-03-15")
    then = desk.given(f"{FREE} until 2026-06-30")
    assert then.story == ["MemberUnfrozen", "ExpiryExtended"]
    assert then.lots("anna") == [(20, "2026-06-30"), (30, "2026-06-30"), (40, "2026-12-31")]


def test_a_refund_reaches_who_is_frozen(desk: Desk) -> None:
    """Edge case 2: what was paid with points goes back to its own lots, and those are not quarantined."""
    opened(desk).given("anna buys tea 0.40 as o1 paying 40 points worth 0.40", "anna buys bag 50.00 as o2", FROZEN)
    desk.given("anna buys hat 30.00 as o3", "all of o1 comes back as f1")
    then = desk.given("all of o2 comes back as f2", "#0 of o3 comes back as f3")
    assert (then.open("anna"), then.quarantined("anna"), then.debt("anna")) == (100, 0, 0)


def test_quarantined_points_are_taken_back_before_anything_is_owed(desk: Desk) -> None:
    """Edge case 1."""
    desk.given("anna buys tea 50.00 as o1", "anna gives 50 to bo", FROZEN, "anna earns 30", "anna earns 9 waiting")
    then = desk.given("all of o1 comes back as f1")
    assert (then.quarantined("anna"), then.debt("anna")) == (0, 11)


def test_a_member_is_frozen_and_freed_again_and_again(desk: Desk) -> None:
    opened(desk).given(FROZEN, "anna earns 5", FREE, "anna earns 6", FROZEN)
    then = desk.given("anna earns 7")
    assert (then.open("anna"), then.quarantined("anna")) == (111, 7)
    assert desk.given(FREE).open("anna") == 118


def test_a_freeze_while_frozen_and_a_release_while_free_are_refused(desk: Desk) -> None:
    opened(desk)
    assert desk.when(FREE).refused("ACCOUNT_NOT_FROZEN", member="anna")
    desk.given(FROZEN)
    assert desk.when("anna is frozen for other").refused("ACCOUNT_FROZEN", member="anna")
    assert desk.when("nemo is frozen for anomaly").refused("MEMBER_NOT_FOUND", member="nemo")


def test_a_reason_is_needed_and_time_that_is_given_lies_ahead(desk: Desk) -> None:
    desk.opens()
    assert desk.send(FreezeMember("anna", "")).invalid("reason")
    assert desk.send(UnfreezeMember("anna", "")).invalid("reason")
    assert desk.send(UnfreezeMember("anna", "mistake", "", desk.now)).invalid("extend_until")


def test_a_freeze_is_known_again_after_a_restart(desk: Desk) -> None:
    opened(desk).given(FROZEN, "anna earns 5 available 2026-02-01", "anna earns 6")
    desk.running.restart()
    assert desk.when("anna gives 1 to bo").refused("ACCOUNT_FROZEN", member="anna")
    then = desk.given("anna earns 7", FREE)
    assert (then.open("anna"), then.pending("anna")) == (113, 5)


def test_a_group_that_freezes_and_then_spends_is_refused_whole(desk: Desk) -> None:
    opened(desk)
    assert desk.together(FROZEN, "anna earns 5", "anna gives 1 to bo").refused("ACCOUNT_FROZEN", command=2)
    assert desk.when("anna gives 1 to bo").accepted


def test_what_is_quarantined_and_pending_cannot_be_taken_yet(desk: Desk) -> None:
    """Edge case 20: an adjustment takes from a frozen member what is available, quarantined or not."""
    desk.given("anna earns 100", FROZEN, "anna earns 5", "anna earns 7 available 2026-02-01")
    then = desk.when("anna loses 106 because of error")
    assert then.refused("INSUFFICIENT_POINTS", wanted=106, spendable=105)
    assert desk.when("anna loses 105 because of error").accepted
