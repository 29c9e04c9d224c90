"""Verification names what was changed, whichever column of whichever table it was."""

import pytest

from adapters.postgres import verify as verification
from adapters.postgres.segments import Segment, verify_batches, verify_events
from adapters.postgres.verify import Report, verify
from ledger.records import COLUMNS, OUTCOME_COLUMNS
from tests.conftest import Database
from tests.integration.tampering import tampering
from tests.integration.views_world import running_world

POSITION = 4
"""What is tampered with: an event in the middle of the log, in the batch of the same number."""
OTHER = {
    "shard": "2",
    "position": "400",
    "version": "40",
    "occurred_at": "occurred_at + interval '1 microsecond'",
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "business_date": "business_date + 1",
    "command_id": "gen_random_uuid()",
    "business_key": "gen_random_uuid()",
    "trace": "'x'",
    "event": "event || ' '",
    "hash": "sha256('')",
    "request_hash": "gen_random_uuid()",
    "batch": "batch + 1",
    "ordinal": "ordinal + 1",
    "answer": "answer || ' '",
    "epoch": "epoch + 1",
    "first_position": "first_position - 1",
    "events": "events - 1",
    "commands": "commands + 1",
    "outcomes_digest": "sha256('')",
}
"""Another value for each column; those that are not here are texts."""
BATCH_COLUMNS = ("epoch", "first_position", "events", "commands", "recorded_at", "outcomes_digest", "hash")


@pytest.fixture
async def log(database: Database) -> Database:
    """A log of eight events in eight batches, and nobody who writes it."""
    async with running_world(database) as world:
        await world.open()
        await world.given("anna earns 10", "bo earns 20", "anna earns 30", "bo gives 5 to anna")
        assert world.position == 9
    return database


@pytest.fixture
def segments_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """So short that everything happens at the end of one."""
    monkeypatch.setattr(verification, "SEGMENT_EVENTS", 2)
    monkeypatch.setattr(verification, "SEGMENT_COMMANDS", 2)


def change(log: Database, statement: str) -> None:
    with tampering(log.superuser_dsn) as connection:
        assert connection.execute(statement.encode()).rowcount == 1


def other(column: str) -> str:
    return OTHER.get(column, "'other'")


def found(report: Report) -> set[tuple[str, int]]:
    return {(problem.where, problem.number) for problem in report.problems}


@pytest.mark.parametrize("column", [column for column in (*COLUMNS, "hash") if column != "position"])
async def test_every_column_of_an_event_is_hashed(log: Database, column: str) -> None:
    whole = Segment(log.app_dsn, 1, 9)
    assert verify_events(whole) == []
    change(log, f"UPDATE ledger.events SET {column} = {other(column)} WHERE position = {POSITION}")
    assert POSITION in {problem.number for problem in verify_events(whole)}


@pytest.mark.parametrize("column", OUTCOME_COLUMNS)
async def test_every_column_of_an_answer_is_hashed(log: Database, column: str) -> None:
    whole = Segment(log.app_dsn, 1, 8)
    assert verify_batches(whole) == []
    change(log, f"UPDATE ledger.outcomes SET {column} = {other(column)} WHERE batch = {POSITION}")
    assert POSITION in {problem.number for problem in verify_batches(whole)}


@pytest.mark.parametrize("column", BATCH_COLUMNS)
async def test_every_column_of_a_batch_is_hashed(log: Database, column: str) -> None:
    change(log, f"UPDATE ledger.batches SET {column} = {other(column)} WHERE batch = {POSITION}")
    assert POSITION in {problem.number for problem in verify_batches(Segment(log.app_dsn, 1, 8))}


@pytest.mark.usefixtures("segments_of_two")
@pytest.mark.parametrize("position", [1, 2, 3, 9])
async def test_an_event_that_was_taken_out_is_missed(log: Database, position: int) -> None:
    change(log, f"DELETE FROM ledger.events WHERE position = {position}")
    assert ("position", position) in found(verify(log.app_dsn))


@pytest.mark.usefixtures("segments_of_two")
@pytest.mark.parametrize("batch", [1, 2, 3, 8])
async def test_a_batch_or_an_answer_that_was_taken_out_is_missed(log: Database, batch: int) -> None:
    assert verify(log.app_dsn).problems == []
    change(log, f"DELETE FROM ledger.outcomes WHERE batch = {batch}")
    assert ("batch", batch) in found(verify(log.app_dsn))
    change(log, f"DELETE FROM ledger.batches WHERE batch = {batch}")
    assert ("batch", batch) in found(verify(log.app_dsn))


@pytest.mark.parametrize("batch", [-1, POSITION, 1_000])
async def test_an_answer_that_was_slipped_in_is_found(log: Database, batch: int) -> None:
    answer = f"({batch}, 100, gen_random_uuid(), gen_random_uuid(), '[1]')"
    change(log, f"INSERT INTO ledger.outcomes VALUES {answer}")
    assert ("batch", batch) in found(verify(log.app_dsn))


@pytest.mark.parametrize(("column", "where"), [("hash", "position"), ("batch_hash", "batch")])
async def test_a_head_that_was_changed_is_found(log: Database, column: str, where: str) -> None:
    change(log, f"UPDATE ledger.shards SET {column} = sha256('')")
    assert found(verify(log.app_dsn)) == {(where, 9 if where == "position" else 8)}
