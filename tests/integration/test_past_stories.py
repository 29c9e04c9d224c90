"""What did we show at 10:02, and what should it have been? One story for each way in which the past is told anew."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ledger.calendar import HOUR
from ledger.quantities import Balance
from ledger.settings import Activity, Inactivity
from projections.queries import LotRow, NotFound, TooFarBehind
from projections.views.balance.fold import BALANCE
from projections.views.inventory.fold import INVENTORY
from projections.views.programmes.fold import PROGRAMMES
from tests.conftest import Database
from tests.integration.views_world import World, projecting, running_world
from tests.unit.ledger.desk import PROGRAMME


class Desk:
    """A desk on 2026-01-02: each line is recorded at a time of that day, or at another one; `on` dates it back."""

    def __init__(self, world: World) -> None:
        self.world = world

    def moment(self, text: str) -> int:
        return self.world.lines.moment(text if "-" in text else f"2026-01-02 {text}")

    async def at(self, text: str, *lines: str) -> None:
        self.world.now = self.world.clock.instant = self.moment(text)
        await self.world.given(*lines)

    def times(self, as_of: str, known_at: str = "") -> dict[str, Any]:
        known = self.moment(known_at) if known_at else None
        return {"as_of": self.moment(as_of), "known_at": known, "min_position": self.world.position}

    async def points(self, as_of: str, known_at: str = "", member: str = "anna") -> Balance:
        answer = await self.world.queries.balance(PROGRAMME, member, **self.times(as_of, known_at))
        return answer.balances[0]

    async def status(self, as_of: str, known_at: str = "") -> str:
        return (await self.world.queries.balance(PROGRAMME, "anna", **self.times(as_of, known_at))).status

    async def lots(self, as_of: str, known_at: str = "") -> tuple[LotRow, ...]:
        return (await self.world.queries.lots(PROGRAMME, "anna", **self.times(as_of, known_at))).rows

    async def mugs(self, as_of: str, known_at: str = "") -> tuple[int, int, int]:
        """On hand, locked and available."""
        row = await self.world.queries.stock_item(PROGRAMME, "mug", "shop", **self.times(as_of, known_at))
        return row.on_hand, row.locked, row.available


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with running_world(database) as world, projecting(database):
        await world.open()
        yield Desk(world)


def anna(opened: int, **sums: int) -> Balance:
    return Balance("anna", "points", opened, **sums)


async def test_a_late_sale_was_not_shown_and_should_have_been(desk: Desk) -> None:
    """Edge case 9: earned at 09:00, recorded at 10:05; the four combinations of the two times."""
    await desk.at("08:00", "anna earns 10")
    await desk.at("10:05", "anna earns 100 on 2026-01-02 09:00")
    assert await desk.points("10:00", "10:02") == anna(10), "what we showed"
    assert await desk.points("10:00") == anna(110), "what it should have been"
    assert await desk.points("11:00", "10:02") == anna(10), "what we would have shown since, had it never come"
    neither = await desk.world.queries.balance(PROGRAMME, "anna", min_position=desk.world.position)
    assert (neither.balances[0], neither.known_at) == (anna(110), None)
    assert [row.points for row in await desk.lots("10:00", "10:02")] == [10]
    assert [row.points for row in await desk.lots("10:00")] == [10, 100]


async def test_both_times_count_to_the_microsecond(desk: Desk) -> None:
    """Edge case 9: what happened, or was recorded, at the very time that is asked for counts."""
    await desk.at("10:05", "anna earns 100 on 2026-01-02 09:00")
    asked = {"min_position": desk.world.position}
    happened, recorded = desk.moment("09:00"), desk.moment("10:05")
    for as_of, known_at, points in (
        (happened, recorded, 100),
        (happened - 1, recorded, 0),
        (happened, recorded - 1, 0),
    ):
        answer = await desk.world.queries.balance(PROGRAMME, "anna", as_of=as_of, known_at=known_at, **asked)
        assert answer.balances[0].open == points


async def test_a_refund_takes_back_from_when_it_is_dated(desk: Desk) -> None:
    """Edge cases 1 and 9: goods came back at 09:30, the till said so at 10:05."""
    await desk.at("09:00", "anna buys tea 50.00 as o1")
    await desk.at("10:05", "all of o1 comes back as f1 on 2026-01-02 09:30")
    assert await desk.points("10:00", "10:02") == anna(50)
    assert await desk.points("10:00") == anna(0)
    assert await desk.points("09:15") == anna(50), "until then they were hers"


async def test_a_mistake_that_was_reversed_stays_what_was_shown(desk: Desk) -> None:
    """Edge case 10: a reversal counts from its own time on; it does not unmake the past."""
    await desk.at("09:00", "anna earns 70")
    mistake = desk.world._ids
    await desk.at("10:05", f"command {mistake} is reversed")
    assert await desk.points("10:00") == await desk.points("10:00", "10:02") == anna(70)
    assert await desk.points("10:05") == anna(0)
    assert await desk.points("10:06", "10:04") == anna(70)
    undone = desk.world._ids
    await desk.at("11:00", f"command {undone} is reversed")
    assert [(await desk.points(hour)).open for hour in ("10:04", "10:30", "11:00")] == [70, 0, 70]


async def test_an_expiry_that_is_posted_late_changes_no_past_balance(desk: Desk) -> None:
    """Edge case 14: the clock decides; the posting is bookkeeping from the end of the points on."""
    await desk.at("09:00", "anna earns 30 expiring 2026-01-03", "anna earns 5")
    await desk.at("2026-01-09 12:00", "what is due for anna by 2026-01-09 is posted")
    for known_at in ("2026-01-08", "2026-01-10"):
        assert await desk.points("2026-01-03 23:59", known_at) == anna(35)
        assert await desk.points("2026-01-04 00:00", known_at) == anna(5)


async def test_held_points_stay_held_until_they_are_released_and_have_then_expired(desk: Desk) -> None:
    """Edge case 3: the release comes after the expiry, which counts from the original date on."""
    await desk.at("09:00", "anna earns 100 expiring 2026-01-03", "anna holds 60 as h1")
    await desk.at("2026-01-05 10:00", "anna releases h1")
    assert await desk.points("10:00") == anna(40, held=60)
    assert await desk.points("2026-01-04 10:00") == anna(0, held=60), "the hold pins its lots"
    assert await desk.points("2026-01-05 10:00") == anna(0)
    assert await desk.points("2026-01-05 10:00", "2026-01-05 09:59") == anna(0, held=60)
    (lot,) = await desk.lots("2026-01-04 10:00")
    assert (lot.points, lot.held, lot.granted) == (0, 60, 100)


async def test_points_that_came_back_to_an_expired_lot_were_never_there_again(desk: Desk) -> None:
    """Edge case 2: restored and expired at once, as of the lot's own end."""
    await desk.at("09:00", "anna earns 100 expiring 2026-01-03")
    await desk.at("10:00", "anna buys tea 1.00 as o1 paying 60 points worth 0.60, cash 0.40")
    await desk.at("2026-01-05 10:00", "all of o1 comes back as f1")
    assert [(await desk.points(day)).open for day in ("09:59", "10:00", "2026-01-05 10:00")] == [100, 40, 0]


async def test_waiting_points_were_pending_until_somebody_activated_them(desk: Desk) -> None:
    """Edge case 18: and until that was known."""
    await desk.at("09:00", "anna earns 20 for review 7 waiting")
    await desk.at("10:05", "review 7 of anna is activated on 2026-01-02 09:30")
    assert await desk.points("09:15") == anna(0, pending=20)
    assert await desk.points("10:00", "10:02") == anna(0, pending=20)
    assert await desk.points("10:00") == anna(20)


async def test_a_longer_life_counts_from_when_it_was_granted(desk: Desk) -> None:
    """Edge case 19: goodwill on the 3rd, recorded on the 5th, for points that had ended by what was known."""
    await desk.at("09:00", "anna earns 20 expiring 2026-01-03")
    await desk.at("2026-01-05 10:00", "lots anna:1 of anna live until 2026-01-31 for goodwill on 2026-01-03")
    assert await desk.points("2026-01-04 12:00", "2026-01-05 09:59") == anna(0)
    assert await desk.points("2026-01-04 12:00") == anna(20)
    ends = [row.expires_at for at in ("10:00", "2026-01-04 12:00") for row in await desk.lots(at)]
    assert ends == [desk.world.lines.end_of(day) for day in ("2026-01-03", "2026-01-31")]


async def test_an_activity_kept_points_alive_from_its_own_time_on(database: Database) -> None:
    """Edge case 19: lots of one period end together, whichever event moved its end."""
    async with running_world(database) as world, projecting(database):
        await world.open(expiry=Inactivity(1, (Activity.TRANSFER,)))
        desk = Desk(world)
        await desk.at("09:00", "anna earns 20", "anna earns 30")
        await desk.at("2026-01-20 10:00", "anna gives 5 to bo")
        first, later = (world.lines.end_of(day) for day in ("2026-02-02", "2026-02-20"))
        assert {row.expires_at for row in await desk.lots("2026-01-19")} == {first}
        assert {row.expires_at for row in await desk.lots("2026-01-21")} == {later}
        assert await desk.points("2026-02-10", "2026-01-19") == anna(0)
        assert await desk.points("2026-02-10") == anna(45)


async def test_a_freeze_is_seen_from_its_time_on_and_quarantines_what_came_after_it(desk: Desk) -> None:
    """Edge case 20: also how the member stood, before joining too."""
    await desk.at("09:00", "anna earns 20")
    await desk.at("10:00", "anna is frozen for anomaly", "anna earns 7", "anna earns 5 available 2026-02-01")
    await desk.at("11:00", "anna is free again for cleared")
    assert await desk.points("09:30") == anna(20)
    assert await desk.points("10:30") == anna(20, quarantined=12)
    assert await desk.points("11:00") == anna(27, pending=5)
    assert await desk.points("12:00", "10:30") == anna(20, quarantined=12)
    assert [row.quarantined for row in await desk.lots("10:30")] == [False, True, True]
    times = ("2026-01-01 11:59", "09:30", "10:30", "11:00")
    assert [await desk.status(time) for time in times] == ["NOT_ENROLLED", "ACTIVE", "FROZEN", "ACTIVE"]
    assert await desk.points("2026-01-01 11:59") == anna(0)


async def test_how_a_member_stands_goes_by_what_was_recorded_last(desk: Desk) -> None:
    """Edge cases 9 and 20: set free as of 09:30, after being frozen as of 10:00, a member is free, then as now."""
    await desk.at("09:00", "anna earns 20")
    await desk.at("10:00", "anna is frozen for anomaly", "anna earns 7")
    await desk.at("10:05", "anna is free again for cleared on 2026-01-02 09:30")
    assert (await desk.status("10:01", "10:02"), await desk.points("10:01", "10:02")) == (
        "FROZEN",
        anna(20, quarantined=7),
    )
    assert (await desk.status("10:01"), await desk.points("10:01")) == ("ACTIVE", anna(27))


async def test_a_debt_was_owed_until_something_paid_it(desk: Desk) -> None:
    """Edge case 1: what is owed is part of the past, and so is what paid it."""
    await desk.at("09:00", "anna buys tea 50.00 as o1", "anna gives 50 to bo")
    await desk.at("10:00", "all of o1 comes back as f1")
    await desk.at("11:00", "anna earns 80")
    assert await desk.points("10:30") == anna(0, debt=50)
    assert await desk.points("11:00") == anna(30)
    assert (await desk.points("10:30")).balance == -50


async def test_sums_of_the_past_may_be_negative_and_their_balance_is_right(desk: Desk) -> None:
    """Edge case 9: a late sale spent what by then was held elsewhere and came back only later; nothing is clamped."""
    await desk.at("09:00", "anna earns 10", "anna holds 10 as h1")
    await desk.at("10:00", "anna releases h1")
    await desk.at("10:05", "anna gives 10 to bo on 2026-01-02 09:30")
    assert await desk.points("09:45", "10:02") == anna(0, held=10)
    assert await desk.points("09:45") == anna(-10, held=10)
    assert (await desk.points("09:45")).balance == 0
    assert await desk.points("10:30") == anna(0)


async def test_what_was_taken_of_a_lot_before_it_was_there_counts_when_it_is(desk: Desk) -> None:
    """Edge case 9: a correction dated 08:00 of points earned at 09:00; before that nothing is shown."""
    await desk.at("09:00", "anna earns 100")
    await desk.at("10:05", "anna loses 30 of lot 1 because of error on 2026-01-02 08:00")
    assert [await desk.points(time) for time in ("08:30", "09:00")] == [anna(0), anna(70)]
    assert await desk.points("09:00", "10:04") == anna(100)
    assert [len(await desk.lots(time)) for time in ("08:30", "09:00")] == [0, 1]


async def test_points_that_moved_between_members_moved_at_once(desk: Desk) -> None:
    """Edge case 4: at any time of the past, what one has less the other has more."""
    await desk.at("09:00", "anna earns 100")
    await desk.at("10:05", "anna gives 40 to bo on 2026-01-02 09:30")
    for as_of, known_at, gone in (("10:00", "10:02", 0), ("10:00", "", 40), ("09:29", "", 0)):
        assert await desk.points(as_of, known_at) == anna(100 - gone)
        assert (await desk.points(as_of, known_at, "bo")).open == gone


async def test_stock_that_was_booked_late_was_there_before(desk: Desk) -> None:
    """Edge case 9: units came at 09:00 and were booked at 10:05; before the first of them there was no such item."""
    await desk.at("10:05", "mug@shop receives 9 on 2026-01-02 09:00", "mug@shop locks 2 as k1")
    assert await desk.mugs("10:00") == (9, 0, 9)
    assert await desk.mugs("10:05") == (9, 2, 7)
    for times in (("10:00", "10:02"), ("08:59", "")):
        with pytest.raises(NotFound):
            await desk.mugs(*times)
    listed = await desk.world.queries.inventory(PROGRAMME, **desk.times("10:00", "10:02"))
    assert listed.rows == ()
    known_now = await desk.world.queries.stock_item(
        PROGRAMME, "mug", "shop", known_at=desk.moment("10:05"), min_position=desk.world.position
    )
    assert (known_now.on_hand, known_now.locked) == (9, 2), "as of the present, by default"


async def test_an_item_is_discontinued_from_then_on(desk: Desk) -> None:
    """I05: and only from when it was known."""
    await desk.at("09:00", "mug@shop receives 9")
    await desk.at("10:05", "mug is discontinued on 2026-01-02 09:30")
    told = []
    for times in (("09:15", ""), ("10:00", "10:02"), ("10:00", "")):
        (row,) = (await desk.world.queries.inventory(PROGRAMME, sku="mug", **desk.times(*times))).rows
        told.append(row.discontinued)
    assert told == [False, False, True]


async def test_the_present_needs_no_postings(database: Database) -> None:
    """Only the past sums postings: where they are not there, or far behind, the present is answered all the same."""
    async with running_world(database) as world, projecting(database, (BALANCE, PROGRAMMES, INVENTORY)):
        await world.open()
        await world.given("anna earns 10", "mug@shop receives 9")
        queries, now = world.queries, world.position
        assert (await queries.balance(PROGRAMME, "anna", min_position=now)).balances[0] == anna(10)
        assert len((await queries.lots(PROGRAMME, "anna", min_position=now)).rows) == 1
        assert (await queries.stock_item(PROGRAMME, "mug", "shop", min_position=now)).on_hand == 9
        queries._wait_seconds = 0.05
        with pytest.raises(TooFarBehind):
            await queries.balance(PROGRAMME, "anna", as_of=world.now + HOUR, min_position=now)
