"""What gateway and writer tell each other arrives as it was said."""

import msgspec
import pytest

from adapters.ipc.messages import Answers, Job, Lead, decode_job, decode_reply, encode
from ledger.errors import InvalidCommand, LedgerError
from ledger.quantities import Balance
from ledger.receipts import Outcome, Receipt
from ledger.refusals import Reason, refuse
from tests.contract.history import STEPS, requests_of

REQUESTS = [request for step in range(len(STEPS)) for request in requests_of(step)]


def test_requests_of_every_kind_arrive_whole() -> None:
    job = decode_job(encode(Job.of(7, REQUESTS)))
    assert (job.number, job.requests()) == (7, REQUESTS)


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
