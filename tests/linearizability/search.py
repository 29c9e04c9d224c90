"""Linearizability of one object: the search of Wing and Gong with the memory that Lowe added.

It looks for an order of the operations that a sequential specification could have gone through, with the same answers,
and in which nothing comes before what had been answered when it was asked. What was tried once, the same operations
taken with the same state reached, is not tried again.

J. M. Wing, C. Gong: Testing and Verifying Concurrent Objects, 1993. G. Lowe: Testing for Linearizability, 2017.
"""

from collections.abc import Hashable, Sequence
from math import inf

from tests.linearizability.history import Apply, Operation

STEPS_MAX = 2_000_000
"""Calls of the specification; about a minute."""


Step = tuple[int, Hashable]
"""The place of an operation in the history, and the state that it leads to."""


class NotLinearizable(Exception):
    """No order explains the answers; the message ends with the operations at which the longest attempt got stuck."""


class Undecided(Exception):
    """The search was given up: neither an order was found nor that there is none."""


def find_order(
    operations: Sequence[Operation], initial: Hashable, apply: Apply, steps_max: int = STEPS_MAX
) -> list[Operation]:
    """An order that explains all answers; operations without an answer are in it where they help.

    Raises:
        NotLinearizable: there is none.
        Undecided: there may be one, but it was not found in `steps_max` calls of the specification.
    """
    search = _Search(operations, initial, apply, steps_max)
    while search.unanswered:
        step = search.next_step()
        if step is not None:
            search.take(*step)
        elif not search.take_back():
            raise NotLinearizable(_stuck(operations, search.longest, initial, apply))
    return [operations[place] for place in search.order()]


class _Search:
    """An order as far as it goes, and what is left to be tried at each of its places."""

    def __init__(self, operations: Sequence[Operation], initial: Hashable, apply: Apply, steps_max: int) -> None:
        self.unanswered = sum(1 for operation in operations if operation.answer is not None)
        """Operations that have an answer, and no place yet."""
        self.longest: list[int] = []
        """The longest order that led nowhere."""
        self._operations, self._apply = operations, apply
        self._steps_left = steps_max
        self._timeline = _Timeline(operations)
        self._state, self._taken = initial, 0
        self._path: list[tuple[int, Hashable, list[Step]]] = []
        self._tried: set[tuple[int, Hashable]] = set()
        self._choices = self._all_choices()

    def order(self) -> list[int]:
        """The order as far as it goes."""
        return [place for place, _, _ in self._path]

    def next_step(self) -> Step | None:
        """What can come next and was not tried yet, and the state after it."""
        while self._choices:
            place, after = self._choices.pop()
            reached = (self._taken | 1 << place, after)
            if reached not in self._tried:
                self._tried.add(reached)
                return place, after
        return None

    def take(self, place: int, after: Hashable) -> None:
        """Let an operation come next."""
        self._path.append((place, self._state, self._choices))
        self._timeline.take(place)
        self._taken ^= 1 << place
        self._state = after
        self.unanswered -= self._operations[place].answer is not None
        self._choices = self._all_choices()

    def take_back(self) -> bool:
        """Take the last operation away again; whether there was one."""
        if len(self._path) >= len(self.longest):
            self.longest = self.order()
        if not self._path:
            return False
        place, self._state, self._choices = self._path.pop()
        self._timeline.put_back(place)
        self._taken ^= 1 << place
        self.unanswered += self._operations[place].answer is not None
        return True

    def _all_choices(self) -> list[Step]:
        """The operations that can come next and the states after them; the best guess at the end.

        One that changes nothing, such as a refusal, is the only choice: if it fits here, no order needs it later.
        """
        choices = []
        for place in self._timeline.candidates():
            if not self._steps_left:
                raise Undecided(f"{len(self.longest)} of {len(self._operations)} operations in order, then given up")
            self._steps_left -= 1
            operation = self._operations[place]
            after, answer = self._apply(self._state, operation.call)
            if operation.answer == answer and after == self._state:
                return [(place, after)]
            if operation.answer == answer or (operation.answer is None and after != self._state):
                choices.append((place, after))
        return choices[::-1]


class _Timeline:
    """The invocations and answers of operations that are not taken yet, linked in the order of time."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations
        moments = []
        for place, operation in enumerate(operations):
            moments.append((operation.invoked, False, place))
            if operation.answer is not None:
                assert operation.returned is not None
                moments.append((operation.returned, True, place))
        moments.sort()
        self._moments = moments
        end = len(moments)
        self._next = [*range(1, end + 1), 0]  # the last one is both ends of the list
        self._previous = [end, *range(end)]
        self._of: list[list[int]] = [[] for _ in operations]
        for number, (_, _, place) in enumerate(moments):
            self._of[place].append(number)

    def candidates(self) -> list[int]:
        """The operations that can be next: all that were asked before the next answer.

        Those that the log has first are at the front, then those answered first. It is a guess where to look, no more:
        whatever is found was checked step by step, and all else is tried before it is said that there is nothing.
        """
        found = []
        end = number = len(self._moments)
        while (number := self._next[number]) != end and not self._moments[number][1]:
            found.append(self._moments[number][2])
        return sorted(found, key=self._guess)

    def _guess(self, place: int) -> tuple[float, float]:
        operation = self._operations[place]
        return operation.position or inf, inf if operation.returned is None else operation.returned

    def take(self, place: int) -> None:
        for number in self._of[place]:
            self._next[self._previous[number]] = self._next[number]
            self._previous[self._next[number]] = self._previous[number]

    def put_back(self, place: int) -> None:
        for number in reversed(self._of[place]):
            self._next[self._previous[number]] = number
            self._previous[self._next[number]] = number


def _stuck(operations: Sequence[Operation], longest: Sequence[int], initial: Hashable, apply: Apply) -> str:
    """What was tried last in the longest attempt, and what the specification would have answered."""
    timeline, state = _Timeline(operations), initial
    for place in longest:
        timeline.take(place)
        state, _ = apply(state, operations[place].call)
    lines = [f"{len(longest)} of {len(operations)} operations are in order; none of these can be the next:"]
    for place in timeline.candidates():
        operation = operations[place]
        _, answer = apply(state, operation.call)
        lines.append(f"  {operation.call}: answered {operation.answer}, where {answer} was due")
    return "\n".join(lines)
