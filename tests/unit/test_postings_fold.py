"""The postings view's fold: from when on each event counts, and that nothing of what it did is missing."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ledger.events import PointsExpired, decode_event
from ledger.settings import Activity, ClockKind, Inactivity
from projections.recorded import Recorded
from projections.views.balance.fold import BALANCE
from projections.views.inventory.fold import INVENTORY
from projections.views.postings.fold import POSTINGS
from tests.unit.ledger.desk import PROGRAMME, Desk

POINTS = (
    "position", "effective_at", "recorded_at", "remaining", "held", "debt", "earned_at", "available_at", "expires_at",
    "period", "lot", "programme", "member", "unit",
)  # fmt: skip
"""The columns of a posting of points."""
Posting = dict[str, Any]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def events(desk: Desk) -> list[Recorded]:
    return [
        Recorded(
            record.position,
            record.programme,
            record.stream.rpartition("/")[2],
            decode_event(record.topic, record.event),
            record.occurred_at,
            record.recorded_at,
            record.business_date,
            record.channel,
        )
        for record in desk.running.memory.records
    ]


def postings(desk: Desk, table: str = "points") -> list[tuple[Any, ...]]:
    return list(POSTINGS.fold({}, POSTINGS.select(events(desk)))[table])


def of_points(desk: Desk) -> list[Posting]:
    return [dict(zip(POINTS, row, strict=True)) for row in postings(desk)]


def test_everything_that_changes_a_balance_or_stock_is_posted() -> None:
    """What the views of the present fold, the postings fold too, or the past would not lead to the present."""
    assert POSTINGS.events == BALANCE.events | INVENTORY.events


def test_a_posting_counts_from_when_its_command_is_dated_and_an_expiry_from_the_end_of_its_lots(desk: Desk) -> None:
    """Edge cases 3, 9 and 14: one rule for all, and what the event says itself."""
    desk.given("anna earns 100 expiring 2026-01-03 on 2025-12-31", "anna holds 60 as h1", "anna gives 5 to bo")
    desk.given("anna is frozen for anomaly", "anna is free again for cleared", "mug@shop receives 9 on 2025-12-30")
    desk.given("time passes to 2026-01-05", "what is due for anna by 2026-01-05 is posted", "anna releases h1")
    told = {recorded.position: recorded for recorded in events(desk)}
    expiries = 0
    for table in ("points", "members", "stock"):
        for position, effective_at, recorded_at, *_ in postings(desk, table):
            event, at = told[position].event, told[position].occurred_at
            expiries += isinstance(event, PointsExpired)
            assert effective_at == (event.effective_at if isinstance(event, PointsExpired) else at)
            assert recorded_at == told[position].recorded_at
    assert expiries == 2, "what was left, and what was held"
    assert {row["effective_at"] for row in of_points(desk) if row["remaining"] in (-35, -60)} >= {
        desk.lines.end_of("2026-01-03")
    }


def test_postings_of_a_lot_sum_to_what_is_left_held_and_owed(desk: Desk) -> None:
    """Edge case 1: a debt is posted beside the lots, and what pays it takes it back."""
    desk.given("anna earns 30", "anna buys tea 50.00 as o1", "anna gives 70 to bo", "all of o1 comes back as f1")
    desk.given("anna earns 55", "anna holds 10 as h1")
    lots, debts = Counter[Any](), Counter[str]()
    for row in of_points(desk):
        lots[row["member"], row["lot"], "left"] += row["remaining"]
        lots[row["member"], row["lot"], "held"] += row["held"]
        debts[row["member"]] += row["debt"]
    assert {key: points for key, points in lots.items() if points} == {
        ("anna", 3, "left"): 5,
        ("anna", 3, "held"): 10,
        ("bo", 1, "left"): 30,
        ("bo", 2, "left"): 40,
    }
    owed = [(row["debt"], row["lot"]) for row in of_points(desk) if row["debt"]]
    assert (owed, debts["anna"]) == ([(40, 0), (-40, 0)], 0)


def test_only_what_changes_a_lots_dates_names_them(desk: Desk) -> None:
    """Edge case 19: null is "as before"; an end comes with the period on which it hangs."""
    desk.opens(expiry=Inactivity(1, (Activity.TRANSFER,)), clock=ClockKind.MANUAL)
    desk.given("anna earns 20 for review 7 waiting", "anna earns 30")
    desk.given("review 7 of anna is activated", "anna holds 10 as h1")
    desk.given("the clock is set to 2026-01-20", "anna gives 5 to bo on 2026-01-20")
    first, later = desk.lines.end_of("2026-02-01"), desk.lines.end_of("2026-02-20")
    rows = [row for row in of_points(desk) if row["member"] == "anna"]
    grants, dated = rows[:2], [row for row in rows[2:] if row["available_at"] or row["expires_at"]]
    assert [(row["lot"], row["earned_at"], row["expires_at"], row["period"]) for row in grants] == [
        (1, desk.lines.moment("2026-01-01"), first, 1),
        (2, desk.lines.moment("2026-01-01"), first, 1),
    ]
    assert [(row["lot"], row["available_at"], row["expires_at"], row["period"]) for row in dated] == [
        (1, desk.lines.moment("2026-01-01"), None, None),
        (0, None, later, 1),
    ]
    assert all(row["earned_at"] is None for row in rows[2:])


def test_stock_is_posted_as_the_inventory_sums_it(desk: Desk) -> None:
    desk.given("mug@shop receives 9 at 1.00", "mug@shop locks 2 as k1", "mug@shop ships k1", "mug@shop counts 6")
    desk.given("mug@shop sends 1 to hall", "mug@shop locks 1 as k2", "mug@shop releases k2", "mug is discontinued")
    sums = [
        sum(column) for column in zip(*(row[3:10] for row in postings(desk, "stock") if row[-1] == "shop"), strict=True)
    ]
    (item,) = [row for row in INVENTORY.fold({}, INVENTORY.select(events(desk)))["moved"] if row[2] == "shop"]
    assert tuple(sums) == item[3:]
    assert [row[3:] for row in postings(desk, "discontinued")] == [(PROGRAMME, "mug", "")]
