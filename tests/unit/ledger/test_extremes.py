"""Values that are allowed, and as far out as they may be: they are answered, and the writer lives on."""

from datetime import UTC, datetime

import pytest

from ledger.calendar import to_instant
from ledger.commands import AdvanceClock
from ledger.settings import ClockKind
from tests.unit.ledger.desk import Desk

LATE = to_instant(datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC))
"""The last second that a channel may name."""


@pytest.mark.parametrize("months", [0, 1, 1_200])
@pytest.mark.parametrize("days", [0, 3_660])
def test_points_earned_near_the_end_of_time_leave_the_writer_alive(desk: Desk, months: int, days: int) -> None:
    """A day that no calendar holds is no reason to stop: the lot never ends, or the command is bad input."""
    desk.opens(clock=ClockKind.MANUAL, lot_months=max(months, 1_200 if days else months), pending_days=days)
    assert desk.send(AdvanceClock(LATE)).accepted
    earned, bought = desk.when("anna earns 5"), desk.when("anna buys tea 10.00 as o1")
    assert earned.invalid("expires_at") if days else earned.accepted
    assert bought.invalid("occurred_at") if days else bought.accepted
    assert desk.when("bo joins").refused("MEMBER_EXISTS")


def test_a_programme_may_open_in_1970(desk: Desk) -> None:
    desk.opens(at="1970-01-02 12:00", clock=ClockKind.MANUAL)
    assert desk.given("anna earns 5 expiring 1970-01-31").balance("anna") == 5


@pytest.mark.parametrize(
    "reward",
    [
        "reward mug costs 1000000000000000 from mug@shop",
        "reward mug costs 1 from mug@shop listed at 9999999999999.00",
    ],
)
def test_a_quantity_that_comes_to_more_than_an_amount_can_be_is_bad_input(desk: Desk, reward: str) -> None:
    desk.given("mug@shop receives 1000000000", reward, "anna earns 5")
    assert desk.when("anna redeems mug x1000000000 as r1").invalid("quantity")


def test_points_that_pay_more_than_any_bill_could_be_are_bad_input(desk: Desk) -> None:
    desk.opens(point_value="999999999999999999")
    desk.given("anna earns 1000000000")
    assert desk.when("anna buys tea 1.00 as o1 paying 1000000000 points worth 1.00").invalid("tenders[0].amount")


def test_a_rate_that_earns_more_than_an_amount_can_be_is_refused(desk: Desk) -> None:
    desk.opens(earning_rate="999999999999999999")
    assert desk.when("anna buys tea 9999999999999.99 as o1").refused("LIMIT_EXCEEDED", limit=10**15)
