"""Folds of the views across a programme: holds, purchases, totals by day. Lines of the desk in, rows out."""

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.commands import Earn, RecordPurchase, RefundPurchase
from ledger.events import Discount, Line, Source, Tender, TenderType
from ledger.quantities import Amount
from projections.views.holds.fold import HOLDS
from projections.views.purchases.fold import PURCHASES
from projections.views.totals.fold import TOTALS
from tests.unit.folding import events, fold
from tests.unit.ledger.desk import PROGRAMME, Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


# -- holds


def test_a_hold_goes_from_held_to_captured(desk: Desk) -> None:
    desk.given("anna earns 100", "anna holds 60 as h1")
    before = len(desk.running.memory.records)
    (held,) = fold(HOLDS, desk)["begun"]
    expires_at = desk.now + 7 * 86_400_000_000
    rest = (PROGRAMME, "anna", "h1", before, "HELD", "points", 60, 0, 0, "", "shop", desk.now, expires_at, None)
    assert held == rest
    desk.given("anna captures 20 of h1")
    changed = fold(HOLDS, desk, before, open=[held])["changed"]
    assert changed == [(PROGRAMME, "anna", "h1", before, "CAPTURED", 20, 40, desk.now)]


def test_a_hold_is_captured_in_parts_as_units_of_its_redemption_are_fulfilled(desk: Desk) -> None:
    """Edge case 25."""
    desk.given(
        "mug@shop receives 5", "reward mug costs 10 from mug@shop", "anna earns 100", "anna redeems mug x3 as r1"
    )
    states = []
    for line in ("1 of r1 are cancelled", "1 of r1 are fulfilled", "1 of r1 are fulfilled"):
        desk.given(line)
        (row,) = fold(HOLDS, desk)["begun"]
        states.append((row[4], row[7], row[8], row[13] is None))
    assert states == [("HELD", 0, 10, True), ("PARTLY_CAPTURED", 10, 10, True), ("CAPTURED", 20, 10, False)]


def test_a_hold_that_nobody_ended_in_time_timed_out(desk: Desk) -> None:
    """Edge case 3."""
    desk.given("anna earns 100", "anna holds 60 as h1 until 2026-01-03", "anna holds 5 as h2", "anna releases h2")
    desk.given("time passes to 2026-01-05", "what is due for anna by 2026-01-05 is posted")
    rows = fold(HOLDS, desk)["begun"]
    assert [(row[2], row[4], row[7], row[8], row[13] is None) for row in rows] == [
        ("h1", "TIMED_OUT", 0, 60, False),
        ("h2", "RELEASED", 0, 5, False),
    ]


def test_the_name_of_a_hold_that_ended_can_be_used_again(desk: Desk) -> None:
    desk.given("anna earns 100", "anna holds 10 as h1", "anna releases h1", "anna holds 20 as h1")
    assert [(row[2], row[4], row[6]) for row in fold(HOLDS, desk)["begun"]] == [
        ("h1", "RELEASED", 10),
        ("h1", "HELD", 20),
    ]


def test_a_redemption_has_its_hold_and_a_hold_that_nobody_began_is_an_error(desk: Desk) -> None:
    desk.given("mug@shop receives 5", "reward mug costs 30 from mug@shop", "anna earns 100", "anna redeems mug as r1")
    before = len(desk.running.memory.records)
    desk.given("r1 is fulfilled")
    (row,) = fold(HOLDS, desk)["begun"]
    assert (row[2], row[4], row[9]) == ("redemption:r1", "CAPTURED", "r1")
    assert HOLDS.keys is not None
    assert HOLDS.keys(HOLDS.select(events(desk, before))) == {"open": {(PROGRAMME, "anna", "redemption:r1")}}
    with pytest.raises(LookupError, match="no hold redemption:r1 of anna is open"):
        fold(HOLDS, desk, before)


# -- purchases


TEA = Line("tea", 2, 1000, 900, 990, (Discount("coupon", 60), Discount("staff", 40)), "1/10", "T1", cost=500, brand="b")
CUP = Line("cup", 1, 300, 300, category="kitchen", campaign="spring")


def test_a_purchase_is_an_order_and_its_lines(desk: Desk) -> None:
    desk.given("anna earns 90")
    paid = (Tender(TenderType.POINTS, 90, Amount("points", 90)), Tender(TenderType.CASH, 1200))
    desk.send(RecordPurchase("anna", "o1", (TEA, CUP), "hall", paid))
    changed = fold(PURCHASES, desk)
    (order,) = changed["orders"]
    assert order[:3] == (PROGRAMME, "shop", "o1")
    assert order[4:13] == ("anna", "hall", "2026-01-01", desk.now, 2, "CNY", 1200, 1290, 90)
    assert order[14:16] == ("points", 12)
    assert order[-1] == "anna:2"
    assert changed["lines"] == [
        (PROGRAMME, "shop", "o1", 0, "tea", 2, 1000, 100, 900, 990, 500, "1/10", "T1", "b", "", "", 9),
        (PROGRAMME, "shop", "o1", 1, "cup", 1, 300, 0, 300, 300, None, "", "", "", "kitchen", "spring", 3),
    ]
    assert changed["returns"] == changed["returned"] == []


def test_a_refund_through_another_channel_belongs_to_its_order(desk: Desk) -> None:
    """Edge case 1: orders of two channels may have the same id."""
    desk.send(RecordPurchase("anna", "o1", (TEA, CUP)))
    desk.send(RecordPurchase("bo", "o1", (CUP,)), channel="app")
    desk.send(RefundPurchase("r1", "o1", "shop", reason="broken"), channel="app")
    changed = fold(PURCHASES, desk)
    assert [row[:3] for row in changed["orders"]] == [(PROGRAMME, "shop", "o1"), (PROGRAMME, "app", "o1")]
    (refund,) = changed["returns"]
    assert refund[:4] == (PROGRAMME, "shop", "o1", "r1")
    assert (refund[5], refund[9], refund[10], refund[12:]) == ("anna", 1200, 1290, (0, 12, 0, "broken"))
    assert [row[3:] for row in changed["returned"]] == [("r1", 0, 2, 900, 990), ("r1", 1, 1, 300, 300)]


def test_a_purchase_that_earns_nothing_is_a_purchase(desk: Desk) -> None:
    desk.opens(earning_rate="0")
    desk.given("anna buys tea 9.99 as o1")
    changed = fold(PURCHASES, desk)
    assert changed["orders"][0][14:] == ("", 0, "", "", 0, "")
    assert changed["lines"][0][-1] == 0


# -- totals


NAMES = ("issued", "available", "redeemed", "expired", "clawed_back", "forfeited", "reinstated")


def days(changed: dict[str, list[Any]]) -> dict[tuple[str, ...], dict[str, int]]:
    """Day, channel, store, source and campaign of all rows, with the sums that are not 0."""
    return {
        (row[1], *row[3:7]): {name: sum_ for name, sum_ in zip(NAMES, row[7:], strict=True) if sum_}
        for row in changed["moved"]
    }


def test_totals_tell_where_points_came_from_and_went_to(desk: Desk) -> None:
    """A04."""
    desk.given("reward spa costs 30", "anna earns 100 for review 7", "anna redeems spa as r1", "anna gives 5 to bo")
    desk.given("anna gets 9 because of goodwill", "anna loses 4 because of error", "anna holds 10 as h1")
    desk.given("anna captures h1", "bo earns 8 expiring 2026-01-03", "time passes to 2026-01-05")
    desk.given("what is due for bo by 2026-01-05 is posted")
    assert days(fold(TOTALS, desk)) == {
        ("2026-01-01", "shop", "", "review", ""): {"issued": 100, "available": 100},
        ("2026-01-01", "shop", "", "redemption", ""): {"redeemed": 30},
        ("2026-01-01", "shop", "", "adjustment", ""): {"issued": 9, "available": 9, "forfeited": 4},
        ("2026-01-01", "shop", "", "order", ""): {"redeemed": 10},
        ("2026-01-01", "shop", "", "visit", ""): {"issued": 8, "available": 8},
        ("2026-01-05", "shop", "", "", ""): {"expired": 8},
    }


def test_a_late_event_counts_on_the_day_on_which_it_happened(desk: Desk) -> None:
    """Edge case 9; a day ends in the programme's zone: 23:30 in Shanghai is still that day."""
    desk.given("time passes to 2026-01-09", "anna earns 10 on 2026-01-02 23:30", "anna earns 5 on 2026-01-03 00:30")
    assert {key[0]: sums["issued"] for key, sums in days(fold(TOTALS, desk)).items()} == {
        "2026-01-02": 10,
        "2026-01-03": 5,
    }


def test_points_become_available_on_their_own_day(desk: Desk) -> None:
    desk.given("anna earns 10 available 2026-02-01", "anna earns 7 for visit 7 waiting")
    desk.given("anna earns 5 for visit 8 waiting available 2026-03-01")
    changed = fold(TOTALS, desk)
    assert days(changed) == {
        ("2026-01-01", "shop", "", "visit", ""): {"issued": 22},
        ("2026-02-01", "shop", "", "visit", ""): {"available": 10},
        ("2026-03-01", "shop", "", "visit", ""): {"available": 5},
    }
    assert [row[1] for row in changed["waits"]] == ["anna:2", "anna:3"]


def test_what_is_activated_is_available_on_that_day_where_it_was_granted(desk: Desk) -> None:
    """An activation may come in a later batch than the grant, and through another channel."""
    desk.given("anna earns 7 for visit 7 waiting", "anna earns 5 for visit 8 waiting available 2026-03-01")
    before = len(desk.running.memory.records)
    known = fold(TOTALS, desk)
    desk.given("time passes to 2026-01-20")
    desk.when("visit 7 of anna is activated", "visit 8 of anna is activated", channel="app")
    assert TOTALS.keys is not None
    asked = TOTALS.keys(TOTALS.select(events(desk, before)))
    assert (set(asked["zones"]), set(asked["waiting"])) == ({(PROGRAMME,)}, {row[:2] for row in known["waits"]})
    changed = fold(TOTALS, desk, before, zones=known["opened"], waiting=known["waits"])
    assert days(changed) == {
        ("2026-01-20", "shop", "", "visit", ""): {"available": 12},
        ("2026-03-01", "shop", "", "visit", ""): {"available": -5},
    }
    with pytest.raises(LookupError, match="never opened"):
        fold(TOTALS, desk, before)


def test_a_refund_counts_in_the_store_of_the_purchase_and_in_its_own_channel(desk: Desk) -> None:
    """Edge cases 1 and 2; what was paid with points goes back."""
    desk.given("anna earns 90")
    paid = (Tender(TenderType.POINTS, 90, Amount("points", 90)), Tender(TenderType.CASH, 1200))
    desk.send(RecordPurchase("anna", "o1", (TEA, CUP), "hall", paid))
    before, known = len(desk.running.memory.records), fold(TOTALS, desk)
    assert days(known)["2026-01-01", "shop", "hall", "order", ""] == {"issued": 12, "available": 12, "redeemed": 90}
    desk.send(RefundPurchase("r1", "o1", "shop"), channel="app")
    assert TOTALS.keys is not None
    asked = TOTALS.keys(TOTALS.select(events(desk, before)))
    assert set(asked["stores"]) == {(PROGRAMME, "shop/o1")}
    changed = fold(TOTALS, desk, before, stores=known["sold"])
    assert days(changed) == {("2026-01-01", "app", "hall", "order", ""): {"clawed_back": 12, "reinstated": 90}}


def test_what_is_owed_counts_as_taken_back(desk: Desk) -> None:
    """Edge case 1: the outstanding points are less than none, and what pays the debt changes nothing."""
    desk.given("anna buys tea 9.00 as o1", "anna gives 9 to bo", "all of o1 comes back as r1", "anna earns 20")
    sums = [sums for key, sums in days(fold(TOTALS, desk)).items() if key[3] == "order"]
    assert sums == [{"issued": 9, "available": 9, "clawed_back": 9}]
    assert desk.oracle.programmes[PROGRAMME].points("points") == 20


def test_a_campaign_is_told_apart(desk: Desk) -> None:
    desk.send(Earn("anna", Amount("points", 5), Source("review", "1"), campaign="spring"))
    assert days(fold(TOTALS, desk)) == {("2026-01-01", "shop", "", "review", "spring"): {"issued": 5, "available": 5}}
