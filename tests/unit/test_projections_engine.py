"""The engine that carries projections along the log: exactly once, by halves where it fails, the others going on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import msgspec
import pytest

from ledger.events import MemberEnrolled
from projections import convoy
from projections.convoy import Convoy
from projections.engine import Disconnected, Engine, Stopped, Superseded, Work
from projections.projection import Build, Changes, Keys, Projection, Rows, Script, read_script
from projections.recorded import Batch, Recorded, Undecodable

EVENTS_MAX = 4
DAY = date(2026, 1, 1)


def joined(position: int) -> Recorded:
    return Recorded(position, "club", f"m{position}", MemberEnrolled(f"m{position}"), 0, 0, DAY, "shop")


def undecodable(position: int, topic: str) -> Recorded:
    return Recorded(position, "club", "x", Undecodable(topic, "damaged"), 0, 0, DAY, "shop")


class Log:
    """A log that grows; it gives a few events at a time."""

    def __init__(self, length: int) -> None:
        self.events = [joined(position) for position in range(1, length + 1)]
        self.reads: list[int] = []
        self._grown = asyncio.Event()

    async def after(self, position: int) -> Batch:
        if not self.more(position):
            await self._grown.wait()
        if not self.more(position):
            await asyncio.Event().wait()  # Nothing comes after that.
        self.reads.append(position)
        events = self.events[position : position + EVENTS_MAX]
        return Batch(position, events[-1].position, events)

    def more(self, position: int) -> bool:
        return len(self.events) > position

    def grow(self, *events: Recorded) -> None:
        """Grow for the first and only time."""
        if not self._grown.is_set():
            self.events += events
            self._grown.set()


class Members:
    """The tables of a projection: the members who joined, in order. It is its own transaction."""

    def __init__(self) -> None:
        self.at = 0
        self.rows: list[str] = []
        self.stops: list[Stopped] = []
        self.away = 0
        self.parked: set[str] = set()
        self.late: list[tuple[str, int, str | None]] = []

    async def position(self) -> int:
        return self.at

    @asynccontextmanager
    async def transaction(self, after: int, upto: int) -> AsyncIterator["Members"]:
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise Disconnected("gone")
        if self.at != after:
            raise Superseded(f"at {self.at}, not {after}")
        before = list(self.rows), list(self.late)
        try:
            yield self
        except BaseException:
            self.rows, self.late = before
            raise
        self.at = upto

    async def load(self, keys: Keys) -> Rows:
        return {name: [(row, row in self.rows) for (row,) in wanted] for name, wanted in keys.items()}

    async def write(self, changes: Changes) -> None:
        await asyncio.sleep(0)
        self.rows += [row[0] for row in changes["joined"]]

    async def park(self, events: Sequence[Recorded], reason: str | None) -> None:
        self.late += [(recorded.key, recorded.position, reason) for recorded in events]

    async def skip(self, after: int, upto: int) -> None:
        self.at = upto

    async def stopped(self, failure: Stopped) -> None:
        self.stops.append(failure)


def projection(bad: Iterable[int] = (), name: str = "members", keys: Callable[..., Keys] | None = None) -> Projection:
    """A projection that cannot fold these positions."""

    def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
        for recorded in events:
            if recorded.position in bad:
                raise ValueError(f"no {recorded.subject}")
        return {"joined": [(recorded.subject,) for recorded in events]}

    return Projection(name, 1, Script("", "", ()), frozenset((MemberEnrolled,)), fold, keys)


async def follow(log: Log, *engines: Engine, until: Callable[[], bool]) -> list[int]:
    """Run a convoy until something is so; returns where projections stopped, one time after another."""
    stops: list[int] = []
    running = asyncio.create_task(Convoy(log, lambda _, failure: stops.append(failure.position)).run(*engines))
    try:
        async with asyncio.timeout(10):
            while True:
                await asyncio.sleep(0.001)
                if running.done():
                    running.result()
                if until():
                    break
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return stops


async def until(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(0.001)


def names(positions: Iterable[int]) -> list[str]:
    return [f"m{position}" for position in positions]


async def test_projections_at_one_position_read_the_log_once() -> None:
    log, tables = Log(10), [Members(), Members()]
    await follow(log, *(Engine(projection(), each) for each in tables), until=lambda: min(t.at for t in tables) == 10)
    assert [each.rows for each in tables] == [names(range(1, 11))] * 2
    assert log.reads == [0, 4, 8]


async def test_a_projection_that_is_behind_catches_up_and_joins() -> None:
    log, ahead, behind = Log(10), Members(), Members()
    ahead.at = 8
    engines = [Engine(projection(), each) for each in (ahead, behind)]

    def grown() -> bool:
        if ahead.at == behind.at == 10:
            log.grow(joined(11))
        return ahead.at == behind.at == 11

    await follow(log, *engines, until=grown)
    assert behind.rows == names(range(1, 12))
    assert log.reads.count(10) == 1


async def test_a_fold_that_fails_stops_at_its_event_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convoy, "RETRY_SECONDS_MIN", 0.01)
    log, sick, well = Log(10), Members(), Members()
    engines = [Engine(projection(bad={7}), sick), Engine(projection(), well)]
    stops = await follow(log, *engines, until=lambda: well.at == 10 and len(sick.stops) > 1)
    assert (sick.at, sick.rows) == (6, names(range(1, 7)))
    assert str(sick.stops[0]) == "at position 7: MemberEnrolled: ValueError: no m7"
    assert set(stops) == {7}
    assert well.rows == names(range(1, 11))


async def test_the_last_event_of_a_quiet_log_stops_a_projection_too() -> None:
    log, sick = Log(4), Members()
    assert await follow(log, Engine(projection(bad={4}), sick), until=lambda: bool(sick.stops)) == [4]
    assert sick.at == 3


async def test_a_projection_goes_on_when_what_failed_is_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convoy, "RETRY_SECONDS_MIN", 0.01)
    bad, log, sick = {3, 6}, Log(10), Members()

    def done() -> bool:
        if sick.stops:
            bad.discard(sick.stops[-1].position)
        return sick.at == 10

    await follow(log, Engine(projection(bad), sick), until=done)
    assert sick.rows == names(range(1, 11))
    assert [failure.position for failure in sick.stops] == [3, 6]


async def test_each_try_waits_twice_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def quick(seconds: float) -> None:
        if seconds >= convoy.RETRY_SECONDS_MIN:
            pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", quick)
    sick = Members()
    await follow(Log(2), Engine(projection(bad={2}), sick), until=lambda: len(pauses) > 8)
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("topic", ["points.melted.v1", "member.enrolled.v1"])
async def test_an_event_that_cannot_be_decoded_stops_whoever_might_fold_it(topic: str) -> None:
    log, sick = Log(3), Members()
    log.events[1] = undecodable(2, topic)
    await follow(log, Engine(projection(), sick), until=lambda: bool(sick.stops))
    assert str(sick.stops[0]) == f"at position 2: {topic} cannot be decoded: damaged"
    assert sick.at == 1


async def test_an_event_that_cannot_be_decoded_is_nothing_to_those_who_never_fold_its_topic() -> None:
    log, well = Log(3), Members()
    log.events[1] = undecodable(2, "points.earned.v1")
    await follow(log, Engine(projection(), well), until=lambda: well.at == 3)
    assert well.rows == names((1, 3))


async def test_a_key_is_parked_where_the_projection_says_so_and_the_others_go_on() -> None:
    log, tables = Log(10), Members()
    log.events[8] = msgspec.structs.replace(log.events[8], subject="m3")
    engine = Engine(msgspec.structs.replace(projection(bad={3}), parks=True), tables)
    assert await follow(log, engine, until=lambda: tables.at == 10) == []
    assert tables.rows == names((1, 2, 4, 5, 6, 7, 8, 10))
    assert tables.late == [("club/m3", 3, "MemberEnrolled: ValueError: no m3"), ("club/m3", 9, None)]


@pytest.mark.parametrize(("topic", "parked"), [("points.melted.v1", []), ("member.enrolled.v1", ["club/x"])])
async def test_an_event_of_a_topic_that_nobody_knows_parks_nothing_and_stops(topic: str, parked: list[str]) -> None:
    """Nobody knows whose rows it would change; a damaged one of a known topic parks its key."""
    log, tables = Log(3), Members()
    log.events[1] = undecodable(2, topic)
    engine = Engine(msgspec.structs.replace(projection(), parks=True), tables)
    await follow(log, engine, until=lambda: bool(tables.stops) or tables.at == 3)
    assert [key for key, *_ in tables.late] == parked
    assert bool(tables.stops) is not bool(parked)


async def test_a_projection_that_is_removed_stays_where_it_is_and_the_others_go_on() -> None:
    log, leaving, staying = Log(4), Members(), Members()
    engines = [Engine(projection(), each) for each in (leaving, staying)]
    convoy_ = Convoy(log, lambda *_: None)
    running = asyncio.create_task(convoy_.run(*engines))
    async with asyncio.timeout(10):
        await until(lambda: leaving.at == staying.at == 4)
        await convoy_.remove(engines[0])
        log.grow(joined(5))
        await until(lambda: staying.at == 5)
        assert leaving.at == 4
        log.reads.clear()
        await convoy_.add(engines[0])
        await until(lambda: leaving.at == 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert leaving.rows == staying.rows == names(range(1, 6))


async def test_a_checkpoint_that_somebody_else_moved_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convoy, "RETRY_SECONDS_MIN", 0.01)
    log, tables = Log(2), Members()
    engine = Engine(projection(), tables)

    def meddle() -> bool:
        if tables.at == 2 and len(log.events) == 2:
            tables.at = 3  # Another process folded the third event before we could.
            log.grow(joined(3), joined(4))
        return tables.at == 4

    assert await follow(log, engine, until=meddle) == []
    assert tables.rows == names((1, 2, 4))


async def test_a_lost_connection_ends_the_convoy() -> None:
    tables = Members()
    tables.away = 1
    with pytest.raises(Disconnected):
        await follow(Log(4), Engine(projection(), tables), until=lambda: False)
    assert (tables.at, tables.stops) == (0, [])


async def test_a_fold_gets_the_rows_that_it_asks_for() -> None:
    def keys(events: Sequence[Recorded]) -> Keys:
        return {"known": [(recorded.subject,) for recorded in events]}

    seen: list[Rows] = []
    plain = projection(keys=keys)

    def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
        seen.append(rows)
        return plain.fold(rows, events)

    tables = Members()
    asking = Projection("asking", 1, plain.script, plain.events, fold, keys)
    await Engine(asking, tables).advance(Work(asking, Batch(0, 2, [joined(1), joined(2)])))
    assert seen == [{"known": [("m1", False), ("m2", False)]}]


def test_a_script_is_read_block_by_block(tmp_path: Path) -> None:
    (tmp_path / "view.sql").write_text(
        "-- tables\n-- A comment that stays.\nCREATE TABLE {lots} (a int);\n\n-- readers\nCREATE VIEW v AS SELECT 1;\n"
        "-- load known: lots (a)\nSELECT * FROM {lots} JOIN {given} USING (a)\n\n-- insert new: lots\n"
    )
    read = read_script(str(tmp_path / "fold.py"))
    made = Build(Projection("pool", 2, read, frozenset(), lambda rows, events: {}), 3)
    assert made.render(read.tables) == "-- A comment that stays.\nCREATE TABLE projections.pool_b3_lots (a int);"
    load, insert = read.steps
    assert made.render(load.statement, "asked") == "SELECT * FROM projections.pool_b3_lots JOIN asked USING (a)"
    assert [(step.kind, step.name, step.columns) for step in read.steps] == [
        ("load", "known", ("a",)),
        ("insert", "new", ()),
    ]
    assert insert.statement == ""
