"""Single fields of the contract: exact fractions, trace context, positions."""

import pytest

from adapters.grpc.fields import fraction, trace
from adapters.grpc.positions import parse_position, position_token
from adapters.grpc.views_to_proto import traceparent
from ledger.errors import InvalidCommand


@pytest.mark.parametrize("text", ["0", "3", "0.01", "1/100", "007", "999999999999999999/999999999999999999"])
def test_exact_fractions_are_taken_as_they_are_written(text: str) -> None:
    assert fraction(text, "rate") == text


@pytest.mark.parametrize("text", ["", "-1", "+1", "1e5", "1_0", " 1", "1/", ".5", "1/0", "1/2/3", "٣", "1\n", "nan"])
def test_anything_else_is_no_fraction(text: str) -> None:
    with pytest.raises(InvalidCommand):
        fraction(text, "rate")


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("text", [TRACE, TRACE.replace("00-", "01-", 1), TRACE.replace("00-", "cc-", 1) + "-more"])
def test_trace_context_is_kept(text: str) -> None:
    assert traceparent(trace(text)) == text[:55]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        TRACE[:-1],
        TRACE + "-more",
        TRACE.upper(),
        TRACE.replace("00-", "ff-", 1),
        TRACE.replace("00-", "01-", 1) + "more",
        TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        TRACE.replace("b7ad6b7169203331", "0" * 16),
        TRACE.replace("b7ad", "b7 d"),
        TRACE.replace("b7ad", "b-ad"),
        TRACE.replace("-", "_"),
    ],
)
def test_malformed_trace_context_is_ignored(text: str) -> None:
    """W3C Trace Context, 3.2.2: vendors ignore a traceparent that they can't parse."""
    assert trace(text) == b""


@pytest.mark.parametrize("position", [0, 1, 9, 255, 10**12, 2**59])
def test_positions_travel_as_tokens(position: int) -> None:
    assert parse_position(position_token(position), "min_position") == position


@pytest.mark.parametrize("token", ["1", "1-", "2-1", "1-01", "1-G", "1--1", "1-1 ", "1-" + "f" * 16, "１-1", "1-1\n"])
def test_only_tokens_of_this_service_are_positions(token: str) -> None:
    with pytest.raises(InvalidCommand):
        parse_position(token, "min_position")


def test_no_token_is_before_the_first_event() -> None:
    assert parse_position("", "min_position") == 0
