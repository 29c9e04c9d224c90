"""Connections for readers: a pool, with the database's errors as the ledger's."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, Protocol, Self

import psycopg
from psycopg import AsyncConnection, AsyncCursor, IsolationLevel
from psycopg.sql import SQL
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from adapters.postgres.connect import register
from ledger.errors import Unavailable

WAIT_SECONDS_MAX = 5.0
"""For a free connection, or for the database to come back."""

Parameters = Sequence[Any] | Mapping[str, Any]


class Fetch(Protocol):
    """All rows of a query."""

    async def __call__(self, query: LiteralString | SQL, parameters: Parameters = (), /) -> list[Any]: ...


async def _configure(connection: AsyncConnection) -> None:
    register(connection)
    # Of transactions; a query by itself is none.
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)


def binary_cursor(connection: AsyncConnection) -> AsyncCursor[Any]:
    """A cursor whose results come over the wire as binary."""
    return connection.cursor(binary=True)


class Pool:
    """Connections that queries are sent over, by themselves or as a snapshot. Use it as an async context manager."""

    def __init__(self, dsn: str, application: str, connections_max: int) -> None:
        self._pool = AsyncConnectionPool(
            dsn,
            kwargs={"autocommit": True, "application_name": application},
            min_size=1,
            max_size=connections_max,
            timeout=WAIT_SECONDS_MAX,
            configure=_configure,
            open=False,
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def fetch(
        self,
        query: LiteralString | SQL,
        parameters: Parameters = (),
        cursor: Callable[[AsyncConnection], AsyncCursor[Any]] = binary_cursor,
    ) -> list[Any]:
        """All rows of a query. Raises Unavailable."""
        statement = query if isinstance(query, SQL) else SQL(query)
        try:
            try:
                return await self._fetch(statement, parameters, cursor)
            except PoolTimeout:
                raise
            except psycopg.OperationalError:
                # The database was away since this connection's last use: others may be dead as well.
                await self._pool.check()
                return await self._fetch(statement, parameters, cursor)
        except psycopg.OperationalError as error:
            raise Unavailable(f"the database is away: {error}") from error

    async def _fetch(
        self, query: SQL, parameters: Parameters, cursor: Callable[[AsyncConnection], AsyncCursor[Any]]
    ) -> list[Any]:
        async with self._pool.connection() as connection:
            rows: list[Any] = await (await cursor(connection).execute(query, parameters)).fetchall()
            return rows

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Fetch]:
        """Queries that all see one state of the database. Raises Unavailable."""
        try:
            async with self._pool.connection() as connection, connection.transaction():

                async def fetch(query: LiteralString | SQL, parameters: Parameters = ()) -> list[Any]:
                    statement = query if isinstance(query, SQL) else SQL(query)
                    return await (await binary_cursor(connection).execute(statement, parameters)).fetchall()

                yield fetch
        except psycopg.OperationalError as error:
            raise Unavailable(f"the database is away: {error}") from error
