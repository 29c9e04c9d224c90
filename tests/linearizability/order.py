"""The order of the log: whether it agrees with real time, and whether it explains every answer.

This is strict serializability over all objects at once, and cheap, since the log itself says in which order commands
took place. What stands in no log, a refusal or a read, must have a place in that order.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from math import inf
from operator import itemgetter
from typing import NamedTuple

from tests.linearizability.history import Apply, Operation


class Recorded(NamedTuple):
    """An event of the log: its position, and the command that it came from."""

    position: int
    command: str


def find_problems(
    operations: Sequence[Operation], log: Iterable[Recorded], initial: Hashable, apply: Apply, accepted: type
) -> list[str]:
    """Everything in which the log and the answers disagree; empty: nothing.

    Args:
        operations: the history.
        log: all events that these operations led to, in the order of the log.
        initial: the state in which each object begins.
        apply: the specification.
        accepted: the class of its answers to commands that were done.
    """
    commands = {operation.id: operation for operation in operations if not operation.is_read}
    positions = [(command, [event.position for event in events]) for command, events in groupby(log, itemgetter(1))]
    last = {command: run[-1] for command, run in positions}
    problems = [*_misplaced(commands.values(), last, accepted)]
    problems += [f"{command}: its events stand in more than one place" for command in _twice(positions)]
    problems += [f"{command}: nobody sent it" for command in last if command not in commands]
    if problems:
        return problems
    order = _Order([commands[command] for command in last], list(last.values()), operations, initial, apply)
    problems += order.unexplained(accepted)
    problems += order.misread(operation for operation in operations if operation.is_read)
    refusals = (o for o in commands.values() if o.answer is not None and not isinstance(o.answer, accepted))
    return problems + order.unplaced(refusals)


def _misplaced(commands: Iterable[Operation], last: Mapping[str, int], accepted: type) -> Iterator[str]:
    """What was answered, and does not stand in the log as it was answered."""
    for operation in commands:
        if isinstance(operation.answer, accepted):
            if operation.id not in last:
                yield f"{operation.call}: answered {operation.answer}, and lost"
            elif last[operation.id] != operation.position:
                yield f"{operation.call}: answered at {operation.position}, recorded at {last[operation.id]}"
        elif operation.answer is not None and operation.id in last:
            yield f"{operation.call}: answered {operation.answer}, and recorded all the same"


def _twice(runs: Iterable[tuple[str, list[int]]]) -> Iterator[str]:
    seen = set()
    for command, _ in runs:
        if command in seen:
            yield command
        seen.add(command)


class _Order:
    """Commands in the order of the log, with the states between them."""

    def __init__(
        self,
        commands: Sequence[Operation],
        positions: list[int],
        operations: Iterable[Operation],
        initial: Hashable,
        apply: Apply,
    ) -> None:
        self._commands = commands
        self._positions = positions
        self._invoked = list(accumulate((command.invoked for command in commands), max))
        """By place in the log: the latest invocation up to there."""
        self._answered = sorted((o.returned, o.position) for o in operations if o.returned is not None)
        self._reached = list(accumulate((position for _, position in self._answered), max))
        """By place in the order of answers: the highest position that somebody had been told up to there."""
        self._initial, self._apply = initial, apply
        self._states: dict[str, list[tuple[int, Hashable]]] = {}
        """By object: its states, and from which position on they hold."""

    def unexplained(self, accepted: type) -> Iterator[str]:
        """Commands that the log has in another order than real time, or that it answers otherwise. Goes first."""
        for place, (command, position) in enumerate(zip(self._commands, self._positions, strict=True)):
            states = self._states.setdefault(command.key, [(0, self._initial)])
            after, due = self._apply(states[-1][1], command.call)
            states.append((position, after))
            if not isinstance(due, accepted) or command.answer not in (None, due):
                yield f"{command.call}: answered {command.answer} at {position}, where {due} was due"
            if place and command.returned is not None and command.returned < self._invoked[place - 1]:
                yield f"{command.call}: recorded at {position}, behind a command that was sent after its answer"

    def _state(self, key: str, position: int) -> Hashable:
        states = self._states.get(key, [(0, self._initial)])
        return states[bisect_right(states, position, key=itemgetter(0)) - 1][1]

    def misread(self, reads: Iterable[Operation]) -> Iterator[str]:
        """Reads that were answered too early, or other than the position says that they were answered at."""
        for read in reads:
            assert read.asked is not None
            assert read.returned is not None
            place = bisect_right(self._positions, read.position)
            _, due = self._apply(self._state(read.key, read.position), read.call)
            if read.position < read.asked:
                yield f"{read.call}: answered at {read.position}, where {read.asked} was asked for"
            elif place and self._invoked[place - 1] > read.returned:
                yield f"{read.call}: answered at {read.position}, before that was asked for"
            elif read.answer != due:
                yield f"{read.call}: answered {read.answer} at {read.position}, where {due} was due"

    def unplaced(self, refusals: Iterable[Operation]) -> list[str]:
        """Refusals without a place: each takes the first that real time and the refusals before it leave."""
        problems = []
        by_answer: list[tuple[int, int]] = []
        for refusal in sorted(refusals, key=lambda operation: operation.invoked):
            assert refusal.returned is not None
            before = [place for returned, place in by_answer if returned < refusal.invoked]
            first = max([self._reached_by(refusal.invoked), *before])
            place = self._first_place(refusal, first)
            if place is None:
                problems.append(f"{refusal.call}: answered {refusal.answer}, which was due at no time after {first}")
            else:
                by_answer.append((refusal.returned, place))
        return problems

    def _reached_by(self, moment: int) -> int:
        """The highest position that somebody had been told by then."""
        count = bisect_left(self._answered, (moment, 0))
        return self._reached[count - 1] if count else 0

    def _first_place(self, refusal: Operation, first: int) -> int | None:
        """The first position, from `first` on, behind which the specification refuses likewise.

        It lies before the first command that was sent when the refusal had been answered.
        """
        assert refusal.returned is not None
        later = bisect_right(self._invoked, refusal.returned)
        end = self._positions[later] if later < len(self._positions) else inf
        changes = [since for since, _ in self._states.get(refusal.key, []) if first < since]
        for position in [first, *changes]:
            if position < end:
                _, due = self._apply(self._state(refusal.key, position), refusal.call)
                if due == refusal.answer:
                    return position
        return None
