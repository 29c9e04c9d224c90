"""Loose ends: what one event of a command promises, and another one of the same command must keep."""

from ledger.records import Record
from tests.oracle.facts import Broken


def require(holds: bool, record: Record, problem: str) -> None:
    """Raises Broken, with the position, where something does not hold."""
    if not holds:
        raise Broken(f"position {record.position} ({record.topic} of {record.stream}): {problem}")


class Loose:
    """The promises that are still open within one command."""

    def __init__(self) -> None:
        self.ends: list[tuple[object, ...]] = []

    def expect(self, *end: object) -> None:
        self.ends.append(end)

    def meet(self, record: Record, *end: object) -> None:
        require(end in self.ends, record, f"{end} was not announced, only {self.ends}")
        self.ends.remove(end)

    def meet_if(self, *end: object) -> bool:
        """Whether this was promised."""
        promised = end in self.ends
        if promised:
            self.ends.remove(end)
        return promised

    def check(self) -> None:
        """Raises Broken where a command left something undone."""
        if self.ends:
            raise Broken(f"a command committed in part, without {self.ends}")
