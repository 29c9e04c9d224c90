"""The messages between a gateway and the writer's process, as msgpack: jobs one way, answers and the lead the other.

Both processes come from one installation, so the form needs no version. Structs travel as arrays, without the names of
their fields; only a command keeps its names, and the tag that tells its kind.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import astuple, fields

from ledger.commands import Command, Request
from ledger.errors import InvalidCommand, LedgerError
from ledger.receipts import Outcome, Receipt
from ledger.refusals import Refusal

Answer = Outcome | LedgerError

_KINDS: list[type[LedgerError]] = [LedgerError, *LedgerError.__subclasses__()]
_FAULTS = {kind.__name__: kind for kind in _KINDS}

if TYPE_CHECKING:
    _RequestRow = tuple[Any, ...]
else:
    # Decoded as the base Command, a command would lose all that it says: the decoder has to know every kind.
    _COMMANDS = tuple[reduce(or_, Command.__subclasses__()), ...]
    _RequestRow = tuple[tuple(_COMMANDS if field.name == "commands" else field.type for field in fields(Request))]


class _Message(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The base of what is sent."""


class Job(_Message, frozen=True):
    """Requests that came together; the number tells which answers are theirs."""

    number: int
    rows: list[_RequestRow]

    def requests(self) -> list[Request]:
        """The requests, in order."""
        return [Request(*row) for row in self.rows]


class _Accepted(_Message, frozen=True, tag=0):
    id: bytes
    request_hash: bytes
    receipt: Receipt
    repeated: bool


class _Refused(_Message, frozen=True, tag=1):
    id: bytes
    request_hash: bytes
    refusal: Refusal
    repeated: bool


class _Failed(_Message, frozen=True, tag=2):
    kind: str
    arguments: list[str]


_AnswerRow = _Accepted | _Refused | _Failed


class Answers(_Message, frozen=True, tag=0):
    """What became of the requests of a job."""

    job: int
    rows: list[_AnswerRow]

    def answers(self) -> list[Answer]:
        """One answer for each request, in order."""
        return [_answer(row) for row in self.rows]


class Lead(_Message, frozen=True, tag=1):
    """Whether the writer leads: said first, at every change, and every second as a sign of life."""

    leads: bool


encode = msgspec.msgpack.Encoder().encode
decode_job = msgspec.msgpack.Decoder(Job).decode
decode_reply = msgspec.msgpack.Decoder(Answers | Lead).decode


def job_of(number: int, requests: Sequence[Request]) -> Job:
    """The message that carries requests."""
    return Job(number, [astuple(request) for request in requests])


def answers_of(job: int, answers: Sequence[Answer]) -> Answers:
    """The message that carries the answers to a job."""
    return Answers(job, [_row(answer) for answer in answers])


def _row(answer: Answer) -> _AnswerRow:
    if isinstance(answer, Outcome):
        given = answer.answer
        if isinstance(given, Receipt):
            return _Accepted(answer.id, answer.request_hash, given, answer.repeated)
        return _Refused(answer.id, answer.request_hash, given, answer.repeated)
    if isinstance(answer, InvalidCommand):
        return _Failed(type(answer).__name__, [answer.field, answer.problem])
    return _Failed(type(answer).__name__, [str(answer)])


def _answer(row: _AnswerRow) -> Answer:
    if isinstance(row, _Accepted):
        return Outcome(row.id, row.request_hash, row.receipt, row.repeated)
    if isinstance(row, _Refused):
        return Outcome(row.id, row.request_hash, row.refusal, row.repeated)
    return _FAULTS[row.kind](*row.arguments)
