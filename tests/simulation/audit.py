"""What must hold, whatever breaks: checked at every commit, at every answer, and in the end."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from adapters.memory.store import Memory
from ledger.calendar import Instant
from ledger.commands import Request, request_hash
from ledger.errors import CommandIdReused, InvalidCommand, Overloaded, Unavailable
from ledger.ports import Batch, Head
from ledger.receipts import Outcome, Receipt, decode_answer
from ledger.records import GENESIS, OUTCOME_COLUMNS, batch_hash, fields_of, split_rows
from ledger.refusals import NOT_STORED, Refusal
from ledger.settings import ClockKind
from ledger.writer import Answer
from tests.oracle.model import Oracle
from tests.property.histories import START, difference
from tests.property.programmes import PROGRAMMES
from tests.unit.ledger.running import Running, ScriptedClock

NO_ANSWER = Unavailable, Overloaded
"""What a caller hears who is to ask again."""


class Stored(NamedTuple):
    """An outcome as it was stored, and when its batch was recorded."""

    request: Request
    answer: Receipt | Refusal
    recorded_at: Instant


class Passing(NamedTuple):
    """An answer that is stored nowhere: a trial's, a stale quote, bad input.

    It must be what the ledger had to say at some moment between question and answer: after so many outcomes.
    """

    request: Request
    answer: Answer
    since: int
    until: int


class Audit:
    """Follows a `Memory`, and what its writers say."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.order: list[Stored] = []
        """All outcomes, in the order of the log."""
        self.passing: list[Passing] = []
        self.answered: set[bytes] = set()
        """Commands that were answered as new ones."""
        self._asked: dict[tuple[bytes, bytes], Request] = {}
        self._oracle = Oracle()
        self._head = Head(0, 0, GENESIS, 0, GENESIS, 0)

    def asked(self, requests: Sequence[Request]) -> None:
        """Somebody is about to send these requests."""
        self._asked |= {(request.id, request_hash(request)): request for request in requests}

    def led(self, head: Head) -> None:
        """A writer leads under a new epoch, on top of what is committed."""
        assert head == msgspec.structs.replace(self._head, epoch=self._head.epoch + 1)
        self._head = head

    def committed(self, batch: Batch) -> None:
        """A batch was committed: by who leads, on top of the last one, with what its commands were answered."""
        before, head = self._head, batch.head
        assert head.epoch == before.epoch, f"epoch {head.epoch} appended in epoch {before.epoch}"
        assert head.recorded_at >= before.recorded_at, "recorded_at went back"
        assert (batch.number, batch.first_position) == (before.batch + 1, before.position + 1)
        rows = split_rows(batch.outcomes, len(OUTCOME_COLUMNS))
        assert len(rows) == batch.commands
        assert head.batch_hash == batch_hash(
            before.batch_hash,
            number=batch.number,
            epoch=head.epoch,
            first_position=batch.first_position,
            events=batch.events,
            commands=batch.commands,
            recorded_at=head.recorded_at,
            record_hash=head.hash,
            outcomes_digest=sha256(batch.outcomes).digest(),
        ), "the chain of batches is broken"
        for row in rows:
            command_id, hashed, _, _, answer = fields_of(row)
            self._outcome(Stored(self._asked[command_id, hashed], decode_answer(answer), head.recorded_at))
        self._oracle.finish()
        assert self._oracle.position == head.position == len(self.memory.records), "events that nobody was told of"
        self._head = head

    def _outcome(self, stored: Stored) -> None:
        """The oracle folds what a command led to: its receipt tells the balances that follow from the log."""
        self.order.append(stored)
        receipt = stored.answer
        if isinstance(receipt, Receipt):
            self._oracle.fold(self.memory.records[self._oracle.position : receipt.position])
            told = [(b.member, b.unit, b.open, b.pending, b.held, b.quarantined, b.debt) for b in receipt.balances]
            programme = stored.request.programme
            members = dict.fromkeys(row[0] for row in told)
            known = [row for member in members for row in self._oracle.balances(programme, member)]
            assert list(dict.fromkeys(told)) == known, f"{stored.request}: told {told}, known {known}"

    def heard(self, request: Request, answer: Answer, since: int) -> None:
        """A writer answered a request that it got after so many outcomes."""
        if isinstance(answer, NO_ANSWER):
            return
        stored = self.memory.outcomes.get(request.id)
        if isinstance(answer, CommandIdReused):
            assert stored is not None, "no such id was used"
            assert stored.request_hash != request_hash(request), "it was used for this very request"
        elif isinstance(answer, Outcome) and not request.validate_only and not _stale(answer):
            assert stored is not None, f"{request} was answered, but is not stored"
            assert (stored.answer, stored.request_hash) == (answer.answer, request_hash(request)), "another answer"
            if not answer.repeated:
                assert request.id not in self.answered, f"{request} was answered twice as a new one"
                self.answered.add(request.id)
        elif PROGRAMMES[request.programme].clock is ClockKind.MANUAL:
            # On the wall a trial depends on when exactly it was tried.
            assert isinstance(answer, Outcome | InvalidCommand), repr(answer)
            self.passing.append(Passing(request, answer, since, len(self.order)))

    def replay(self) -> None:
        """Decide everything anew, one by one in the order of the log: all bytes and all answers are the same."""
        clock = ScriptedClock(START)
        left = list(self.passing)
        with Running(clock) as clean:
            for count in range(len(self.order) + 1):
                left = [each for each in left if not self._could_be(each, count, clean)]
                if count < len(self.order):
                    request, expected, clock.instant = self.order[count]
                    (answer,) = clean.execute([request])
                    assert isinstance(answer, Outcome), repr(answer)
                    assert answer.answer == expected, f"{request}: {expected}, decided anew {answer.answer}"
            assert difference(self.memory.records, clean.memory.records) is None
        assert not left, f"answered by a writer that no longer knew what holds: {left[0]}"

    @staticmethod
    def _could_be(passing: Passing, count: int, clean: Running) -> bool:
        if not passing.since <= count <= passing.until:
            return False
        (answer,) = clean.execute([msgspec.structs.replace(passing.request, validate_only=True)])
        return _said(answer) == _said(passing.answer)


def _stale(answer: Outcome) -> bool:
    return isinstance(answer.answer, Refusal) and answer.answer.reason in NOT_STORED


def _said(answer: Answer) -> object:
    return answer.answer if isinstance(answer, Outcome) else (type(answer), str(answer))
