"""Folds of the views: lines of the desk in, rows out. The events come from the real writer."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from ledger.calendar import NEVER
from ledger.settings import Activity, ClockKind, Inactivity
from projections.registry import PROJECTIONS
from projections.views.balance.fold import BALANCE
from projections.views.due.fold import DUE
from projections.views.inventory.fold import INVENTORY
from projections.views.programmes.fold import PROGRAMMES
from projections.views.redemptions.fold import REDEMPTIONS
from projections.views.statement.fold import STATEMENT
from tests.unit.folding import events, fold
from tests.unit.ledger.desk import PROGRAMME, Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def left(changed: dict[str, list[Any]], member: str) -> list[tuple[int, int]]:
    """What is left and held of each new lot of a member."""
    return [(row[5], row[6]) for row in changed["granted"] if row[1] == member]


def buckets(desk: Desk, rows: Iterable[Any]) -> set[tuple[str, str, int, int]]:
    """Member, last day, what is left and what is held, as differences."""
    return {(row[1], desk.lines.last_day(row[3]), row[4], row[5]) for row in rows}


# -- balance


def test_lots_that_expire_together_share_a_bucket(desk: Desk) -> None:
    """Edge case 21."""
    desk.given(*["anna earns 10 expiring 2026-03-31"] * 30, "anna earns 5 expiring 2026-04-30", "bo earns 7")
    changed = fold(BALANCE, desk)
    assert len(changed["granted"]) == 32
    assert buckets(desk, changed["moved"]) == {
        ("anna", "2026-03-31", 300, 0),
        ("anna", "2026-04-30", 5, 0),
        ("bo", "never", 7, 0),
    }
    assert [row[:2] for row in changed["enrolled"]] == [(PROGRAMME, name) for name in ("anna", "bo", "cai")]


def test_a_hold_moves_points_within_their_lots(desk: Desk) -> None:
    desk.given("anna earns 50 expiring 2026-03-31", "anna earns 50 expiring 2026-06-30", "anna holds 70 as h1")
    changed = fold(BALANCE, desk)
    assert left(changed, "anna") == [(0, 50), (30, 20)]
    assert buckets(desk, changed["moved"]) == {("anna", "2026-03-31", 0, 50), ("anna", "2026-06-30", 30, 20)}


def test_a_hold_that_is_paid_with_leaves_nothing_held(desk: Desk) -> None:
    desk.given("anna earns 100", "anna holds 60 as h1", "anna buys tea 0.60 as o1 paying 60 points of h1 worth 0.60")
    assert left(fold(BALANCE, desk), "anna")[0] == (40, 0)


def test_held_points_that_expired_meanwhile_expire_with_their_release(desk: Desk) -> None:
    """Edge case 3."""
    desk.given("anna earns 100 expiring 2026-01-03", "anna holds 60 as h1", "time passes to 2026-01-05")
    desk.given("what is due for anna by 2026-01-05 is posted")
    assert left(fold(BALANCE, desk), "anna") == [(0, 60)]
    desk.given("anna releases h1")
    assert left(fold(BALANCE, desk), "anna") == [(0, 0)]
    assert fold(BALANCE, desk)["moved"] == []


def test_what_came_in_an_earlier_batch_changes_by_differences(desk: Desk) -> None:
    desk.given("anna earns 100 expiring 2026-03-31")
    before = len(desk.running.memory.records)
    desk.given("anna holds 60 as h1", "anna gives 40 to bo")
    changed = fold(BALANCE, desk, before)
    assert changed["drawn"] == [(PROGRAMME, "anna", 1, -100, 60)]
    assert buckets(desk, changed["moved"]) == {("anna", "2026-03-31", -100, 60), ("bo", "2026-03-31", 40, 0)}
    assert [row[1] for row in changed["emptied"]] == ["anna"]


def test_a_transferred_lot_keeps_its_expiry_and_its_root(desk: Desk) -> None:
    """Edge case 4."""
    desk.given("anna earns 100 expiring 2026-03-31", "anna gives 30 to bo")
    (lot,) = [row for row in fold(BALANCE, desk)["granted"] if row[1] == "bo"]
    assert (lot[2], lot[4], lot[15]) == (1, 30, "anna:1")
    assert desk.lines.last_day(lot[9]) == "2026-03-31"


def test_an_activity_changes_one_period_and_two_buckets_however_many_lots_there_are(desk: Desk) -> None:
    """Edge cases 19 and 21."""
    desk.opens(expiry=Inactivity(12, (Activity.PURCHASE,)), earning_rate="0")
    desk.given(*["anna earns 10"] * 30, "anna earns 5 expiring 2026-04-30", "anna holds 15 as h1")
    before = len(desk.running.memory.records)
    desk.given("time passes to 2026-02-10", "anna buys tea 9.99 as o1")
    changed = fold(BALANCE, desk, before)
    assert changed["went_on"] == [(PROGRAMME, "anna", 1, desk.lines.end_of("2027-02-10"))]
    assert buckets(desk, changed["moved"]) == {("anna", "2027-01-01", -290, -10), ("anna", "2027-02-10", 290, 10)}
    assert (changed["drawn"], changed["extended"]) == ([], [])
    due = fold(DUE, desk, before)["moved"]
    assert [(desk.lines.last_day(row[3]), row[4]) for row in due] == [("2027-01-01", -290), ("2027-02-10", 290)]


def test_a_lot_that_lives_longer_by_request_takes_what_is_held_of_it_along(desk: Desk) -> None:
    """Edge case 19."""
    desk.given("anna earns 100 expiring 2026-03-31", "anna holds 30 as h1")
    before = len(desk.running.memory.records)
    desk.given("lots anna:1 of anna live until 2026-06-30 for goodwill")
    changed = fold(BALANCE, desk, before)
    assert changed["extended"] == [(PROGRAMME, "anna", 1, desk.lines.end_of("2026-06-30"), 0)]
    assert buckets(desk, changed["moved"]) == {("anna", "2026-03-31", -70, -30), ("anna", "2026-06-30", 70, 30)}
    desk.given("anna releases h1")
    assert left(fold(BALANCE, desk), "anna") == [(100, 0)]


def test_a_member_is_active_frozen_and_closed(desk: Desk) -> None:
    """Edge case 20: what is quarantined follows from the number of the last lot before."""
    desk.given("anna earns 100", "anna is frozen for fraud", "anna earns 5")
    assert fold(BALANCE, desk)["stood"] == [(PROGRAMME, "anna", "FROZEN", 1)]
    desk.given("anna is free again for mistake")
    assert fold(BALANCE, desk)["stood"] == [(PROGRAMME, "anna", "ACTIVE", None)]
    desk.given("anna leaves for moving")
    changed = fold(BALANCE, desk)
    assert (changed["stood"], changed["moved"]) == ([(PROGRAMME, "anna", "CLOSED", None)], [])


def test_points_that_were_activated_are_available_from_then_on(desk: Desk) -> None:
    desk.given("anna earns 100 for visit 7 waiting")
    assert fold(BALANCE, desk)["granted"][0][8] == NEVER
    before = len(desk.running.memory.records)
    desk.given("visit 7 of anna is activated")
    assert fold(BALANCE, desk, before)["activated"] == [(PROGRAMME, "anna", 1, desk.now)]


# -- statement


def entries(changed: dict[str, list[Any]], member: str) -> list[tuple[Any, ...]]:
    """Kind, points, held, balance and source of each entry of a member."""
    return [(row[3], *row[5:8], f"{row[12]} {row[13]}".strip()) for row in changed["entries"] if row[1] == member]


def test_a_statement_has_a_line_for_each_event_with_the_balance_after_it(desk: Desk) -> None:
    desk.given(
        "mug@shop receives 5",
        "reward mug costs 30 from mug@shop",
        "anna earns 100 for visit 7",
        "anna gives 20 to bo",
        "anna redeems mug as r1",
        "r1 is cancelled",
        "anna holds 10 as h1",
    )
    assert entries(fold(STATEMENT, desk), "anna") == [
        ("points.earned.v1", 100, 0, 100, "visit 7"),
        ("points.transferred_out.v1", -20, 0, 80, "member bo"),
        ("points.held.v1", 0, 30, 80, "redemption r1"),
        ("points.released.v1", 0, -30, 80, "redemption r1"),
        ("points.held.v1", 0, 10, 80, "hold h1"),
    ]
    assert entries(fold(STATEMENT, desk), "bo") == [("points.transferred_in.v1", 20, 0, 20, "member anna")]


def test_a_captured_hold_lowers_the_balance_and_what_is_held(desk: Desk) -> None:
    desk.given("anna earns 100", "anna holds 60 as h1", "anna buys tea 0.60 as o1 paying 60 points of h1 worth 0.60")
    assert entries(fold(STATEMENT, desk), "anna")[-1] == ("points.redeemed.v1", -60, -60, 40, "order shop/o1")


def test_a_statement_says_when_points_live_longer_and_when_they_stop_waiting(desk: Desk) -> None:
    """Edge case 19: neither changes the balance."""
    desk.opens(expiry=Inactivity(12, (Activity.PURCHASE,)), earning_rate="0")
    desk.given("anna earns 100 for visit 7 waiting", "time passes to 2026-01-05", "anna buys tea 9.99 as o1")
    desk.given("visit 7 of anna is activated", "lots anna:1 of anna live until 2027-03-31 for goodwill")
    assert entries(fold(STATEMENT, desk), "anna")[1:] == [
        ("points.expiry_extended.v1", 0, 0, 100, "activity PURCHASE"),
        ("points.activated.v1", 0, 0, 100, ""),
        ("points.expiry_extended.v1", 0, 0, 100, "request goodwill"),
    ]


def test_a_statement_names_reason_and_order(desk: Desk) -> None:
    """E19, R18: why points came or went, and for which order."""
    desk.given("anna buys tea 9.99 as o1", "anna gets 5 because of goodwill", "anna loses 2 because of error")
    desk.given("all of o1 comes back as r1", "anna earns 4 expiring 2026-01-03", "time passes to 2026-01-05")
    desk.given("what is due for anna by 2026-01-05 is posted", "anna holds 1 as h1", "anna captures h1")
    assert [(row[3], *row[16:]) for row in fold(STATEMENT, desk)["entries"]] == [
        ("points.earned.v1", "", "shop/o1"),
        ("points.earned.v1", "goodwill", ""),
        ("points.forfeited.v1", "error", ""),
        ("points.clawed_back.v1", "returned", "shop/o1"),
        ("points.earned.v1", "", ""),
        ("points.expired.v1", "DUE", ""),
        ("points.held.v1", "", ""),
        ("points.redeemed.v1", "", "bill"),
    ]


def test_a_statement_goes_on_from_the_last_balance_of_the_unit(desk: Desk) -> None:
    desk.given("anna earns 100", "anna earns 3 stars")
    before = len(desk.running.memory.records)
    desk.given("anna earns 5", "anna earns 1 stars")
    known = [(PROGRAMME, "anna", "points", 100), (PROGRAMME, "anna", "stars", 3)]
    assert STATEMENT.keys is not None
    assert set(STATEMENT.keys(STATEMENT.select(events(desk, before)))["balances"]) == {row[:3] for row in known}
    changed = fold(STATEMENT, desk, before, balances=known)
    assert [(row[4], row[7]) for row in changed["entries"]] == [("points", 105), ("stars", 4)]


# -- redemptions, inventory, what is due, programmes


def test_a_redemption_goes_from_placed_to_its_end(desk: Desk) -> None:
    desk.given("mug@shop receives 5", "reward mug costs 30 and 1.50 from mug@shop", "anna earns 200")
    desk.given("anna redeems mug x2 as r1 paying cash 3.00", "anna redeems mug as r2 paying cash 1.50")
    desk.given("anna redeems mug as r3 paying cash 1.50", "r1 is fulfilled", "r2 is cancelled")
    rows = {row[1]: row for row in fold(REDEMPTIONS, desk)["placed"]}
    assert [(name, row[5], row[7], row[9], row[12]) for name, row in rows.items()] == [
        ("r1", "FULFILLED", 60, 300, "out-r1"),
        ("r2", "CANCELLED", 30, 150, "out-r2"),
        ("r3", "PLACED", 30, 150, "out-r3"),
    ]
    assert [rows[name][15] for name in ("r1", "r2", "r3")] == [desk.now, desk.now, None]


def test_a_redemption_of_an_earlier_batch_is_carried_on_and_one_nobody_placed_is_an_error(desk: Desk) -> None:
    desk.given("mug@shop receives 5", "reward mug costs 30 from mug@shop", "anna earns 200", "anna redeems mug as r1")
    (known,) = fold(REDEMPTIONS, desk)["placed"]
    before = len(desk.running.memory.records)
    desk.given("time passes to 2026-01-09", "what is due for anna by 2026-01-09 is posted")
    changed = fold(REDEMPTIONS, desk, before, open=[known])
    assert changed["placed"] == []
    timed_out = desk.lines.moment("2026-01-08 12:00")
    assert changed["changed"] == [(PROGRAMME, "r1", "TIMED_OUT", "out-r1", timed_out, 0, 1, 0)]
    with pytest.raises(LookupError, match="r1 was never placed"):
        fold(REDEMPTIONS, desk, before)


def test_a_redemption_in_parts_tells_how_many_units_became_what(desk: Desk) -> None:
    """Edge case 25."""
    desk.given("mug@shop receives 9", "reward mug costs 10 and 1.50 of mug", "goods come from shop", "anna earns 200")
    for name in ("r1", "r2", "r3"):
        desk.given(f"anna redeems mug x3 as {name} to beijing paying cash 4.50")
    desk.given("1 of r1 are fulfilled", "2 of r2 are cancelled", "1 of r2 are fulfilled", "1 of r3 are cancelled")
    rows = fold(REDEMPTIONS, desk)["placed"]
    assert [(row[5], *row[19:22]) for row in rows] == [
        ("PARTLY_FULFILLED", 1, 0, 0),
        ("FULFILLED", 1, 2, 300),
        ("PLACED", 0, 1, 150),
    ]
    assert [row[15] for row in rows] == [None, desk.now, None]
    assert rows[0][17:19] == ("beijing", 1)


def test_stock_is_summed_up_and_only_open_locks_are_left(desk: Desk) -> None:
    desk.given("mug@shop receives 10 at 2.00", "mug@shop locks 3 as a", "mug@shop locks 2 as b", "mug@shop ships a")
    changed = fold(INVENTORY, desk)
    assert changed["moved"] == [(PROGRAMME, "mug", "shop", 7, 2, 3, 10, 1400, 0, 0)]
    assert [row[3:5] for row in changed["locked"]] == [("b", 2)]
    assert changed["unlocked"] == []


def test_a_lock_of_an_earlier_batch_is_taken_out(desk: Desk) -> None:
    desk.given("mug@shop receives 10", "mug@shop locks 3 as a")
    before = len(desk.running.memory.records)
    desk.given("mug@shop releases a", "mug@shop locks 1 as a")
    changed = fold(INVENTORY, desk, before)
    assert changed["moved"] == [(PROGRAMME, "mug", "shop", 0, -2, 0, 0, 0, 0, 0)]
    assert changed["unlocked"] == [(PROGRAMME, "mug", "shop", "a")]
    assert [row[3:5] for row in changed["locked"]] == [("a", 1)]


def test_counts_and_transfers_are_kept_apart_from_what_was_received(desk: Desk) -> None:
    desk.given("mug@shop receives 10 at 2.00", "mug@shop counts 8", "mug@shop sends 3 to depot")
    assert fold(INVENTORY, desk)["moved"] == [
        (PROGRAMME, "mug", "shop", 5, 0, 0, 10, 1000, -2, -3),
        (PROGRAMME, "mug", "depot", 3, 0, 0, 0, 600, 0, 3),
    ]


def test_a_lock_that_ends_in_part_is_lowered(desk: Desk) -> None:
    """Edge case 25: whether it came in the same batch or in an earlier one."""
    desk.given("mug@shop receives 9", "reward mug costs 10 from mug@shop", "anna earns 200")
    before = len(desk.running.memory.records)
    desk.given("anna redeems mug x4 as r1", "1 of r1 are fulfilled")
    assert [row[3:5] for row in fold(INVENTORY, desk, before)["locked"]] == [("redemption:r1", 3)]
    assert fold(DUE, desk, before)["ended"] == []
    before = len(desk.running.memory.records)
    desk.given("1 of r1 are cancelled", "1 of r1 are fulfilled")
    changed = fold(INVENTORY, desk, before)
    assert (changed["lowered"], changed["unlocked"]) == ([(PROGRAMME, "mug", "shop", "redemption:r1", 1)], [])
    assert fold(DUE, desk, before)["ended"] == []
    desk.given("r1 is fulfilled")
    changed = fold(INVENTORY, desk, before)
    assert (changed["lowered"], changed["unlocked"]) == ([], [(PROGRAMME, "mug", "shop", "redemption:r1")])
    assert fold(DUE, desk, before)["ended"] == [(PROGRAMME, "anna", "redemption:r1")]


def test_what_is_discontinued_is_kept_with_its_reason(desk: Desk) -> None:
    """I05: at one location, or with no location wherever it lies."""
    desk.given("mug@shop receives 9", "mug@shop is discontinued", "mug is discontinued")
    rows = fold(INVENTORY, desk)["discontinued"]
    assert [row[1:] for row in rows] == [
        ("mug", "shop", desk.now, "maker stopped"),
        ("mug", "", desk.now, "maker stopped"),
    ]


def test_what_is_due_is_what_is_left_of_lots_that_end_and_holds_and_free_locks(desk: Desk) -> None:
    """Edge cases 3 and 14."""
    desk.given("mug@shop receives 5", "reward mug costs 30 from mug@shop", "mug@shop locks 1 as k1")
    desk.given("anna earns 100 expiring 2026-03-31", "anna earns 40 never expiring", "anna redeems mug as r1")
    desk.given("bo earns 10 expiring 2026-03-31", "bo gives 10 to cai")
    changed = fold(DUE, desk)
    end = desk.lines.end_of("2026-03-31")
    assert changed["moved"] == [(PROGRAMME, "anna", "points", end, 70), (PROGRAMME, "cai", "points", end, 10)]
    assert [row[1:3] for row in changed["held"]] == [("anna", "redemption:r1")]
    assert [row[1:4] for row in changed["locked"]] == [("mug", "shop", "k1")]
    assert NEVER not in {row[3] for row in changed["moved"]}


def test_what_came_to_its_end_is_no_longer_due(desk: Desk) -> None:
    desk.given("anna earns 100 expiring 2026-01-03", "anna holds 60 as h1", "anna releases h1")
    before = len(desk.running.memory.records)
    desk.given("time passes to 2026-01-05", "what is due for anna by 2026-01-05 is posted")
    changed = fold(DUE, desk, before)
    end = desk.lines.end_of("2026-01-03")
    assert changed["moved"] == [(PROGRAMME, "anna", "points", end, -100)]
    assert changed["emptied"] == [(PROGRAMME, "anna", "points", end)]


def test_a_programme_has_all_its_settings_and_its_manual_clock(desk: Desk) -> None:
    """Edge case 12: which settings are in force is for the reader's clock to say."""
    desk.opens(clock=ClockKind.MANUAL)
    opened = desk.now
    desk.given("the clock is set to 2026-02-01", "the clock is set to 2026-03-01")
    desk.changes(earning_rate="1/50", since="2026-04-01")
    changed = fold(PROGRAMMES, desk)
    assert changed["changed"] == [(PROGRAMME, desk.lines.moment("2026-03-01"), opened)]
    first, second = changed["versions"]
    assert (first[1], first[2], '"earning_rate":"1/100"' in first[3]) == (1, opened, True)
    assert (second[1], second[2]) == (2, desk.lines.moment("2026-04-01"))
    assert '"earning_rate":"1/50"' in second[3]


def test_a_fold_yields_what_its_statements_take(desk: Desk) -> None:
    desk.given("mug@shop receives 5", "reward mug costs 30 from mug@shop", "anna earns 200", "anna redeems mug as r1")
    for projection in PROJECTIONS:
        names = {step.name for step in projection.script.steps if step.kind != "load"}
        assert set(fold(projection, desk)) == names
