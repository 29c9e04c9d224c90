"""One projection's tables in PostgreSQL: rows go in and out by binary COPY, merges are the view's own statements."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.abc import Query

from adapters.postgres.feed import disconnections
from projections.engine import Stopped, Superseded
from projections.projection import Changes, Keys, Projection, Row, Rows, Step, StepKind

_ADVANCE = """
UPDATE projections.projections
SET position = %(upto)s, moved_at = clock_timestamp(), failed_position = NULL, reason = NULL
WHERE name = %(name)s AND version = %(version)s AND position = %(after)s
"""
_STOP = """
UPDATE projections.projections SET failed_position = %(position)s, reason = %(reason)s
WHERE name = %(name)s AND version = %(version)s
"""

# Rows that are given are few against the tables they are merged into: always look the tables up by their keys. A plan
# made while a table was small would otherwise read all of it, for ever.
# A commit that is lost in a crash is only folded again, so there is no need to wait for the flush.
_SESSION = """
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET synchronous_commit = off
"""


class _Prepared:
    """A step's statements for one session, and the types of what it is given."""

    def __init__(self, step: Step, copy: Query, types: list[int], statement: Query) -> None:
        self.step = step
        self.copy = copy
        self.types = types
        self.statement = statement


class PostgresTables:
    """The tables of one projection, over a connection of its own. Make it with `open`."""

    def __init__(self, connection: AsyncConnection, projection: Projection) -> None:
        self._connection = connection
        self._projection = projection
        self._key = {"name": projection.name, "version": projection.version}
        self._steps: list[_Prepared] = []

    @classmethod
    async def open(cls, connection: AsyncConnection, projection: Projection) -> "PostgresTables":
        """Make the session ready; the tables exist already."""
        tables = cls(connection, projection)
        with disconnections():
            await connection.execute(_SESSION)
            tables._steps = [await tables._prepare(step) for step in projection.script.steps]
        return tables

    async def _prepare(self, step: Step) -> _Prepared:
        """Make the temporary table for what a step is given; rows that are new need none."""
        table = self._projection.table(step.table)
        columns = sql.SQL(", ").join(map(sql.Identifier, step.columns)) if step.columns else sql.SQL("*")
        given = table
        if step.kind is not StepKind.INSERT:
            given = f"given_{step.kind}_{step.name}"
            await self._connection.execute(
                sql.SQL("CREATE TEMP TABLE {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA").format(
                    sql.SQL(given), columns, sql.SQL(table)
                )
            )
        described = await self._connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.SQL(given)))
        types = [column.type_code for column in described.description or ()]
        copy = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.SQL(given))
        return _Prepared(step, copy, types, sql.SQL(self._projection.render(step.statement, given)))

    async def position(self) -> int:
        """How far the projection has come."""
        with disconnections():
            cursor = await self._connection.execute(
                "SELECT position FROM projections.projections WHERE name = %(name)s AND version = %(version)s",
                self._key,
            )
            row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    @asynccontextmanager
    async def transaction(self, after: int, upto: int) -> AsyncIterator["PostgresTables"]:
        """A transaction that moves the checkpoint first: whoever else would move it waits, and then finds it moved."""
        with disconnections():
            async with self._connection.transaction():
                await self._move(after, upto)
                yield self

    async def skip(self, after: int, upto: int) -> None:
        """Move the checkpoint alone."""
        with disconnections():
            await self._move(after, upto)

    async def _move(self, after: int, upto: int) -> None:
        cursor = await self._connection.execute(_ADVANCE, {**self._key, "after": after, "upto": upto})
        if cursor.rowcount != 1:
            raise Superseded(f"{self._projection.name} is not at {after}")

    async def load(self, keys: Keys) -> Rows:
        """The rows of these keys."""
        found = {}
        for prepared in self._steps:
            step = prepared.step
            if step.kind is StepKind.LOAD and step.name in keys:
                await self._copy(prepared, keys[step.name])
                cursor = await self._connection.cursor(binary=True).execute(prepared.statement)
                found[step.name] = await cursor.fetchall()
        return found

    async def write(self, changes: Changes) -> None:
        """Run the inserts, updates and writes that there are rows for."""
        for prepared in self._steps:
            step = prepared.step
            if step.kind is StepKind.LOAD or step.name not in changes:
                continue
            given = await self._copy(prepared, changes[step.name])
            if given and step.kind is not StepKind.INSERT:
                changed = (await self._connection.execute(prepared.statement)).rowcount
                if step.kind is StepKind.UPDATE and changed != given:
                    raise LookupError(f"{given - changed} of {given} rows to change are not in {step.table}")

    async def _copy(self, prepared: _Prepared, rows: Iterable[Row]) -> int:
        """Hand rows over; returns how many there were."""
        rows = rows if isinstance(rows, list) else list(rows)
        if rows:
            async with self._connection.cursor().copy(prepared.copy) as copy:
                copy.set_types(prepared.types)
                write_row: Any = copy.write_row
                for row in rows:
                    await write_row(row)
        return len(rows)

    async def stopped(self, failure: Stopped) -> None:
        """Keep where and why the projection stopped."""
        with disconnections():
            await self._connection.execute(_STOP, {**self._key, "position": failure.position, "reason": failure.reason})
