"""The past, as it was shown and as it should have been: stories, and random histories against a brute-force replay."""

import time
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import NamedTuple

import pytest

from adapters.postgres.views import PostgresQueries
from ledger.calendar import DAY, MINUTE, Instant
from ledger.events import StockDiscontinued, decode_event
from ledger.ids import member_stream, sku_stream, stock_stream
from projections.queries import BalanceAnswer, LotRow, NotFound
from tests.conftest import Database
from tests.integration.views_world import World, caught_up, projecting, running_world
from tests.oracle.facts import Member, Programme
from tests.oracle.model import Oracle
from tests.oracle.past import Told, happened_at, member_then, seen, stock_then
from tests.property.histories import long_history

PAIRS = 20
"""Of times asked for, for each member."""
Times = tuple[Instant, Instant]
"""As of, and known at."""


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world, projecting(database):
        yield world


# -- random histories


class Shown(NamedTuple):
    """What was shown of a member at a moment, by the oracle that had folded the log so far."""

    programme: str
    member: str
    times: Times
    status: str
    balances: dict[str, tuple[int, int, int, int, int]]


async def play(world: World, seed: int, length: int) -> tuple[Oracle, list[Shown]]:
    """Send a history in batches, each recorded at a time of its own; remember what was shown now and then."""
    random, oracle, shown = Random(seed), Oracle(), list[Shown]()
    steps = long_history(seed, length, ("zoo", "bar"))
    while steps:
        size = random.randrange(1, 60)
        batch, steps = steps[:size], steps[size:]
        world.clock.instant = max(world.clock.instant + 1, batch[-1].wall)
        await world.execute([step.request for step in batch])
        oracle.fold(await world.records(oracle.position))
        for programme in oracle.programmes.values():
            shown += [show(oracle, programme, member) for member in programme.members.values()]
    oracle.finish()
    await caught_up(world)
    return oracle, shown


def show(oracle: Oracle, programme: Programme, member: Member) -> Shown:
    """As of a time that nothing recorded is dated beyond, as known at the last recording."""
    at = oracle.present(programme.name) + 5 * MINUTE
    balances = {
        unit: (
            member.open(unit, at),
            member.pending(unit, at),
            member.held(unit),
            member.quarantined(unit, at),
            member.accounts[unit].debt,
        )
        for unit in member.accounts
    }
    status = "CLOSED" if member.closed else "FROZEN" if member.frozen else "ACTIVE"
    times = (at, oracle.envelopes.recorded_at)
    return Shown(programme.name, member.id, times, status, {u: sums for u, sums in balances.items() if any(sums)})


def sums_of(answer: BalanceAnswer) -> dict[str, tuple[int, int, int, int, int]]:
    """By unit, where there is anything."""
    rows = {row.unit: (row.open, row.pending, row.held, row.quarantined, row.debt) for row in answer.balances}
    return {unit: sums for unit, sums in rows.items() if any(sums)}


@pytest.mark.parametrize(
    "seed", [11, pytest.param(12, marks=pytest.mark.long), pytest.param(13, marks=pytest.mark.long)]
)
async def test_what_was_shown_can_be_shown_again(world: World, seed: int) -> None:
    """Whatever was recorded later changes nothing of it; and the past up to now is the present."""
    oracle, shown = await play(world, seed, 600)
    for then in Random(seed).sample(shown, 150):
        as_of, known_at = then.times
        answer = await world.queries.balance(then.programme, then.member, as_of=as_of, known_at=known_at)
        assert (answer.status, sums_of(answer)) == (then.status, then.balances), then
    for programme in oracle.programmes.values():
        for member in programme.members:
            after = time.time_ns() // 1_000 + 400 * DAY
            present = await world.queries.balance(programme.name, member, as_of=after)
            past = await world.queries.balance(programme.name, member, as_of=after, known_at=after)
            assert (present.balances, present.status) == (past.balances, past.status)


@pytest.mark.parametrize(
    "seed", [14, pytest.param(15, marks=pytest.mark.long), pytest.param(16, marks=pytest.mark.long)]
)
async def test_the_past_is_what_a_replay_of_the_log_says(world: World, seed: int) -> None:
    """Edge case 9: for any time of business and any time of recording, whatever came late or was reversed."""
    oracle, _ = await play(world, seed, 600)
    streams: dict[str, list[Told]] = {}
    for record in await world.records():
        streams.setdefault(record.stream, []).append((record, decode_event(record.topic, record.event)))
    random = Random(seed)
    for programme in oracle.programmes.values():
        for member in programme.members:
            log = streams[member_stream(programme.name, member)]
            for times in pairs(random, log):
                await check_member(world.queries, programme, member, log, times)
        for item in programme.stocks:
            sku, location = item.split("@")
            of_sku = streams.get(sku_stream(programme.name, sku), [])
            log = streams[stock_stream(programme.name, sku, location)]
            for times in pairs(random, log + of_sku):
                await check_stock(world.queries, programme, (sku, location), log, of_sku, times)


def pairs(random: Random, log: Sequence[Told]) -> list[Times]:
    """Times at and around the borders: when something happened, opened, ended, and when it was recorded."""
    borders = [happened_at(*told) for told in log]
    for _, event in log:
        borders += [getattr(event, name) for name in ("available_at", "expires_at") if getattr(event, name, None)]
    recorded = [record.recorded_at for record, _ in log]
    around = (-1, 0, 0, 1, DAY)
    return [
        (random.choice(borders) + random.choice(around), random.choice(recorded) + random.choice(around))
        for _ in range(PAIRS)
    ]


async def check_member(
    queries: PostgresQueries, programme: Programme, member: str, log: Sequence[Told], times: Times
) -> None:
    as_of, known_at = times
    then = member_then(log, as_of, known_at)
    answer = await queries.balance(programme.name, member, as_of=as_of, known_at=known_at)
    assert sums_of(answer) == then.balances(as_of), (member, times)
    assert (answer.status, answer.as_of, answer.known_at) == (then.status, as_of, known_at)
    lots = await all_lots(queries, programme.name, member, times)
    assert [
        (row.lot, row.unit, row.points, row.held, row.available_at, row.expires_at, row.quarantined) for row in lots
    ] == then.spending_order(as_of)


async def all_lots(queries: PostgresQueries, programme: str, member: str, times: Times) -> list[LotRow]:
    """Page by page."""
    rows, token = list[LotRow](), ""
    while True:
        page = await queries.lots(programme, member, as_of=times[0], known_at=times[1], page_size=5, page_token=token)
        rows += page.rows
        token = page.next_page_token
        if not token:
            return rows


async def check_stock(
    queries: PostgresQueries,
    programme: Programme,
    item: tuple[str, str],
    log: Sequence[Told],
    of_sku: Sequence[Told],
    times: Times,
) -> None:
    as_of, known_at = times
    then = stock_then(log, as_of, known_at)
    if then is None:
        with pytest.raises(NotFound):
            await queries.stock_item(programme.name, *item, as_of=as_of, known_at=known_at)
        return
    row = await queries.stock_item(programme.name, *item, as_of=as_of, known_at=known_at)
    names = ("on_hand", "locked", "shipped", "received", "value", "counted", "transferred")
    assert {name: getattr(row, name) for name in names} == {name: then.get(name, 0) for name in names}, (item, times)
    assert row.available - row.shortage == row.on_hand - row.locked
    stopped = seen([*log, *of_sku], as_of, known_at)
    assert row.discontinued == any(isinstance(event, StockDiscontinued) for _, event in stopped)
    listed = await queries.inventory(programme.name, sku=item[0], as_of=as_of, known_at=known_at)
    assert row in listed.rows
