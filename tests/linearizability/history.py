"""What clients asked, when, and what they were answered: the history that the checks judge."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

Apply = Callable[[Any, Any], tuple[Any, Hashable]]
"""A sequential specification: from a state and a call to the next state and the answer. States can be hashed."""


@dataclass(slots=True)
class Operation:
    """One call of one client, or one command however often and by whomever it was sent.

    Times are nanoseconds of one monotonic clock. An operation without an answer may have taken place at any time after
    it was invoked, or not at all.
    """

    id: str
    """The id of a command; of a read, any name."""
    key: str
    """The object that it is about; objects share nothing."""
    call: Hashable
    """What was asked, in the words of the specification."""
    invoked: int
    """Before the first attempt was sent."""
    returned: int | None = None
    """After the first answer came."""
    answer: Hashable = None
    """In the words of the specification; None: nobody was ever told."""
    position: int = 0
    """Where a command ends in the log, or how far the view had come that answered a read; 0: neither is known."""
    asked: int | None = None
    """Of reads only: the position that the answer had to wait for."""
    latest: bool = False
    """Of reads only: whether that was the highest position that anybody had been told."""

    @property
    def is_read(self) -> bool:
        """Whether it only asks."""
        return self.asked is not None

    def preceded(self, other: "Operation") -> bool:
        """Whether it had been answered before the other one was asked."""
        return self.returned is not None and self.returned < other.invoked
