"""The messages between a gateway and the writer's process, as msgpack: jobs one way, answers and the lead the other.

Both processes come from one installation, so the form needs no version. Structs travel as arrays, without the names of
their fields; only a command keeps its names, and the tag that tells its kind.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import astuple

from ledger.commands import Command, Request
from ledger.errors import InvalidCommand, LedgerError
from ledger.receipts import Outcome, Receipt
from ledger.refusals import Refusal

Answer = Outcome | LedgerError

if TYPE_CHECKING:
    _AnyCommand = Command
else:
    # Decoded as the base Command, a command would lose all that it says: the decoder has to know every kind.
    _AnyCommand = reduce(or_, Command.__subclasses__())

_KINDS: list[type[LedgerError]] = [LedgerError, *LedgerError.__subclasses__()]
_FAULTS = {kind.__name__: kind for kind in _KINDS}


class _Request(Request, frozen=True, gc=False, array_like=True):
    commands: tuple[_AnyCommand, ...]


class _Accepted(Outcome, frozen=True, gc=False, array_like=True, tag=0):
    answer: Receipt


class _Refused(Outcome, frozen=True, gc=False, array_like=True, tag=1):
    answer: Refusal


class _Failed(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    kind: str
    arguments: list[str]


class Job(msgspec.Struct, frozen=True, array_like=True):
    """Requests that came together; the number tells which answers are theirs."""

    number: int
    rows: list[_Request]

    @classmethod
    def of(cls, number: int, requests: Sequence[Request]) -> "Job":
        """The message that carries requests."""
        return cls(number, [_Request(*astuple(request)) for request in requests])

    def requests(self) -> list[Request]:
        """The requests, in order."""
        return [Request(*astuple(row)) for row in self.rows]


class Answers(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """What became of the requests of a job."""

    job: int
    rows: list[_Accepted | _Refused | _Failed]

    @classmethod
    def of(cls, job: int, answers: Sequence[Answer]) -> "Answers":
        """The message that carries the answers to a job."""
        return cls(job, [_row(answer) for answer in answers])

    def answers(self) -> list[Answer]:
        """One answer for each request, in order."""
        return [
            _FAULTS[row.kind](*row.arguments) if isinstance(row, _Failed) else Outcome(*astuple(row))
            for row in self.rows
        ]


class Lead(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Whether the writer leads: said first, at every change, and every second as a sign of life."""

    leads: bool


def _row(answer: Answer) -> _Accepted | _Refused | _Failed:
    if isinstance(answer, Outcome):
        kind = _Accepted if isinstance(answer.answer, Receipt) else _Refused
        return kind(*astuple(answer))
    said = [answer.field, answer.problem] if isinstance(answer, InvalidCommand) else [str(answer)]
    return _Failed(type(answer).__name__, said)


encode = msgspec.msgpack.Encoder().encode
decode_job = msgspec.msgpack.Decoder(Job).decode
decode_reply = msgspec.msgpack.Decoder(Answers | Lead).decode
