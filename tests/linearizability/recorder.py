"""Writes the history down while clients make it."""

import threading
import time
from collections import Counter
from collections.abc import Hashable

from tests.linearizability.history import Operation


class Recorder:
    """One clock and one book for all clients, who have seen the log up to a position."""

    def __init__(self, newest: int) -> None:
        self.contradictions: list[str] = []
        """Answers to one command that differ, or more than one that claims to be the first."""
        self.unknown = 0
        """Attempts after which nobody knew whether the command had been done."""
        self.answers = 0
        """Answers to commands and reads."""
        self.repeated = 0
        """Answers that had been given before."""
        self._lock = threading.Lock()
        self._commands: dict[str, Operation] = {}
        self._reads: list[Operation] = []
        self._firsts: Counter[str] = Counter()
        self._newest = newest

    def sends(self, command_id: str, key: str, call: Hashable) -> None:
        """A command is about to be sent, for the first time or again."""
        with self._lock:
            self._commands.setdefault(command_id, Operation(command_id, key, call, time.monotonic_ns()))

    def was_told(self, command_id: str, answer: Hashable, position: int, repeated: bool) -> None:
        """An answer came; all answers to a command are the same, and one of them at most is the first."""
        with self._lock:
            command = self._commands[command_id]
            if command.answer is None:
                command.returned = time.monotonic_ns()
                command.answer, command.position = answer, position
                self._newest = max(self._newest, position)
            elif (command.answer, command.position) != (answer, position):
                self.contradictions.append(
                    f"{command.call}: {answer} at {position} after {command.answer} at {command.position}"
                )
            self._firsts[command_id] += not repeated
            self.answers += 1
            self.repeated += repeated
            if self._firsts[command_id] > 1:
                self.contradictions.append(f"{command.call}: done more than once")

    def learns_nothing(self) -> None:
        """An attempt ended without an answer."""
        with self._lock:
            self.unknown += 1

    def asks(self, key: str, call: Hashable, asked: int | None) -> Operation:
        """A read is about to be sent; `asked` is the position to wait for, None: the newest that anybody was told."""
        with self._lock:
            latest = asked is None
            return Operation("", key, call, time.monotonic_ns(), asked=self._newest if latest else asked, latest=latest)

    def has_read(self, read: Operation, answer: Hashable, position: int) -> None:
        """A read was answered."""
        with self._lock:
            read.returned = time.monotonic_ns()
            read.answer, read.position = answer, position
            self._newest = max(self._newest, position)
            self._reads.append(read)
            self.answers += 1

    def unanswered(self) -> list[str]:
        """The ids of the commands that nobody was told about."""
        with self._lock:
            return [command.id for command in self._commands.values() if command.answer is None]

    def operations(self) -> list[Operation]:
        """The history."""
        with self._lock:
            return [*self._commands.values(), *self._reads]
