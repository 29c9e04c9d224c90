"""Tokens and the keys they are verified with (K05)."""

import asyncio
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from adapters.grpc.access import keys as keys_module
from adapters.grpc.access import tokens as tokens_module
from adapters.grpc.access.callers import Role
from adapters.grpc.access.keys import Keys, keys_at
from adapters.grpc.access.tokens import SKEW_SECONDS, TokenRules, Tokens
from adapters.grpc.faults import Denied
from ledger.errors import Unavailable
from tests.integration.access_world import AUDIENCE, Issuer


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "keys.json")


def tokens_of(issuer: Issuer, clock: Callable[[], float] = time.time, /, **changes: Any) -> Tokens:
    return Tokens(keys_at(str(issuer.path)), issuer.rules(**changes), clock)


async def denial(tokens: Tokens, token: str) -> tuple[str, str]:
    """The reason that the caller hears, and the one that is logged."""
    with pytest.raises(Denied) as caught:
        await tokens.caller(token)
    return caught.value.fault.reason, caught.value.why


async def test_a_token_says_who_calls_and_what_they_may_do(issuer: Issuer) -> None:
    token = issuer.token(roles=["finance", "channel", "of-another-system"], programmes=["acme", "shop"])
    caller = await tokens_of(issuer).caller(token)
    assert caller.actor == "till-backend"
    assert caller.roles == {Role.FINANCE, Role.CHANNEL}
    assert caller.programmes == {"acme", "shop"}


async def test_a_token_without_roles_or_programmes_allows_nothing(issuer: Issuer) -> None:
    caller = await tokens_of(issuer).caller(issuer.token(without=("roles", "programmes")))
    assert (caller.roles, caller.programmes) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-service"},
        {"aud": ["one", "two"]},
        {"iss": "https://somebody-else.test"},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 65},
        {"sub": "line\nbreak"},
        {"roles": "channel"},
        {"roles": None},
        {"programmes": "acme"},
        {"programmes": [7]},
        {"exp": "tomorrow"},
        {"exp": 10**400},
        {"nbf": "soon"},
        *({"without": (name,)} for name in ("aud", "exp", "sub", "iss")),
    ],
    ids=str,
)
async def test_a_token_with_other_claims_proves_nothing(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert (await denial(tokens_of(issuer), issuer.token(**claims)))[0] == "CREDENTIAL_INVALID"


async def test_one_of_several_audiences_is_enough(issuer: Issuer) -> None:
    assert (await tokens_of(issuer).caller(issuer.token(aud=["reports", AUDIENCE]))).actor == "till-backend"


async def test_any_issuer_counts_where_none_is_configured(issuer: Issuer) -> None:
    token = issuer.token(without=("iss",))
    assert (await tokens_of(issuer, issuer="").caller(token)).actor == "till-backend"


async def test_a_token_counts_from_not_before_until_it_expires_also_when_it_is_remembered(issuer: Issuer) -> None:
    clock = Clock()
    begin = int(clock.now) + 1_000
    tokens = tokens_of(issuer, clock)
    token = issuer.token(nbf=begin, exp=begin + 60)
    assert await denial(tokens, token) == ("CREDENTIAL_INVALID", "The token is not yet valid")
    clock.now = begin - SKEW_SECONDS
    assert (await tokens.caller(token)).actor == "till-backend"
    clock.now = begin + 60 + SKEW_SECONDS - 1
    assert (await tokens.caller(token)).expires_at == begin + 60 + SKEW_SECONDS
    clock.now += 1
    for _ in ("remembered", "verified"):
        assert (await denial(tokens, token))[0] == "CREDENTIAL_EXPIRED"


async def test_only_a_known_key_counts(issuer: Issuer) -> None:
    tokens = tokens_of(issuer)
    stranger = ECKey.generate_key("P-256", auto_kid=True)
    assert await denial(tokens, issuer.token(stranger)) == ("CREDENTIAL_INVALID", "unknown key")
    pretender = ECKey.generate_key("P-256", {"kid": issuer.keys[0].kid or ""})
    assert await denial(tokens, issuer.token(pretender)) == ("CREDENTIAL_INVALID", "bad_signature")


def encoded(part: Any) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


async def test_the_algorithm_is_configured_and_not_the_tokens_to_choose(issuer: Issuer) -> None:
    """RFC 8725, 2.1: neither `none`, nor a secret that is the public key, nor another good algorithm."""
    tokens = tokens_of(issuer)
    claims = jwt.decode(issuer.token(), issuer.keys[0]).claims
    header = {"kid": issuer.keys[0].kid}
    unsigned = f"{encoded(header | {'alg': 'none'})}.{encoded(claims)}."
    confused = jwt.encode(header | {"alg": "HS256"}, claims, OctKey.import_key(issuer.path.read_text()))
    for token in (unsigned, confused):
        assert (await denial(tokens, token))[0] == "CREDENTIAL_INVALID"
    only_rsa = tokens_of(issuer, algorithms=("RS256",))
    assert await denial(only_rsa, issuer.token()) == ("CREDENTIAL_INVALID", "unsupported_algorithm")


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", RSAKey.generate_key(2048)),
        ("PS384", RSAKey.generate_key(2048)),
        ("ES384", ECKey.generate_key("P-384")),
        ("Ed25519", OKPKey.generate_key("Ed25519")),
    ],
)
async def test_the_algorithms_of_issuers_are_known(algorithm: str, key: Any, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    claims = {"sub": "shop", "aud": AUDIENCE, "exp": time.time() + 60}
    # Header fields that nobody knows are passed over, as RFC 7515 says.
    token = jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, [algorithm])
    tokens = Tokens(keys_at(str(path)), TokenRules(str(path), AUDIENCE, algorithms=(algorithm,)))
    assert (await tokens.caller(token)).actor == "shop"


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "." * 10, "e30.e30.", "ey" * 4_000, "é.ü.ß"])
async def test_what_is_no_token_proves_nothing(issuer: Issuer, token: str) -> None:
    assert (await denial(tokens_of(issuer), token))[0] == "CREDENTIAL_INVALID"


async def test_a_token_is_verified_once(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []
    decode = jwt.decode

    def counting(*args: Any, **more: Any) -> jwt.Token:
        verified.append(args)
        return decode(*args, **more)

    monkeypatch.setattr(jwt, "decode", counting)
    tokens, token = tokens_of(issuer), issuer.token()
    callers = [await tokens.caller(token) for _ in range(5)]
    assert len(verified) == 1
    assert callers[0] is callers[4]


async def test_the_tokens_that_are_remembered_are_bounded(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "REMEMBERED_MAX", 2)
    tokens = tokens_of(issuer)
    kept = issuer.token(sub="kept")
    first = await tokens.caller(kept)
    for number in range(5):
        await tokens.caller(issuer.token(sub=f"caller-{number}"))
        assert await tokens.caller(kept) is first
    assert len(tokens._callers) == 2


# -- keys


async def test_a_new_key_counts_at_once_and_an_old_one_no_more(issuer: Issuer) -> None:
    tokens = tokens_of(issuer)
    old = issuer.token()
    await tokens.caller(old)
    issuer.rotate()
    assert (await tokens.caller(issuer.token(sub="new"))).actor == "new"
    assert await denial(tokens, old) == ("CREDENTIAL_INVALID", "unknown key")


async def test_keys_are_renewed_by_themselves(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "FILE_SECONDS", 0.01)
    keys = keys_at(str(issuer.path))
    renewing = asyncio.create_task(keys.run())
    issuer.rotate()
    async with asyncio.timeout(10):
        while keys.version < 2:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    renewing.cancel()
    assert [key.kid for key in keys.present()] == [issuer.keys[0].kid]


async def test_broken_keys_change_nothing(issuer: Issuer) -> None:
    keys = keys_at(str(issuer.path))
    for broken in ("", "{}", "[]", '{"keys": []}', '{"keys": [{"kty": "EC", "crv": "P-256"}]}', '{"keys": 7}'):
        issuer.path.write_text(broken)
        await keys.renew()
    issuer.path.unlink()
    await keys.renew()
    assert [key.kid for key in keys.present()] == [issuer.keys[0].kid]


@pytest.mark.parametrize("content", ["", "{}", '{"keys": [{"kty": "EC"}]}', "x" * 1024 * 1024 + "x"])
def test_a_service_does_not_start_with_broken_keys(content: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="JWK set"):
        keys_at(str(path))
    with pytest.raises(OSError, match="nowhere"):
        keys_at(str(tmp_path / "nowhere.json"))


class Reads:
    """What is read as keys, and when."""

    def __init__(self, content: Callable[[], bytes]) -> None:
        self.content = content
        self.now = 0.0
        self.at: list[float] = []

    def __call__(self) -> bytes:
        self.at.append(self.now)
        return self.content()


async def test_tokens_with_made_up_keys_do_not_make_it_ask_every_time(issuer: Issuer) -> None:
    reads = Reads(issuer.path.read_bytes)
    keys = Keys("test", reads, 300, lambda: reads.now)
    await keys.renew()
    tokens = Tokens(keys, issuer.rules())
    stranger = ECKey.generate_key("P-256", auto_kid=True)
    for now in (0.0, 1.0, 9.0, 10.0, 11.0):
        reads.now = now
        await denial(tokens, issuer.token(stranger))
    assert reads.at == [0.0, 10.0]


async def test_concurrent_callers_share_one_attempt(issuer: Issuer) -> None:
    reads = Reads(issuer.path.read_bytes)
    keys = Keys("test", reads, 300, lambda: reads.now)
    assert await asyncio.gather(*(keys.renew_for_unknown() for _ in range(20))) == [True] * 20
    assert reads.at == [0.0]


class _Handler(BaseHTTPRequestHandler):
    answer: Callable[["_Handler"], None]

    def do_GET(self) -> None:
        type(self).answer(self)

    def log_message(self, *_: object) -> None:
        """Silence."""


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The URL of a server of keys."""
    handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/keys"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sends(body: Callable[[], bytes], status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body())

    return answer


async def test_keys_come_from_a_url(issuer: Issuer) -> None:
    with serving(sends(issuer.path.read_bytes)) as url:
        tokens = Tokens(keys_at(url), issuer.rules())
        with pytest.raises(Unavailable):
            tokens.keys.present()
        await tokens.keys.renew()
        assert (await tokens.caller(issuer.token())).actor == "till-backend"


async def test_what_a_url_sends_is_bounded_and_redirects_are_not_followed(issuer: Issuer) -> None:
    bad = [
        sends(lambda: b" " * (keys_module.KEY_SET_BYTES_MAX + 1) + issuer.path.read_bytes()),
        sends(issuer.path.read_bytes, 302, Location=f"file://{issuer.path}"),
        sends(issuer.path.read_bytes, 500),
        lambda request: request.wfile.write(b"not HTTP at all\r\n\r\n"),
    ]
    for answer in bad:
        with serving(answer) as url:
            keys = keys_at(url)
            await keys.renew()
            with pytest.raises(Unavailable):
                keys.present()


async def test_a_url_that_never_ends_is_left(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "FETCH_SECONDS_MAX", 0.05)

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for byte in issuer.path.read_bytes()[:20]:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            time.sleep(0.02)

    with serving(drip) as url:
        keys = keys_at(url)
        await keys.renew()
        with pytest.raises(Unavailable):
            keys.present()


@pytest.mark.parametrize("url", ["http://keys.example.org/jwks", "http://10.0.0.1/jwks"])
def test_keys_of_other_machines_are_fetched_by_https_only(url: str) -> None:
    with pytest.raises(ValueError, match="https only"):
        keys_at(url)
