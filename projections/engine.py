"""Carries one projection along the log: batch after batch, exactly once, and loudly to a halt where its fold fails.

Knows no database: an adapter implements `Feed` and `Tables`. Rows and checkpoint change in one transaction.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from projections.projection import Changes, Keys, Projection, Rows
from projections.recorded import Batch, Recorded, Undecodable

RETRY_SECONDS_MIN = 1.0
RETRY_SECONDS_MAX = 60.0
"""A projection that stopped tries again, each time after twice as long: what failed may have been repaired."""


class Disconnected(Exception):
    """Raised by an adapter when the database is away; it says nothing about the fold."""


class Superseded(Exception):
    """Raised by an adapter when the checkpoint is not where this process left it: another one folds the projection."""


class Stopped(Exception):
    """Raised when a projection cannot fold the event at a position."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"at position {position}: {reason}")
        self.position = position
        self.reason = reason


class Feed(Protocol):
    """The log, decoded; one feed serves several projections."""

    async def after(self, position: int) -> Batch:
        """The next events after a position; waits until there are any. Raises Disconnected."""


class Transaction(Protocol):
    """An open transaction over a projection's tables."""

    async def load(self, keys: Keys) -> Rows:
        """The rows of these keys."""

    async def write(self, changes: Changes) -> None:
        """Change the tables."""


class Tables(Protocol):
    """One projection's tables and checkpoint. Everything here raises Disconnected."""

    async def position(self) -> int:
        """How far the projection has come."""

    def transaction(self, after: int, upto: int) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that moves the checkpoint between these positions; raises Superseded if it is not there."""

    async def stopped(self, failure: Stopped) -> None:
        """Keep for everybody to see that the projection stopped, where and why, until it moves on."""


class Engine:
    """One projection on its way along the log."""

    def __init__(self, projection: Projection, feed: Feed, tables: Tables) -> None:
        self.projection = projection
        self._feed = feed
        self._tables = tables

    async def run(self) -> None:
        """Follow the log until cancelled; where the fold fails, say so and try again later. Raises Disconnected."""
        pause, failed_at = 0.0, 0
        while True:
            position = await self._tables.position()
            try:
                while True:
                    batch = await self._feed.after(position)
                    await self.advance(batch.after, batch.upto, self.projection.select(batch.events))
                    position = batch.upto
            except Superseded:
                continue
            except Stopped as failure:
                await self._tables.stopped(failure)
                pause = min(2 * pause, RETRY_SECONDS_MAX) if failure.position == failed_at else RETRY_SECONDS_MIN
                failed_at = failure.position
                await asyncio.sleep(pause)

    async def advance(self, after: int, upto: int, events: Sequence[Recorded]) -> None:
        """Fold events and move the checkpoint; if that fails, by halves, up to the very event. Raises Stopped."""
        try:
            async with self._tables.transaction(after, upto) as transaction:
                if events:
                    keys = self.projection.keys(events)
                    rows = await transaction.load(keys) if keys else {}
                    await transaction.write(self.projection.fold(rows, events))
            return
        except (Disconnected, Superseded):
            raise
        except Exception as error:
            if len(events) < 2:
                raise _failure(upto, events, error) from error
        middle = len(events) // 2
        first, rest = events[:middle], events[middle:]
        await self.advance(after, first[-1].position, first)
        await self.advance(first[-1].position, upto, rest)


def _failure(upto: int, events: Sequence[Recorded], error: Exception) -> Stopped:
    """Why a batch of at most one event could not be folded."""
    if not events:
        return Stopped(upto, f"{type(error).__name__}: {error}")
    event = events[0].event
    if isinstance(event, Undecodable):
        return Stopped(events[0].position, f"{event.topic} cannot be decoded: {event.reason}")
    return Stopped(events[0].position, f"{type(event).__name__}: {type(error).__name__}: {error}")
