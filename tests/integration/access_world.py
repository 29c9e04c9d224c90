"""Credentials for tests: an issuer of tokens with its keys in a file, an authority for certificates, options."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
import trustme
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from adapters.grpc.access.callers import Caller, Role
from adapters.grpc.access.options import AccessOptions
from adapters.grpc.access.tls import TlsFiles
from adapters.grpc.access.tokens import TokenRules
from adapters.grpc.server import ServerOptions
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from loyalty.v1.operations_pb2_grpc import OperationsServiceStub
from loyalty.v1.queries_pb2_grpc import QueryServiceStub
from tests.integration.grpc_world import World, running

PROTOS = Path(__file__).parents[2] / "protos" / "loyalty" / "v1"

AUDIENCE = "loyalty-ledger"
ISSUER = "https://issuer.test"
PROGRAMME = "acme"
EVERY_ROLE = frozenset(Role)


def contract() -> list[Any]:
    """Every RPC of every file of the contract, as its descriptor."""
    files = [import_module(f"loyalty.v1.{path.stem}_pb2").DESCRIPTOR for path in sorted(PROTOS.glob("*.proto"))]
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


class Issuer:
    """Signs tokens; its keys stand in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys: list[ECKey] = []
        self.rotate()

    def rotate(self) -> None:
        """A new key takes the place of the old one."""
        self.keys = [ECKey.generate_key("P-256", auto_kid=True)]
        self.path.write_text(json.dumps(KeySet(list(self.keys)).as_dict(private=False)))

    def rules(self, **changes: Any) -> TokenRules:
        """What this issuer's tokens must say."""
        return TokenRules(str(self.path), AUDIENCE, **{"issuer": ISSUER} | changes)

    def token(self, key: ECKey | None = None, *, without: tuple[str, ...] = (), **claims: Any) -> str:
        """A token for everything in the programme; claims may be others, or left out."""
        key = key or self.keys[0]
        said = {
            "iss": ISSUER,
            "sub": "till-backend",
            "aud": AUDIENCE,
            "exp": int(time.time()) + 600,
            "roles": sorted(EVERY_ROLE),
            "programmes": [PROGRAMME],
        } | claims
        said = {name: value for name, value in said.items() if name not in without}
        return jwt.encode({"alg": "ES256", "kid": key.kid}, said, key)


class Authority:
    """Issues certificates, and writes them to files."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.ca_file = folder / f"ca-{id(self)}.pem"
        self.ca_file.write_bytes(self.ca_pem)
        self.files = TlsFiles(folder / f"server-{id(self)}.pem", folder / f"server-{id(self)}.key")
        self.renew()

    @property
    def ca_pem(self) -> bytes:
        return self.ca.cert_pem.bytes()

    def renew(self) -> None:
        """A new certificate of the server takes the place of the old one."""
        write_certificate(self.ca.issue_cert("127.0.0.1", "localhost"), self.files)

    def mutual(self) -> TlsFiles:
        """The server's files, with this authority for its clients."""
        return TlsFiles(self.files.certificate, self.files.key, self.ca_file)

    def channel_credentials(self, client: trustme.LeafCert | None = None) -> grpc.ChannelCredentials:
        """Trust in this authority, and a client certificate if there is one."""
        if client is None:
            return grpc.ssl_channel_credentials(self.ca_pem)
        return grpc.ssl_channel_credentials(
            self.ca_pem, client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes()
        )


def write_certificate(certificate: trustme.LeafCert, files: TlsFiles) -> None:
    """Write a certificate, then its key."""
    files.certificate.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    files.key.write_bytes(certificate.private_key_pem.bytes())


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call with a token."""
    return (("authorization", f"Bearer {token}"),)


class Access:
    """A world behind access control, and a way to call any of its methods."""

    def __init__(self, world: World, channel: grpc.aio.Channel) -> None:
        self.world = world
        self.channel = channel
        self.commands = CommandServiceStub(channel)
        self.views = QueryServiceStub(channel)
        self.operator = OperationsServiceStub(channel)


@asynccontextmanager
async def guarded(
    rules: TokenRules | None = None,
    *,
    tls: TlsFiles | None = None,
    certificates: Mapping[str, Caller] | None = None,
    credentials: grpc.ChannelCredentials | None = None,
    commands_per_second: int | None = None,
) -> AsyncIterator[Access]:
    """A server that asks for tokens or certificates, in front of fakes."""
    access = AccessOptions(rules, certificates or {}, commands_per_second)
    options = ServerOptions("127.0.0.1:0", tls=tls, access=access, grace_seconds=5)
    async with running(options) as world:
        target = world.address
        opened = grpc.aio.secure_channel(target, credentials) if credentials else grpc.aio.insecure_channel(target)
        async with opened as channel:
            yield Access(world, channel)
