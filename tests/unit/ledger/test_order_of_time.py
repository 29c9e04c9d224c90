"""Nothing ends before it begins: an end that is dated so is refused, whatever it ends."""

import pytest

from tests.unit.ledger.desk import Desk

STOCK = ("mug@shop receives 9", "reward mug costs 50 from mug@shop", "anna earns 100 on 2026-01-01")
EARLY = "2026-01-04 11:59"


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("anna redeems mug as r1", "r1 is fulfilled"),
        ("anna redeems mug x2 as r1", "1 of r1 are fulfilled"),
        ("anna redeems mug as r1", "r1 is cancelled"),
        ("anna holds 60 as h1", "anna releases h1"),
        ("anna holds 60 as h1", "anna buys tea 0.60 as o1 paying 60 points of h1 worth 0.60"),
        ("mug@shop locks 2 as k1", "mug@shop ships k1"),
        ("mug@shop locks 2 as k1", "mug@shop releases k1"),
    ],
)
def test_an_end_dated_before_its_begin_is_refused(desk: Desk, begin: str, end: str) -> None:
    desk.given(*STOCK, "time passes to 2026-01-06", f"{begin} on 2026-01-04 12:00")
    then = desk.when(f"{end} on {EARLY}")
    assert then.refused("OUT_OF_ORDER", occurred_at=desk.lines.moment(EARLY), earliest=desk.lines.moment("2026-01-04"))
    assert desk.when(f"{end} on 2026-01-04 12:00").accepted


def test_a_later_part_may_be_dated_before_an_earlier_one(desk: Desk) -> None:
    """Edge case 9: two shops that report late, each for its own unit."""
    desk.given(*STOCK, "anna redeems mug x2 as r1", "time passes to 2026-01-06")
    then = desk.given("1 of r1 are fulfilled on 2026-01-05", "1 of r1 are fulfilled on 2026-01-03")
    assert then.business_dates == {"2026-01-03"}
    assert desk.when("r1 is fulfilled").refused("REDEMPTION_CLOSED", redemption="r1")


@pytest.mark.parametrize(
    "moved",
    ["mug@shop receives 1", "mug@shop sends 1 to depot", "mug@depot sends 1 to shop", "mug@shop counts 8"],
)
def test_a_count_dated_before_the_last_movement_is_refused(desk: Desk, moved: str) -> None:
    """What was counted then is not what the books say now, so nobody can tell what is missing."""
    desk.given(*STOCK, "mug@depot receives 1", "time passes to 2026-01-06", f"{moved} on 2026-01-05")
    then = desk.when("mug@shop counts 9 on 2026-01-04")
    assert then.refused("OUT_OF_ORDER", earliest=desk.lines.moment("2026-01-05"))
    assert desk.when("mug@shop counts 9 on 2026-01-05").accepted


def test_locks_do_not_stand_in_the_way_of_a_count(desk: Desk) -> None:
    """Units that were set aside are still there."""
    desk.given(*STOCK, "time passes to 2026-01-06", "mug@shop locks 2 as k1")
    assert desk.when("mug@shop counts 9 on 2026-01-05").stock("mug@shop") == (7, 2, 0)
