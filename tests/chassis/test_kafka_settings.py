"""How Kafka is spoken to is said completely and without contradiction, or the process does not start."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy import secrets
from services.chassis.kafka_access import client
from services.chassis.settings import ServiceSettings, load

from .test_settings import SOUND, environment

__all__ = ["environment"]

Told = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    secrets.make(folder)
    return folder


@pytest.fixture
def loaded(environment: pytest.MonkeyPatch) -> Callable[..., ServiceSettings]:
    """Settings with these of Kafka's among sound ones."""

    def loaded(**given: object) -> ServiceSettings:
        for name in [name for name in os.environ if name.startswith("BILLING_KAFKA_")]:
            environment.delenv(name)
        for name, value in {**SOUND, **{f"KAFKA_{name}": str(value) for name, value in given.items()}}.items():
            environment.setenv(f"BILLING_{name}", value)
        return load(ServiceSettings)

    return loaded


@pytest.fixture
def told(loaded: Callable[..., ServiceSettings]) -> Told:
    """What is wrong with them, without the first line."""

    def told(**given: object) -> str:
        with pytest.raises(SystemExit) as ended:
            loaded(**given)
        return str(ended.value).partition("\n")[2]

    return told


def test_sasl_needs_a_mechanism_a_user_and_a_password(told: Told) -> None:
    lines = told(SECURITY="sasl_ssl").splitlines()
    assert [line.split()[0] for line in lines] == [
        "BILLING_KAFKA_SASL_MECHANISM",
        "BILLING_KAFKA_USER",
        "BILLING_KAFKA_PASSWORD_FILE",
    ]
    assert all("sasl_ssl needs it" in line for line in lines)


def test_who_speaks_in_clear_and_without_a_name_has_neither_user_nor_certificates(told: Told, folder: Path) -> None:
    given = {"USER": "plans", "SASL_MECHANISM": "PLAIN", "PASSWORD_FILE": folder / "kafka_password_plans"}
    assert told(**given).count("plaintext knows no user") == 3
    assert "plaintext knows no certificates" in told(CA_FILE=folder / "ca.pem")


def test_a_password_is_never_sent_in_clear(told: Told, folder: Path) -> None:
    given = {"USER": "plans", "SASL_MECHANISM": "PLAIN", "PASSWORD_FILE": folder / "kafka_password_plans"}
    assert "it would send the password in clear" in told(SECURITY="sasl_plaintext", **given)


def test_a_certificate_and_its_key_come_together(told: Told, folder: Path) -> None:
    assert "come together" in told(SECURITY="ssl", CERT_FILE=folder / "kafka.crt")
    assert "come together" in told(SECURITY="ssl", KEY_FILE=folder / "kafka.key")


def test_a_key_that_is_another_certificates_is_told_at_the_start(told: Told, folder: Path) -> None:
    wrong = told(SECURITY="ssl", CERT_FILE=folder / "kafka.crt", KEY_FILE=folder / "postgres.key")
    assert "BILLING_KAFKA_KEY_FILE" in wrong
    assert "mismatch" in wrong


def test_files_that_hold_nothing_of_use_are_told_at_the_start_and_not_shown(
    told: Told, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("hunter2")
    assert "BILLING_KAFKA_CA_FILE" in (wrong := told(SECURITY="ssl", CA_FILE=tmp_path / "text"))
    assert "hunter2" not in wrong
    login = {"SECURITY": "sasl_ssl", "USER": "plans", "SASL_MECHANISM": "SCRAM-SHA-512"}
    assert "no such file" in told(**login, PASSWORD_FILE=tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    assert "is empty" in told(**login, PASSWORD_FILE=tmp_path / "empty")


def test_what_is_wrong_elsewhere_is_told_in_the_same_message(told: Told) -> None:
    wrong = told(SECURITY="sasl_ssl", BOOTSTRAP="")
    assert "BILLING_KAFKA_BOOTSTRAP" in wrong
    assert "BILLING_KAFKA_USER" in wrong


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_every_client_is_told_the_same(loaded: Callable[..., ServiceSettings], folder: Path, mechanism: str) -> None:
    file = folder / "kafka_password_plans"
    given = {"SECURITY": "sasl_ssl", "USER": "plans", "SASL_MECHANISM": mechanism, "PASSWORD_FILE": file}
    settings = loaded(**given, CA_FILE=folder / "ca.pem", BOOTSTRAP="a:1,b:2")
    parameters: dict[str, Any] = client(settings.kafka)
    context = parameters.pop("ssl_context")
    assert parameters == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "plans",
        "sasl_plain_password": file.read_text(),
    }
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert file.read_text() not in repr(settings)
    assert file.read_text() not in repr(settings.kafka)
