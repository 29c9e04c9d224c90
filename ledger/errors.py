"""Faults: what breaks, as against what the rules refuse.

LedgerError
|-- InvalidCommand      bad input; names the field; nothing was stored and no id used up
|-- CommandIdReused     this command id was used before, for another request
|-- Overloaded          the queue is full; nothing was stored
|-- Unavailable         not the writer now, or the outcome is unknown: retry with the same command id
|-- Fenced              another writer holds the shard: this one must step down
`-- Corrupt             what was read from the store contradicts itself
"""


class LedgerError(Exception):
    """The root of all faults raised by the ledger."""


class InvalidCommand(LedgerError):
    """Raised when a command can't be understood; `field` is the path of the offending field."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class CommandIdReused(LedgerError):
    """Raised when a command id comes a second time with another request."""


class Overloaded(LedgerError):
    """Raised at once when the writer's queue is full."""


class Unavailable(LedgerError):
    """Raised when no answer can be given now; the same command id may be sent again and is answered exactly once."""


class Fenced(LedgerError):
    """Raised when an append finds another epoch, position or stream version than it was decided on."""


class Corrupt(LedgerError):
    """Raised when stored data contradicts itself, for example a broken hash chain."""
