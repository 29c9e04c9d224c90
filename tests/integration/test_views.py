"""The views on a real PostgreSQL.

After random histories against the oracle, which folds the log by itself; and the questions, one by one, after small
ones.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from random import Random

import msgspec
import pytest

from adapters.postgres.views import PostgresQueries
from ledger.calendar import DAY, NEVER, Instant
from ledger.errors import InvalidCommand
from ledger.events import TOPICS, DebtRepaid, PointsClawedBack, PointsReinstated
from ledger.quantities import Balance
from ledger.receipts import Outcome, Receipt
from ledger.settings import Activity, ClockKind, Inactivity
from ledger.writer import Answer
from projections.queries import DueSubject, EntryRow, NotFound, TooFarBehind
from tests.conftest import Database
from tests.integration.against_oracle import check_balances, check_redemptions, check_stock, debt_of, settled
from tests.integration.views_world import World, caught_up, projecting, running_world
from tests.oracle.facts import Member, Programme
from tests.oracle.model import Oracle
from tests.property.histories import Step, long_history
from tests.unit.ledger.desk import PROGRAMME


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world, projecting(database):
        yield world


OF_DEBTS = {TOPICS[kind] for kind in (PointsClawedBack, PointsReinstated, DebtRepaid)}
"""Entries whose lots may give less or more than what becomes of the balance: the rest is owed, or was."""

# -- random histories


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_views_agree_with_the_log_and_with_receipts(world: World, seed: int) -> None:
    random, oracle = Random(seed), Oracle()
    steps: Sequence[Step] = long_history(seed, 700, ("zoo", "bar"))
    while steps:
        size = random.randrange(1, 60)
        batch, steps = steps[:size], steps[size:]
        world.clock.instant = batch[-1].wall
        answers = await world.execute([step.request for step in batch])
        oracle.fold(await world.records(oracle.position))
        if random.random() < 0.3:
            await check_receipt(world.queries, oracle, batch, answers)
    oracle.finish()
    await caught_up(world)
    for programme in oracle.programmes.values():
        for member in programme.members.values():
            await check_balances(world.queries, oracle, programme, member, days=(0, 1, 3, 50))
            await check_lots(world.queries, oracle, programme, member)
            await check_entries(world, programme, member)
        await check_redemptions(world.queries, programme, programme.redemptions)
        await check_stock(world.queries, programme)
        for days in (-3, 0, 1, 4, 40):
            until = oracle.present(programme.name) + days * DAY
            assert await all_due(world.queries, programme.name, until) == due_in(programme, until)


async def check_receipt(
    queries: PostgresQueries, oracle: Oracle, batch: Sequence[Step], answers: Sequence[Answer]
) -> None:
    """A caller reads his own writes: the last receipt of a batch is what the view says at its position."""
    for step, answer in zip(reversed(batch), reversed(answers), strict=True):
        given = answer.answer if isinstance(answer, Outcome) and not answer.repeated else None
        if isinstance(given, Receipt) and not step.request.validate_only:
            programme = step.request.programme
            for balance in given.balances:
                at = receipt_time(oracle, programme, balance)
                told = await queries.balance(programme, balance.member, as_of=at, min_position=given.position)
                assert balance in told.balances
            return


def receipt_time(oracle: Oracle, programme: str, balance: Balance) -> Instant:
    """What a receipt is as of: the present, or the member's last event, if tills were ahead of the clock."""
    account = oracle.programmes[programme].members[balance.member].accounts[balance.unit]
    return max(oracle.present(programme), account.settled_at)


async def check_lots(queries: PostgresQueries, oracle: Oracle, programme: Programme, member: Member) -> None:
    """Page by page, in the order of spending; lots with points held are there until the hold ends, ended or not."""
    at, token, told = settled(oracle, programme, member), "", []
    while True:
        page = await queries.lots(programme.name, member.id, as_of=at, page_size=3, page_token=token)
        told += [
            (row.lot, row.unit, row.points, row.held, row.available_at, row.expires_at, row.quarantined)
            for row in page.rows
        ]
        token = page.next_page_token
        if not token:
            break
    held = Counter[str]()
    for hold in member.holds.values():
        held.update(dict(hold.parts))
    lots = sorted(member.lots.values(), key=lambda lot: (lot.unit, lot.expires_at, lot.earned_at, lot.number))
    assert told == [
        (lot.id, lot.unit, points, held[lot.id], lot.available_at, lot.expires_at, member.is_quarantined(lot))
        for lot in lots
        if (points := lot.points if lot.expires_at > at else 0) or held[lot.id]
    ]


async def check_entries(world: World, programme: Programme, member: Member) -> None:
    """One entry for each event of points, each with the balance of the one before and its own points."""
    token, newest_first = "", list[EntryRow]()
    while True:
        page = await world.queries.entries(programme.name, member.id, page_size=7, page_token=token)
        newest_first += page.rows
        token = page.next_page_token
        if not token:
            break
    stream = f"{programme.name}/member/{member.id}"
    records = [r for r in await world.records() if r.stream == stream and r.topic.startswith(("points.", "debt."))]
    assert [entry.position for entry in reversed(newest_first)] == [record.position for record in records]
    balances, held = Counter[str](), Counter[str]()
    for entry, record in zip(reversed(newest_first), records, strict=True):
        balances[entry.unit] += entry.points
        held[entry.unit] += entry.held
        assert (entry.balance, entry.kind) == (balances[entry.unit], record.topic)
        assert (entry.occurred_at, entry.recorded_at) == (record.occurred_at, record.recorded_at)
        assert (entry.business_date, entry.channel) == (record.business_date.isoformat(), record.channel)
        if entry.kind not in OF_DEBTS and (entry.points or entry.held):
            assert sum(points for _, points in entry.lots) in (abs(entry.points), abs(entry.held))
    for unit in programme.settings.units:
        owned = member.left(unit.name) + member.held(unit.name) - debt_of(member, unit.name)
        assert balances[unit.name] == owned
        assert held[unit.name] == member.held(unit.name)


def due_in(programme: Programme, until: Instant) -> set[DueSubject]:
    """By brute force: who has a lot, a hold or a free lock that ended by an instant."""
    found = set()
    for member in programme.members.values():
        lots = [lot.expires_at for lot in member.lots.values() if lot.points and lot.expires_at != NEVER]
        if any(end <= until for end in [*lots, *(hold.expires_at for hold in member.holds.values())]):
            found.add(DueSubject(member.id, "", ""))
    for item, stock in programme.stocks.items():
        if any(lock.expires_at <= until and not lock.redemption for lock in stock.locks.values()):
            found.add(DueSubject("", *item.split("@")))
    return found


async def all_due(queries: PostgresQueries, programme: str, until: Instant) -> set[DueSubject]:
    rows = await queries.due(programme, until, 1_000)
    assert len(rows) == len(set(rows))
    return set(rows)


# -- the questions


async def test_a_balance_goes_by_the_clock_and_not_by_what_was_posted(world: World) -> None:
    """Edge case 14: what has expired and is not posted yet counts in neither open nor pending."""
    await world.open(clock=ClockKind.MANUAL)
    await world.given("anna earns 10 expiring 2026-01-31", "anna earns 20", "anna earns 5 available 2026-02-10")
    await world.given("the clock is set to 2026-02-02")
    answer = await world.queries.balance(PROGRAMME, "anna", min_position=world.position)
    assert answer.balances == (Balance("anna", "points", 20, 5), Balance("anna", "stars", 0))
    assert (answer.as_of, answer.position) == (world.lines.moment("2026-02-02"), world.position)
    later = await world.queries.balance(PROGRAMME, "anna", as_of=world.lines.moment("2026-02-10 00:00"))
    assert later.balances[0] == Balance("anna", "points", 25)


async def test_a_balance_says_how_the_member_stands(world: World) -> None:
    """Edge case 20: what is earned while a member is frozen is neither open nor pending."""
    await world.open(clock=ClockKind.MANUAL)
    told = []
    for lines in (
        ("anna earns 20",),
        ("anna is frozen for anomaly", "anna earns 7", "anna earns 5 available 2026-02-01"),
        ("anna is free again for cleared",),
        ("anna leaves for moving",),
    ):
        await world.given(*lines)
        answer = await world.queries.balance(PROGRAMME, "anna", min_position=world.position)
        told.append((answer.status, answer.balances[0]))
    assert told == [
        ("ACTIVE", Balance("anna", "points", 20)),
        ("FROZEN", Balance("anna", "points", 20, quarantined=12)),
        ("ACTIVE", Balance("anna", "points", 27, 5)),
        ("CLOSED", Balance("anna", "points", 0)),
    ]


async def test_what_lives_on_is_due_later(world: World) -> None:
    """Edge cases 14 and 19: an activity moves the expiry of all lots of its period, in every view."""
    await world.open(clock=ClockKind.MANUAL, expiry=Inactivity(1, (Activity.TRANSFER,)))
    await world.given(
        "anna earns 20", "anna earns 30", "the clock is set to 2026-01-20", "anna gives 5 to bo on 2026-01-20"
    )
    ends = world.lines.moment("2026-02-21 00:00")
    lots = await world.queries.lots(PROGRAMME, "anna", min_position=world.position)
    assert [(row.points, row.expires_at) for row in lots.rows] == [(15, ends), (30, ends)]
    anna = DueSubject("anna", "", "")
    assert anna not in await world.queries.due(PROGRAMME, ends - 1, 10)
    assert anna in await world.queries.due(PROGRAMME, ends, 10)
    assert (await world.queries.balance(PROGRAMME, "anna", as_of=ends - 1)).balances[0].open == 45
    assert (await world.queries.balance(PROGRAMME, "anna", as_of=ends)).balances[0].open == 0


async def test_a_balance_of_the_past_has_only_what_was_earned_by_then(world: World) -> None:
    await world.open(clock=ClockKind.MANUAL)
    await world.given("anna earns 10", "the clock is set to 2026-02-01", "anna earns 20 on 2026-02-01")
    past = await world.queries.balance(
        PROGRAMME, "anna", as_of=world.lines.moment("2026-01-15"), min_position=world.position
    )
    assert past.balances[0] == Balance("anna", "points", 10)


async def test_a_wall_clock_is_the_present(world: World) -> None:
    await world.open()
    before = time.time_ns() // 1_000
    answer = await world.queries.balance(PROGRAMME, "anna", min_position=world.position)
    ((name, now),) = await world.queries.programmes()
    assert before <= answer.as_of <= now <= time.time_ns() // 1_000
    assert name == PROGRAMME


async def test_a_question_waits_for_its_position_but_not_for_ever(database: Database) -> None:
    """Edge case 30."""
    async with running_world(database) as world, PostgresQueries(database.app_dsn, wait_seconds=0.05) as hasty:
        await world.open()
        with pytest.raises(TooFarBehind):
            await hasty.balance(PROGRAMME, "anna", min_position=1)
        waiting = [
            asyncio.create_task(world.queries.balance(PROGRAMME, "anna", min_position=world.position))
            for _ in range(50)
        ]
        async with projecting(database):
            answers = await asyncio.gather(*waiting)
            assert {answer.position for answer in answers} == {world.position}
            with pytest.raises(TooFarBehind):
                await hasty.entries(PROGRAMME, "anna", min_position=world.position + 1)


async def test_what_is_not_there_is_not_found(world: World) -> None:
    await world.open()
    await caught_up(world)
    queries = world.queries
    for question in (
        queries.balance("nowhere", "anna"),
        queries.balance(PROGRAMME, "nobody"),
        queries.balance("", "anna"),
        queries.lots(PROGRAMME, "nobody"),
        queries.entries(PROGRAMME, "nobody"),
        queries.redemption(PROGRAMME, "nothing"),
        queries.redemptions(PROGRAMME, "nobody"),
        queries.stock_item(PROGRAMME, "mug", "shop"),
    ):
        with pytest.raises(NotFound):
            await question
    assert (await queries.inventory(PROGRAMME)).rows == ()
    assert (await queries.entries(PROGRAMME, "anna")).rows == ()


@pytest.mark.parametrize("token", ["x", "!!!", "WyJhIl0", "bnVsbA"])
async def test_a_page_token_that_was_never_given_is_bad_input(world: World, token: str) -> None:
    with pytest.raises(InvalidCommand, match="page_token"):
        await world.queries.entries(PROGRAMME, "anna", page_token=token)


async def test_a_members_redemptions_are_listed_newest_first_with_what_became_of_them(world: World) -> None:
    """R17, R18: every redemption, when it was placed and when it was closed, page by page."""
    await world.open(backdating_seconds=9 * 86_400)
    await world.given("mug@shop receives 9", "reward mug costs 10 and 1.00 from mug@shop since 2025-12-01")
    await world.given("anna earns 500", "bo earns 9")
    for name, day in (("r1", "2025-12-30"), ("r2", "2025-12-31"), ("r3", "2025-12-31")):
        await world.given(f"anna earns 20 on {day}", f"anna redeems mug x2 as {name} paying cash 2.00 on {day}")
    await world.given("1 of r1 are fulfilled on 2025-12-31", "1 of r3 are cancelled", "1 of r3 are fulfilled")
    await caught_up(world)
    told, token = [], ""
    while True:
        page = await world.queries.redemptions(PROGRAMME, "anna", page_size=1, page_token=token)
        told += [(row.redemption, row.state, row.fulfilled, row.cash_returned, row.closed_at) for row in page.rows]
        token = page.next_page_token
        if not token:
            break
    assert told == [
        ("r3", "FULFILLED", 1, 100, world.now),
        ("r2", "PLACED", 0, 0, None),
        ("r1", "PARTLY_FULFILLED", 1, 0, None),
    ]
    assert page.position == world.position
    assert (await world.queries.redemptions(PROGRAMME, "bo")).rows == ()


async def test_the_stock_of_one_sku_is_listed_by_location(world: World) -> None:
    await world.open()
    await world.given("mug@south receives 1 at 2.00", "mug@north receives 2", "cup@north receives 3")
    await caught_up(world)
    first = await world.queries.inventory(PROGRAMME, sku="mug", page_size=1)
    rest = await world.queries.inventory(PROGRAMME, sku="mug", page_size=1, page_token=first.next_page_token)
    assert [(row.location, row.on_hand, row.value) for row in (*first.rows, *rest.rows)] == [
        ("north", 2, 0),
        ("south", 1, 200),
    ]
    assert (rest.next_page_token, rest.position) == ("", world.position)


async def test_a_stock_item_tells_what_was_counted_moved_missed_and_discontinued(world: World) -> None:
    await world.open()
    await world.given("mug@shop receives 9 at 1.00", "mug@shop sends 3 to hall", "mug@shop locks 4 as k1")
    await world.given("mug@shop counts 3", "mug@hall is discontinued", "cup@hall receives 1", "cup is discontinued")
    await caught_up(world)
    rows = (await world.queries.inventory(PROGRAMME)).rows
    assert [msgspec.structs.astuple(row) for row in rows] == [
        ("cup", "hall", 1, 0, 1, 0, 1, 0, 0, 0, 0, True),
        ("mug", "hall", 3, 0, 3, 0, 0, 300, 0, 3, 0, True),
        ("mug", "shop", 3, 4, 0, 0, 9, 300, -3, -3, 1, False),
    ]


async def test_what_is_due_comes_first_due_first_and_only_so_many(world: World) -> None:
    await world.open()
    await world.given(
        "mug@shop receives 5", "mug@shop locks 1 as k until 2026-01-02", "anna earns 10 expiring 2026-01-05"
    )
    await world.given(
        "bo earns 10 expiring 2026-01-03", "bo earns 10 expiring 2026-01-04", "cai earns 10 expiring 2026-01-04"
    )
    await world.queries.wait(world.position)
    until = world.lines.moment("2026-01-05")
    mug, bo, cai = DueSubject("", "mug", "shop"), DueSubject("bo", "", ""), DueSubject("cai", "", "")
    assert await world.queries.due(PROGRAMME, until, 10) == [mug, bo, cai]
    assert await world.queries.due(PROGRAMME, until, 2) == [mug, bo]
    assert await world.queries.due(PROGRAMME, until - 4 * DAY, 10) == []


async def test_a_member_with_many_lots_has_few_buckets(world: World) -> None:
    """Edge case 21."""
    await world.open()
    await world.given(*["anna earns 1 expiring 2026-03-31"] * 300, "anna gives 40 to bo")
    await caught_up(world)
    rows = await world.queries._pool.fetch("SELECT member, remaining FROM projections.balance_b1_buckets ORDER BY 1")
    assert rows == [("anna", 260), ("bo", 40)]
    found = await world.queries.lots(PROGRAMME, "anna", as_of=world.now, page_size=1)
    assert found.rows[0].lot == "anna:41"
