"""What bad input found, each by name."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.message import Message

from adapters.grpc.paths import in_request
from adapters.postgres.pages import read_token
from ledger.errors import InvalidCommand
from loyalty.v1 import answers_pb2 as a
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import types_pb2 as t
from loyalty.v1.events_pb2 import SubscribeEventsRequest
from tests.fuzz.checks import check_ended, details
from tests.fuzz.contract import Rpc, rpcs
from tests.fuzz.opening import UNIT, head
from tests.fuzz.stage import Ended, MemoryStage, status_of
from tests.integration.access_world import Issuer, bearer, guarded
from tests.integration.grpc_world import Failure, fails, reason_of

RPCS = {rpc.name: rpc for rpc in rpcs()}
NO_MESSAGE = b"\x0a\x7f"
TEN = t.Amount(unit=UNIT, value=10)

every_rpc = pytest.mark.parametrize("rpc", RPCS.values(), ids=list(RPCS))


@pytest.fixture(scope="module")
def serving() -> Iterator[MemoryStage]:
    stage = MemoryStage()
    yield stage
    stage.close()


@pytest.fixture
def stage(serving: MemoryStage) -> MemoryStage:
    serving.begin()
    return serving


def call(stage: MemoryStage, name: str, *requests: Message) -> Ended:
    """Make a call that must keep to the contract."""
    ended = stage.call(RPCS[name], [request.SerializeToString() for request in requests])
    check_ended(RPCS[name], requests, ended)
    return ended


def group(*members: c.Command) -> c.ExecuteRequest:
    return c.ExecuteRequest(commands=[c.Command(group=c.Group(header=head(UUID(int=99)), commands=members))])


def error_of(ended: Ended) -> a.Error:
    (result,) = c.ExecuteResponse.FromString(ended.answers[0]).results
    return result.error


# -- bytes that are no message


@every_rpc
def test_bytes_that_are_no_request_are_an_invalid_argument(stage: MemoryStage, rpc: Rpc) -> None:
    """GRPC itself would say UNKNOWN, "Unexpected DecodeError"."""
    ended = stage.call(rpc, [NO_MESSAGE])
    assert ended.code is grpc.StatusCode.INVALID_ARGUMENT
    check_ended(rpc, [None], ended)


async def test_bytes_that_are_no_request_need_a_credential_too(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path / "keys.json")
    async with guarded(issuer.rules()) as access:

        async def send(path: str, metadata: Sequence[tuple[str, str]]) -> Failure:
            method: Any = access.channel.unary_unary(path)
            return await fails(method(NO_MESSAGE, metadata=tuple(metadata)))

        for rpc in RPCS.values():
            if not (rpc.takes_stream or rpc.gives_stream):
                assert reason_of(await send(rpc.path, ())) == "CREDENTIAL_MISSING"
                assert reason_of(await send(rpc.path, bearer(issuer.token()))) == "INVALID_ARGUMENT"


# -- what PostgreSQL can't hold


def test_a_stream_with_a_nul_is_named(stage: MemoryStage) -> None:
    """PostgreSQL has no text with a NUL, so that the query failed."""
    ended = call(stage, "SubscribeEvents", SubscribeEventsRequest(stream="club/member/a\0b"))
    assert ended.message == "stream: has control characters"


def test_a_page_token_with_a_nul_was_never_given() -> None:
    token = base64.urlsafe_b64encode(json.dumps(["cup\0", "north"]).encode()).decode()
    with pytest.raises(InvalidCommand, match="page_token: was not given by this query"):
        read_token(token, ("", ""))


# -- statuses that are too long


@pytest.mark.parametrize("character", ["x", "积", "\U0001f375"])
@pytest.mark.parametrize("length", [10, 30, 63])
def test_a_refusal_with_many_long_substitutes_arrives(stage: MemoryStage, character: str, length: int) -> None:
    """Trailers above 8 KiB are thrown away by the client: it heard RESOURCE_EXHAUSTED, without details."""
    names = [character * length + chr(ord("a") + number) for number in range(16)]
    price = t.Price(points=TEN)
    for number, name in enumerate(names, 100):
        reward = c.DefineRewardRequest(reward=name, kind="REWARD_KIND_GOODS", price=price, sku=name, location=name)
        reward.header.CopyFrom(head(UUID(int=number)))
        reward.substitutes.extend(names)
        assert call(stage, "DefineReward", reward).code is grpc.StatusCode.OK
    redeem = c.RedeemRequest(header=head(UUID(int=200)), redemption="r9", member="anna", reward=names[0])
    ended = call(stage, "Redeem", redeem)
    assert ended.code is grpc.StatusCode.FAILED_PRECONDITION
    (refusal,) = details(status_of(ended), a.Refusal)
    assert refusal.reason == a.REFUSAL_REASON_OUT_OF_STOCK
    assert list(refusal.out_of_stock.substitutes) == names


# -- paths that lead nowhere


def test_a_member_of_a_group_is_named_with_its_kind(stage: MemoryStage) -> None:
    """The ledger said `commands[1].points.value`, decoding says `commands[1].earn.points.value`."""
    joins = c.Command(enrol_member=c.EnrolMemberRequest(member="cai"))
    earns = c.Command(earn=c.EarnRequest(member="anna", source=t.Source(type="visit", id="1")))
    earns.earn.points.unit = UNIT
    assert error_of(call(stage, "Execute", group(joins, earns))).field == "commands[1].earn.points.value"
    assert error_of(call(stage, "Execute", group(earns))).field == "commands[0].earn.points.value"


def test_a_purchase_whose_points_would_never_open_names_the_header() -> None:
    """`occurred_at` stands in the header, which the ledger does not know; of a group there is one."""
    fault = InvalidCommand("occurred_at", "points earned then would end before they could be spent")
    assert in_request(fault).field == "header.occurred_at"
    fault = InvalidCommand("commands[1].occurred_at", fault.problem)
    assert in_request(fault, group(c.Command(), c.Command()).commands[0]).field == "header.occurred_at"
