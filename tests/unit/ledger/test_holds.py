"""Points set aside."""

from ledger.events import PointsExpired, PointsHeld, PointsReleased
from tests.unit.ledger.desk import Desk


def test_held_points_are_owned_but_not_open(desk: Desk) -> None:
    desk.given("anna earns 100 expiring 2026-03-31")
    then = desk.when("anna holds 60 as h1")
    assert (then.open("anna"), then.held("anna"), then.balance("anna")) == (40, 60, 100)
    assert desk.when("anna gives 41 to bo").refused("INSUFFICIENT_POINTS", spendable=40)


def test_released_points_go_back_to_their_own_lots(desk: Desk) -> None:
    desk.given("anna earns 50 expiring 2026-03-31", "anna earns 50 expiring 2026-06-30", "anna holds 70 as h1")
    then = desk.when("anna releases h1")
    assert then.lots("anna") == [(50, "2026-03-31"), (50, "2026-06-30")]
    (event,) = then.events(PointsReleased)
    assert [(part.lot, part.points) for part in event.parts] == [("anna:1", 50), ("anna:2", 20)]


def test_a_hold_lasts_as_long_as_the_programme_says_unless_a_shorter_time_is_asked(desk: Desk) -> None:
    desk.opens(hold_seconds=3_600)
    desk.given("anna earns 100")
    (held,) = desk.when("anna holds 10 as h1").events(PointsHeld)
    assert held.expires_at == desk.lines.moment("2026-01-01 13:00")
    (held,) = desk.when("anna holds 10 as h2 until 2026-01-01 12:30").events(PointsHeld)
    assert held.expires_at == desk.lines.moment("2026-01-01 12:30")
    assert desk.when("anna holds 10 as h3 until 2026-01-01 13:01").invalid("expires_at")
    assert desk.when("anna holds 10 as h3 until 2026-01-01 12:00").invalid("expires_at")


def test_a_hold_that_timed_out_pays_no_more(desk: Desk) -> None:
    desk.opens(hold_seconds=3_600)
    desk.given("anna earns 100", "anna holds 60 as h1", "time passes to 2026-01-01 13:00")
    then = desk.when("anna buys tea 0.60 as o1 paying 60 points of h1 worth 0.60")
    assert then.refused("HOLD_EXPIRED", hold="h1", expired_at=desk.now)
    assert then.held("anna") == 60


def test_a_hold_dated_before_its_time_out_still_pays_when_it_is_reported_late(desk: Desk) -> None:
    """Edge case 9."""
    desk.opens(hold_seconds=3_600)
    desk.given("anna earns 100", "anna holds 60 as h1", "time passes to 2026-01-01 14:00")
    then = desk.when("anna buys tea 0.60 as o1 paying 60 points of h1 worth 0.60 on 2026-01-01 12:59")
    assert (then.accepted, then.held("anna"), then.balance("anna")) == (True, 0, 40)


def test_two_holds_cannot_have_one_name(desk: Desk) -> None:
    desk.given("anna earns 100", "anna holds 10 as h1")
    assert desk.when("anna holds 20 as h1").refused("HOLD_EXISTS", hold="h1")
    assert desk.when("anna holds 91 as h2").refused("INSUFFICIENT_POINTS", wanted=91, spendable=90)


def test_a_hold_is_released_once(desk: Desk) -> None:
    desk.given("anna earns 100", "anna holds 10 as h1", "anna releases h1")
    assert desk.when("anna releases h1").refused("HOLD_NOT_FOUND", hold="h1")
    assert desk.when("bo releases h1").refused("HOLD_NOT_FOUND", hold="h1")


def test_a_release_after_expiry_expires_the_points_at_once_as_of_their_own_expiry(desk: Desk) -> None:
    """Edge case 3: a hold cannot lengthen the life of points."""
    desk.given("anna earns 50 expiring 2026-01-03", "anna earns 50 expiring 2026-01-04", "anna earns 50 never expiring")
    desk.given("anna holds 120 as h1", "time passes to 2026-01-06")
    then = desk.when("anna releases h1")
    assert then.story == ["PointsReleased", "PointsExpired", "PointsExpired"]
    assert expiries(desk) == [("2026-01-03", 50), ("2026-01-04", 50)]
    assert (then.lots("anna"), then.balance("anna")) == ([(50, "never")], 50)


def test_a_release_before_expiry_expires_nothing(desk: Desk) -> None:
    desk.given("anna earns 50 expiring 2026-01-03", "anna holds 20 as h1", "time passes to 2026-01-03 23:59")
    assert desk.when("anna releases h1").story == ["PointsReleased"]


def test_a_release_at_the_very_end_of_a_lot_expires_its_points(desk: Desk) -> None:
    """Edge case 3: the end is exclusive."""
    desk.given("anna earns 50 expiring 2026-01-03", "anna holds 20 as h1", "time passes to 2026-01-04 00:00")
    assert desk.when("anna releases h1").story == ["PointsReleased", "PointsExpired"]


def test_a_release_expires_only_the_points_that_were_held(desk: Desk) -> None:
    """Edge case 3: the rest of the lot is the sweep's to post."""
    desk.given("anna earns 50 expiring 2026-01-03", "anna holds 20 as h1", "time passes to 2026-01-06")
    desk.when("anna releases h1")
    assert expiries(desk) == [("2026-01-03", 20)]
    desk.when("what is due for anna by 2026-01-06 is posted")
    assert expiries(desk) == [("2026-01-03", 20), ("2026-01-03", 30)]


def expiries(desk: Desk) -> list[tuple[str, int]]:
    """All expiries posted so far: the last day, the points."""
    posted = desk.happened(PointsExpired)
    return [(desk.lines.last_day(event.effective_at), sum(part.points for part in event.parts)) for event in posted]


def test_a_hold_is_captured_in_part_and_the_rest_released(desk: Desk) -> None:
    """Edge case 25: capture <= hold; the remainder goes back to the same lots."""
    desk.given("anna earns 60 expiring 2026-02-01", "anna earns 60 expiring 2026-03-01", "anna holds 100 as h1")
    then = desk.when("anna captures 50 of h1")
    assert (then.story, then.held("anna")) == (["PointsRedeemed", "PointsReleased"], 0)
    assert then.lots("anna") == [(30, "2026-02-01"), (40, "2026-03-01")]
    assert desk.when("anna captures h1").refused("HOLD_NOT_FOUND", hold="h1")


def test_a_hold_is_captured_whole_though_its_lots_expired(desk: Desk) -> None:
    """Edge case 3."""
    desk.given("anna earns 60 expiring 2026-01-03", "anna holds 60 as h1", "time passes to 2026-01-05")
    then = desk.when("anna captures h1")
    assert (then.story, then.balance("anna")) == (["PointsRedeemed"], 0)


def test_what_is_not_captured_of_expired_lots_expires_at_once(desk: Desk) -> None:
    """Edge case 3: as of the lots' own expiry."""
    desk.given("anna earns 60 expiring 2026-01-03", "anna holds 60 as h1", "time passes to 2026-01-05")
    then = desk.when("anna captures 20 of h1")
    assert then.story == ["PointsRedeemed", "PointsReleased", "PointsExpired"]
    assert expiries(desk) == [("2026-01-03", 40)]


def test_all_that_is_held_is_captured_by_its_number(desk: Desk) -> None:
    then = desk.when("anna earns 3000000000", "anna holds 2000000000 as h1", "anna captures 2000000000 of h1")
    assert (then.story, then.held("anna")) == (["PointsRedeemed"], 0)


def test_a_part_that_takes_nothing_of_a_lot_gives_all_of_it_back(desk: Desk) -> None:
    """Edge case 25."""
    desk.given("anna earns 1 expiring 2026-03-31", "anna earns 199 expiring 2026-06-30", "anna holds 200 as h1")
    then = desk.when("anna captures 100 of h1")
    assert then.lots("anna") == [(1, "2026-03-31"), (99, "2026-06-30")]


def test_no_more_is_captured_than_is_held(desk: Desk) -> None:
    desk.given("anna earns 60", "anna holds 50 as h1")
    assert desk.when("anna captures 51 of h1").refused("QUANTITY_EXCEEDED", wanted=51, left=50)
    assert desk.when("anna captures 0 of h1").invalid("points")
    assert desk.when("anna captures h9").refused("HOLD_NOT_FOUND", hold="h9")
    assert desk.when("time passes to 2026-01-20", "anna captures h1").refused("HOLD_EXPIRED", hold="h1")


def test_a_hold_is_not_captured_before_it_was_placed(desk: Desk) -> None:
    desk.given("anna earns 60", "time passes to 2026-01-03", "anna holds 50 as h1")
    assert desk.when("anna captures h1 on 2026-01-02").refused("OUT_OF_ORDER")
