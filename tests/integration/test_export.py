"""`loyalty export`: what is in the file is what is in the view, typed; memory holds a batch, however many there are."""

import csv
from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytest_asyncio

from adapters.cli.export import whole_file, write_csv
from adapters.cli.parquet import write_parquet
from adapters.postgres import exporting
from adapters.postgres.dictionary import EXPORTED, make_views
from adapters.postgres.exporting import LOG, CannotExport, open_export
from tests.conftest import Database
from tests.integration.views_world import World, caught_up, projecting, running_world

LARGE = 900_719_925_474_099
"""Near the limit of the ledger."""
VIEWS = sorted(name.partition(".")[2] for name in EXPORTED if name.startswith("projections."))


@pytest_asyncio.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """With something in every view, and texts that CSV has to quote."""
    async with running_world(database) as world, projecting(database):
        await world.open(backdating_seconds=30 * 86_400)
        await world.given("mug@shop receives 5", "mug@shop locks 1 as k1", "reward mug costs 1 from mug@shop")
        await world.given(f"anna earns {LARGE}", "anna earns 7 expiring 2026-03-31 on 2025-12-30")
        await world.given("anna redeems mug as r1", "anna buys tea 9.99 as o1", "all of o1 comes back as b1")
        await world.given("mug is discontinued", "bo is frozen for anomaly", "bo buys tea 9.99 as o2", "cai earns 1")
        await world.given("cai buys tea 5.00 as o3", "cai gives 6 to anna", "all of o3 comes back as b3")
        await caught_up(world)
        yield world


def told(rows: int) -> None:
    """What a progress bar would show."""


def in_sql(database: Database, name: str) -> list[dict[str, str | None]]:
    """The rows of a view as a reader sees them, each value as the text that PostgreSQL makes of it."""
    full_name = "ledger.event_log" if name == LOG else f"projections.{name}"
    with psycopg.connect(database.reader_dsn, options="-c timezone=UTC") as reader:
        cursor = reader.execute(f"SELECT * FROM {full_name} LIMIT 0".encode())
        names = [column.name for column in cursor.description or ()]
        texts = ", ".join(f'"{column}"::text' for column in names)
        rows = reader.execute(f"SELECT {texts} FROM {full_name}".encode()).fetchall()
    return in_order(dict(zip(names, row, strict=True)) for row in rows)


def in_order(rows: Iterable[dict[str, str | None]]) -> list[dict[str, str | None]]:
    return sorted(rows, key=repr)


def as_text(value: object) -> str | None:
    """A value out of a Parquet file, as PostgreSQL writes it."""
    if isinstance(value, datetime):
        assert value.utcoffset() == timedelta(0)
        digits = f"{value:%Y-%m-%d %H:%M:%S.%f}"
        return f"{digits.rstrip('0').rstrip('.')}+00"
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def of_csv(row: dict[str, str]) -> dict[str, str | None]:
    """With truth values as they are in SQL; null and an empty text are the same."""
    truth = {"t": "true", "f": "false"}
    return {name: truth[text] if name == "quarantined" else text for name, text in row.items()}


async def test_a_file_has_the_rows_of_the_view(world: World, tmp_path: Path) -> None:
    """Every view and the log, as Parquet and as CSV, read back and compared with what SQL says."""
    for name in (LOG, *VIEWS):
        expected = in_sql(world.database, name)
        with open_export(world.database.app_dsn, name) as export:
            assert write_parquet(export, tmp_path / name, told) == len(expected) > 0
        rows = pq.read_table(tmp_path / name).to_pylist()
        assert in_order({key: as_text(value) for key, value in row.items()} for row in rows) == expected
        with open_export(world.database.app_dsn, name) as export:
            assert write_csv(export, tmp_path / name, told) == len(expected)
        with (tmp_path / name).open(newline="") as file:
            lines = [of_csv(row) for row in csv.DictReader(file)]
        assert in_order(lines) == in_order({key: value or "" for key, value in row.items()} for row in expected)


async def test_columns_are_typed_and_integers_exact(world: World, tmp_path: Path) -> None:
    path = tmp_path / "entries.parquet"
    with open_export(world.database.app_dsn, "statement_entries") as export:
        write_parquet(export, path, told)
    schema = pq.read_schema(path)
    types = {name: schema.field(name).type for name in ("points", "business_date", "occurred_at", "lots")}
    assert types == {
        "points": pa.int64(),
        "business_date": pa.date32(),
        "occurred_at": pa.timestamp("us", tz="UTC"),
        "lots": pa.string(),
    }
    assert LARGE in pq.read_table(path)["points"].to_pylist()


async def test_a_range_of_business_dates_takes_late_events_on_their_own_day(world: World, tmp_path: Path) -> None:
    """Edge case 9."""
    for name in (LOG, "statement_entries", "totals"):
        with open_export(world.database.app_dsn, name, date(2025, 12, 30), date(2025, 12, 31)) as export:
            write_parquet(export, tmp_path / name, told)
        rows = pq.read_table(tmp_path / name).to_pylist()
        assert [row["business_date"] for row in rows] == [date(2025, 12, 30)]
        with open_export(world.database.app_dsn, name, first=date(2026, 1, 1)) as export:
            write_parquet(export, tmp_path / name, told)
        later = pq.read_table(tmp_path / name).to_pylist()
        assert len(later) + 1 == len(in_sql(world.database, name))


async def test_the_log_is_in_order(world: World, tmp_path: Path) -> None:
    with open_export(world.database.app_dsn, LOG) as export:
        write_parquet(export, tmp_path / "log", told)
    positions = pq.read_table(tmp_path / "log")["position"].to_pylist()
    assert positions == list(range(1, world.position + 1))


async def test_rows_come_in_batches_and_the_next_only_when_the_last_was_taken(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded: of a million rows the database has made no more than a few batches when the first is there."""
    monkeypatch.setattr(exporting, "ROWS_MAX", 100)
    await make_views(database.app_dsn)
    with psycopg.connect(database.app_dsn, autocommit=True) as app:
        app.execute("CREATE SEQUENCE projections.made")
        app.execute(
            "CREATE OR REPLACE VIEW projections.balance_debts AS"
            ' SELECT text \'club\' COLLATE "C" AS programme, n::text COLLATE "C" AS member,'
            " text 'points' COLLATE \"C\" AS unit,"
            " nextval('projections.made') AS points FROM generate_series(1, 1000000) AS numbers (n)"
        )
        with open_export(database.app_dsn, "balance_debts") as export:
            export._connection.read_only = False  # What counts the rows is a sequence, which moves.
            batches = export.batches()
            assert len(next(batches)) == len(next(batches)) == 100
            (made,) = app.execute("SELECT last_value FROM projections.made").fetchone() or (0,)
            assert 200 <= made <= 400


async def test_what_cannot_be_exported_says_what_can(database: Database) -> None:
    with (
        pytest.raises(CannotExport, match=r"no view 'outcomes'.*events and balance_buckets"),
        open_export(database.app_dsn, "outcomes"),
    ):
        pass
    with pytest.raises(CannotExport, match="not built yet"), open_export(database.app_dsn, "totals"):
        pass
    await make_views(database.app_dsn)
    with (
        pytest.raises(CannotExport, match="no business date"),
        open_export(database.app_dsn, "balance_lots", date(2026, 1, 1)),
    ):
        pass


def test_a_file_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "totals.csv"
    path.write_text("of yesterday")

    def write(text: str, to: Path = path, fault: Exception | None = None) -> None:
        with whole_file(to) as part:
            part.write_text(text)
            assert path.read_text() == "of yesterday"
            if fault is not None:
                raise fault

    with pytest.raises(RuntimeError):
        write("half of t", fault=RuntimeError())
    with pytest.raises(CannotExport, match="cannot be written"):
        write("", tmp_path / "nowhere" / "file")
    assert path.read_text() == "of yesterday"
    write("of today")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("totals.csv", "of today")]
