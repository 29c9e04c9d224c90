"""A log that two releases wrote: the old one stored version 1 of an event, the present one stores version 2."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.postgres.verify import verify
from ledger import draft, events
from ledger.events import TOPICS, Fact, PurchaseReturned, decode_event
from ledger.receipts import Outcome
from ledger.records import Record
from ledger.writer import Answer
from projections.registry import PROJECTIONS
from tests.conftest import Database
from tests.integration.views_world import caught_up, contents, projecting, running_world
from tests.property.histories import Step, long_history

OLD, NEW = "purchase.returned.v1", "purchase.returned.v2"
GOLDEN = Path(__file__).parents[1] / "golden" / "events.jsonl"


def encode_as_before(event: Fact) -> bytes:
    """The stored bytes of an event, as they were when lines that came back were an object each."""
    stored = events.encode_event(event)
    if not isinstance(event, PurchaseReturned):
        return stored
    fields: dict[str, Any] = msgspec.json.decode(stored)
    columns: dict[str, list[int]] = fields["lines"]
    rows = range(len(columns["line"]))
    fields["lines"] = [{name: column[row] for name, column in columns.items()} for row in rows]
    return msgspec.json.encode(fields)


@pytest.fixture
def other_database(fresh_database: Callable[[], AbstractContextManager[Database]]) -> Iterator[Database]:
    """Another empty ledger, to compare the first one with."""
    with fresh_database() as database:
        yield database


@pytest.fixture
def old_release(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The writer stores what it stored before; until `undo`."""
    topics: dict[type[Fact], str] = {**TOPICS, PurchaseReturned: OLD}
    monkeypatch.setattr(draft, "TOPICS", topics)
    monkeypatch.setattr(draft, "encode_event", encode_as_before)
    return monkeypatch


async def play(database: Database, steps: Sequence[Step]) -> list[Answer]:
    """Send a part of a history to a writer that has just started, so that it knows only what is stored."""
    answers: list[Answer] = []
    async with running_world(database) as world:
        for place in range(0, len(steps), 50):
            batch = steps[place : place + 50]
            world.clock.instant = batch[-1].wall
            answers += await world.execute([step.request for step in batch])
    return answers


async def records_of(database: Database) -> list[Record]:
    async with running_world(database) as world:
        return await world.records()


async def views_of(database: Database) -> dict[str, list[object]]:
    async with running_world(database) as world, projecting(database):
        world.position = len(await world.records())
        await caught_up(world)
    return contents(database)


def test_what_the_old_release_writes_is_what_was_written_once() -> None:
    """The stand-in for the old release agrees with the example of version 1 that was kept."""
    kept = {line["topic"]: line["event"] for line in map(json.loads, GOLDEN.read_text().splitlines())}
    assert encode_as_before(decode_event(NEW, kept[NEW].encode())) == kept[OLD].encode()


async def test_a_log_of_two_releases_is_as_good_as_one(
    database: Database, other_database: Database, old_release: pytest.MonkeyPatch
) -> None:
    """Views, answers and the writer's states are those of a log that has the new version only; the chain holds."""
    steps = long_history(4, 700, ("zoo", "bar"))
    answers = await play(database, steps[:450])
    old_release.undo()
    answers += await play(database, steps[450:])
    expected = await play(other_database, steps[:450]) + await play(other_database, steps[450:])
    assert list(map(told, answers)) == list(map(told, expected)), "decided alike, on states loaded from old bytes too"

    mixed, pure = await records_of(database), await records_of(other_database)
    old, new = ({record.stream for record in mixed if record.topic == topic} for topic in (OLD, NEW))
    assert old & new, "orders came back in part before and after"
    assert {record.topic for record in pure} & {OLD, NEW} == {NEW}
    assert [decode_event(record.topic, record.event) for record in mixed] == [
        decode_event(record.topic, record.event) for record in pure
    ]

    views = await views_of(database)
    assert {name.partition(".")[0] for name in views} == {projection.name for projection in PROJECTIONS}
    assert views == await views_of(other_database)

    for each in (database, other_database):
        assert verify(each.app_dsn).problems == [], "the hash is over the stored bytes"
    assert mixed[-1].hash != pure[-1].hash


def told(answer: Answer) -> object:
    """What a caller was told."""
    return (answer.id, answer.answer, answer.repeated) if isinstance(answer, Outcome) else repr(answer)
