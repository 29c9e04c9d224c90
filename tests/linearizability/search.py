"""Linearizability of one object: the search of Wing and Gong with the memory that Lowe added.

It looks for an order of the operations that a sequential specification could have gone through, with the same answers,
and in which nothing comes before what had been answered when it was asked. What was tried once, the same operations
taken with the same state reached, is not tried again.

J. M. Wing, C. Gong: Testing and Verifying Concurrent Objects, 1993. G. Lowe: Testing for Linearizability, 2017.
"""

from collections.abc import Hashable, Iterator, Sequence

from tests.linearizability.history import Apply, Operation

STEPS_MAX = 2_000_000
"""Calls of the specification, about a minute."""


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
    timeline = _Timeline(operations)
    unanswered_left = sum(1 for operation in operations if operation.answer is not None)
    state, taken, steps = initial, 0, 0
    path: list[tuple[int, Hashable, Iterator[int]]] = []
    tried: set[tuple[int, Hashable]] = set()
    longest: list[int] = []
    candidates = timeline.candidates()
    while unanswered_left:
        for place in candidates:
            steps += 1
            if steps > steps_max:
                raise Undecided(
                    f"{len(operations)} operations, {len(longest)} of them in order after {steps_max} steps"
                )
            operation = operations[place]
            after, answer = apply(state, operation.call)
            if after == state if operation.answer is None else answer != operation.answer:
                continue
            reached = (taken | 1 << place, after)
            if reached in tried:
                continue
            tried.add(reached)
            path.append((place, state, candidates))
            timeline.take(place)
            taken, state = reached
            unanswered_left -= operation.answer is not None
            candidates = timeline.candidates()
            break
        else:
            if len(path) >= len(longest):
                longest = [place for place, _, _ in path]
            if not path:
                raise NotLinearizable(_stuck(operations, longest, initial, apply))
            place, state, candidates = path.pop()
            timeline.put_back(place)
            taken ^= 1 << place
            unanswered_left += operations[place].answer is not None
    return [operations[place] for place, _, _ in path]


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

    def candidates(self) -> Iterator[int]:
        """The operations that can be next, those answered first at the front: all asked before the next answer."""
        found = []
        end = number = len(self._moments)
        while (number := self._next[number]) != end and not self._moments[number][1]:
            found.append(self._moments[number][2])
        return iter(sorted(found, key=self._answered))

    def _answered(self, place: int) -> float:
        returned = self._operations[place].returned
        return float("inf") if returned is None else returned

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
