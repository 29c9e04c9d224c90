"""A member's lots in one unit, in the order in which they are spent.

First expiring, first out: earliest expiry, lots that never expire last, then by earning time, then by number (edge
case 15). Lots that end together share a queue, spent from its head; what an event costs does not grow with the lots
that lie behind.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

import msgspec

from ledger.calendar import EARLIEST, NEVER, Instant
from ledger.events import Part, Source, Taken
from ledger.ids import lot_number
from ledger.states.queues import Lot, Quarantine, Queue, place_of


class LotsImage(msgspec.Struct, frozen=True, array_like=True):
    """The lots of one unit in a snapshot."""

    settled_at: Instant
    lots: list[Lot]
    periods: dict[int, Instant]
    period: int


class Lots:
    """The lots of one unit that have points left, and their sums.

    A queue's key is the expiry of its lots or, negative, the number of their period of activity.
    """

    __slots__ = (
        "_awaiting",
        "_lots",
        "_order",
        "_pending",
        "_quarantine",
        "_queues",
        "period",
        "settled_at",
        "total",
    )

    def __init__(self, lots: Sequence[Lot] = (), settled_at: Instant = EARLIEST) -> None:
        self._lots: dict[int, Lot] = {}
        self._queues: dict[int, Queue] = {}
        self._order: list[tuple[Instant, int]] = []
        """The queues' expiries, each with the queue's key."""
        self._pending: dict[Instant, int] | None = None
        """Points that stop being pending after `settled_at`, by that time; most members have none."""
        self._awaiting: dict[Source, int] | None = None
        """The lots that wait for Activate and have points left, by source."""
        self._quarantine: Quarantine | None = None
        """Only while the member is frozen."""
        self.period = 0
        """The period of activity that new lots belong to; 0: none."""
        self.settled_at = settled_at
        """The latest instant of any event here; lots available by then no longer count as pending."""
        self.total = 0
        """Points in all lots: open, pending, quarantined, and past their expiry but not yet posted as expired."""
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
        copy._queues = {key: queue.clone() for key, queue in self._queues.items()}
        copy._order = self._order.copy()
        copy._pending = None if self._pending is None else self._pending.copy()
        copy._awaiting = None if self._awaiting is None else self._awaiting.copy()
        copy._quarantine = None if self._quarantine is None else self._quarantine.clone()
        copy.period, copy.total = self.period, self.total
        return copy

    def image(self) -> LotsImage:
        """What a snapshot keeps."""
        periods = {-key: queue.expires_at for key, queue in self._queues.items() if key < 0}
        return LotsImage(self.settled_at, list(self), periods, self.period)

    @classmethod
    def restore(cls, image: LotsImage, last_lot: int | None) -> "Lots":
        """The lots that a snapshot was taken of; of a frozen member, those behind `last_lot` are quarantined."""
        lots = cls((), image.settled_at)
        lots.period = image.period
        for period, expires_at in image.periods.items():
            lots.begin_period(period, expires_at)
        if last_lot is not None:
            lots.freeze(last_lot)
        for lot in image.lots:
            lots.add(lot)
        return lots

    def __iter__(self) -> Iterator[Lot]:
        """All lots with points left, in the order in which they are spent."""
        for _, numbers in self._by_expiry(0):
            for number in numbers:
                yield self._lots[number]

    def get(self, number: int) -> Lot | None:
        """The lot of this number, as long as points are left in it."""
        return self._lots.get(number)

    def there(self, number: int) -> Lot:
        """The lot of this number; raises KeyError when no points are left in it."""
        return self._lots[number]

    def waiting(self, source: Source) -> Lot | None:
        """The lot that was granted for a source and waits for Activate, as long as points are left in it."""
        number = None if self._awaiting is None else self._awaiting.get(source)
        return None if number is None else self._lots[number]

    def period_end(self, period: int) -> Instant | None:
        """When the lots of a period of activity end; None: there is no such period here."""
        queue = self._queues.get(-period)
        return None if queue is None else queue.expires_at

    def periods(self, after: Instant, by: Instant) -> Iterator[tuple[int, Queue]]:
        """The periods of activity, by number, that end after an instant and by another one."""
        for _, key in self._order[self._behind(after) : self._behind(by)]:
            if key < 0:
                yield -key, self._queues[key]

    def fixed(self, after: Instant, by: Instant) -> Iterator[Lot]:
        """The lots with an expiry of their own that end after an instant and by another one."""
        for _, key in self._order[self._behind(after) : self._behind(by)]:
            if key > 0:
                yield from (self._lots[number] for number in self._queues[key])

    # -- what can be spent

    def spendable(self, at: Instant) -> int:
        """Points that are available at an instant, not expired, not held; those that are quarantined included."""
        if at < self.settled_at or self._quarantine is not None:  # The sums are of another time, or of fewer lots.
            lots = (self._lots[number] for _, numbers in self._by_expiry(self._behind(at)) for number in numbers)
            return sum(lot.points for lot in lots if lot.available_at <= at)
        return self.total - self.expired(at) - self.pending(at)

    def expired(self, at: Instant) -> int:
        """Points past their expiry that no event has posted yet."""
        expired = 0
        for expiry, key in self._order:
            if expiry > at:
                break
            expired += self._queues[key].points
        return expired

    def open_and_pending(self, at: Instant) -> tuple[int, int]:
        """Points that are open, and points that are pending, at an instant or at the last event's if that is later.

        Of a frozen member, those that are quarantined are neither.
        """
        if at < self.settled_at:  # noqa: PLR1730 - a call of max takes nine times as long
            at = self.settled_at
        points, order = self.total, self._order
        if order and order[0][0] <= at:
            points -= self.expired(at)
        pending = 0 if self._pending is None else self.pending(at)
        if self._quarantine is not None:
            points -= self.quarantined(at)
        return points - pending, pending

    def pending(self, at: Instant) -> int:
        """Points that become available after `at`, which is not before the last event, or wait for Activate then."""
        if self._pending is None:
            return 0
        return sum(points for until, points in self._pending.items() if until > at)

    def quarantined(self, at: Instant) -> int:
        """Points locked away while the member is frozen, at an instant or at the last event's if that is later."""
        if self._quarantine is None:
            return 0
        at = max(at, self.settled_at)
        return sum(points for key, points in self._quarantine.points.items() if self._queues[key].expires_at > at)

    def take(self, points: int, at: Instant) -> list[tuple[Lot, int]]:
        """Lots that give `points` at an instant, first expiring first; they may give less, when there is no more."""
        taken: list[tuple[Lot, int]] = []
        lots = self._lots
        for _, numbers in self._by_expiry(self._behind(at)):
            for number in numbers:
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
        for expiry, numbers in self._by_expiry(0):
            if expiry > cut_off:
                return
            lots = [self._lots[number] for number in numbers]
            if lots:
                yield expiry, lots

    def _behind(self, at: Instant) -> int:
        """The place in `_order` of the first queue that ends after an instant."""
        return bisect_right(self._order, (at, NEVER))

    def _by_expiry(self, place: int) -> Iterator[tuple[Instant, Iterable[int]]]:
        """From a place in `_order` on, each expiry with the numbers of the lots that end then, in order."""
        order = self._order
        while place < len(order):
            expiry, key = order[place]
            place += 1
            if place == len(order) or order[place][0] != expiry:
                yield expiry, self._queues[key]
                continue
            queues = [self._queues[key]]
            while place < len(order) and order[place][0] == expiry:
                queues.append(self._queues[order[place][1]])
                place += 1
            yield expiry, merge(*queues, key=lambda number: place_of(self._lots[number]))

    # -- changes, by events only

    def add(self, lot: Lot) -> None:
        """Add a lot, or points to a lot that gave them before."""
        number, points = lot.number, lot.points
        key = -lot.period or lot.expires_at
        queue = self._queues.get(key)
        if queue is None:
            queue = self._begin(key, lot.expires_at)
        known = self._lots.get(number)
        if known is not None:
            self._lots[number] = known.with_points(known.points + points)
        else:
            self._lots[number] = lot
            queue.add(lot, self._lots)
            if lot.awaits:
                self._await(lot)
        queue.points += points
        self.total += points
        if self._quarantine is not None and number > self._quarantine.last_lot:
            self._quarantine.move(key, points)
            if lot.available_at > self.settled_at:
                self._quarantine.pending.add(number)
        elif lot.available_at > self.settled_at:
            self._pend(lot, queue, points)

    def draw(self, number: int, points: int) -> Lot:
        """Take points out of a lot; returns the lot as it was. Raises KeyError or ValueError if they are not there."""
        lot = self._lots[number]
        key = -lot.period or lot.expires_at
        queue = self._queues[key]
        left = lot.points - points
        if left < 0:
            raise ValueError(f"lot {number} has {lot.points} points, not {points}")
        if self._quarantine is not None and number > self._quarantine.last_lot:
            self._quarantine.move(key, -points)
        elif lot.available_at > self.settled_at:
            self._pend(lot, queue, -points)
        queue.points -= points
        self.total -= points
        if left > 0:
            self._lots[number] = lot.with_points(left)
        else:
            queue.remove(lot, self._lots)
            del self._lots[number]
            self._end(key, queue)
            self._stop_awaiting(lot)
        return lot

    def put_back(self, taken: Taken) -> None:
        """Put points back into the lot they were taken out of, whether or not anything is left of it."""
        self.add(
            Lot(
                lot_number(taken.lot),
                taken.points,
                taken.earned_at,
                taken.available_at,
                taken.expires_at,
                taken.root,
                taken.issued,
                taken.funding,
                taken.source,
                taken.unit_cost,
                taken.awaits_activation,
                taken.period,
            )
        )

    def draw_parts(self, parts: Sequence[Part | Taken]) -> list[Lot]:
        """Take parts out of their lots; returns the lots as they were."""
        return [self.draw(lot_number(part.lot), part.points) for part in parts]

    def count_held(self, lots: Iterable[Lot], sign: int) -> None:
        """Lots with points were set aside (1), or are no longer (-1)."""
        for lot in lots:
            if lot.period:
                queue = self._queues[-lot.period]
                queue.held += sign * lot.points
                self._end(-lot.period, queue)

    def settle(self, at: Instant) -> None:
        """An event is dated `at`: what was pending until then is open from now on."""
        if at > self.settled_at:
            self.settled_at = at
            if self._pending is not None:
                left = {until: points for until, points in self._pending.items() if until > at}
                self._pending = left or None

    def activate(self, number: int, available_at: Instant) -> None:
        """A lot no longer waits: it can be spent from `available_at` on, which is not after the last event."""
        lot = self._lots[number]
        quarantined = self._quarantine is not None and number > self._quarantine.last_lot
        if lot.available_at > self.settled_at and not quarantined:
            self._pend(lot, self._queues[-lot.period or lot.expires_at], -lot.points)
        self._lots[number] = msgspec.structs.replace(lot, available_at=available_at, awaits=False)
        self._stop_awaiting(lot)

    def extend_period(self, period: int, expires_at: Instant) -> None:
        """All lots of a period of activity end at another time: whatever their number, this costs the same."""
        queue = self._queues[-period]
        self._order.pop(bisect_left(self._order, (queue.expires_at, -period)))
        insort(self._order, (expires_at, -period))
        if queue.awaiting:
            self._count_pending(queue.expires_at, -queue.awaiting)
            self._count_pending(expires_at, queue.awaiting)
        queue.expires_at = expires_at

    def extend_lot(self, number: int, expires_at: Instant, period: int) -> None:
        """One lot ends at another time, with a period of activity or without."""
        lot = self._lots[number]
        self.draw(number, lot.points)
        self.add(msgspec.structs.replace(lot, expires_at=expires_at, period=period))

    def freeze(self, last_lot: int) -> None:
        """The member was frozen: lots behind this one are quarantined."""
        self._quarantine = Quarantine(last_lot)

    def unfreeze(self) -> None:
        """The member is free again: what was quarantined is open, or pending where it is not available yet."""
        quarantine, self._quarantine = self._quarantine, None
        for number in quarantine.pending if quarantine is not None else ():
            lot = self._lots.get(number)
            if lot is not None and lot.available_at > self.settled_at:
                self._pend(lot, self._queues[-lot.period or lot.expires_at], lot.points)

    def begin_period(self, period: int, expires_at: Instant) -> None:
        """There is a period of activity, before any lot belongs to it."""
        if -period not in self._queues:
            self._begin(-period, expires_at)

    def _begin(self, key: int, expires_at: Instant) -> Queue:
        queue = self._queues[key] = Queue(expires_at)
        insort(self._order, (expires_at, key))
        return queue

    def _end(self, key: int, queue: Queue) -> None:
        """Forget a queue that has nothing left."""
        if not queue and not queue.held:
            del self._queues[key]
            self._order.pop(bisect_left(self._order, (queue.expires_at, key)))
            if key == -self.period:
                self.period = 0

    def _await(self, lot: Lot) -> None:
        if self._awaiting is None:
            self._awaiting = {}
        self._awaiting[lot.source] = lot.number

    def _stop_awaiting(self, lot: Lot) -> None:
        if lot.awaits and self._awaiting is not None:
            del self._awaiting[lot.source]

    def _pend(self, lot: Lot, queue: Queue, points: int) -> None:
        """Count points as pending until their lot becomes available or, where it waits longer than that, ends."""
        until = lot.available_at
        if until > queue.expires_at:
            until = queue.expires_at
            queue.awaiting += points
        self._count_pending(until, points)

    def _count_pending(self, until: Instant, points: int) -> None:
        if until > self.settled_at:
            if self._pending is None:
                self._pending = {}
            self._pending[until] = self._pending.get(until, 0) + points
