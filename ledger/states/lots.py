"""A member's lots in one unit, in the order in which they are spent.

First expiring, first out: earliest expiry, lots that never expire last, then by earning time, then by number (edge
case 15). Lots with one expiry share a queue, spent from its head; what an event costs does not grow with the lots that
lie behind.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from ledger.calendar import EARLIEST, Instant
from ledger.events import Funding, Part, Source
from ledger.ids import lot_id, lot_number


class Lot(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Points earned together. `points` are what is left, without what is held."""

    number: int
    points: int
    earned_at: Instant
    available_at: Instant
    """Never before `earned_at`: points are not spent at a time before they were earned."""
    expires_at: Instant
    root: str
    issued: str
    funding: Funding
    source: Source
    unit_cost: str | None

    def part(self, member: str, points: int) -> Part:
        """Some of this lot's points, as events name them."""
        return Part(
            lot_id(member, self.number), points, self.root, self.issued, self.funding, self.expires_at, self.unit_cost
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
        )


class Queue:
    """The numbers of the lots of one expiry, by earning time, then by number, and the sum of their points.

    A list with a moving head: it gives up its front at once like a deque, in a sixth of the bytes for a few lots.
    """

    __slots__ = ("_head", "_numbers", "points")

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._head = 0
        self.points = 0

    def clone(self) -> "Queue":
        """A copy that changes by itself."""
        copy = Queue()
        copy._numbers, copy.points = self._numbers[self._head :], self.points
        return copy

    def __bool__(self) -> bool:
        return self._head < len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers) if self._head == 0 else islice(self._numbers, self._head, None)

    def add(self, lot: Lot, lots: Mapping[int, Lot]) -> None:
        """Put a lot where it belongs: nearly always at the end; at the front when it comes back from a hold."""
        numbers = self._numbers
        if self:
            key = (lot.earned_at, lot.number)
            last = lots[numbers[-1]]
            if (last.earned_at, last.number) > key:
                for place in range(self._head, len(numbers)):
                    other = lots[numbers[place]]
                    if (other.earned_at, other.number) > key:
                        numbers.insert(place, lot.number)
                        return
        numbers.append(lot.number)

    def remove(self, number: int) -> None:
        """Take a lot out; the front costs nothing, whatever lies behind."""
        if self._numbers[self._head] == number:
            self._head += 1
            if self._head > 32 and self._head * 2 > len(self._numbers):
                del self._numbers[: self._head]
                self._head = 0
        else:
            del self._numbers[self._numbers.index(number, self._head)]


class Lots:
    """The lots of one unit that have points left, and their sums."""

    __slots__ = ("_expiries", "_lots", "_pending", "_queues", "settled_at", "total")

    def __init__(self, lots: Sequence[Lot] = (), settled_at: Instant = EARLIEST) -> None:
        self._lots: dict[int, Lot] = {}
        self._queues: dict[Instant, Queue] = {}
        self._expiries: list[Instant] = []
        self._pending: dict[Instant, int] | None = None
        """Points that become available after `settled_at`, by that time; most members have none."""
        self.settled_at = settled_at
        """The latest instant of any event here; lots available by then no longer count as pending."""
        self.total = 0
        """Points in all lots: open, pending, and past their expiry but not yet posted as expired."""
        for lot in lots:
            self.add(lot)

    @property
    def count(self) -> int:
        """Lots with points left."""
        return len(self._lots)

    def clone(self) -> "Lots":
        """A copy that changes by itself; the lots are immutable and shared."""
        copy = Lots((), self.settled_at)
        copy._lots = self._lots.copy()
        copy._queues = {expiry: queue.clone() for expiry, queue in self._queues.items()}
        copy._expiries = self._expiries.copy()
        copy._pending = None if self._pending is None else self._pending.copy()
        copy.total = self.total
        return copy

    def __iter__(self) -> Iterator[Lot]:
        """All lots with points left, in the order in which they are spent."""
        for expiry in self._expiries:
            for number in self._queues[expiry]:
                yield self._lots[number]

    def get(self, number: int) -> Lot:
        """The lot of this number; raises KeyError when none of its points is left."""
        return self._lots[number]

    # -- what can be spent

    def spendable(self, at: Instant) -> int:
        """Points that are open at an instant: available, not expired, not held."""
        if at < self.settled_at:  # A late command: the sums are of a later time, so count.
            return sum(lot.points for lot in self if lot.available_at <= at < lot.expires_at)
        return self.total - self.expired(at) - self.pending(at)

    def expired(self, at: Instant) -> int:
        """Points past their expiry that no event has posted yet."""
        expired = 0
        for expiry in self._expiries:
            if expiry > at:
                break
            expired += self._queues[expiry].points
        return expired

    def open_and_pending(self, at: Instant) -> tuple[int, int]:
        """Points that are open, and points that are pending, at an instant or at the last event's if that is later."""
        at = max(at, self.settled_at)
        points, expiries = self.total, self._expiries
        if expiries and expiries[0] <= at:
            points -= self.expired(at)
        pending = 0 if self._pending is None else self.pending(at)
        return points - pending, pending

    def pending(self, at: Instant) -> int:
        """Points that become available after `at`, which is not before the last event."""
        if self._pending is None:
            return 0
        return sum(points for available_at, points in self._pending.items() if available_at > at)

    def take(self, points: int, at: Instant) -> list[tuple[Lot, int]]:
        """Lots that give `points` at an instant, first expiring first; they may give less, when there is no more."""
        taken: list[tuple[Lot, int]] = []
        lots = self._lots
        for expiry in self._expiries[bisect_right(self._expiries, at) :]:
            for number in self._queues[expiry]:
                lot = lots[number]
                if lot.available_at <= at:
                    given = lot.points if lot.points < points else points
                    taken.append((lot, given))
                    points -= given
                    if points == 0:
                        return taken
        return taken

    def due(self, cut_off: Instant) -> Iterator[tuple[Instant, list[Lot]]]:
        """The lots that ended by `cut_off`, by expiry."""
        for expiry in self._expiries[: bisect_right(self._expiries, cut_off)]:
            yield expiry, [self._lots[number] for number in self._queues[expiry]]

    def next_expiry(self) -> Instant | None:
        """The earliest expiry of any lot."""
        return self._expiries[0] if self._expiries else None

    # -- changes, by events only

    def add(self, lot: Lot) -> None:
        """Add a lot, or points to a lot that gave them before."""
        number, points = lot.number, lot.points
        queue = self._queues.get(lot.expires_at)
        if queue is None:
            queue = self._queues[lot.expires_at] = Queue()
            insort(self._expiries, lot.expires_at)
        known = self._lots.get(number)
        if known is not None:
            self._lots[number] = known.with_points(known.points + points)
        else:
            self._lots[number] = lot
            queue.add(lot, self._lots)
        queue.points += points
        self.total += points
        if lot.available_at > self.settled_at:
            self._pend(lot.available_at, points)

    def draw(self, number: int, points: int) -> Lot:
        """Take points out of a lot; returns the lot as it was. Raises KeyError or ValueError if they are not there."""
        lot = self._lots[number]
        queue = self._queues[lot.expires_at]
        left = lot.points - points
        if left > 0:
            self._lots[number] = lot.with_points(left)
        elif left == 0:
            del self._lots[number]
            queue.remove(number)
            if not queue:
                del self._queues[lot.expires_at]
                self._expiries.remove(lot.expires_at)
        else:
            raise ValueError(f"lot {number} has {lot.points} points, not {points}")
        queue.points -= points
        self.total -= points
        if lot.available_at > self.settled_at:
            self._pend(lot.available_at, -points)
        return lot

    def draw_parts(self, parts: Sequence[Part]) -> list[Lot]:
        """Take parts out of their lots; returns the lots as they were."""
        return [self.draw(lot_number(part.lot), part.points) for part in parts]

    def settle(self, at: Instant) -> None:
        """An event is dated `at`: what was pending until then is open from now on."""
        if at > self.settled_at:
            self.settled_at = at
            if self._pending is not None:
                left = {available_at: points for available_at, points in self._pending.items() if available_at > at}
                self._pending = left or None

    def _pend(self, available_at: Instant, points: int) -> None:
        if self._pending is None:
            self._pending = {}
        self._pending[available_at] = self._pending.get(available_at, 0) + points
