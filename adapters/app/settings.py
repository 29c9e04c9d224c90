"""The configuration: defaults, then `loyalty.toml` in the working directory, then LOYALTY_* in the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

CONFIG_FILE = Path("loyalty.toml")


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
    host: str = Field("127.0.0.1", description="The address to listen on; loopback only, until access is controlled.")
    port: int = Field(50551, ge=0, le=65535, description="The port of the gRPC service; 0 picks a free one.")
    run: Literal["all", "writer", "projections"] = Field(
        "all", description="Which processes this service runs; others may run the rest on the same database."
    )
    queue_commands_max: int = Field(65_536, ge=1, description="Commands that may wait; more are refused at once.")
    writer_memory_mib: int = Field(1_536, ge=1, description="What the states in the writer's memory may take.")
    sweep_seconds: float = Field(1.0, gt=0, description="How often what is due is looked for.")
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

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for processes that are started with the same configuration."""
        values = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None:
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                values[f"LOYALTY_{name.upper()}"] = text
        return values
