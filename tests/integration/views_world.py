"""A ledger on a real PostgreSQL with its projections running, and the tables that these make."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import psycopg

from adapters.postgres.log import PostgresLog
from adapters.postgres.operations import PostgresOperations
from adapters.postgres.projecting import ProjectionRunner
from adapters.postgres.reports import PostgresReports
from adapters.postgres.store import PostgresStore
from ledger.calendar import Instant
from ledger.commands import Command, OpenProgramme, Request
from ledger.receipts import Outcome, Receipt
from ledger.records import Record
from ledger.writer import Answer, Writer
from projections.projection import Projection
from projections.registry import PROJECTIONS
from tests.conftest import Database
from tests.unit.ledger.desk import OPENING, PROGRAMME, settings
from tests.unit.ledger.lines import Lines
from tests.unit.ledger.running import ScriptedClock


class World:
    """A writer, the log, and the questions. Lines are those of the desk; they must all be accepted."""

    def __init__(self, database: Database, writer: Writer, log: PostgresLog, queries: PostgresReports) -> None:
        self.database = database
        self.operations = PostgresOperations(database.app_dsn)
        self.clock = ScriptedClock(0)
        self.writer = writer
        self.log = log
        self.queries = queries
        self.lines = Lines("Asia/Shanghai")
        self.now: Instant = self.lines.moment(OPENING)
        self.position = 0
        self._ids = 0

    async def execute(self, requests: Sequence[Request]) -> Sequence[Answer]:
        answers = await self.writer.execute(requests)
        for answer in answers:
            if isinstance(answer, Outcome) and isinstance(answer.answer, Receipt):
                self.position = max(self.position, answer.answer.position)
        return answers

    async def open(self, **changes: object) -> None:
        """Open the programme of the desk, with anna, bo and cai."""
        self.clock.instant = self.now
        await self.send(OpenProgramme(settings(**changes)))
        await self.given("anna joins", "bo joins", "cai joins")

    async def given(self, *lines: str) -> None:
        for line in lines:
            command, at = self.lines.read(line)
            await self.send(command, at=at)

    async def send(self, *commands: Command, at: Instant | None = None) -> None:
        self._ids += 1
        at = self.now if at is None else at
        request = Request(self._ids.to_bytes(16, "big"), PROGRAMME, at, commands, "till-1", "shop")
        (answer,) = await self.execute([request])
        assert isinstance(answer, Outcome), answer
        assert isinstance(answer.answer, Receipt), (commands, answer.answer)

    async def records(self, after: int = 0) -> list[Record]:
        return [record async for batch in self.log.records(after, follow=False) for record in batch]


@contextlib.asynccontextmanager
async def running_world(database: Database) -> AsyncIterator[World]:
    """A world without projections."""
    clock = ScriptedClock(0)
    writer = Writer(PostgresStore(database.app_dsn), clock)
    async with PostgresLog(database.app_dsn) as log, PostgresReports(database.app_dsn, wait_seconds=20) as queries:
        world = World(database, writer, log, queries)
        world.clock = clock
        writing = asyncio.create_task(writer.run())
        async with asyncio.timeout(20):
            while True:
                if writer.leads:
                    break
                await asyncio.sleep(0.01)
        try:
            yield world
        finally:
            writer.stop()
            await writing


@contextlib.asynccontextmanager
async def projecting(database: Database, projections: Sequence[Projection] = PROJECTIONS) -> AsyncIterator[None]:
    """Projections at work, in this process."""
    runner = ProjectionRunner(database.app_dsn, projections)
    running = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        runner.stop()
        await running


async def caught_up(world: World, *views: str) -> None:
    """Wait until views have folded everything."""
    async with asyncio.timeout(30):
        while True:
            statuses = {status.name: status for status in await world.operations.statuses() if status.live}
            wanted = views or tuple(projection.name for projection in PROJECTIONS)
            if all(name in statuses and statuses[name].position >= world.position for name in wanted):
                return
            await asyncio.sleep(0.01)


def contents(database: Database, schema: str = "projections") -> dict[str, list[Any]]:
    """All rows of all tables that projections made, by the names of the tables without the number of the build."""
    with psycopg.connect(database.app_dsn) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'"
            r" AND relname ~ '_b\d+_' ORDER BY relname",
            (schema,),
        ).fetchall()
        return {
            re.sub(r"_b\d+_", ".", name): sorted(
                connection.execute(f"SELECT * FROM {schema}.{name}".encode()).fetchall(), key=repr
            )
            for (name,) in tables
        }


def forget(database: Database) -> None:
    """Throw all views away; the events remain."""
    with psycopg.connect(database.app_dsn) as connection:
        tables = connection.execute(
            r"SELECT relname FROM pg_class WHERE relnamespace = 'projections'::regnamespace AND relname ~ '_b\d+_'"
            " AND relkind = 'r'"
        ).fetchall()
        for (name,) in tables:
            connection.execute(f"DROP TABLE projections.{name} CASCADE".encode())
        connection.execute("DELETE FROM projections.builds")
