"""One build's tables in PostgreSQL: new rows go in by binary COPY, all else by the view's own statements.

What a statement is given comes as an array for each column: one round trip, and nothing to clean up afterwards.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg.sql import SQL

from adapters.postgres.arrays import PACKERS, register_arrays
from adapters.postgres.checkpoints import Checkpoint
from adapters.postgres.feed import disconnections
from projections.engine import Stopped
from projections.projection import Build, Changes, Keys, Row, Rows, Step, StepKind
from projections.recorded import Recorded

_PARKED = "SELECT DISTINCT key FROM projections.parked WHERE name = %s AND build = %s"
_PARK = "INSERT INTO projections.parked (name, build, key, position, reason) VALUES (%s, %s, %s, %s, %s)"
_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""

# Rows that are given are few against the tables they are merged into: always look the tables up by their keys. A plan
# made while a table was small would otherwise read all of it, for ever.
# A commit that is lost in a crash is only folded again, so there is no need to wait for the flush.
SESSION = """
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET synchronous_commit = off
"""


class _Prepared:
    """A step with the types of what it is given, and its statement: for new rows, a COPY."""

    def __init__(self, build: Build, step: Step, types: dict[str, str]) -> None:
        self.step = step
        self.types = list(types.values())
        self.packers = [PACKERS[kind] for kind in self.types]
        if step.kind is StepKind.INSERT:
            text = f"COPY {build.table(step.table)} FROM STDIN (FORMAT binary)"
        else:
            arrays = ", ".join(f"%s::{kind}[]" for kind in self.types)
            given = f"(SELECT * FROM unnest({arrays}) AS rows ({', '.join(types)}))"
            text = build.render(step.statement, given)
        self.statement = SQL(text)

    def arrays(self, rows: Sequence[Row]) -> list[Any]:
        """The rows as an array for each column."""
        return [pack(column) for pack, column in zip(self.packers, zip(*rows, strict=True), strict=True)]


class PostgresTables:
    """The tables of one build, over a connection of its own. Make it with `open`."""

    def __init__(
        self,
        connection: AsyncConnection,
        build: Build,
        checkpoint: Checkpoint,
        steps: Sequence[_Prepared],
        parked: set[str],
    ) -> None:
        self.connection = connection
        self.parked = parked
        """The keys whose events are kept for later."""
        self._build = build
        self._checkpoint = checkpoint
        self._loads = [prepared for prepared in steps if prepared.step.kind is StepKind.LOAD]
        self._changes = [prepared for prepared in steps if prepared.step.kind is not StepKind.LOAD]

    @classmethod
    async def open(cls, connection: AsyncConnection, build: Build, checkpoint: Checkpoint) -> "PostgresTables":
        """Make the connection ready; the tables exist already."""
        register_arrays(connection)
        steps = []
        with disconnections():
            await connection.execute(SESSION)
            for step in build.projection.script.steps:
                cursor = await connection.execute(_COLUMNS, (build.table(step.table),))
                types: dict[str, str] = dict(await cursor.fetchall())
                columns = step.columns or tuple(types)
                steps.append(_Prepared(build, step, {column: types[column] for column in columns}))
            cursor = await connection.execute(_PARKED, (build.projection.name, build.number))
            parked = {row[0] for row in await cursor.fetchall()}
        return cls(connection, build, checkpoint, steps, parked)

    async def position(self) -> int:
        """How far the build has come."""
        with disconnections():
            return await self._checkpoint.position(self.connection)

    @asynccontextmanager
    async def transaction(self, after: int, upto: int) -> AsyncIterator["PostgresTables"]:
        """A transaction that moves the checkpoint first: whoever else would move it waits, and then finds it moved."""
        with disconnections():
            async with self.connection.transaction():
                await self._checkpoint.move(self.connection, after, upto)
                yield self

    async def skip(self, after: int, upto: int) -> None:
        """Move the checkpoint alone."""
        with disconnections():
            await self._checkpoint.move(self.connection, after, upto)

    async def stopped(self, failure: Stopped) -> None:
        """Keep where and why the build stopped."""
        with disconnections():
            await self._checkpoint.stopped(self.connection, failure)

    async def park(self, events: Sequence[Recorded], reason: str | None) -> None:
        """Keep the positions of events for later."""
        rows = [(recorded.key, recorded.position, reason) for recorded in events]
        await self.connection.cursor().executemany(
            _PARK, [(self._build.projection.name, self._build.number, *row) for row in rows]
        )

    async def load(self, keys: Keys) -> Rows:
        """The rows of these keys."""
        found = {}
        for prepared in self._loads:
            wanted = list(keys.get(prepared.step.name, ()))
            if wanted:
                cursor = self.connection.cursor(binary=True)
                found[prepared.step.name] = await (
                    await cursor.execute(prepared.statement, prepared.arrays(wanted))
                ).fetchall()
        return found

    async def write(self, changes: Changes) -> None:
        """Run the inserts, updates and writes that there are rows for, in the order of the script."""
        for prepared in self._changes:
            rows = list(changes.get(prepared.step.name, ()))
            if rows and prepared.step.kind is StepKind.INSERT:
                await self._insert(prepared, rows)
            elif rows:
                cursor = await self.connection.execute(prepared.statement, prepared.arrays(rows))
                if prepared.step.kind is StepKind.UPDATE and cursor.rowcount != len(rows):
                    missing = len(rows) - cursor.rowcount
                    raise LookupError(f"{missing} of {len(rows)} rows to change are not in {prepared.step.table}")

    async def _insert(self, prepared: _Prepared, rows: Iterable[Row]) -> None:
        async with self.connection.cursor().copy(prepared.statement) as copy:
            copy.set_types(prepared.types)
            for row in rows:
                await copy.write_row(row)
