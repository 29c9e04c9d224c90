"""What gateway and writer tell each other arrives as it was said."""

from typing import Any

import msgspec
import pytest
from msgspec import inspect

from adapters.ipc.messages import Answers, Job, Lead, decode_job, decode_reply, encode
from ledger.commands import Request
from ledger.decisions.dispatch import HANDLERS
from ledger.errors import InvalidCommand, LedgerError
from ledger.quantities import Balance
from ledger.receipts import Outcome, Receipt
from ledger.refusals import Reason, refuse


def example(kind: inspect.Type) -> Any:
    """A value of a type; a struct has something in every field."""
    match kind:
        case inspect.StructType():
            return kind.cls(*(example(field.type) for field in kind.fields))
        case inspect.UnionType():
            return example(next(each for each in kind.types if not isinstance(each, inspect.NoneType)))
        case inspect.VarTupleType():
            return (example(kind.item_type), example(kind.item_type))
        case inspect.EnumType():
            return list(kind.cls)[-1]
        case inspect.IntType():
            return -(10**15)
        case inspect.BoolType():
            return True
        case inspect.BytesType():
            return b"\x00\xff" * 8
        case inspect.StrType():
            return "茶%2F1"
    raise NotImplementedError(kind)


def request(*commands: Any) -> Request:
    return Request(b"i" * 16, "club", 2**60, commands, "till 7", "shop", "bill 1", bytes(range(26)), True)


def test_commands_of_every_kind_arrive_whole() -> None:
    commands = [example(inspect.type_info(kind)) for kind in HANDLERS]
    requests = [*(request(command) for command in commands), request(*commands)]
    job = decode_job(encode(Job.of(7, requests)))
    assert (job.number, job.requests()) == (7, requests)


def test_outcomes_arrive_whole() -> None:
    balance = Balance("anna", "points", 10**15, pending=1, held=2, quarantined=3, debt=4)
    facts = {"sku": "mug", "available": -3, "substitutes": ["cup", "bowl"]}
    outcomes = [
        Outcome(b"i" * 16, b"h" * 16, Receipt(2**62, (balance, balance))),
        Outcome(b"j" * 16, b"k" * 16, Receipt(1), repeated=True),
        Outcome(b"l" * 16, b"m" * 16, refuse(Reason.OUT_OF_STOCK, **facts), repeated=True),
    ]
    reply = decode_reply(encode(Answers.of(8, outcomes)))
    assert isinstance(reply, Answers)
    assert (reply.job, reply.answers()) == (8, outcomes)


@pytest.mark.parametrize("kind", [LedgerError, *LedgerError.__subclasses__()])
def test_faults_keep_their_kind_and_what_they_say(kind: type[LedgerError]) -> None:
    said = kind("points.value", "must be positive") if issubclass(kind, InvalidCommand) else kind("it broke")
    reply = decode_reply(encode(Answers.of(1, [said])))
    assert isinstance(reply, Answers)
    (heard,) = reply.answers()
    assert type(heard) is kind
    assert str(heard) == str(said)
    assert vars(heard) == vars(said)


def test_a_lead_is_not_taken_for_answers() -> None:
    assert decode_reply(encode(Lead(True))) == Lead(True)
    assert decode_reply(encode(Answers.of(1, []))) == Answers(1, [])


@pytest.mark.parametrize("message", [b"", b"\x90", b"nonsense", encode(Lead(True)), encode((1, [(b"id", "club")]))])
def test_what_is_no_job_is_refused(message: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_job(message)
