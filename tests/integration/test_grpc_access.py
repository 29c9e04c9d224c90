"""Every RPC of the contract behind tokens, over a socket: who is let in, who is not, and what they hear (K05)."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio
from google.protobuf import message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from adapters.grpc.access.callers import Role
from adapters.grpc.access.roles import KIND_RULES, RULES, Scope
from adapters.grpc.client.ids import uuid7_text
from ledger.receipts import Outcome, Receipt
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import events_pb2
from loyalty.v1 import queries_pb2 as q
from loyalty.v1.types_pb2 import Header
from tests.integration.access_world import EVERY_ROLE, PROGRAMME, Access, Issuer, bearer, contract, guarded
from tests.integration.grpc_world import NOON, Failure, batch, detail_of, earn, fails, reason_of

METHODS = {f"{method.containing_service.name}.{method.name}": method for method in contract()}
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED
OTHER = "other"
COMMAND_ID = UUID(int=7)

every_rpc = pytest.mark.parametrize("rpc", METHODS)
every_command = pytest.mark.parametrize("kind", KIND_RULES)


def remember(access: Access, command_id: UUID, programme: str) -> None:
    """Let the log know a command of this programme."""
    name = command_id.bytes
    access.world.ledger.outcomes[name] = Outcome(name, b"", Receipt(1), programme=programme)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("issuer") / "keys.json")


@pytest_asyncio.fixture
async def access(issuer: Issuer) -> AsyncIterator[Access]:
    async with guarded(issuer.rules()) as access:
        # What GetCommand finds: a command of the caller's programme.
        remember(access, COMMAND_ID, PROGRAMME)
        yield access


def request_of(rpc: str, programme: str = PROGRAMME) -> Any:
    """A request of this RPC; its own fields are empty."""
    method = METHODS[rpc]
    request: Any = message_factory.GetMessageClass(method.input_type)()
    scope = RULES[f"/{method.containing_service.full_name}/{method.name}"].scope
    if scope is Scope.COMMANDS:
        request.commands.add(earn=earn())
    elif scope is Scope.HEADER:
        head = Header(command_id=uuid7_text(), programme=programme, occurred_at=NOON, actor="me", channel="shop")
        request.header.MergeFrom(head)
    elif scope is Scope.REQUEST:
        request.programme = programme
    elif scope is Scope.ANSWER:
        request.command_id = str(COMMAND_ID)
    return request


async def call(access: Access, rpc: str, request: Any, token: str | None) -> Any:
    """The first answer of an RPC, whatever its shape."""
    method = METHODS[rpc]
    stubs = {
        "CommandService": access.commands,
        "QueryService": access.views,
        "OperationsService": access.operator,
    }
    stub = stubs[method.containing_service.name]
    metadata = bearer(token) if token is not None else ()
    if method.client_streaming:
        stream = getattr(stub, method.name)(metadata=metadata)
        await stream.write(request)
        return await stream.read()
    if method.server_streaming:
        return await getattr(stub, method.name)(request, metadata=metadata).read()
    return await getattr(stub, method.name)(request, metadata=metadata)


def nothing_happened(access: Access) -> bool:
    """Whether neither the ledger nor the views nor the log nor the operations were asked."""
    world = access.world
    asked = (world.ledger.batches, world.queries.times_asked, world.log.asked, world.operations.asked)
    return asked == ([], 0, (), [])


async def test_every_rpc_is_open_with_a_credential_for_it(access: Access, issuer: Issuer) -> None:
    for rpc in METHODS:
        try:
            await call(access, rpc, request_of(rpc), issuer.token(programmes=["*"]))
        except Failure as failure:
            assert failure.code() is grpc.StatusCode.INVALID_ARGUMENT, f"{rpc}: {failure}"  # noqa: PT017


def bad_tokens(issuer: Issuer) -> dict[str, tuple[str | None, str]]:
    """Tokens that let nobody in, and the reason that is given."""
    now = int(time.time())
    return {
        "none": (None, "CREDENTIAL_MISSING"),
        "wrong key": (issuer.token(ECKey.generate_key("P-256", auto_kid=True)), "CREDENTIAL_INVALID"),
        "expired": (issuer.token(exp=now - 3_600), "CREDENTIAL_EXPIRED"),
        "not yet valid": (issuer.token(nbf=now + 3_600, exp=now + 7_200), "CREDENTIAL_INVALID"),
        "wrong audience": (issuer.token(aud="another-service"), "CREDENTIAL_INVALID"),
    }


@every_rpc
@pytest.mark.parametrize("which", ["none", "wrong key", "expired", "not yet valid", "wrong audience"])
async def test_no_rpc_is_open_without_a_good_token(access: Access, issuer: Issuer, rpc: str, which: str) -> None:
    token, reason = bad_tokens(issuer)[which]
    failure = await fails(call(access, rpc, request_of(rpc), token))
    assert (failure.code(), reason_of(failure)) == (UNAUTHENTICATED, reason)
    assert nothing_happened(access)


@every_rpc
async def test_no_rpc_is_open_to_other_roles(access: Access, issuer: Issuer, rpc: str) -> None:
    method = METHODS[rpc]
    others = EVERY_ROLE - RULES[f"/{method.containing_service.full_name}/{method.name}"].roles
    failure = await fails(call(access, rpc, request_of(rpc), issuer.token(roles=sorted(others))))
    assert (failure.code(), reason_of(failure)) == (PERMISSION_DENIED, "ROLE_MISSING")
    assert detail_of(failure, error_details_pb2.ErrorInfo).metadata["rpc"] == rpc
    assert nothing_happened(access)


@every_rpc
async def test_no_rpc_enters_another_programme(access: Access, issuer: Issuer, rpc: str) -> None:
    token = issuer.token(programmes=[OTHER])
    answering = call(access, rpc, request_of(rpc), token)
    if rpc in ("CommandService.Execute", "CommandService.ExecuteStream"):
        (result,) = (await answering).results
        assert (result.error.code, result.error.reason) == (PERMISSION_DENIED.value[0], "PROGRAMME_FORBIDDEN")
    else:
        failure = await fails(answering)
        assert (failure.code(), reason_of(failure)) == (PERMISSION_DENIED, "PROGRAMME_FORBIDDEN")
    assert nothing_happened(access)


@every_command
async def test_no_command_gets_past_the_roles_in_a_batch(access: Access, issuer: Issuer, kind: str) -> None:
    token = issuer.token(roles=sorted(EVERY_ROLE - KIND_RULES[kind].roles))
    command = c.Command()
    getattr(command, kind).CopyFrom(request_of(KIND_RULES[kind].name))
    for rpc, message in (("Execute", c.ExecuteRequest), ("ExecuteStream", c.ExecuteStreamRequest)):
        response = await call(access, f"CommandService.{rpc}", message(commands=[command]), token)
        assert response.results[0].error.reason == "ROLE_MISSING"
    assert nothing_happened(access)


async def test_a_batch_goes_on_without_what_is_denied(access: Access, issuer: Issuer) -> None:
    token = issuer.token(roles=["channel"])
    opening = c.Command(open_programme=request_of("CommandService.OpenProgramme"))
    commands = [opening, c.Command(earn=earn("anna")), c.Command(earn=earn("")), opening, c.Command(earn=earn("bo"))]
    response = await access.commands.Execute(c.ExecuteRequest(commands=commands), metadata=bearer(token))
    kinds = [result.WhichOneof("result") for result in response.results]
    assert kinds == ["error", "receipt", "error", "error", "receipt"]
    reasons = [result.error.reason for result in response.results]
    assert reasons == ["ROLE_MISSING", "", "INVALID_ARGUMENT", "ROLE_MISSING", ""]
    ((first, second),) = access.world.ledger.batches
    assert [first.commands[0].member, second.commands[0].member] == ["anna", "bo"]  # type: ignore[attr-defined]


async def test_a_stream_goes_on_without_what_is_denied(access: Access, issuer: Issuer) -> None:
    call = access.commands.ExecuteStream(metadata=bearer(issuer.token(roles=["channel"])))
    opening = c.Command(open_programme=request_of("CommandService.OpenProgramme"))
    sent = [[opening], [c.Command(earn=earn())], [opening, c.Command(earn=earn())], []]
    for commands in sent:
        await call.write(c.ExecuteStreamRequest(commands=commands))
    answers = [(await call.read()).results for _ in sent]
    assert [[each.error.reason for each in results] for results in answers] == [
        ["ROLE_MISSING"],
        [""],
        ["ROLE_MISSING", ""],
        [],
    ]
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_the_actor_is_the_credentials_whatever_the_header_says(access: Access, issuer: Issuer) -> None:
    metadata = bearer(issuer.token(sub="till backend 7"))
    for actor in ("somebody else", ""):
        single, batched = earn(), earn()
        single.header.actor = batched.header.actor = actor
        await access.commands.Earn(single, metadata=metadata)
        await access.commands.Execute(batch(batched), metadata=metadata)
    actors = [request.actor for requests in access.world.ledger.batches for request in requests]
    assert actors == ["till backend 7"] * 4


async def test_the_log_shows_the_callers_programmes_only(access: Access, issuer: Issuer) -> None:
    metadata = bearer(issuer.token(programmes=[PROGRAMME, "shop"]))
    for programme in ("", OTHER, "ACME", "*"):
        request = events_pb2.SubscribeEventsRequest(programme=programme, stream=f"{PROGRAMME}/member/anna")
        failure = await fails(access.views.SubscribeEvents(request, metadata=metadata).read())
        assert (failure.code(), reason_of(failure)) == (PERMISSION_DENIED, "PROGRAMME_FORBIDDEN")
    request = events_pb2.SubscribeEventsRequest(programme=PROGRAMME)
    messages = [message async for message in access.views.SubscribeEvents(request, metadata=metadata)]
    assert sum(len(message.events) for message in messages) == 4
    everything = bearer(issuer.token(programmes=["*"]))
    assert (await access.views.SubscribeEvents(events_pb2.SubscribeEventsRequest(), metadata=everything).read()).events


async def test_an_outcome_is_shown_to_its_programme_only(access: Access, issuer: Issuer) -> None:
    for programme in (OTHER, ""):
        command_id = uuid4()
        remember(access, command_id, programme)
        request = q.GetCommandRequest(command_id=str(command_id))
        failure = await fails(access.views.GetCommand(request, metadata=bearer(issuer.token())))
        assert (failure.code(), reason_of(failure)) == (PERMISSION_DENIED, "PROGRAMME_FORBIDDEN")
        answer = await access.views.GetCommand(request, metadata=bearer(issuer.token(programmes=["*"])))
        assert answer.programme == programme
    missing = q.GetCommandRequest(command_id=uuid7_text())
    failure = await fails(access.views.GetCommand(missing, metadata=bearer(issuer.token())))
    assert failure.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    "metadata",
    [
        (("authorization", ""),),
        (("authorization", "Basic dGlsbDpzZWNyZXQ="),),
        (("authorization", "Bearer"),),
        (("authorization", "{token}"),),
        (("authorization", "Bearer {token}"), ("authorization", "Bearer {token}")),
    ],
)
async def test_only_one_bearer_token_is_a_credential(access: Access, issuer: Issuer, metadata: Any) -> None:
    filled = tuple((key, value.replace("{token}", issuer.token())) for key, value in metadata)
    failure = await fails(access.commands.Earn(earn(), metadata=filled))
    assert (failure.code(), reason_of(failure)) == (UNAUTHENTICATED, "CREDENTIAL_INVALID")
    accepted = (("authorization", f"bearer {issuer.token()}"),)
    assert (await access.commands.Earn(earn(), metadata=accepted)).position


async def test_health_is_open_and_reflection_takes_a_credential(access: Access, issuer: Issuer) -> None:
    health: Any = health_pb2_grpc.HealthStub(access.channel)
    await health.Check(health_pb2.HealthCheckRequest())
    assert await health.Watch(health_pb2.HealthCheckRequest()).read()

    async def services(metadata: Any) -> set[str]:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(cast(Any, access.channel))
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        (answer,) = [answer async for answer in stub.ServerReflectionInfo(asked, metadata=metadata)]
        return {service.name for service in answer.list_services_response.service}

    assert (await fails(services(()))).code() is UNAUTHENTICATED
    assert "loyalty.v1.CommandService" in await services(bearer(issuer.token(roles=[], programmes=[])))


async def test_there_is_no_rpc_beside_the_contract(access: Access, issuer: Issuer) -> None:
    call: Any = access.channel.unary_unary("/loyalty.v1.CommandService/Nothing")
    assert (await fails(call(b"", metadata=bearer(issuer.token())))).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_too_many_commands_of_one_caller_are_refused_at_once(issuer: Issuer) -> None:
    async with guarded(issuer.rules(), commands_per_second=1) as access:
        busy, other = bearer(issuer.token(sub="busy")), bearer(issuer.token(sub="other"))
        answered = await access.commands.Execute(batch(*[earn()] * 3_600), metadata=busy)
        assert len(answered.results) == 3_600  # whole, and an hour's debt
        for rpc in (
            access.commands.Earn(earn(), metadata=busy),
            access.commands.Execute(batch(earn()), metadata=busy),
            access.views.GetBalance(q.GetBalanceRequest(programme=PROGRAMME, member="anna"), metadata=busy),
        ):
            failure = await fails(rpc)
            assert (failure.code(), reason_of(failure)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        assert len(access.world.ledger.batches) == 1

        stream = access.commands.ExecuteStream(metadata=other)
        for commands in ([earn()] * 3_600, [earn()] * 2):
            await stream.write(c.ExecuteStreamRequest(commands=batch(*commands).commands))
        assert {result.error.reason for result in (await stream.read()).results} == {""}
        assert {result.error.reason for result in (await stream.read()).results} == {"RATE_LIMITED"}


async def test_a_denial_is_logged_and_counted_without_the_token(access: Access, issuer: Issuer) -> None:
    stranger = issuer.token(ECKey.generate_key("P-256", auto_kid=True))
    with capture_logs() as lines:
        await fails(access.commands.Earn(earn(), metadata=bearer(stranger)))
        token = issuer.token(roles=["analyst"])
        await fails(access.commands.Earn(earn(), metadata=bearer(token)))
        await access.commands.Execute(batch(earn(), earn()), metadata=bearer(token))
    said = [(line["reason"], line["rpc"], line["actor"], line["number"], line["total"]) for line in lines]
    assert said == [
        ("CREDENTIAL_INVALID", "CommandService.Earn", "", 1, 1),
        ("ROLE_MISSING", "CommandService.Earn", "till-backend", 1, 1),
        ("ROLE_MISSING", "CommandService.Execute", "till-backend", 2, 3),
    ]
    for part in (*stranger.split("."), *token.split(".")):
        assert part not in str(lines)


async def test_keys_that_are_not_there_yet_are_unavailable(tmp_path: Path, issuer: Issuer) -> None:
    rules = issuer.rules()
    nowhere = type(rules)("http://127.0.0.1:9/keys", rules.audience, rules.issuer)
    async with guarded(nowhere) as access:
        failure = await fails(access.commands.Earn(earn(), metadata=bearer(issuer.token())))
        assert (failure.code(), reason_of(failure)) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")


@pytest.mark.parametrize("role", Role)
async def test_a_role_may_do_what_the_table_says(access: Access, issuer: Issuer, role: Role) -> None:
    token = issuer.token(roles=[role], programmes=["*"])
    denied = set()
    for rpc in METHODS:
        try:
            await call(access, rpc, request_of(rpc), token)
        except Failure as failure:
            if failure.code() is PERMISSION_DENIED:
                denied.add(rpc)
    assert denied == {rule.name for rule in RULES.values() if role not in rule.roles}
