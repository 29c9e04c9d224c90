"""Adjustments and reversals."""

import msgspec
import pytest

from ledger import commands as c
from ledger.events import PointsClawedBack, PointsEarned, PointsForfeited, PointsReinstated, PointsTransferredOut
from ledger.quantities import Amount
from ledger.refusals import Reason
from ledger.settings import Clawback
from tests.unit.ledger.desk import Desk, settings


def test_an_adjustment_gives_points_with_a_reason_and_an_approver(desk: Desk) -> None:
    then = desk.when("anna gets 50 because of goodwill")
    (event,) = then.events(PointsEarned)
    assert (event.reason, event.approver, event.funding.value) == ("goodwill", "manager", "PROMO")
    assert then.open("anna") == 50


def test_an_adjustment_takes_what_can_be_spent_and_no_more(desk: Desk) -> None:
    desk.given("anna earns 30 expiring 2026-02-01", "anna earns 30 expiring 2026-03-01")
    then = desk.when("anna loses 40 because of error")
    assert (then.story, then.lots("anna")) == (["PointsForfeited"], [(20, "2026-03-01")])
    assert desk.when("anna loses 21 because of error").refused("INSUFFICIENT_POINTS", wanted=21, spendable=20)


def test_an_adjustment_of_a_grant_takes_its_own_points_first(desk: Desk) -> None:
    desk.given("anna earns 30 expiring 2026-02-01", "anna earns 30 expiring 2026-03-01")
    then = desk.when("anna loses 30 of lot 2 because of error")
    (event,) = then.events(PointsClawedBack)
    assert (event.grant.lot, event.grant.points, then.lots("anna")) == ("anna:2", 30, [(30, "2026-02-01")])
    assert desk.when("anna loses 1 of lot 2 because of error").refused("GRANT_NOT_FOUND", lot="anna:2")


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (c.Adjust("anna", Amount("points", 0), "x", "manager"), "points.value"),
        (c.Adjust("anna", Amount("miles", 5), "x", "manager"), "points.unit"),
        (c.Adjust("anna", Amount("points", 5), "", "manager"), "reason"),
        (c.Adjust("anna", Amount("points", 5), "x", ""), "approver"),
        (c.Adjust("anna", Amount("points", 5), "x", "till-1"), "approver"),
        (c.Adjust("anna", Amount("points", 5), "x", "manager", "anna:1"), "lot"),
        (c.Adjust("anna", Amount("points", 1), "x", "manager", "anna:1"), "lot"),
        (c.Adjust("anna", Amount("points", 5), "x", "manager", "", 1), "expires_at"),
        (c.Adjust("anna", Amount("points", 5), "x", "manager", "", 1_767_240_000_000_000), "expires_at"),
        (c.Adjust("anna", Amount("points", -1), "x", "manager", "", 2**60), "expires_at"),
        (c.Adjust("anna", Amount("points", -5), "x", "manager", "", 2**60), "expires_at"),
        (c.Reverse(bytes(16), ""), "reason"),
        (c.Reverse(bytes(16), "x", 0), "points"),
    ],
)
def test_bad_corrections_name_their_field(desk: Desk, command: c.Command, field: str) -> None:
    assert desk.send(command).invalid(field)


def test_a_grant_is_reversed_in_parts_and_never_beyond_itself(desk: Desk) -> None:
    """Edge case 10."""
    desk.given("anna earns 100")
    earn = desk.ids
    assert desk.when(f"30 of command {earn} is reversed").open("anna") == 70
    assert desk.when(f"command {earn} is reversed").open("anna") == 0
    assert desk.when(f"1 of command {earn} is reversed").refused("REVERSAL_EXCEEDS_COMMAND", left=0, wanted=1)


def test_the_reversal_of_a_reversal_restores_the_same_lot(desk: Desk) -> None:
    """Edge case 10: the same lots and expiry; what was reversed may be reversed once more."""
    desk.given("anna earns 100 expiring 2026-03-31")
    earn = desk.ids
    desk.given(f"60 of command {earn} is reversed")
    reversal = desk.ids
    then = desk.when(f"command {reversal} is reversed")
    assert (then.story, then.lots("anna")) == (
        ["CommandReversed", "PointsReinstated", "CommandReinstated"],
        [(100, "2026-03-31")],
    )
    assert desk.when(f"command {reversal} is reversed").refused("REVERSAL_EXCEEDS_COMMAND")
    assert desk.when(f"command {earn} is reversed").open("anna") == 0


def test_a_reversal_can_be_reversed_back_and_forth(desk: Desk) -> None:
    """Edge case 10."""
    desk.given("anna earns 100 expiring 2026-03-31")
    for number in range(6):
        then = desk.given(f"command {desk.ids} is reversed")
        assert then.open("anna") == (0 if number % 2 == 0 else 100)


def test_points_that_were_spent_are_owed_when_their_grant_is_reversed(desk: Desk) -> None:
    desk.given("anna earns 100")
    earn = desk.ids
    desk.given("anna gives 80 to bo")
    then = desk.given(f"command {earn} is reversed")
    assert (then.open("anna"), then.debt("anna")) == (0, 80)
    then = desk.given(f"command {desk.ids} is reversed")
    assert (then.open("anna"), then.debt("anna")) == (20, 0)


def test_a_debt_that_was_paid_meanwhile_comes_back_in_the_lot_it_was_owed_for(desk: Desk) -> None:
    desk.given("anna earns 100 expiring 2026-03-31")
    earn = desk.ids
    desk.given("anna gives 100 to bo", f"command {earn} is reversed")
    reversal = desk.ids
    desk.given("anna earns 70 expiring 2026-06-30")
    then = desk.when(f"command {reversal} is reversed")
    assert (then.debt("anna"), then.lots("anna")) == (0, [(70, "2026-03-31")])


def test_a_reversal_owes_in_full_also_above_the_limit(desk: Desk) -> None:
    """Edge case 1: the limit is about the money of a refund, and here there is none."""
    desk.opens(debt_limit=10)
    desk.given("anna earns 50", "anna gives 50 to bo")
    then = desk.when(f"command {desk.ids - 1} is reversed")
    (clawed,) = then.events(PointsClawedBack)
    assert (clawed.debt, clawed.deducted, clawed.waived, then.debt("anna")) == (50, 0, 0, 50)


def test_a_single_point_is_given_and_taken(desk: Desk) -> None:
    assert desk.when("anna gets 1 because of goodwill").open("anna") == 1
    assert desk.when("1 of command 5 is reversed").open("anna") == 0
    assert desk.when("anna gets 1 because of goodwill", "anna loses 1 because of error").open("anna") == 0


def test_a_debt_that_was_paid_in_full_comes_back_beside_what_was_taken(desk: Desk) -> None:
    """Edge case 10: the grant has all its points again, and nobody owes less than nothing."""
    desk.given("anna earns 100 expiring 2026-03-31")
    earn = desk.ids
    desk.given("anna gives 60 to bo", f"command {earn} is reversed")
    reversal = desk.ids
    assert desk.given("anna earns 60 expiring 2026-06-30").debt("anna") == 0
    then = desk.when(f"command {reversal} is reversed")
    assert (then.debt("anna"), then.lots("anna")) == (0, [(100, "2026-03-31")])
    (back,) = then.events(PointsReinstated)
    assert back.grant is not None
    assert (back.grant.lot, back.grant.points, back.debt) == ("anna:1", 100, 0)


def test_a_grant_that_was_restored_and_spent_is_owed_when_it_is_reversed_again(desk: Desk) -> None:
    """Edge case 10: like any grant."""
    desk.given("anna earns 100 expiring 2026-03-31")
    for _ in range(2):
        desk.given(f"command {desk.ids} is reversed")
    restored = desk.ids
    desk.given("anna gives 80 to bo")
    then = desk.when(f"command {restored} is reversed")
    assert (then.open("anna"), then.debt("anna")) == (0, 80)


def test_a_transfer_of_several_lots_goes_back_in_parts_lot_by_lot(desk: Desk) -> None:
    """Edge case 10: each part goes on where the one before ended."""
    desk.given("anna earns 20 expiring 2026-02-28", "anna earns 20 expiring 2026-03-31")
    desk.given("anna earns 20 expiring 2026-04-30", "anna gives 60 to bo")
    transfer = desk.ids
    parts = []
    for points in (20, 1, 29, 10):
        (out,) = desk.when(f"{points} of command {transfer} is reversed").events(PointsTransferredOut)
        parts.append([(part.lot, part.points) for part in out.parts])
    assert parts == [[("bo:1", 20)], [("bo:2", 1)], [("bo:2", 19), ("bo:3", 10)], [("bo:3", 10)]]


def test_neither_a_group_nor_a_sweep_is_reversed(desk: Desk) -> None:
    """Edge case 10: a reversal is of the one thing that a command moved."""
    desk.given("cai earns 5 expiring 2026-01-31")
    assert desk.together("anna earns 5", "bo earns 7").accepted
    assert desk.when(f"command {desk.ids} is reversed").refused("NOT_REVERSIBLE", use="")
    desk.given("time passes to 2026-02-01", "what is due for cai by 2026-02-01 is posted")
    assert desk.when(f"command {desk.ids} is reversed").refused("NOT_REVERSIBLE", use="")


def test_a_forfeit_is_reversed_to_its_own_lots(desk: Desk) -> None:
    desk.given("anna earns 30 expiring 2026-02-01", "anna earns 30 expiring 2026-03-01")
    desk.given("anna loses 40 because of error")
    loss = desk.ids
    then = desk.when(f"15 of command {loss} is reversed")
    assert (then.events(PointsReinstated) != [], then.lots("anna")) == (True, [(15, "2026-02-01"), (20, "2026-03-01")])
    then = desk.when(f"command {loss} is reversed")
    assert then.lots("anna") == [(30, "2026-02-01"), (30, "2026-03-01")]
    then = desk.when(f"command {desk.ids} is reversed")
    assert (then.events(PointsForfeited) != [], then.lots("anna")) == (True, [(15, "2026-02-01"), (20, "2026-03-01")])


def test_a_transfer_goes_back_out_of_the_lots_it_made(desk: Desk) -> None:
    """Edge cases 4 and 10."""
    desk.given("anna earns 100 expiring 2026-03-31", "bo earns 50 expiring 2026-01-31", "anna gives 60 to bo")
    transfer = desk.ids
    then = desk.when(f"20 of command {transfer} is reversed")
    assert (then.open("anna"), then.open("bo")) == (60, 90)
    desk.given("bo gives 60 to cai")
    assert desk.when(f"command {transfer} is reversed").refused("INSUFFICIENT_POINTS", member="bo")
    assert desk.when(f"30 of command {transfer} is reversed").open("anna") == 90


@pytest.mark.parametrize(
    ("line", "use"),
    [
        ("anna buys tea 50.00 as o1", "RefundPurchase"),
        ("anna holds 5 as h1", "ReleaseHold"),
        ("anna redeems mug as r1", "Cancel"),
        ("dan joins", ""),
    ],
)
def test_what_is_undone_in_another_way_is_not_reversed(desk: Desk, line: str, use: str) -> None:
    desk.given("anna earns 100", "reward mug costs 60 from mug@shop", "mug@shop receives 5", line)
    assert desk.when(f"command {desk.ids} is reversed").refused("NOT_REVERSIBLE", use=use)


def test_a_command_that_nobody_sent_is_not_reversed(desk: Desk) -> None:
    assert desk.when("command 77 is reversed").refused("COMMAND_NOT_FOUND")
    desk.when("anna earns 10", number=77)
    assert desk.when("command 77 is reversed").open("anna") == 0


def test_a_command_of_another_programme_is_not_reversed(desk: Desk) -> None:
    desk.given("anna earns 10")
    earn = desk.ids.to_bytes(16, "big")
    commands = c.OpenProgramme(settings()), c.Reverse(earn, "mistake")
    requests = [msgspec.structs.replace(desk.request(command), programme="other") for command in commands]
    _, refused = desk.running.execute(requests)
    assert getattr(refused.answer, "reason", None) is Reason.COMMAND_NOT_FOUND  # type: ignore[union-attr]


def test_a_refused_command_is_not_reversed(desk: Desk) -> None:
    assert desk.when("anna gives 10 to bo").refused("INSUFFICIENT_POINTS")
    assert desk.when(f"command {desk.ids} is reversed").refused("COMMAND_NOT_FOUND")


def test_a_command_is_reversed_within_its_own_batch(desk: Desk) -> None:
    desk.given("anna earns 1")
    earn = desk.request(desk.lines.read("anna earns 100")[0])
    reverse = desk.request(c.Reverse(earn.id, "mistake"))
    again = desk.request(c.Reverse(earn.id, "mistake"))
    answers = desk.running.execute([reverse, earn, again])
    reasons = [getattr(answer.answer, "reason", None) for answer in answers]  # type: ignore[union-attr]
    assert reasons == ["COMMAND_NOT_FOUND", None, None]


def test_reversals_within_balance_waive_the_rest(desk: Desk) -> None:
    desk.opens(clawback=Clawback.WITHIN_BALANCE)
    desk.given("anna earns 100")
    earn = desk.ids
    desk.given("anna gives 80 to bo")
    (event,) = desk.when(f"command {earn} is reversed").events(PointsClawedBack)
    assert (event.debt, event.waived) == (0, 80)


def test_a_grant_of_another_member_cannot_be_corrected(desk: Desk) -> None:
    """R17: whatever the number of the lot."""
    desk.given("anna earns 100", "bo earns 100")
    for lot in ("bo:1", "anna:01", "anna:2", "1"):
        command = c.Adjust("anna", Amount("points", -5), "error", "manager", lot)
        assert desk.send(command).refused("GRANT_NOT_FOUND", member="anna", lot=lot)
