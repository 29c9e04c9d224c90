"""The lots of one unit, against a list that is searched from end to end."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.calendar import NEVER
from ledger.events import Funding, Part, Source
from ledger.states.lots import Lots
from ledger.states.queues import Lot


def lot(
    number: int, points: int, earned: int, available: int, expires: int, *, awaits: bool = False, period: int = 0
) -> Lot:
    source, root = Source("visit", str(number)), f"anna:{number}"
    return Lot(number, points, earned, available, expires, root, "2026-01", Funding.PROMO, source, None, awaits, period)


@dataclass
class Row:
    """A lot as the plain list has it."""

    number: int
    points: int
    earned: int
    available: int
    expires: int
    period: int = 0
    awaits: bool = False
    locked: bool = False

    def open_at(self, at: int) -> bool:
        return self.available <= at < self.expires and not self.locked


class Plain:
    """What lots should be: rows, sorted whenever it is asked."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.latest = 0

    def order(self) -> list[Row]:
        rows = [row for row in self.rows.values() if row.points]
        return sorted(rows, key=lambda row: (row.expires, row.earned, row.number))

    def spendable(self, at: int) -> int:
        return sum(row.points for row in self.order() if row.open_at(at))

    def take(self, points: int, at: int) -> list[tuple[int, int]]:
        taken = []
        for row in self.order():
            if row.open_at(at) and points:
                taken.append((row.number, min(points, row.points)))
                points -= taken[-1][1]
        return taken


Held = list[tuple[Lot, int]]


class Both:
    """Does everything twice, and compares."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.lots = Lots()
        self.plain = Plain()
        self.held: list[Held] = []
        self.made = 0
        self.periods = 0
        self.last_lot: int | None = None
        self.now = 100

    def time(self) -> int:
        """Mostly the present, now and then late."""
        self.now += self.random.choice((0, 0, 1, 5, 30))
        at = self.now if self.random.random() < 0.8 else max(self.now - self.random.randrange(60), 0)
        self.plain.latest = max(self.plain.latest, at)
        self.lots.settle(at)
        return at

    def add(self) -> None:
        earned = self.time()
        available = earned + self.random.choice((0, 0, 0, 5, 20, 60))
        expires = self.random.choice((NEVER, available + 1, available + 10, available + 50, 400 + available // 100))
        self._grant(earned, available, max(expires, available + 1))

    def wait(self) -> None:
        """A lot that waits for Activate, for ever or until it becomes available by itself."""
        earned = self.time()
        available, life = self.random.choice(((NEVER, 40), (NEVER, 400), (earned + 20, 60)))
        self._grant(earned, available, earned + life, awaits=True)

    def join(self) -> None:
        """A lot of the last period of activity, or of a new one; now and then with an expiry that others have."""
        earned = self.time()
        known = [row for row in self.plain.rows.values() if row.period == self.periods and self._left(row)]
        ends = known[0].expires if known else self.random.choice((earned + 80, 400 + earned // 100))
        available = self.random.choice((earned, earned, NEVER, earned + 9))
        if not known or not earned < ends or not (available < ends or available == NEVER):
            self.periods += 1
            ends = earned + 80
        self._grant(earned, available, ends, self.periods, awaits=available == NEVER)

    def _grant(self, earned: int, available: int, expires: int, period: int = 0, *, awaits: bool = False) -> None:
        self.made += 1
        points = self.random.randrange(1, 50)
        new = lot(self.made, points, earned, available, expires, awaits=awaits, period=period)
        self.lots.add(new)
        locked = self.last_lot is not None
        self.plain.rows[new.number] = Row(new.number, new.points, earned, available, expires, period, awaits, locked)

    def draw(self) -> None:
        at = self.time()
        if self.last_lot is not None:
            return
        points = self.random.randrange(1, 120)
        taken = self.lots.take(points, at)
        assert [(part.number, points) for part, points in taken] == self.plain.take(points, at)
        if self.random.random() < 0.5:
            self.held.append(taken)
            self.lots.count_held([part.with_points(points) for part, points in taken], 1)
        self._remove(taken)

    def _remove(self, taken: Held) -> None:
        parts = [part.part("anna", points, part.expires_at) for part, points in taken]
        before = self.lots.draw_parts(parts)
        assert before == [part for part, _ in taken]
        for part, points in taken:
            self.plain.rows[part.number].points -= points

    def release(self) -> None:
        """A hold ends: its points come back, or they are spent."""
        if self.held:
            self.time()
            taken = self.held.pop(self.random.randrange(len(self.held)))
            back = self.random.random() < 0.7
            for part, points in taken if back else ():
                self.lots.add(part.with_points(points))
                self.plain.rows[part.number].points += points
            self.lots.count_held([part.with_points(points) for part, points in taken], -1)

    def expire(self) -> None:
        at = self.time()
        due = [row for row in self.plain.order() if row.expires <= at]
        found = [part for _, parts in self.lots.due(at) for part in parts]
        assert [part.number for part in found] == [row.number for row in due]
        self._remove([(part, part.points) for part in found[: self.random.randrange(5)]])

    def go_on(self) -> None:
        """Periods of activity go on, also one that has ended and was not posted."""
        at = self.time()
        for row in list(self.plain.rows.values()):
            if row.period and self._left(row) and row.expires < at + 80 and self.random.random() < 0.7:
                self.lots.extend_period(row.period, at + 80)
                for other in self.plain.rows.values():
                    if other.period == row.period:
                        other.expires = at + 80

    def live_longer(self) -> None:
        """One lot that nothing is held of lives longer; one with a period gets a period of its own."""
        self.time()
        held = {part.number for taken in self.held for part, _ in taken}
        rows = [row for row in self.plain.order() if row.number not in held and row.expires < NEVER]
        if rows:
            row = self.random.choice(rows)
            row.expires += self.random.choice((1, 30))
            if row.period:
                self.periods += 1
                row.period = self.periods
            self.lots.extend_lot(row.number, row.expires, row.period)

    def activate(self) -> None:
        at = self.time()
        rows = [row for row in self.plain.order() if row.awaits and row.earned <= at < row.available]
        if rows:
            row = self.random.choice(rows)
            assert self.lots.waiting(Source("visit", str(row.number))) == self.lots.get(row.number)
            self.lots.activate(row.number, at)
            row.available, row.awaits = at, False

    def freeze(self) -> None:
        self.time()
        if self.last_lot is None:
            self.last_lot = self.made
            self.lots.freeze(self.made)
        else:
            self.last_lot = None
            self.lots.unfreeze()
            for row in self.plain.rows.values():
                row.locked = False

    def copy(self) -> None:
        """Go on with a copy, or with what a snapshot keeps."""
        if self.random.random() < 0.5:
            self.lots = self.lots.clone()
        else:
            self.lots = Lots.restore(self.lots.image(), self.last_lot)
            for taken in self.held:
                self.lots.count_held([part.with_points(points) for part, points in taken], 1)

    def _left(self, row: Row) -> bool:
        return bool(row.points) or any(part.number == row.number for taken in self.held for part, _ in taken)

    def check(self) -> None:
        lots, rows = self.lots, self.plain.order()
        told = [(part.number, part.points, part.earned_at, part.available_at, part.period) for part in lots]
        assert told == [(row.number, row.points, row.earned, row.available, row.period) for row in rows]
        assert (lots.count, lots.total) == (len(rows), sum(row.points for row in rows))
        for row in rows:
            assert lots.period_end(row.period) == (row.expires if row.period else None)
            assert (lots.waiting(Source("visit", str(row.number))) is not None) == row.awaits
        self._check_sums(rows)

    def _check_sums(self, rows: list[Row]) -> None:
        lots, plain = self.lots, self.plain
        late = max(plain.latest - 40, 0)
        for at in (late, plain.latest, self.now, self.now + 25, self.now + 1000):
            if self.last_lot is None:
                assert lots.spendable(at) == plain.spendable(at)
            if at >= plain.latest:
                assert lots.expired(at) == sum(row.points for row in rows if row.expires <= at)
                alive = [row for row in rows if at < row.expires]
                assert lots.pending(at) == sum(row.points for row in alive if at < row.available and not row.locked)
                assert lots.quarantined(at) == sum(row.points for row in alive if row.locked)


MOVES: list[Callable[[Both], None]] = [
    *[Both.add] * 4,
    *[Both.draw] * 4,
    *[Both.join] * 3,
    *[Both.go_on] * 2,
    Both.wait,
    Both.activate,
    Both.release,
    Both.expire,
    Both.live_longer,
    Both.freeze,
    Both.copy,
]


def go_through(random: Random, steps: Iterable[int]) -> None:
    both = Both(random)
    for step in steps:
        MOVES[step](both)
        both.check()


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, len(MOVES) - 1), max_size=40))
def test_lots_behave_like_a_plain_list(random: Random, steps: list[int]) -> None:
    """Edge cases 15, 19, 20: whatever is granted, taken, held, given back, extended, locked or expired, late or not."""
    go_through(random, steps)


@pytest.mark.parametrize("seed", range(8))
def test_lots_behave_like_a_plain_list_for_long(seed: int) -> None:
    """Edge case 21."""
    random = Random(seed)
    go_through(random, (random.randrange(len(MOVES)) for _ in range(700)))


def test_a_copy_changes_by_itself() -> None:
    lots = Lots([lot(1, 10, 0, 0, 50), lot(2, 20, 0, 30, 60)], 5)
    copy = lots.clone()
    copy.draw(1, 4)
    copy.add(lot(3, 5, 6, 6, 50))
    copy.settle(40)
    assert [(part.number, part.points) for part in lots] == [(1, 10), (2, 20)]
    assert (lots.total, lots.pending(10), lots.spendable(10), lots.settled_at) == (30, 20, 10, 5)
    assert (copy.total, copy.pending(40), copy.spendable(40)) == (31, 0, 31)


def test_a_long_queue_gives_up_its_front_and_keeps_the_rest_in_order() -> None:
    """Edge case 21."""
    lots = Lots([lot(number, 1, number, number, 500) for number in range(1, 101)], 200)
    for number in range(1, 100):
        lots.draw(number, 1)
        assert [part.number for part in lots] == list(range(number + 1, 101))
        assert lots.clone().count == lots.spendable(200) == 100 - number


def test_more_than_is_there_cannot_be_drawn() -> None:
    lots = Lots([lot(1, 10, 0, 0, 50)])
    with pytest.raises(ValueError, match="has 10 points, not 11"):
        lots.draw(1, 11)
    with pytest.raises(KeyError):
        lots.draw(2, 1)
    assert lots.total == 10


def test_a_lot_that_was_emptied_is_gone_and_may_come_back() -> None:
    lots = Lots([lot(1, 10, 0, 0, 50)])
    was = lots.draw(1, 10)
    assert (lots.count, lots.total, list(lots.due(99))) == (0, 0, [])
    lots.add(was.with_points(3))
    assert (lots.get(1), lots.total, lots.expired(50)) == (was.with_points(3), 3, 3)


def test_a_part_names_all_that_finance_needs_of_its_lot() -> None:
    part = lot(7, 10, 0, 0, 50).part("anna", 4, 50)
    assert part == Part("anna:7", 4, "anna:7", "2026-01", Funding.PROMO, 50, None)
