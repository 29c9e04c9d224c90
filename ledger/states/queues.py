"""Lots of one unit that end together, in the order in which they are spent.

A queue holds the lots of one expiry, or of one period of a member's activity. The expiry of a period moves, and with it
that of all its lots, at once: lots of a period do not say when they end, their queue does.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec

from ledger.calendar import Instant
from ledger.events import Funding, Part, Source, Taken
from ledger.ids import lot_id


class Lot(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Points earned together. `points` are what is left, without what is held."""

    number: int
    points: int
    earned_at: Instant
    available_at: Instant
    """Never before `earned_at`: points are not spent at a time before they were earned."""
    expires_at: Instant
    """As it was granted; where there is a period, its queue knows better."""
    root: str
    issued: str
    funding: Funding
    source: Source
    unit_cost: str | None
    awaits: bool = False
    """Whether the points wait for Activate."""
    period: int = 0
    """The period of activity on which the expiry hangs; 0: none."""

    def part(self, member: str, points: int, expires_at: Instant) -> Part:
        """Some of this lot's points, as events name them."""
        return Part(
            lot_id(member, self.number), points, self.root, self.issued, self.funding, expires_at, self.unit_cost
        )

    def taken(self, member: str, points: int, expires_at: Instant) -> Taken:
        """Some of this lot's points, as events name them that may have to be undone."""
        return Taken(
            lot_id(member, self.number),
            points,
            self.root,
            self.issued,
            self.funding,
            expires_at,
            self.earned_at,
            self.available_at,
            self.source,
            self.unit_cost,
            self.awaits,
            self.period,
        )

    def with_points(self, points: int) -> "Lot":
        """This lot with another number of points left."""
        return Lot(
            self.number,
            points,
            self.earned_at,
            self.available_at,
            self.expires_at,
            self.root,
            self.issued,
            self.funding,
            self.source,
            self.unit_cost,
            self.awaits,
            self.period,
        )


class Queue:
    """The numbers of lots, by earning time, then by number, and the sum of their points.

    A list with a moving head: it gives up its front at once like a deque, in a sixth of the bytes for a few lots.
    """

    __slots__ = ("_head", "_numbers", "awaiting", "expires_at", "held", "points")

    def __init__(self, expires_at: Instant) -> None:
        self._numbers: list[int] = []
        self._head = 0
        self.expires_at = expires_at
        self.points = 0
        self.held = 0
        """Of a period: the points of its lots that are held. As long as there are any, the period goes on."""
        self.awaiting = 0
        """Of a period: the points that wait for Activate and would end before they stop waiting by themselves."""

    def clone(self) -> "Queue":
        """A copy that changes by itself."""
        copy = Queue(self.expires_at)
        copy._numbers, copy.points = self._numbers[self._head :], self.points
        copy.held, copy.awaiting = self.held, self.awaiting
        return copy

    def __bool__(self) -> bool:
        return self._head < len(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers) - self._head

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers) if self._head == 0 else islice(self._numbers, self._head, None)

    def add(self, lot: Lot, lots: Mapping[int, Lot]) -> None:
        """Put a lot where it belongs: nearly always at the end; at the front when it comes back from a hold."""
        numbers = self._numbers
        if self and place_of(lots[numbers[-1]]) > place_of(lot):
            numbers.insert(self._find(lot, lots), lot.number)
        else:
            numbers.append(lot.number)

    def remove(self, lot: Lot, lots: Mapping[int, Lot]) -> None:
        """Take a lot out; the front costs nothing, whatever lies behind."""
        if self._numbers[self._head] == lot.number:
            self._head += 1
            if self._head > 32 and self._head * 2 > len(self._numbers):
                del self._numbers[: self._head]
                self._head = 0
        else:
            del self._numbers[self._find(lot, lots)]

    def _find(self, lot: Lot, lots: Mapping[int, Lot]) -> int:
        """Where a lot stands, or is to stand."""
        return bisect_left(self._numbers, place_of(lot), self._head, key=lambda number: place_of(lots[number]))


def place_of(lot: Lot) -> tuple[Instant, int]:
    """By what lots that end together are ordered."""
    return lot.earned_at, lot.number


class Quarantine:
    """The points of lots that were granted while a member is frozen: they are open or pending only afterwards."""

    __slots__ = ("last_lot", "pending", "points")

    def __init__(self, last_lot: int) -> None:
        self.last_lot = last_lot
        """The last lot that is not quarantined."""
        self.points: dict[int, int] = {}
        """By the key of the queue."""
        self.pending: set[int] = set()
        """The lots that were not available when they were granted."""

    def clone(self) -> "Quarantine":
        """A copy that changes by itself."""
        copy = Quarantine(self.last_lot)
        copy.points, copy.pending = self.points.copy(), self.pending.copy()
        return copy

    def move(self, key: int, points: int) -> None:
        """Points came to a queue, or left it."""
        left = self.points.get(key, 0) + points
        if left:
            self.points[key] = left
        else:
            del self.points[key]
