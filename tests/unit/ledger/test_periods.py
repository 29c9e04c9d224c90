"""Periods of activity (edge case 19): which lots belong to one, when one begins, and what is left of it."""

import pytest

from ledger.commands import Adjust, ExtendExpiry
from ledger.decisions.checks import LOTS_MAX
from ledger.events import ExpiryExtended, PointsEarned
from ledger.quantities import Amount
from ledger.settings import Activity, Inactivity, PointUnit
from tests.unit.ledger.desk import Desk
from tests.unit.ledger.test_inactivity import ANY, ends, opened


def test_an_adjustment_belongs_to_the_period_unless_its_end_is_named(desk: Desk) -> None:
    """Edge case 19, R17."""
    opened(desk).given("anna earns 100", "time passes to 2026-06-15", "anna gets 50 because of goodwill")
    named = Adjust("anna", Amount("points", 7), "goodwill", "manager", expires_at=desk.lines.end_of("2026-08-31"))
    desk.send(named)
    desk.given("anna buys tea 9.99 as o1")
    assert ends(desk) == [(7, "2026-08-31"), (100, "2027-06-15"), (50, "2027-06-15")]


def test_points_come_back_into_a_lot_that_lives_longer_by_now(desk: Desk) -> None:
    """Edge cases 2 and 19: nothing was left of the lot, but its period went on."""
    opened(desk).given("anna earns 5", "anna earns 7", "anna buys tea 0.05 as o1 paying 5 points worth 0.05")
    desk.given("time passes to 2026-06-15", "anna buys tea 9.99 as o2")
    assert ends(desk) == [(7, "2027-06-15")]
    desk.given("all of o1 comes back as f1")
    assert ends(desk) == [(5, "2027-06-15"), (7, "2027-06-15")]


def test_lots_of_two_units_that_are_named_begin_a_period_each(desk: Desk) -> None:
    """Edge case 19: in whatever order they are named."""
    opened(desk, units=(PointUnit("points"), PointUnit("stars")))
    desk.given("anna earns 5", "anna earns 7 stars")
    events = desk.given("lots anna:2 anna:1 of anna live until 2028-01-01 for care").events(ExpiryExtended)
    assert [[(row.lot, row.period) for row in event.lots] for event in events] == [[("anna:1", 3)], [("anna:2", 4)]]


def test_an_extension_in_pieces_names_each_period_once(desk: Desk) -> None:
    """Edge case 19."""
    opened(desk).given("anna earns 5")
    for number in range(LOTS_MAX + 1):
        desk.given(f"anna earns 1 for coupon {number} expiring 2026-06-30")
    first, second = desk.given("all of anna up to 2027-06-30 live until 2028-01-01 for care").events(ExpiryExtended)
    assert ([len(first.periods), len(second.periods)], [len(first.lots), len(second.lots)]) == ([1, 0], [LOTS_MAX, 1])


@pytest.mark.parametrize(
    ("held", "line", "story"),
    [
        ("anna holds 20 as h1", "anna captures h1", ["PointsRedeemed"]),
        ("bo earns 1", "anna gives 20 to bo", ["PointsTransferredOut", "PointsTransferredIn"]),
        ("bo earns 1", "anna buys tea 0.20 as o1 paying 20 points worth 0.20", ["PurchaseRecorded", "PointsRedeemed"]),
    ],
)
def test_a_period_of_which_an_activity_leaves_nothing_does_not_go_on(
    desk: Desk, held: str, line: str, story: list[str]
) -> None:
    """Edge case 19: neither points that are held nor others are left."""
    opened(desk, ANY).given("anna earns 20", held, "time passes to 2026-01-06")
    assert desk.when(line).story == story


def test_points_that_become_available_as_a_period_ends_have_one_of_their_own(desk: Desk) -> None:
    """Edge case 19."""
    opened(desk).given("anna earns 100", "time passes to 2026-06-15")
    (earned,) = desk.when("anna earns 5 available 2027-01-02").events(PointsEarned)
    assert (earned.period, desk.lines.last_day(earned.expires_at)) == (2, "2027-06-15")


def test_points_that_are_earned_as_a_period_ends_have_one_of_their_own(desk: Desk) -> None:
    """Edge case 19: the activity comes too late for those that end then."""
    opened(desk, ANY).given("anna earns 100")
    desk.running.clock.instant = desk.lines.end_of("2027-01-01")
    (earned,) = desk.when("anna earns 5").events(PointsEarned)
    assert (earned.period, desk.lines.last_day(earned.expires_at)) == (2, "2028-01-02")


def test_an_activity_prolongs_by_as_little_as_a_microsecond(desk: Desk) -> None:
    """Edge case 19: a period never ends sooner than it did, whatever prolonged it before."""
    opened(desk).given("anna earns 100", "time passes to 2026-06-15")
    end = desk.lines.end_of("2027-06-15")
    desk.send(ExtendExpiry("anna", end - 1, "care", until=desk.lines.end_of("2027-01-01")))
    (extended,) = desk.when("anna buys tea 9.99 as o1").events(ExpiryExtended)
    assert (extended.expires_at, [row.was for row in extended.periods]) == (end, [end - 1])
    assert desk.when("anna buys tea 9.99 as o2").story == ["PurchaseRecorded"]


def test_a_purchase_is_an_earning_only_if_it_earns(desk: Desk) -> None:
    """Edge case 19."""
    opened(desk, Inactivity(12, (Activity.EARN,)), earning_rate="1/100")
    desk.given("anna earns 100", "time passes to 2026-06-15", "anna buys tea 0.99 as o1")
    assert ends(desk) == [(100, "2027-01-01")]
    desk.given("anna buys tea 1.99 as o2")
    assert ends(desk) == [(100, "2027-06-15"), (1, "2027-06-15")]


def test_an_activity_prolongs_what_it_finds(desk: Desk) -> None:
    """Edge case 19: not what comes back behind it in the same group."""
    opened(desk, ANY).given("anna earns 100")
    earn = desk.ids
    desk.given(f"command {earn} is reversed", "time passes to 2026-01-10")
    then = desk.together("anna earns 5 stars", f"command {desk.ids} is reversed")
    assert then.story == ["PointsEarned", "CommandReversed", "PointsReinstated", "CommandReinstated"]
    assert ends(desk) == [(100, "2027-01-01")]
    (extended,) = desk.when("anna earns 5 stars").events(ExpiryExtended)
    assert (extended.unit, extended.periods[0].points) == ("points", 100)


@pytest.mark.parametrize(
    ("grants", "debt", "left"),
    [
        (("anna buys tea 50.00 as o1",), 10, []),
        (("anna buys tea 30.00 as o1", "anna earns 20"), 0, [(10, "2027-01-05")]),
    ],
)
def test_what_is_left_of_a_captured_hold_lives_on_and_pays_a_debt(
    desk: Desk, grants: tuple[str, ...], debt: int, left: list[tuple[int, str]]
) -> None:
    """Edge cases 1, 19 and 25: though it takes all that was left of the period."""
    opened(desk, Inactivity(12, (Activity.REDEEM,)), earning_rate="1/100")
    desk.given(*grants, "anna holds 50 as h1", "all of o1 comes back as f1", "time passes to 2026-01-05")
    then = desk.when("anna captures 10 of h1")
    assert then.story == ["PointsRedeemed", "ExpiryExtended", "PointsReleased", "DebtRepaid"]
    assert (then.debt("anna"), ends(desk)) == (debt, left)
