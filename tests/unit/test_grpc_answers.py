"""What the ledger answers, as the contract says it: receipts, refusals, faults, and the lists of reasons."""

import asyncio
import re
from pathlib import Path
from typing import cast

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from structlog.testing import capture_logs

from adapters.grpc.access.denials import (
    credential_expired,
    credential_invalid,
    credential_missing,
    programme_forbidden,
    rate_limited,
    role_missing,
)
from adapters.grpc.access.roles import KIND_RULES
from adapters.grpc.faults import fault_of, fault_status
from adapters.grpc.replies import Context, streaming
from adapters.grpc.to_proto import encode_results
from ledger.errors import CommandIdReused, Corrupt, Fenced, InvalidCommand, LedgerError, Overloaded, Unavailable
from ledger.quantities import Balance
from ledger.receipts import Outcome, Receipt
from ledger.refusals import Reason, Refusal, refuse
from loyalty.v1 import answers_pb2
from loyalty.v1 import types_pb2 as t
from loyalty.v1.events_pb2 import SubscribeEventsRequest
from projections.operations import WrongState
from projections.queries import NotFound, TooFarBehind

README = Path(__file__).parents[2] / "protos" / "README.md"
PRICE = t.Price(points=t.Amount(unit="PTS", value=500), cash=1000)


def outcome(answer: Receipt | Refusal, repeated: bool = False) -> Outcome:
    return Outcome(bytes(16), b"", answer, repeated)


def test_a_receipt_has_a_position_and_whole_balances() -> None:
    balance = Balance("anna", "积分", open=5, pending=4, held=3, quarantined=2, debt=1)
    (result,) = encode_results([outcome(Receipt(255, (balance,)), repeated=True)]).results
    assert result.receipt == answers_pb2.Receipt(
        position="1-ff",
        balances=[t.Balance(member="anna", unit="积分", open=5, pending=4, held=3, quarantined=2, debt=1, balance=13)],
        repeated=True,
    )


REFUSALS: list[tuple[Refusal, answers_pb2.Refusal]] = [
    (
        refuse(Reason.INSUFFICIENT_POINTS, member="a%2Fb", unit="PTS", wanted=120, spendable=20),
        answers_pb2.Refusal(
            reason="REFUSAL_REASON_INSUFFICIENT_POINTS",
            facts={"member": "a/b"},
            insufficient_points=answers_pb2.InsufficientPoints(unit="PTS", wanted=120, spendable=20),
        ),
    ),
    (
        refuse(Reason.OUT_OF_STOCK, sku="cup", location="north", wanted=2, available=1, substitutes=["a%2Fb", "c"],
               quote_points=80, quote_unit="PTS", quote_cash=1200),
        answers_pb2.Refusal(
            reason="REFUSAL_REASON_OUT_OF_STOCK",
            out_of_stock=answers_pb2.OutOfStock(
                sku="cup", location="north", wanted=2, available=1, substitutes=["a/b", "c"],
                quote=t.Price(points=t.Amount(unit="PTS", value=80), cash=1200),
            ),
        ),
    ),
    (
        refuse(Reason.OUT_OF_STOCK, sku="cup", location="north", wanted=2, available=1, substitutes=[]),
        answers_pb2.Refusal(
            reason="REFUSAL_REASON_OUT_OF_STOCK",
            out_of_stock=answers_pb2.OutOfStock(sku="cup", location="north", wanted=2, available=1),
        ),
    ),
    (
        refuse(Reason.PRICE_CHANGED, points=500, unit="PTS", cash=1000, paid=900),
        answers_pb2.Refusal(
            reason="REFUSAL_REASON_PRICE_CHANGED",
            facts={"paid": "900"},
            price_changed=answers_pb2.PriceChanged(actual=PRICE),
        ),
    ),
    (
        refuse(Reason.CAP_EXCEEDED, member="a%2Fb", unit="PTS", wanted=60, cap=100, used=50, resets_at=1_000_250_000),
        answers_pb2.Refusal(
            reason="REFUSAL_REASON_CAP_EXCEEDED",
            facts={"member": "a/b"},
            cap_exceeded=answers_pb2.CapExceeded(
                unit="PTS", wanted=60, cap=100, used=50, resets_at=Timestamp(seconds=1_000, nanos=250_000_000)
            ),
        ),
    ),
    (
        refuse(Reason.HOLDS_OPEN, member="anna", open=12, holds=["h%201", "redemption:r1"]),
        answers_pb2.Refusal(
            reason="REFUSAL_REASON_HOLDS_OPEN",
            facts={"member": "anna", "open": "12", "holds": "h%201,redemption:r1"},
        ),
    ),
    (
        refuse(Reason.REWARD_UNAVAILABLE, reward="m%2Fg", status="SUSPENDED", substitutes=["a%2Cb", "c"], unit="%41"),
        answers_pb2.Refusal(
            reason="REFUSAL_REASON_REWARD_UNAVAILABLE",
            facts={"reward": "m/g", "status": "SUSPENDED", "substitutes": "a%2Cb,c", "unit": "%41"},
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("refusal", "message"), REFUSALS)
def test_a_refusal_has_its_reason_its_facts_and_its_detail(refusal: Refusal, message: answers_pb2.Refusal) -> None:
    (result,) = encode_results([outcome(refusal)]).results
    assert result.refusal == message


def test_a_repeated_refusal_says_so() -> None:
    (result,) = encode_results([outcome(refuse(Reason.SAME_MEMBER, member="anna"), repeated=True)]).results
    assert result.refusal.repeated


FAULTS: list[tuple[Exception, int, str]] = [
    (InvalidCommand("lines[1].net", "is missing"), 3, "INVALID_ARGUMENT"),
    (CommandIdReused(), 6, "COMMAND_ID_REUSED"),
    (Overloaded(), 8, "OVERLOADED"),
    (Unavailable(), 14, "UNAVAILABLE"),
    (Fenced(), 14, "UNAVAILABLE"),
    (Corrupt("secret"), 13, "INTERNAL"),
    (NotFound("member", "a%2Fb"), 5, "NOT_FOUND"),
    (TooFarBehind(), 14, "VIEW_BEHIND"),
    (WrongState("balance is not being built"), 9, "WRONG_STATE"),
    (RuntimeError("secret"), 13, "INTERNAL"),
    (credential_missing(), 16, "CREDENTIAL_MISSING"),
    (credential_invalid("secret"), 16, "CREDENTIAL_INVALID"),
    (credential_expired(), 16, "CREDENTIAL_EXPIRED"),
    (role_missing(KIND_RULES["earn"]), 7, "ROLE_MISSING"),
    (programme_forbidden("other"), 7, "PROGRAMME_FORBIDDEN"),
    (rate_limited(), 8, "RATE_LIMITED"),
]


@pytest.mark.parametrize(("error", "code", "reason"), FAULTS)
def test_every_fault_has_a_code_and_a_stable_reason(error: Exception, code: int, reason: str) -> None:
    status = fault_status(fault_of(error))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, info.reason, info.domain) == (code, reason, "loyalty.v1")
    assert b"secret" not in status.SerializeToString()


@pytest.mark.parametrize(("error", "code", "reason"), [row for row in FAULTS if isinstance(row[0], LedgerError)])
def test_a_fault_within_a_batch_has_the_same_code_and_reason(error: LedgerError, code: int, reason: str) -> None:
    (result,) = encode_results([error]).results
    assert (result.error.code, result.error.reason) == (code, reason)
    assert "secret" not in result.error.message


def test_bad_input_names_its_field_in_a_call_and_in_a_batch() -> None:
    error = InvalidCommand("lines[1].net", "is missing")
    bad = error_details_pb2.BadRequest()
    assert fault_status(fault_of(error)).details[1].Unpack(bad)
    assert [(found.field, found.description) for found in bad.field_violations] == [("lines[1].net", "is missing")]
    (result,) = encode_results([error]).results
    assert (result.error.field, result.error.message) == ("lines[1].net", "is missing")


def test_the_contract_has_the_ledgers_reasons_and_no_others() -> None:
    in_contract = {name.removeprefix("REFUSAL_REASON_") for name in answers_pb2.RefusalReason.keys()}  # noqa: SIM118
    assert in_contract == {reason.value for reason in Reason} | {"UNSPECIFIED"}


def test_the_readme_lists_every_reason() -> None:
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == {reason.value for reason in Reason} | {reason for _, _, reason in FAULTS}


async def test_a_caller_who_leaves_in_the_middle_of_a_stream_is_no_internal_error() -> None:
    """It fell upon the operator as one, with its traceback, each time that gRPC could not send the rest."""

    async def write(service: object, request: SubscribeEventsRequest, context: object) -> None:
        raise grpc.aio.InternalError("Failed ExecuteBatch")

    with capture_logs() as lines, pytest.raises(asyncio.CancelledError):
        await streaming(write)(object(), SubscribeEventsRequest(), cast(Context, None))
    assert [line["event"] for line in lines] == ["grpc.caller_left"]
