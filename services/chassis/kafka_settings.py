"""The settings of whoever speaks to Kafka."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from .kafka_access import Address, Login, Secured, Tls, password, ssl_context


def _optional(description: str) -> Any:
    """A field that is looked at when it was left out, too: others may need it."""
    return Field(default=None, validate_default=True, description=description)


class KafkaSettings(BaseModel):
    """Mixed into settings from the environment. Each field says by itself what is wrong with it, so all are told."""

    kafka_bootstrap: Annotated[str, Field(min_length=1, description="host:port of Kafka, several with commas")]
    partitions: Annotated[
        int, Field(ge=1, le=1000, description="partitions of every topic; fixed once data exists")
    ] = 4  # as many as the embedded broker makes by itself when somebody asks for a topic it has lost
    kafka_forgets: Annotated[
        bool, Field(description="whether Kafka is the embedded broker, which loses its topics with each restart")
    ] = False
    kafka_security: Annotated[
        Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"],
        Field(description="plaintext, ssl, sasl_plaintext or sasl_ssl, as the listener of Kafka speaks"),
    ] = "plaintext"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = _optional(
        "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_user: str | None = _optional("whom to speak to Kafka as")
    kafka_password_file: Path | None = _optional("a file holding that user's password")
    kafka_ca_file: Path | None = _optional("a PEM file of the authorities to trust; the system's when left out")
    kafka_cert_file: Path | None = _optional("a PEM file of this client's certificate, if Kafka asks for one")
    kafka_key_file: Path | None = _optional("a PEM file of that certificate's key, without a password")

    @field_validator("kafka_sasl_mechanism", "kafka_user", "kafka_password_file")
    @classmethod
    def _only_and_always_with_sasl(cls, value: Any, info: ValidationInfo) -> Any:
        if (security := info.data.get("kafka_security")) is None:  # wrong itself
            return value
        if security.startswith("sasl") and not value:
            raise ValueError(f"{security} needs it")
        if value and not security.startswith("sasl"):
            raise ValueError(f"{security} knows no user")
        return value

    @field_validator("kafka_ca_file", "kafka_cert_file", "kafka_key_file")
    @classmethod
    def _only_with_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        security = info.data.get("kafka_security", "ssl")
        if value and not security.endswith("ssl"):
            raise ValueError(f"{security} knows no certificates")
        return value

    @field_validator("kafka_sasl_mechanism")
    @classmethod
    def _no_password_in_clear(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value == "PLAIN" and info.data.get("kafka_security") == "sasl_plaintext":
            raise ValueError("it would send the password in clear: use sasl_ssl, or SCRAM")
        return value

    @field_validator("kafka_password_file")
    @classmethod
    def _has_a_password(cls, file: Path | None) -> Path | None:
        if file:
            _usable(lambda: password(file))
        return file

    @field_validator("kafka_ca_file")
    @classmethod
    def _has_authorities(cls, file: Path | None) -> Path | None:
        if file:
            _usable(lambda: ssl_context(Tls(ca_file=file)))
        return file

    @field_validator("kafka_key_file")
    @classmethod
    def _fits_the_certificate(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("kafka_cert_file")
        if (file is None) != (certificate is None) and "kafka_cert_file" in info.data:
            raise ValueError("a certificate and its key come together")
        if file and certificate:
            _usable(lambda: ssl_context(Tls(cert_file=certificate, key_file=file)))
        return file

    @property
    def kafka(self) -> Address:
        if self.kafka_security == "plaintext":
            return self.kafka_bootstrap
        login = tls = None
        if self.kafka_sasl_mechanism and self.kafka_user and self.kafka_password_file:
            login = Login(self.kafka_sasl_mechanism, self.kafka_user, self.kafka_password_file)
        if self.kafka_security.endswith("ssl"):
            tls = Tls(self.kafka_ca_file, self.kafka_cert_file, self.kafka_key_file)
        return Secured(self.kafka_bootstrap, login, tls)


def _usable(opening: Callable[[], object]) -> None:
    """Raises ValueError with what the system says, never with what is in the file."""
    try:
        opening()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ValueError(f"the file cannot be used: {reason}") from None
