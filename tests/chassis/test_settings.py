"""A process with wrong settings says everything that is wrong, in one message, and does not start."""

from pathlib import Path

import pytest

from services.chassis.settings import ServiceSettings, load

SOUND = {
    "PORT": "8001",
    "DATA_DIR": "/tmp/data",
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "JWKS": "/tmp/jwks.json",
    "ISSUER": "issuer",
    "AUDIENCE": "audience",
    "SERVICE_TOKEN_FILE": "/tmp/token",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [*SOUND, "ENVIRONMENT", "HOST", "PARTITIONS", "LOG_LEVEL"]:
        monkeypatch.delenv(f"BILLING_{name}", raising=False)
    return monkeypatch


def test_sound_settings_are_read_and_production_is_assumed(environment: pytest.MonkeyPatch) -> None:
    for name, value in SOUND.items():
        environment.setenv(f"BILLING_{name}", value)
    settings = load(ServiceSettings)
    assert (settings.port, settings.data_dir, settings.partitions) == (8001, Path("/tmp/data"), 4)
    assert settings.environment == "production"


def test_one_message_names_everything_missing_with_its_meaning(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as ended:
        load(ServiceSettings)
    message = str(ended.value)
    for name in SOUND:
        assert f"BILLING_{name} (missing): " in message
    assert "the token issuer's keys" in message
    assert "BILLING_HOST" not in message


def test_invalid_settings_are_named_without_their_values(environment: pytest.MonkeyPatch) -> None:
    invalid = {"PORT": "secret-port", "PARTITIONS": "0", "ENVIRONMENT": "secret-stage", "JWKS": ""}
    for name, value in {**SOUND, **invalid}.items():
        environment.setenv(f"BILLING_{name}", value)
    with pytest.raises(SystemExit) as ended:
        load(ServiceSettings)
    message = str(ended.value)
    assert len(message.splitlines()) == 1 + len(invalid)
    for name in invalid:
        assert f"BILLING_{name} (" in message
    assert "secret" not in message
