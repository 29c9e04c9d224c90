"""A command that may be reversed: what it led to, and how much of that was moved back since."""

from collections.abc import Sequence

from ledger import events as e
from ledger.calendar import EARLIEST, Instant
from ledger.events import Fact

Origin = tuple[Instant, Sequence[tuple[str, Fact]]]
"""When a command happened, and the events it led to in order, each with its stream."""


class Reversal:
    """What was reversed of one command. Its origin is no event of this stream: it is looked up with it."""

    __slots__ = ("occurred_at", "origin", "reversed", "version")

    weight = 2_000

    def __init__(self) -> None:
        self.version = 0
        self.origin: Sequence[tuple[str, Fact]] = ()
        """Empty: no such command was accepted."""
        self.occurred_at: Instant = EARLIEST
        self.reversed = 0
        """Points moved back, less those whose reversal was itself reversed."""

    def found(self, origin: Origin) -> None:
        """What the command led to, which never changes."""
        self.occurred_at, self.origin = origin

    def clone(self) -> "Reversal":
        """A copy that changes by itself."""
        copy = Reversal()
        copy.version, copy.reversed = self.version, self.reversed
        copy.found((self.occurred_at, self.origin))
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.CommandReversed):
            self.reversed += event.points
        elif isinstance(event, e.CommandReinstated):
            self.reversed -= event.points
