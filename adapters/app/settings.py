"""The configuration: defaults, then `loyalty.toml` in the working directory, then LOYALTY_* in the environment."""

import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from adapters.grpc.access.callers import Role
from adapters.grpc.addresses import listening_address

CONFIG_FILE = Path("loyalty.toml")

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"
]  # fmt: skip
"""Signatures only: with a shared secret, whoever can verify a token could also make one."""


class Certificate(BaseModel, extra="forbid"):
    """What the holder of a client certificate may do; its name is the actor."""

    roles: frozenset[Role]
    programmes: frozenset[str]
    """`*` stands for all of them."""


class Settings(BaseSettings):
    """Everything that can be set. Each name here, in capitals and after LOYALTY_, is an environment variable."""

    model_config = SettingsConfigDict(env_prefix="LOYALTY_", toml_file=CONFIG_FILE, extra="forbid")

    data_dir: Path = Field(Path(".loyalty"), description="Where the embedded PostgreSQL keeps its data.")
    dsn: SecretStr | None = Field(
        None, description="A PostgreSQL of your own, as the application's role; unset: the embedded one is used."
    )
    owner_dsn: SecretStr | None = Field(
        None, description="The same database as the role that owns the schema, for `migrate`; unset: the same as dsn."
    )
    host: str = Field(
        "127.0.0.1", description="The address to listen on; beyond loopback it takes TLS and tokens or certificates."
    )
    port: int = Field(50551, ge=0, le=65535, description="The port of the gRPC service; 0 picks a free one.")
    tls_certificate: Path | None = Field(
        None, description="The service's certificate and its chain, as PEM; unset: connections are not encrypted."
    )
    tls_key: Path | None = Field(None, description="The certificate's private key, as PEM.")
    tls_client_ca: Path | None = Field(
        None, description="Who issues clients' certificates, as PEM; set: each connection must show one (mutual TLS)."
    )
    token_keys: str | None = Field(
        None, description="The JWK set that verifies tokens: a file or an https URL; unset: tokens do not count."
    )
    token_audience: str | None = Field(None, description="The audience that a token must name.")
    token_issuer: str | None = Field(None, description="The issuer that a token must name; unset: any.")
    token_algorithms: tuple[Algorithm, ...] = Field(
        ("RS256", "ES256"), min_length=1, description="The signatures that count."
    )
    client_certificates: dict[Annotated[str, Field(min_length=1, max_length=64)], Certificate] = Field(
        {}, description="Roles and programmes by the name in a client's certificate; the name is the actor."
    )
    caller_commands_per_second: int | None = Field(
        None, ge=1, description="Commands that one caller may send; more are refused at once. Unset: no limit."
    )
    cli_ca: Path | None = Field(
        None,
        description="Who issued the service's certificate, as PEM, for the command line; unset: a public authority.",
    )
    cli_certificate: Path | None = Field(None, description="The certificate that the command line shows, as PEM.")
    cli_key: Path | None = Field(None, description="That certificate's private key, as PEM.")
    cli_token: SecretStr | None = Field(None, description="The token that the command line sends; with TLS only.")
    run: Literal["all", "writer", "projections"] = Field(
        "all",
        description="Which processes this service runs, the writer always with its gateway;"
        " others may run the rest on the same database.",
    )
    queue_commands_max: int = Field(65_536, ge=1, description="Commands that may wait; more are refused at once.")
    writer_memory_mib: int = Field(1_536, ge=1, description="What the states in the writer's memory may take.")
    projection_lag_events_max: int = Field(
        10_000, ge=1, description="A projection that is further behind is unhealthy, if it makes no progress."
    )
    projection_stall_seconds: float = Field(30.0, gt=0, description="For how long it may make none then.")
    sweep_seconds: float = Field(1.0, gt=0, description="How often what is due is looked for.")
    silence_seconds_max: float = Field(
        60.0, gt=0, description="A process that shows no sign of life for so long is ended, and another started."
    )
    stop_seconds: float = Field(30.0, gt=0, description="How long a shutdown waits for what was accepted.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_format: Literal["text", "json"] = Field("text", description="How the log is written, to standard error.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code wins over the environment, the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Refuse what would be half a protection before anything starts."""
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if (self.cli_certificate is None) != (self.cli_key is None):
            raise ValueError("cli_certificate and cli_key go together")
        if self.cli_token is not None and self.tls_certificate is None:
            raise ValueError("cli_token needs tls_certificate: a token is sent with TLS only")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        if self.client_certificates and self.tls_client_ca is None:
            raise ValueError("client_certificates needs tls_client_ca: certificates that nobody verifies prove nothing")
        if (self.token_keys is None) != (self.token_audience is None):
            raise ValueError("token_keys and token_audience go together")
        if self.run != "projections":
            secured = self.tls_certificate is not None and self.authenticates
            listening_address(f"{self.host}:{self.port}", secured=secured)
        return self

    @property
    def authenticates(self) -> bool:
        """Whether callers need a credential."""
        return self.token_keys is not None or bool(self.client_certificates)

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for processes that are started with the same configuration."""
        values = {}
        for name, dumped in self.model_dump(mode="json", exclude_none=True).items():
            value = getattr(self, name)
            plain = value.get_secret_value() if isinstance(value, SecretStr) else dumped
            values[f"LOYALTY_{name.upper()}"] = plain if isinstance(plain, str) else json.dumps(plain)
        return values
