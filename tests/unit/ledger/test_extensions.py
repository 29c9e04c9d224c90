"""Points that live longer by request (edge case 19)."""

import pytest

from ledger.calendar import NEVER
from ledger.commands import ExtendExpiry
from ledger.events import ExpiryExtended, PointsExpired
from ledger.settings import Activity, Inactivity
from tests.unit.ledger.desk import Desk

JUNE = "live until 2026-06-30 for goodwill"


def ends(desk: Desk, member: str = "anna", unit: str = "points") -> list[tuple[int, str]]:
    """All that is left of a member's lots: points, last day."""
    lots = desk.oracle.programmes["club"].members[member].in_order(unit)
    return [(lot.points, desk.lines.last_day(lot.expires_at)) for lot in lots]


def test_named_lots_live_longer_and_the_event_says_from_when_to_when(desk: Desk) -> None:
    """Edge case 19: lots with old and new dates, and a reason."""
    desk.given("anna earns 10 expiring 2026-03-30", "anna earns 20 expiring 2026-03-31", "anna earns 5")
    (extended,) = desk.when(f"lots anna:1 anna:2 of anna {JUNE}").events(ExpiryExtended)
    rows = [(row.lot, row.points, desk.lines.last_day(row.was)) for row in extended.lots]
    assert rows == [("anna:1", 10, "2026-03-30"), ("anna:2", 20, "2026-03-31")]
    assert (desk.lines.last_day(extended.expires_at), extended.reason) == ("2026-06-30", "goodwill")
    assert ends(desk) == [(10, "2026-06-30"), (20, "2026-06-30"), (5, "never")]


def test_all_lots_up_to_a_day_live_longer(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-02-28", "anna earns 20 expiring 2026-03-31")
    desk.given("anna earns 30 expiring 2026-04-01", "anna earns 40 expiring 2026-12-31")
    desk.given(f"all of anna up to 2026-03-31 {JUNE}")
    assert ends(desk) == [(30, "2026-04-01"), (10, "2026-06-30"), (20, "2026-06-30"), (40, "2026-12-31")]


def test_one_unit_or_all_of_them(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-02-28", "anna earns 20 stars expiring 2026-02-28")
    desk.given(f"all stars of anna up to 2026-03-31 {JUNE}")
    assert (ends(desk), ends(desk, unit="stars")) == ([(10, "2026-02-28")], [(20, "2026-06-30")])
    assert len(desk.when(f"all of anna up to 2026-03-31 {JUNE}").events(ExpiryExtended)) == 1


def test_what_has_expired_never_comes_back(desk: Desk) -> None:
    """Edge case 19: posted or not."""
    desk.given("anna earns 10 expiring 2026-02-28", "anna earns 20 expiring 2026-03-31", "time passes to 2026-03-01")
    ended = desk.lines.end_of("2026-02-28")
    assert desk.when(f"lots anna:1 of anna {JUNE}").refused("LOT_EXPIRED", lot="anna:1", expired_at=ended)
    desk.given(f"all of anna up to 2026-03-31 {JUNE}")
    assert ends(desk) == [(10, "2026-02-28"), (20, "2026-06-30")]
    desk.given("what is due for anna by 2026-03-01 is posted")
    assert desk.when(f"lots anna:1 of anna {JUNE}").refused("LOT_NOT_FOUND", lot="anna:1")


def test_a_request_dated_before_the_expiry_is_in_time(desk: Desk) -> None:
    """Edge case 9."""
    desk.given("anna earns 10 expiring 2026-02-28", "time passes to 2026-03-05")
    assert desk.when(f"lots anna:1 of anna {JUNE} on 2026-02-28").open("anna") == 10


def test_nothing_is_shortened(desk: Desk) -> None:
    """Edge case 19."""
    desk.given("anna earns 10 expiring 2026-06-30", "anna earns 10 never expiring")
    until = desk.lines.end_of("2026-06-30")
    assert desk.when(f"lots anna:1 of anna {JUNE}").refused("EXPIRY_NOT_LATER", lot="anna:1", expires_at=until)
    assert desk.when(f"lots anna:2 of anna {JUNE}").refused("EXPIRY_NOT_LATER", lot="anna:2", expires_at=NEVER)


@pytest.mark.parametrize("lot", ["anna:9", "bo:1", "anna:0", "anna:01", "anna", "anna:x", "anna:1:1"])
def test_a_lot_that_is_not_there_is_refused_and_with_it_the_others(desk: Desk, lot: str) -> None:
    desk.given("anna earns 10 expiring 2026-03-30", "bo earns 10 expiring 2026-03-30")
    assert desk.when(f"lots anna:1 {lot} of anna {JUNE}").refused("LOT_NOT_FOUND", member="anna", lot=lot)
    assert ends(desk) == [(10, "2026-03-30")]


def test_where_nothing_ends_by_then_nothing_happens(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-05-31")
    assert desk.when(f"all of anna up to 2026-03-31 {JUNE}").story == []


def test_points_may_live_for_ever(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-03-31", "lots anna:1 of anna live for ever for goodwill")
    assert ends(desk) == [(10, "never")]


def test_held_parts_of_a_lot_live_longer_with_it(desk: Desk) -> None:
    """Edge cases 3 and 19: a hold gives back what it took, and that lives on."""
    desk.opens(hold_seconds=200 * 86_400)
    desk.given("anna earns 50 expiring 2026-03-31", "anna earns 50 expiring 2026-04-30", "anna holds 80 as h1")
    (extended,) = desk.when(f"all of anna up to 2026-04-30 {JUNE}").events(ExpiryExtended)
    assert [(row.lot, row.points, row.held) for row in extended.lots] == [("anna:1", 0, 50), ("anna:2", 20, 30)]
    desk.given("time passes to 2026-05-15", "anna releases h1")
    assert ends(desk) == [(50, "2026-06-30"), (50, "2026-06-30")]


def test_of_what_is_held_only_the_lot_that_is_named_lives_longer(desk: Desk) -> None:
    """Edge case 3: a hold of several lots, beside one that has nothing of the lot."""
    desk.given("anna earns 30 expiring 2026-02-28", "anna earns 40 expiring 2026-03-31")
    desk.given("anna earns 50 expiring 2026-04-30", "anna earns 7 stars expiring 2026-03-31")
    desk.given("anna holds 7 stars as h0", "anna holds 30 as h1", "anna holds 60 as h2")
    desk.given("lots anna:2 of anna live until 2026-12-31 for goodwill")
    then = desk.given("anna releases h0", "anna releases h1", "anna releases h2")
    assert then.lots("anna") == [(30, "2026-02-28"), (50, "2026-04-30"), (40, "2026-12-31")]
    assert then.lots("anna", "stars") == [(7, "2026-03-31")]


def test_a_lot_in_two_holds_lives_longer_in_both(desk: Desk) -> None:
    desk.opens(hold_seconds=200 * 86_400)
    desk.given("anna earns 50 expiring 2026-03-31", "anna holds 20 as h1", "anna holds 30 as h2")
    (extended,) = desk.when(f"lots anna:1 of anna {JUNE}").events(ExpiryExtended)
    assert [(row.points, row.held) for row in extended.lots] == [(0, 50)]
    desk.given("time passes to 2026-05-15", "anna releases h1")
    assert desk.when("anna releases h2").open("anna") == 50


def test_first_expiring_first_by_the_new_days(desk: Desk) -> None:
    """Edge case 15."""
    desk.given("anna earns 10 expiring 2026-03-31", "anna earns 20 expiring 2026-05-31")
    desk.given(f"lots anna:1 of anna {JUNE}", "anna gives 25 to bo")
    assert (ends(desk), ends(desk, "bo")) == ([(5, "2026-06-30")], [(20, "2026-05-31"), (5, "2026-06-30")])


def test_a_sweep_posts_the_new_day_and_no_other(desk: Desk) -> None:
    """Edge case 14."""
    desk.given("anna earns 10 expiring 2026-03-31", f"lots anna:1 of anna {JUNE}", "time passes to 2026-07-02")
    (expired,) = desk.when("what is due for anna by 2026-07-02 is posted").events(PointsExpired)
    assert expired.effective_at == desk.lines.end_of("2026-06-30")


def test_a_period_of_activity_is_extended_as_a_whole(desk: Desk) -> None:
    """Edge case 19: and then goes on as ever, never shorter."""
    desk.opens(expiry=Inactivity(2, (Activity.PURCHASE,)), earning_rate="0")
    desk.given("anna earns 10", "anna earns 20", "anna earns 5 expiring 2026-02-15")
    (extended,) = desk.when(f"all of anna up to 2026-03-31 {JUNE}").events(ExpiryExtended)
    assert [(row.lots, row.points) for row in extended.periods] == [(2, 30)]
    assert [(row.lot, row.points) for row in extended.lots] == [("anna:3", 5)]
    desk.given("time passes to 2026-02-01", "anna buys tea 9.99 as o1", "anna earns 40")
    assert {day for _, day in ends(desk)} == {"2026-06-30"}
    desk.given("time passes to 2026-06-01", "anna buys tea 9.99 as o2")
    assert ends(desk) == [(5, "2026-06-30"), (10, "2026-08-01"), (20, "2026-08-01"), (40, "2026-08-01")]


def test_a_named_lot_of_a_period_gets_its_own_which_goes_on_with_activities(desk: Desk) -> None:
    """Edge case 19: who was given more time is never worse off for it."""
    desk.opens(expiry=Inactivity(2, (Activity.PURCHASE,)), earning_rate="0", hold_seconds=99 * 86_400)
    desk.given("anna earns 10", "anna earns 20", "anna holds 5 as h1", f"lots anna:1 of anna {JUNE}", "anna earns 40")
    assert ends(desk) == [(20, "2026-03-01"), (40, "2026-03-01"), (5, "2026-06-30")]
    desk.given("anna releases h1", "time passes to 2026-02-15", "anna buys tea 9.99 as o1")
    assert ends(desk) == [(20, "2026-04-15"), (40, "2026-04-15"), (10, "2026-06-30")]
    desk.given("time passes to 2026-04-15", "anna buys tea 9.99 as o2", "time passes to 2026-06-15")
    desk.given("anna buys tea 9.99 as o3")
    assert {day for _, day in ends(desk)} == {"2026-08-15"}


def test_more_lots_than_one_event_names_are_named_by_several(desk: Desk) -> None:
    """Edge case 21."""
    desk.opens()
    grants = [desk.lines.read(f"anna earns 1 expiring 2026-03-{10 + number % 3}")[0] for number in range(2_100)]
    assert desk.send(*grants).accepted
    then = desk.when(f"all of anna up to 2026-03-31 {JUNE}")
    assert [len(event.lots) for event in then.events(ExpiryExtended)] == [1_000, 1_000, 100]
    assert len(ends(desk)) == 2_100


def test_longer_lives_are_known_again_after_a_restart(desk: Desk) -> None:
    desk.opens(expiry=Inactivity(2, (Activity.PURCHASE,)), earning_rate="0")
    desk.given("anna earns 10", "anna earns 20", "anna earns 5 expiring 2026-02-15", "anna holds 8 as h1")
    desk.given(f"lots anna:1 anna:3 of anna {JUNE}")
    desk.running.restart()
    desk.given("anna releases h1", "time passes to 2026-03-01", "anna buys tea 9.99 as o1")
    assert ends(desk) == [(20, "2026-05-01"), (10, "2026-06-30"), (5, "2026-06-30")]


def test_a_request_that_makes_no_sense_names_its_field(desk: Desk) -> None:
    desk.given("anna earns 10 expiring 2026-03-31")
    later = desk.now + 1
    for command, field in (
        (ExtendExpiry("anna", desk.now, "goodwill", ("anna:1",)), "expires_at"),
        (ExtendExpiry("anna", later, "", ("anna:1",)), "reason"),
        (ExtendExpiry("anna", later, "goodwill"), "lots"),
        (ExtendExpiry("anna", later, "goodwill", ("anna:1",), until=desk.now), "lots"),
        (ExtendExpiry("anna", later, "goodwill", ("anna:1", "anna:1")), "lots"),
        (ExtendExpiry("anna", later, "goodwill", until=later), "expires_at"),
        (ExtendExpiry("anna", later, "goodwill", until=desk.now, unit="miles"), "unit"),
        (ExtendExpiry("anna", later, "goodwill", ("anna:1",), unit="points"), "unit"),
    ):
        assert desk.send(command).invalid(field)
    assert desk.when(f"all of nemo up to 2026-03-31 {JUNE}").refused("MEMBER_NOT_FOUND", member="nemo")
