"""The lots of one unit, against a list that is searched from end to end."""

from collections.abc import Callable, Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.calendar import NEVER
from ledger.events import Funding, Part, Source
from ledger.states.lots import Lot, Lots


def lot(number: int, points: int, earned: int, available: int, expires: int) -> Lot:
    source = Source("visit", str(number))
    return Lot(number, points, earned, available, expires, f"anna:{number}", "2026-01", Funding.PROMO, source, None)


class Plain:
    """What lots should be: a list of (number, points, earned, available, expires), sorted whenever it is asked."""

    def __init__(self) -> None:
        self.rows: dict[int, list[int]] = {}
        self.latest = 0

    def order(self) -> list[list[int]]:
        rows = [row for row in self.rows.values() if row[1]]
        return sorted(rows, key=lambda row: (row[4], row[2], row[0]))

    def spendable(self, at: int) -> int:
        return sum(row[1] for row in self.order() if row[3] <= at < row[4])

    def take(self, points: int, at: int) -> list[tuple[int, int]]:
        taken = []
        for row in self.order():
            if row[3] <= at < row[4] and points:
                taken.append((row[0], min(points, row[1])))
                points -= taken[-1][1]
        return taken


class Both:
    """Does everything twice, and compares."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.lots = Lots()
        self.plain = Plain()
        self.held: list[list[tuple[Lot, int]]] = []
        self.made = 0
        self.now = 100

    def time(self) -> int:
        """Mostly the present, now and then late."""
        self.now += self.random.choice((0, 0, 1, 5, 30))
        at = self.now if self.random.random() < 0.8 else max(self.now - self.random.randrange(60), 0)
        self.plain.latest = max(self.plain.latest, at)
        self.lots.settle(at)
        return at

    def add(self) -> None:
        self.made += 1
        earned = self.time()
        available = earned + self.random.choice((0, 0, 0, 5, 20, 60))
        expires = self.random.choice((NEVER, available + 1, available + 10, available + 50, 400 + available // 100))
        new = lot(self.made, self.random.randrange(1, 50), earned, available, max(expires, available + 1))
        self.lots.add(new)
        self.plain.rows[new.number] = [new.number, new.points, new.earned_at, new.available_at, new.expires_at]

    def draw(self) -> None:
        at = self.time()
        points = self.random.randrange(1, 120)
        taken = self.lots.take(points, at)
        assert [(part.number, points) for part, points in taken] == self.plain.take(points, at)
        self._remove(taken)
        if self.random.random() < 0.5:
            self.held.append(taken)

    def _remove(self, taken: list[tuple[Lot, int]]) -> None:
        parts = [part.part("anna", points) for part, points in taken]
        before = self.lots.draw_parts(parts)
        assert before == [part for part, _ in taken]
        for part, points in taken:
            self.plain.rows[part.number][1] -= points

    def release(self) -> None:
        if self.held:
            self.time()
            for part, points in self.held.pop(self.random.randrange(len(self.held))):
                self.lots.add(part.with_points(points))
                self.plain.rows[part.number][1] += points

    def expire(self) -> None:
        at = self.time()
        due = [row for row in self.plain.order() if row[4] <= at]
        found = [part for _, parts in self.lots.due(at) for part in parts]
        assert [part.number for part in found] == [row[0] for row in due]
        self._remove([(part, part.points) for part in found[: self.random.randrange(5)]])

    def copy(self) -> None:
        """Go on with a copy, or with what a snapshot keeps."""
        old = self.lots
        self.lots = old.clone() if self.random.random() < 0.5 else Lots(list(old), old.settled_at)

    def check(self) -> None:
        lots, plain = self.lots, self.plain
        rows = [[part.number, part.points, part.earned_at, part.available_at, part.expires_at] for part in lots]
        assert rows == plain.order()
        assert (lots.count, lots.total) == (len(rows), sum(row[1] for row in rows))
        assert lots.next_expiry() == (rows[0][4] if rows else None)
        late = max(plain.latest - 40, 0)
        for at in (late, plain.latest, self.now, self.now + 25, self.now + 1000):
            assert lots.spendable(at) == plain.spendable(at)
            if at >= plain.latest:
                assert lots.expired(at) == sum(row[1] for row in rows if row[4] <= at)
                assert lots.pending(at) == sum(row[1] for row in rows if row[3] > at)


def go_through(random: Random, steps: Iterable[int]) -> None:
    both = Both(random)
    moves: list[Callable[[], None]] = [both.add] * 4 + [both.draw] * 3 + [both.release, both.expire, both.copy]
    for step in steps:
        moves[step]()
        both.check()


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 9), max_size=40))
def test_lots_behave_like_a_plain_list(random: Random, steps: list[int]) -> None:
    """Edge case 15: whatever is added, taken, held, given back and expired, late or not."""
    go_through(random, steps)


@pytest.mark.parametrize("seed", range(8))
def test_lots_behave_like_a_plain_list_for_long(seed: int) -> None:
    """Edge case 21."""
    random = Random(seed)
    go_through(random, (random.randrange(10) for _ in range(500)))


def test_a_copy_changes_by_itself() -> None:
    lots = Lots([lot(1, 10, 0, 0, 50), lot(2, 20, 0, 30, 60)], 5)
    copy = lots.clone()
    copy.draw(1, 4)
    copy.add(lot(3, 5, 6, 6, 50))
    copy.settle(40)
    assert [(part.number, part.points) for part in lots] == [(1, 10), (2, 20)]
    assert (lots.total, lots.pending(10), lots.spendable(10), lots.settled_at) == (30, 20, 10, 5)
    assert (copy.total, copy.pending(40), copy.spendable(40)) == (31, 0, 31)


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
    assert (lots.count, lots.total, lots.next_expiry(), list(lots.due(99))) == (0, 0, None, [])
    lots.add(was.with_points(3))
    assert (lots.get(1), lots.total, lots.expired(50)) == (was.with_points(3), 3, 3)


def test_a_part_names_all_that_finance_needs_of_its_lot() -> None:
    part = lot(7, 10, 0, 0, 50).part("anna", 4)
    assert part == Part("anna:7", 4, "anna:7", "2026-01", Funding.PROMO, 50, None)
