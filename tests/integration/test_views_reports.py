"""The views across a programme on a real PostgreSQL: random histories against plain sums over the log, and by page."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import date
from itertools import accumulate
from random import Random
from typing import Any

import psycopg
import pytest

from ledger.calendar import NEVER, Calendar
from ledger.commands import RecordPurchase, RefundPurchase
from ledger.errors import InvalidCommand
from ledger.events import Line
from ledger.records import Record
from ledger.settings import ClockKind
from projections.queries import NotFound, Page
from projections.reports import Dimension, TotalsRow
from tests.conftest import Database
from tests.integration.views_world import World, caught_up, projecting, running_world
from tests.oracle.facts import Programme
from tests.oracle.model import Oracle
from tests.property.histories import long_history
from tests.unit.ledger.desk import PROGRAMME

FIRST, LAST = date(2025, 1, 1), date(2030, 12, 31)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world, projecting(database):
        yield world


async def whole(question: Callable[..., Any], *asked: object, size: int = 3, **about: object) -> list[Any]:
    """All rows of a question, page by page."""
    rows: list[Any] = []
    token = ""
    while True:
        page: Page[Any] = await question(*asked, page_size=size, page_token=token, **about)
        assert len(page.rows) <= size
        rows += page.rows
        token = page.next_page_token
        if not token:
            return rows


def sql(world: World, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(world.database.app_dsn) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


# -- after random histories


@pytest.mark.parametrize("seed", [11, pytest.param(12, marks=pytest.mark.long)])
async def test_reports_agree_with_plain_sums_over_the_log(world: World, seed: int) -> None:
    """A04, X04, R17: by a reckoning over the stored JSON that shares nothing with the folds."""
    random, oracle, steps = Random(seed), Oracle(), long_history(seed, 600, ("zoo", "bar"))
    while steps:
        batch, steps = steps[: (size := random.randrange(1, 60))], steps[size:]
        world.clock.instant = batch[-1].wall
        await world.execute([step.request for step in batch])
    records = await world.records()
    oracle.fold(records)
    oracle.finish()
    await caught_up(world)
    for programme in oracle.programmes.values():
        own = [record for record in records if record.programme == programme.name]
        await check_totals(world, programme, own)
        await check_expiring(world, programme)
        await check_holds(world, programme)
        await check_locks(world, programme)
        check_purchases(world, programme, own)


def moved(event: dict[str, Any], topic: str) -> tuple[str, int] | None:
    """What an event does to a programme's points, by the name of the column."""
    parts = sum(part["points"] for part in event.get("parts", ()))
    lots = sum(lot["points"] for lot in event.get("lots", ())) if "lots" in event else 0
    match topic:
        case "points.earned.v1":
            return "issued", event["points"]
        case "points.redeemed.v1":
            return "redeemed", parts
        case "points.expired.v1":
            return "expired", parts
        case "points.clawed_back.v1":
            return "clawed_back", lots + event.get("debt", 0)
        case "points.forfeited.v1":
            return "forfeited", lots
        case "points.reinstated.v1":
            return "reinstated", lots + event.get("debt", 0)
    return None


SIGNS = {"issued": 1, "redeemed": -1, "expired": -1, "clawed_back": -1, "forfeited": -1, "reinstated": 1}


def summed(records: Iterable[Record]) -> dict[tuple[str, str, str], Counter[str]]:
    """By day, unit and channel."""
    sums: dict[tuple[str, str, str], Counter[str]] = {}
    for record in records:
        event = json.loads(record.event)
        found = moved(event, record.topic)
        if found is not None:
            key = (record.business_date.isoformat(), event["unit"], record.channel)
            sums.setdefault(key, Counter())[found[0]] += found[1]
    return sums


async def check_totals(world: World, programme: Programme, records: list[Record]) -> None:
    by_channel = await whole(
        world.queries.totals, programme.name, first=FIRST, last=LAST, by=[Dimension.CHANNEL], size=50
    )
    told = {
        (row.business_date, row.unit, row.channel): {name: getattr(row, name) for name in SIGNS}
        for row in by_channel
        if any(getattr(row, name) for name in SIGNS)
    }
    expected = summed(records)
    assert told == {key: {name: sums[name] for name in SIGNS} for key, sums in expected.items() if any(sums.values())}
    for unit in (unit.name for unit in programme.settings.units):
        rows = [
            row
            for row in await whole(world.queries.totals, programme.name, first=FIRST, last=LAST, size=7)
            if row.unit == unit
        ]
        nets = [sum(sign * getattr(row, name) for name, sign in SIGNS.items()) for row in rows]
        assert [row.outstanding for row in rows] == list(accumulate(nets))
        debts = sum(member.accounts[unit].debt for member in programme.members.values() if unit in member.accounts)
        if rows:
            assert rows[-1].outstanding == programme.points(unit) - debts
        assert sum(row.available for row in rows) == became_available(records, unit)
        in_sql = sql(
            world,
            "SELECT business_date::text, issued, available, redeemed, expired, clawed_back, forfeited, reinstated,"
            " outstanding FROM projections.totals_by_day WHERE programme = %s AND unit = %s ORDER BY 1",
            programme.name,
            unit,
        )
        assert in_sql == [
            (
                row.business_date, row.issued, row.available, row.redeemed, row.expired, row.clawed_back,
                row.forfeited, row.reinstated, row.outstanding,
            )
            for row in rows
        ]  # fmt: skip


def became_available(records: list[Record], unit: str) -> int:
    """Points whose day is known: granted for one, or activated; an activation moves what is left of a lot."""
    found = 0
    for record in records:
        event = json.loads(record.event)
        if event.get("unit") != unit:
            continue
        if record.topic == "points.earned.v1" and event.get("available_at") != NEVER:
            found += event["points"]
        elif record.topic == "points.activated.v1":
            found += sum(lot["points"] for lot in event["lots"] if lot["was"] == NEVER)
    return found


async def check_expiring(world: World, programme: Programme) -> None:
    """By brute force over the lots of the oracle, for all members and for each."""
    # A wall clock shows the real time, which no history knows.
    now, calendar = dict(await world.queries.programmes())[programme.name], Calendar(programme.settings.zone)
    sums: Counter[tuple[int, str, str]] = Counter()
    for member in programme.members.values():
        for lot in member.lots.values():
            if now < lot.expires_at < NEVER and lot.points:
                sums[lot.expires_at, member.id, lot.unit] += lot.points
    expected = [(*key, points) for key, points in sorted(sums.items())]
    told = await whole(world.queries.expiring, programme.name)
    assert [(row.expires_at, row.member, row.unit, row.points) for row in told] == expected
    assert all(calendar.start_of(row.last_day) < row.expires_at <= calendar.end_of(row.last_day) for row in told)
    for name in programme.members:
        own = await whole(world.queries.expiring, programme.name, member=name)
        assert own == [row for row in told if row.member == name]
    if told:
        until = told[len(told) // 2].last_day
        some = await whole(world.queries.expiring, programme.name, first=calendar.business_date(now), last=until)
        assert some == [row for row in told if row.last_day <= until]


async def check_holds(world: World, programme: Programme) -> None:
    open_holds = await whole(world.queries.holds, programme.name)
    assert [row.held_at for row in open_holds] == sorted(row.held_at for row in open_holds)
    assert {(row.member, row.hold, row.unit, row.points - row.captured - row.released) for row in open_holds} == {
        (member.id, hold.id, hold.unit, hold.points)
        for member in programme.members.values()
        for hold in member.holds.values()
    }
    for member in programme.members:
        rows = await whole(world.queries.holds, programme.name, member=member)
        assert [row for row in rows if row.ended_at is None] == [row for row in open_holds if row.member == member]
        assert all(row.points == row.captured + row.released for row in rows if row.ended_at is not None)


async def check_locks(world: World, programme: Programme) -> None:
    rows = await whole(world.queries.locks, programme.name)
    assert [(f"{row.sku}@{row.location}", row.lock, row.quantity, row.locked_at, row.expires_at) for row in rows] == [
        (name, lock, at.quantity, at.locked_at, at.expires_at)
        for name, stock in sorted(programme.stocks.items())
        for lock, at in sorted(stock.locks.items())
    ]


def check_purchases(world: World, programme: Programme, records: list[Record]) -> None:
    """Orders, lines and returns have the same sums as the events."""
    bought = [json.loads(record.event) for record in records if record.topic == "purchase.recorded.v1"]
    returned = [json.loads(record.event) for record in records if record.topic == "purchase.returned.v2"]
    query = "SELECT count(*), coalesce(sum({})::bigint, 0) FROM projections.{} WHERE programme = %s"
    net = sum(sum(event["lines"]["net"]) for event in bought)
    points = sum(event["earning"]["points"] for event in bought if event.get("earning"))
    back = sum(sum(event["lines"]["net"]) for event in returned)
    for column, view, expected in (
        ("net", "purchase_orders", (len(bought), net)),
        ("net", "purchase_lines", (sum(len(event["lines"]["sku"]) for event in bought), net)),
        ("points", "purchase_orders", (len(bought), points)),
        ("points", "purchase_lines", (sum(len(event["lines"]["sku"]) for event in bought), points)),
        ("net", "purchase_returns", (len(returned), back)),
        ("clawed_back", "purchase_returns", (len(returned), sum(event["clawed_back"] for event in returned))),
        ("net", "purchase_returned_lines", (sum(len(event["lines"]["line"]) for event in returned), back)),
    ):
        assert sql(world, query.format(column, view), programme.name) == [expected], (view, column)


# -- the questions


async def test_what_expires_is_asked_by_the_last_day_in_the_programmes_zone(world: World) -> None:
    """X04: whom to remind, and until when the points can be spent; what is held is left out."""
    await world.open(clock=ClockKind.MANUAL)
    await world.given("anna earns 10 expiring 2026-01-31", "bo earns 20 expiring 2026-01-31", "anna earns 5")
    await world.given("anna earns 40 expiring 2026-02-28", "anna holds 4 as h1", "anna earns 7 expiring 2026-01-15")
    await world.given("the clock is set to 2026-01-20")

    async def asked(**about: Any) -> list[tuple[str, int, str]]:
        page = await world.queries.expiring(PROGRAMME, min_position=world.position, **about)
        return [(row.member, row.points, row.last_day.isoformat()) for row in page.rows]

    january = [("anna", 6, "2026-01-31"), ("bo", 20, "2026-01-31")]
    assert await asked() == [*january, ("anna", 40, "2026-02-28")]
    assert await asked(last=date(2026, 1, 31)) == january
    assert await asked(last=date(2026, 1, 30)) == []
    assert await asked(first=date(2026, 2, 1)) == [("anna", 40, "2026-02-28")]
    assert await asked(first=date(2026, 1, 1), last=date(2026, 1, 31), member="bo") == january[1:]


async def test_locks_are_those_behind_a_stock_item(world: World) -> None:
    await world.open()
    await world.given("mug@shop receives 5", "mug@shop locks 2 as k1", "reward mug costs 1 from mug@shop")
    await world.given("anna earns 5", "anna redeems mug as r1", "mug@hall receives 5", "mug@hall locks 1 as k2")
    await caught_up(world)
    rows = await whole(world.queries.locks, PROGRAMME, sku="mug", location="shop", size=1)
    assert [(row.lock, row.quantity, row.redemption) for row in rows] == [("k1", 2, ""), ("redemption:r1", 1, "r1")]
    item = await world.queries.stock_item(PROGRAMME, "mug", "shop")
    assert item.locked == sum(row.quantity for row in rows)
    assert [row.lock for row in await whole(world.queries.locks, PROGRAMME, location="hall")] == ["k2"]


async def test_totals_by_store_know_the_store_of_a_purchase_that_came_long_before(world: World) -> None:
    """A04: batch by batch, since the store stands in the purchase only."""
    await world.open(backdating_seconds=9 * 86_400)
    await world.send(RecordPurchase("anna", "o1", (Line("tea", 2, 1000, 1000),), "hall"))
    await world.send(RecordPurchase("anna", "o2", (Line("tea", 1, 500, 500),)))
    await caught_up(world)
    await world.send(RefundPurchase("r1", "o1"))
    await world.given("bo earns 3 for review 7 on 2025-12-30")
    days = {"first": date(2025, 12, 30), "last": date(2026, 1, 1)}
    await caught_up(world)

    async def told(*by: Dimension) -> list[tuple[Any, ...]]:
        rows: list[TotalsRow] = await whole(world.queries.totals, PROGRAMME, by=by, size=2, **days)
        return [
            (row.business_date, row.store, row.source, row.issued, row.clawed_back, row.outstanding) for row in rows
        ]

    assert await told() == [("2025-12-30", "", "", 3, 0, 3), ("2026-01-01", "", "", 15, 10, 8)]
    assert await told(Dimension.STORE) == [
        ("2025-12-30", "", "", 3, 0, 3),
        ("2026-01-01", "", "", 5, 0, 8),
        ("2026-01-01", "hall", "", 10, 10, 0),
    ]
    assert await told(Dimension.SOURCE, Dimension.STORE) == [
        ("2025-12-30", "", "review", 3, 0, 3),
        ("2026-01-01", "", "order", 5, 0, 5),
        ("2026-01-01", "hall", "order", 10, 10, 0),
    ]


async def test_what_is_outstanding_counts_all_days_before_the_range(world: World) -> None:
    await world.open()
    await world.given("anna earns 10", "anna earns 5 on 2025-12-01")
    page = await world.queries.totals(
        PROGRAMME, first=date(2026, 1, 1), last=date(2026, 1, 1), min_position=world.position
    )
    assert [(row.issued, row.outstanding) for row in page.rows] == [(10, 15)]


async def test_a_report_on_nothing_is_not_found_or_bad_input(world: World) -> None:
    await world.open()
    await caught_up(world)
    queries, day = world.queries, date(2026, 1, 1)
    for question in (
        queries.expiring("nowhere"),
        queries.expiring(PROGRAMME, member="nobody"),
        queries.holds(PROGRAMME, member="nobody"),
        queries.totals("nowhere", first=day, last=day),
    ):
        with pytest.raises(NotFound):
            await question
    for question in (
        queries.totals(PROGRAMME, first=day, last=date(2025, 12, 31)),
        queries.totals(PROGRAMME, first=day, last=date(2096, 1, 1)),
        queries.expiring(PROGRAMME, first=day, last=date(2025, 12, 31)),
    ):
        with pytest.raises(InvalidCommand, match="to_date"):
            await question
    assert (await queries.totals(PROGRAMME, first=day, last=day)).rows == ()
    assert (await queries.expiring(PROGRAMME, member="anna")).rows == ()
    assert (await queries.holds(PROGRAMME, member="anna")).rows == ()
    assert (await queries.locks(PROGRAMME)).rows == ()
