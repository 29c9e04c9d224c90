"""The allocation policy: from which locations goods come where nobody names one."""

from collections.abc import Sequence

from ledger import events as e
from ledger.calendar import Instant
from ledger.events import Fact

Rank = tuple[str, ...]
"""Locations that are equally near."""


class AllocationPolicy:
    """The policy published last. `version` is the stream's and the policy's; 0: none was published."""

    __slots__ = ("_ranks", "locations", "version")

    def __init__(self) -> None:
        self.version = 0
        self.locations: Rank = ()
        """All locations that goods may come from."""
        self._ranks: dict[str, tuple[Rank, ...]] = {}

    @property
    def weight(self) -> int:
        """About how many bytes the state takes."""
        return 500 + sum(100 + 60 * len(rank) for ranks in self._ranks.values() for rank in ranks)

    def ranks(self, destination: str) -> tuple[Rank, ...]:
        """The locations, nearest first; those at no known distance are equally near, and come last."""
        return self._ranks.get(destination) or (self.locations,)

    def clone(self) -> "AllocationPolicy":
        """A copy that changes by itself."""
        copy = AllocationPolicy()
        copy.version, copy.locations, copy._ranks = self.version, self.locations, self._ranks
        return copy

    def evolve(self, event: Fact, at: Instant) -> None:
        """Fold an event of this stream."""
        self.version += 1
        if isinstance(event, e.AllocationPolicyPublished):
            self.locations = event.locations
            tables: dict[str, list[e.Distance]] = {}
            for row in event.distances:
                tables.setdefault(row.destination, []).append(row)
            self._ranks = {destination: self._rank(rows) for destination, rows in tables.items()}

    def _rank(self, rows: Sequence[e.Distance]) -> tuple[Rank, ...]:
        """The locations by their distance from one destination."""
        near: dict[int, list[str]] = {}
        for row in sorted(rows, key=lambda row: row.distance):
            near.setdefault(row.distance, []).append(row.location)
        known = {row.location for row in rows}
        far = tuple(location for location in self.locations if location not in known)
        return (*map(tuple, near.values()), *((far,) if far else ()))
