"""The configuration of access: what goes together, what reaches the service's processes, what is shown (K05)."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from rich.console import Console

from adapters.app.access import server_options
from adapters.app.settings import Settings
from adapters.cli import show
from adapters.grpc.access.callers import Caller, Role
from adapters.grpc.access.options import AccessOptions
from adapters.grpc.access.tls import TlsFiles
from adapters.grpc.access.tokens import TokenRules

TLS: dict[str, Any] = {"tls_certificate": Path("server.pem"), "tls_key": Path("server.key")}
MUTUAL = TLS | {"tls_client_ca": Path("ca.pem")}
TOKENS: dict[str, Any] = {"token_keys": "keys.json", "token_audience": "ledger"}
CERTIFICATES: dict[str, Any] = {"client_certificates": {"till-7": {"roles": ["channel"], "programmes": ["shop"]}}}


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No loyalty.toml of the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"host": "0.0.0.0"}, "TLS and access control"),
        ({"host": "ledger.example.org", **TLS}, "TLS and access control"),
        ({"host": "::", **TOKENS}, "TLS and access control"),
        ({"host": "0.0.0.0", **MUTUAL}, "TLS and access control"),
        ({"tls_certificate": Path("server.pem")}, "tls_certificate and tls_key"),
        ({"tls_key": Path("server.key")}, "tls_certificate and tls_key"),
        ({"tls_client_ca": Path("ca.pem")}, "tls_client_ca needs"),
        ({**TLS, **CERTIFICATES}, "client_certificates needs tls_client_ca"),
        ({"token_keys": "keys.json"}, "token_audience"),
        ({"token_audience": "ledger"}, "token_keys"),
        ({**TOKENS, "token_algorithms": ["HS256"]}, "token_algorithms"),
        ({**TOKENS, "token_algorithms": []}, "token_algorithms"),
        ({**MUTUAL, "client_certificates": {"till": {"roles": ["king"], "programmes": []}}}, "channel"),
        ({**MUTUAL, "client_certificates": {"x" * 65: {"roles": ["channel"], "programmes": []}}}, "64 characters"),
        ({**TLS, "cli_key": Path("cli.key")}, "cli_certificate and cli_key"),
        ({"cli_token": SecretStr("x")}, "cli_token needs"),
        ({"caller_commands_per_second": 0}, "caller_commands_per_second"),
    ],
    ids=str,
)
def test_half_a_protection_is_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Settings(**values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"host": "::1"},
        {"host": "localhost"},
        TLS,
        TOKENS,
        {**TLS, **TOKENS, "host": "0.0.0.0"},
        {**MUTUAL, **CERTIFICATES, "host": "::"},
        {"host": "0.0.0.0", "run": "projections"},
    ],
    ids=str,
)
def test_what_is_whole_is_taken(values: dict[str, Any]) -> None:
    taken = Settings(**values)
    assert [str(getattr(taken, name)) for name in values if name != "client_certificates"] == [
        str(value) for name, value in values.items() if name != "client_certificates"
    ]
    assert set(taken.client_certificates) == set(values.get("client_certificates", {}))


def test_without_a_configuration_the_server_is_as_it_was() -> None:
    options = server_options(Settings())
    assert (options.address, options.tls, options.access) == ("127.0.0.1:50551", None, None)


def test_the_configuration_reaches_the_server_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {"host": "::", "token_issuer": "https://issuer.test", "token_algorithms": ["ES384", "PS256"]}
    settings = Settings(**{**MUTUAL, **TOKENS, **CERTIFICATES, **more, "caller_commands_per_second": 500})
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings
    options = server_options(Settings())
    assert options.tls == TlsFiles(Path("server.pem"), Path("server.key"), Path("ca.pem"))
    assert options.access == AccessOptions(
        TokenRules("keys.json", "ledger", "https://issuer.test", ("ES384", "PS256")),
        {"till-7": Caller("till-7", frozenset({Role.CHANNEL}), frozenset({"shop"}))},
        500,
    )


def test_secrets_are_hidden() -> None:
    output = StringIO()
    settings = Settings(**TLS, cli_token=SecretStr("header.payload.signature"))
    show.config(Console(file=output, width=200), settings)
    shown = {line.split()[0]: line for line in output.getvalue().splitlines() if line.strip().startswith("LOYALTY_")}
    assert {f"LOYALTY_{name.upper()}" for name in Settings.model_fields} == set(shown)
    assert "********" in shown["LOYALTY_CLI_TOKEN"]
    assert "signature" not in shown["LOYALTY_CLI_TOKEN"]
    assert "server.key" in shown["LOYALTY_TLS_KEY"]
