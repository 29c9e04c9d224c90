"""Carries one projection along the log: exactly once, and loudly to a halt (or past a key) where its fold fails.

Knows no database: an adapter implements `Tables`. Rows and checkpoint change in one transaction.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from projections.projection import Changes, Keys, Projection, Rows
from projections.recorded import Batch, Recorded, Undecodable


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


class Transaction(Protocol):
    """An open transaction over a projection's tables."""

    async def load(self, keys: Keys) -> Rows:
        """The rows of these keys."""

    async def write(self, changes: Changes) -> None:
        """Change the tables."""

    async def park(self, events: Sequence[Recorded], reason: str | None) -> None:
        """Keep events for later, unfolded; the reason is that of the first, if that is the one that failed."""


class Tables(Protocol):
    """One projection's tables and checkpoint. Everything here raises Disconnected."""

    parked: set[str]
    """The keys whose events are kept for later."""

    async def position(self) -> int:
        """How far the projection has come."""

    def transaction(self, after: int, upto: int) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that moves the checkpoint between these positions; raises Superseded if it is not there."""

    async def skip(self, after: int, upto: int) -> None:
        """Move the checkpoint past events that the projection does not fold; raises Superseded if it is not there."""

    async def stopped(self, failure: Stopped) -> None:
        """Keep for everybody to see that the projection stopped, where and why, until it moves on."""


class Work:
    """A batch for one projection: the events it folds and, if the fold needs no rows, what they change."""

    def __init__(self, projection: Projection, batch: Batch) -> None:
        self.projection = projection
        self.after = batch.after
        self.upto = batch.upto
        self.events = projection.select(batch.events)
        self.changes: Changes | None = None

    def fold(self) -> None:
        """Fold ahead, while the batch before is written. What fails here is left to `Engine.advance`, to fail again."""
        if self.projection.keys is None and self.events:
            try:
                self.changes = _fold(self.projection, {}, self.events)
            except Exception:
                self.changes = None


class Engine:
    """One projection on its way along the log."""

    def __init__(self, projection: Projection, tables: Tables) -> None:
        self.projection = projection
        self.tables = tables
        self.failures = 0
        """How often it failed at one event, one time after another."""
        self.failed_at = 0

    async def advance(self, work: Work) -> None:
        """Fold a batch and move the checkpoint; where that fails, by halves, up to the very event.

        Raises Stopped at that event; Superseded and Disconnected as the tables do.
        """
        await self._advance(work.after, work.upto, work.events, work.changes)

    async def _advance(self, after: int, upto: int, events: Sequence[Recorded], folded: Changes | None) -> None:
        if not events:
            await self.tables.skip(after, upto)
            return
        try:
            await self._fold_or_park(after, upto, events, folded)
            return
        except (Disconnected, Superseded):
            raise
        except Exception as error:
            if len(events) == 1:
                await self._fail(after, upto, events[0], error)
                return
        middle = len(events) // 2
        first, rest = events[:middle], events[middle:]
        await self._advance(after, first[-1].position, first, None)
        await self._advance(first[-1].position, upto, rest, None)

    async def _fold_or_park(self, after: int, upto: int, events: Sequence[Recorded], folded: Changes | None) -> None:
        """Fold events, but keep those of parked keys for later, all in one transaction."""
        late = [recorded for recorded in events if recorded.key in self.tables.parked] if self.tables.parked else []
        if late:
            events, folded = [recorded for recorded in events if recorded.key not in self.tables.parked], None
        async with self.tables.transaction(after, upto) as transaction:
            if events:
                await transaction.write(folded or await self._load_and_fold(transaction, events))
            if late:
                await transaction.park(late, None)

    async def _fail(self, after: int, upto: int, recorded: Recorded, error: Exception) -> None:
        """Stop at an event, or park its key. Raises Stopped."""
        failure = _failure(recorded, error)
        if not self.projection.may_park(recorded):
            raise failure from error
        async with self.tables.transaction(after, upto) as transaction:
            await transaction.park([recorded], failure.reason)
        self.tables.parked.add(recorded.key)

    async def replay(self, recorded: Recorded, transaction: Transaction) -> None:
        """Fold an event that was parked. Raises Stopped if it still fails."""
        try:
            await transaction.write(await self._load_and_fold(transaction, [recorded]))
        except (Disconnected, Superseded):
            raise
        except Exception as error:
            raise _failure(recorded, error) from error

    async def _load_and_fold(self, transaction: Transaction, events: Sequence[Recorded]) -> Changes:
        rows = await transaction.load(self.projection.keys(events)) if self.projection.keys else {}
        return _fold(self.projection, rows, events)


def _fold(projection: Projection, rows: Rows, events: Sequence[Recorded]) -> Changes:
    if any(type(recorded.event) is Undecodable for recorded in events):
        raise ValueError("an event cannot be decoded")
    return projection.fold(rows, events)


def _failure(recorded: Recorded, error: Exception) -> Stopped:
    event = recorded.event
    if isinstance(event, Undecodable):
        return Stopped(recorded.position, f"{event.topic} cannot be decoded: {event.reason}")
    return Stopped(recorded.position, f"{type(event).__name__}: {type(error).__name__}: {error}")
