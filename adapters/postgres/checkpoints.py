"""Where a build stands: a row that moves in the transaction that changes its tables, and only from where it was seen.

A build that follows the log has one checkpoint; one that is loaded has one for each part of the streams.
"""

from typing import Protocol

from psycopg import AsyncConnection

from projections.engine import Stopped, Superseded
from projections.projection import Build

_POSITION = "SELECT position FROM projections.builds WHERE name = %(name)s AND build = %(build)s"
_MOVE = """
UPDATE projections.builds
SET position = %(upto)s, moved_at = clock_timestamp(), failed_position = NULL, reason = NULL
WHERE name = %(name)s AND build = %(build)s AND position = %(after)s AND NOT loading
  AND state IN ('RUNNING', 'BUILDING', 'READY')
"""
_STOP = """
UPDATE projections.builds SET failed_position = %(position)s, reason = %(reason)s
WHERE name = %(name)s AND build = %(build)s
"""
_PART_POSITION = """
SELECT position FROM projections.parts WHERE name = %(name)s AND build = %(build)s AND part = %(part)s
"""
_PART_MOVE = """
UPDATE projections.parts SET position = %(upto)s
WHERE name = %(name)s AND build = %(build)s AND part = %(part)s AND position = %(after)s
  AND EXISTS (SELECT FROM projections.builds
              WHERE name = %(name)s AND build = %(build)s AND loading AND state = 'BUILDING')
"""


class Checkpoint(Protocol):
    """How far something has come."""

    async def position(self, connection: AsyncConnection) -> int:
        """Events up to here are folded. Raises Superseded if nobody follows any more."""

    async def move(self, connection: AsyncConnection, after: int, upto: int) -> None:
        """Move between these positions. Raises Superseded if it is not there, or was told to wait."""

    async def stopped(self, connection: AsyncConnection, failure: Stopped) -> None:
        """Keep for everybody to see where it stopped, and why, until it moves on."""


class BuildCheckpoint:
    """The checkpoint of a build that follows the log."""

    def __init__(self, build: Build) -> None:
        self._key = {"name": build.projection.name, "build": build.number}

    async def position(self, connection: AsyncConnection) -> int:
        """Events up to here are folded."""
        return await _position(connection, _POSITION, self._key)

    async def move(self, connection: AsyncConnection, after: int, upto: int) -> None:
        """Move between these positions."""
        await _move(connection, _MOVE, {**self._key, "after": after, "upto": upto})

    async def stopped(self, connection: AsyncConnection, failure: Stopped) -> None:
        """Keep where it stopped, and why."""
        await connection.execute(_STOP, {**self._key, "position": failure.position, "reason": failure.reason})


class PartCheckpoint(BuildCheckpoint):
    """The checkpoint of one part of the streams, while a build is loaded."""

    def __init__(self, build: Build, part: int) -> None:
        super().__init__(build)
        self._part = {**self._key, "part": part}

    async def position(self, connection: AsyncConnection) -> int:
        """Events of this part up to here are folded."""
        return await _position(connection, _PART_POSITION, self._part)

    async def move(self, connection: AsyncConnection, after: int, upto: int) -> None:
        """Move between these positions."""
        await _move(connection, _PART_MOVE, {**self._part, "after": after, "upto": upto})


async def _position(connection: AsyncConnection, query: str, key: dict[str, object]) -> int:
    row = await (await connection.execute(query.encode(), key)).fetchone()
    if row is None:
        raise Superseded(f"{key['name']}, build {key['build']}, is no more")
    return int(row[0])


async def _move(connection: AsyncConnection, statement: str, values: dict[str, object]) -> None:
    cursor = await connection.execute(statement.encode(), values)
    if cursor.rowcount != 1:
        raise Superseded(f"{values['name']}, build {values['build']}, is not at {values['after']}, or was told to wait")
