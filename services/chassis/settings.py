"""Settings of a service, from BILLING_* variables; a process with a wrong setting says all that is wrong and ends."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .kafka_settings import KafkaSettings

PREFIX = "BILLING_"

Settings = TypeVar("Settings", bound=BaseSettings)


def _postgresql(address: SecretStr) -> SecretStr:
    if not address.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("not an address that begins with postgresql://")
    return address


EVENT_STORES = ("kurrentdb", "kurrentdb+discover", "esdb", "esdb+discover")


def _kurrentdb(address: SecretStr) -> SecretStr:
    if address.get_secret_value().partition("://")[0] not in EVENT_STORES:
        raise ValueError(f"not an address that begins with {'://, '.join(EVENT_STORES)}://")
    return address


class ListenerSettings(BaseSettings):
    """What every process that serves HTTP needs to be told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    environment: Annotated[
        Literal["development", "production"], Field(description="development or production; production when left out")
    ] = "production"
    host: Annotated[str, Field(min_length=1, description="the address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="the TCP port to listen on, 1 to 65535")]
    data_dir: Annotated[Path, Field(description="the folder this service keeps its files in")]
    jwks: Annotated[str, Field(min_length=1, description="the token issuer's keys: a file path or an http(s) URL")]
    issuer: Annotated[str, Field(min_length=1, description="the `iss` a token must have")]
    audience: Annotated[str, Field(min_length=1, description="the `aud` a token must have")]
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="debug, info, warning or error")
    ] = "info"


class ServiceSettings(ListenerSettings, KafkaSettings):
    """What every service needs to be told. A service adds its own fields in a subclass."""

    database: Annotated[
        SecretStr | None,
        AfterValidator(lambda address: address and _postgresql(address)),
        Field(description="postgresql://user@host/name, for what replicas share; SQLite files when left out"),
    ] = None
    service_token_file: Annotated[Path, Field(description="a file holding this service's own token, renewed in place")]
    clock_file: Annotated[Path | None, Field(description="the file of a clock that can be set; development only")] = (
        None
    )

    @model_validator(mode="after")
    def _only_development_sets_clocks(self) -> Self:
        if self.clock_file and self.environment == "production":
            raise ValueError("BILLING_CLOCK_FILE is for development: production lives in the present")
        return self


class OwnerSettings(ServiceSettings):
    """What every service that owns events needs to be told."""

    role: Annotated[
        Literal["all", "api", "relay"],
        Field(description="all; or api: answers commands, or relay: publishes what they wrote"),
    ] = "all"
    event_store: Annotated[
        SecretStr | None,
        AfterValidator(lambda address: address and _kurrentdb(address)),
        Field(description="kurrentdb://user:password@host:2113 with its options; a SQLite file when left out"),
    ] = None
    audit_heads: Annotated[
        Path | None,
        Field(description="the folder that signed heads of the log are written to; none: nothing is signed"),
    ] = None
    audit_key_file: Annotated[Path | None, Field(description="a PEM file of the Ed25519 key that signs heads")] = None

    @model_validator(mode="after")
    def _heads_are_signed_with_a_key(self) -> Self:
        if self.audit_heads and not self.audit_key_file:
            raise ValueError("BILLING_AUDIT_HEADS needs BILLING_AUDIT_KEY_FILE")
        return self


def load(settings: type[Settings]) -> Settings:
    """The settings in the environment, or else in files named as they are (billing_database) in BILLING_SECRETS_DIR:
    for addresses that hold a password. Ends the process with one message naming every missing or invalid one."""
    try:
        return settings(_secrets_dir=os.environ.get(f"{PREFIX}SECRETS_DIR"))
    except ValidationError as invalid:
        raise SystemExit(_everything_wrong(settings, invalid)) from None


def _everything_wrong(settings: type[BaseSettings], invalid: ValidationError) -> str:
    lines = ["These settings are missing or invalid (environment variables):"]
    for error in invalid.errors(include_input=False, include_url=False, include_context=False):
        name = str(error["loc"][0]) if error["loc"] else ""
        field = settings.model_fields.get(name)
        meaning = (field.description if field else None) or "see its documentation"
        # The value itself is never shown: it may be a secret.
        trouble = "missing" if error["type"] == "missing" else error["msg"].lower()
        lines.append(f"  {PREFIX}{name.upper()} ({trouble}): {meaning}")
    return "\n".join(lines)
