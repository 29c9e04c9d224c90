"""TLS and mutual TLS of the server, and the client's side of both (K05). All of it on the loopback."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs

from adapters.cli.service import open_channel
from adapters.grpc.access.callers import Caller, Role
from adapters.grpc.access.options import AccessOptions
from adapters.grpc.access.tls import TlsFiles
from adapters.grpc.addresses import listening_address
from adapters.grpc.client import (
    AsyncLedgerClient,
    LedgerClient,
    PermissionDenied,
    Retries,
    Source,
    Tls,
    Token,
    Unauthenticated,
    Unavailable,
)
from adapters.grpc.server import ServerOptions, build_server
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from tests.integration.access_world import PROGRAMME, Authority, Issuer, bearer, guarded, write_certificate
from tests.integration.grpc_world import (
    FakeLedger,
    FakeLog,
    FakeOperations,
    FakeQueries,
    FakeSweeper,
    World,
    earn,
    fails,
    reason_of,
)

TILL = Caller("till-7", frozenset({Role.CHANNEL}), frozenset({PROGRAMME}))
ONCE = Retries(attempts_max=1)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "keys.json")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def build(address: str, **options: Any) -> None:
    ledger = FakeLedger()
    build_server(
        ledger, FakeLog(ledger), FakeQueries(), FakeSweeper(), FakeOperations(), ServerOptions(address, **options)
    )


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.5:0", "ledger.example.org:50051", "127.0.0.1.x:0"])
@pytest.mark.parametrize("protection", ["nothing", "TLS", "tokens"])
async def test_beyond_loopback_it_takes_both_tls_and_access_control(
    address: str, protection: str, authority: Authority, issuer: Issuer
) -> None:
    """K05."""
    tls = authority.files if protection == "TLS" else None
    access = AccessOptions(issuer.rules()) if protection == "tokens" else None
    with pytest.raises(ValueError, match="TLS and access control"):
        build(address, tls=tls, access=access)
    assert listening_address(address, secured=True) == address


async def test_connections_are_encrypted(authority: Authority, issuer: Issuer) -> None:
    trusting = authority.channel_credentials()
    async with guarded(issuer.rules(), tls=authority.files, credentials=trusting) as access:
        assert (await access.commands.Earn(earn(), metadata=bearer(issuer.token()))).position
        assert (await fails(access.commands.Earn(earn()))).code() is grpc.StatusCode.UNAUTHENTICATED
        async with grpc.aio.insecure_channel(access.world.address) as plain:
            failure = await fails(CommandServiceStub(plain).Earn(earn(), metadata=bearer(issuer.token())))
        assert failure.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_client_knows_its_service_by_the_authority(
    authority: Authority, issuer: Issuer, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path)
    async with guarded(issuer.rules(), tls=authority.files, credentials=stranger.channel_credentials()) as access:
        failure = await fails(access.commands.Earn(earn(), metadata=bearer(issuer.token())))
        assert failure.code() is grpc.StatusCode.UNAVAILABLE
        assert access.world.ledger.batches == []


async def test_a_client_certificate_is_a_credential(authority: Authority) -> None:
    till = authority.ca.issue_cert("till-7", "till-7.shop.test")
    trusting = authority.channel_credentials(till)
    async with guarded(tls=authority.mutual(), certificates={"till-7": TILL}, credentials=trusting) as access:
        await access.commands.Earn(earn())
        ((request,),) = access.world.ledger.batches
        assert request.actor == "till-7"
        other = earn()
        other.header.programme = "other"
        assert reason_of(await fails(access.commands.Earn(other))) == "PROGRAMME_FORBIDDEN"
        # There are no tokens here: one that is sent is not passed over in silence.
        assert reason_of(await fails(access.commands.Earn(earn(), metadata=bearer("x")))) == "CREDENTIAL_INVALID"


async def test_a_certificate_of_an_unknown_name_proves_nothing(authority: Authority) -> None:
    somebody = authority.channel_credentials(authority.ca.issue_cert("somebody"))
    async with guarded(tls=authority.mutual(), certificates={"till-7": TILL}, credentials=somebody) as access:
        failure = await fails(access.commands.Earn(earn()))
        assert (failure.code(), reason_of(failure)) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")


@pytest.mark.parametrize("shown", ["a certificate of an unknown authority", "no certificate"])
async def test_mutual_tls_lets_nobody_else_connect(shown: str, authority: Authority) -> None:
    pretender = trustme.CA().issue_cert("till-7") if shown != "no certificate" else None
    trusting = authority.channel_credentials(pretender)
    async with guarded(tls=authority.mutual(), certificates={"till-7": TILL}, credentials=trusting) as access:
        assert (await fails(access.commands.Earn(earn()))).code() is grpc.StatusCode.UNAVAILABLE
        assert access.world.ledger.batches == []


async def test_a_token_counts_before_a_certificate(authority: Authority, issuer: Issuer) -> None:
    trusting = authority.channel_credentials(authority.ca.issue_cert("till-7"))
    async with guarded(
        issuer.rules(), tls=authority.mutual(), certificates={"till-7": TILL}, credentials=trusting
    ) as access:
        await access.commands.Earn(earn(), metadata=bearer(issuer.token(sub="by token")))
        await access.commands.Earn(earn())
        assert [request.actor for (request,) in access.world.ledger.batches] == ["by token", "till-7"]
        assert reason_of(await fails(access.commands.Earn(earn(), metadata=bearer("bad")))) == "CREDENTIAL_INVALID"


# -- reload


async def reached(world: World, trusted: Authority) -> bool:
    """Whether a new connection comes about with trust in this authority."""
    async with grpc.aio.secure_channel(world.address, trusted.channel_credentials()) as channel:
        failure = await fails(CommandServiceStub(channel).Earn(earn()))
        return failure.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_renewed_certificate_counts_for_the_next_connection(
    authority: Authority, issuer: Issuer, tmp_path: Path
) -> None:
    successor = Authority(tmp_path)
    old = authority.channel_credentials()
    async with guarded(issuer.rules(), tls=authority.files, credentials=old) as access:
        metadata = bearer(issuer.token())
        await access.commands.Earn(earn(), metadata=metadata)
        assert await reached(access.world, authority)
        assert not await reached(access.world, successor)
        write_certificate(successor.ca.issue_cert("127.0.0.1"), authority.files)
        assert await reached(access.world, successor)
        assert not await reached(access.world, authority)
        # Who was connected stays connected.
        await access.commands.Earn(earn(), metadata=metadata)


async def test_files_that_do_not_fit_together_are_passed_over(
    authority: Authority, issuer: Issuer, tmp_path: Path
) -> None:
    successor = Authority(tmp_path)
    renewed = successor.ca.issue_cert("127.0.0.1")
    halves: list[Callable[[], object]] = [
        lambda: authority.files.certificate.write_bytes(renewed.cert_chain_pems[0].bytes()),
        lambda: authority.files.certificate.write_bytes(b"nonsense"),
        authority.files.certificate.unlink,
    ]
    async with guarded(issuer.rules(), tls=authority.files, credentials=authority.channel_credentials()) as access:
        for half in halves:
            half()
            with capture_logs() as lines:
                assert await reached(access.world, authority)
            assert "tls.not_reloaded" in {line["event"] for line in lines}
        write_certificate(renewed, authority.files)
        assert await reached(access.world, successor)


async def test_another_client_authority_counts_for_the_next_connection(authority: Authority, tmp_path: Path) -> None:
    successor = Authority(tmp_path)
    till = successor.ca.issue_cert("till-7")
    credentials = grpc.ssl_channel_credentials(
        authority.ca_pem, till.private_key_pem.bytes(), till.cert_chain_pems[0].bytes()
    )
    async with guarded(tls=authority.mutual(), certificates={"till-7": TILL}, credentials=credentials) as access:
        assert (await fails(access.commands.Earn(earn()))).code() is grpc.StatusCode.UNAVAILABLE
        successor.ca_file.replace(authority.ca_file)
        assert (await access.commands.Earn(earn(), wait_for_ready=True)).position


def encrypted(pem: bytes) -> bytes:
    """The same key, behind a password."""
    key = load_pem_private_key(pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    "broken", ["another key", "an encrypted key", "no certificate", "no authority", "nothing there"]
)
async def test_it_does_not_start_with_files_that_do_not_fit(broken: str, authority: Authority, tmp_path: Path) -> None:
    files = authority.mutual()
    assert files.client_ca is not None
    match broken:
        case "another key":
            files.key.write_bytes(authority.ca.issue_cert("127.0.0.1").private_key_pem.bytes())
        case "an encrypted key":
            files.key.write_bytes(encrypted(files.key.read_bytes()))
        case "no certificate":
            files.certificate.write_text("nonsense")
        case "no authority":
            files.client_ca.write_text("nonsense")
        case "nothing there":
            files = TlsFiles(tmp_path / "nowhere.pem", files.key)
    with pytest.raises((ValueError, OSError), match=r"\.pem"):
        build("127.0.0.1:0", tls=files)


# -- the Python client


def client_of(world: World, **options: Any) -> AsyncLedgerClient:
    return AsyncLedgerClient(world.address, programme=PROGRAMME, channel="shop", retries=ONCE, **options)


async def give(client: AsyncLedgerClient) -> str:
    receipt = await client.earn(member="anna", points=5, unit="PTS", source=Source(type="order", id="A1"))
    return receipt.position


async def test_the_client_sends_a_token(authority: Authority, issuer: Issuer) -> None:
    token = issuer.token()
    asked = []

    def fetched() -> str:
        asked.append(token)
        return token

    async def awaited() -> str:
        return fetched()

    ways: list[Token] = [token, fetched, awaited]
    async with guarded(issuer.rules(), tls=authority.files) as access:
        for way in ways:
            async with client_of(access.world, tls=Tls(authority.ca_pem), token=way) as client:
                assert await give(client)
                assert (await client.get_balance(member="anna")).balances
                assert [event async for event in client.subscribe_events(follow=False)]
        assert len(asked) == 6
        assert {request.actor for (request,) in access.world.ledger.batches} == {"till-backend"}


async def test_the_client_raises_what_it_was_denied(issuer: Issuer) -> None:
    async with guarded(issuer.rules()) as access:
        async with client_of(access.world) as nobody:
            with pytest.raises(Unauthenticated) as missing:
                await give(nobody)
            assert missing.value.reason == "CREDENTIAL_MISSING"
        async with client_of(access.world, token=issuer.token(roles=["analyst"])) as analyst:
            with pytest.raises(PermissionDenied) as denied:
                await give(analyst)
            assert denied.value.reason == "ROLE_MISSING"
        async with client_of(access.world, token=issuer.token(exp=0)) as late:
            with pytest.raises(Unauthenticated) as expired:
                await late.get_balance(member="anna")
            assert expired.value.reason == "CREDENTIAL_EXPIRED"


async def test_the_client_shows_a_certificate(authority: Authority, tmp_path: Path) -> None:
    files = TlsFiles(tmp_path / "till.pem", tmp_path / "till.key")
    write_certificate(authority.ca.issue_cert("till-7"), files)
    async with guarded(tls=authority.mutual(), certificates={"till-7": TILL}) as access:
        async with client_of(access.world, tls=Tls.of_files(authority.ca_file, files.certificate, files.key)) as client:
            assert await give(client)
        async with client_of(access.world, tls=Tls.of_files(authority.ca_file)) as nobody:
            with pytest.raises(Unavailable):
                await give(nobody)


def test_the_client_sends_no_token_to_another_machine_unencrypted() -> None:
    for target in ("ledger.example.org:50051", "192.0.2.5:50051", "[2001:db8::1]:50051"):
        with pytest.raises(ValueError, match="TLS only"), LedgerClient(target, token="secret"):
            pass


async def test_the_command_line_takes_tls_and_token_from_the_settings(
    authority: Authority, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "TLS_CERTIFICATE": authority.files.certificate,
        "TLS_KEY": authority.files.key,
        "CLI_CA": authority.ca_file,
        "CLI_TOKEN": issuer.token(),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"LOYALTY_{name}", str(value))
    async with guarded(issuer.rules(), tls=authority.files) as access:

        def call() -> str:
            with open_channel(access.world.address) as channel:
                return str(CommandServiceStub(channel).Earn(earn(), timeout=10).position)

        assert await asyncio.to_thread(call)
