"""A process with wrong settings says everything that is wrong, in one message, and does not start."""

from pathlib import Path

import pytest

from contracts.topics import Owner
from services.chassis.event_store import StoreUnavailable
from services.chassis.owner import open_store
from services.chassis.settings import OwnerSettings, ServiceSettings, load

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


def test_an_event_store_is_chosen_by_its_address_which_is_told_to_nobody(environment: pytest.MonkeyPatch) -> None:
    for name, value in SOUND.items():
        environment.setenv(f"BILLING_{name}", value)
    environment.delenv("BILLING_EVENT_STORE", raising=False)
    assert load(OwnerSettings).event_store is None
    for scheme in ("kurrentdb", "kurrentdb+discover", "esdb", "esdb+discover"):
        environment.setenv("BILLING_EVENT_STORE", f"{scheme}://ann:s3cret@db:2113")
        settings = load(OwnerSettings)
        assert settings.event_store is not None
        assert "s3cret" not in repr(settings)
    environment.setenv("BILLING_EVENT_STORE", "mysql://ann:s3cret@db")
    with pytest.raises(SystemExit, match=r"BILLING_EVENT_STORE \(.*begins with kurrentdb://") as ended:
        load(OwnerSettings)
    assert "s3cret" not in str(ended.value)


async def test_a_log_on_sqlite_is_not_left_for_another_engine_unnoticed(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {**SOUND, "DATA_DIR": str(tmp_path)}.items():
        environment.setenv(f"BILLING_{name}", value)
    environment.delenv("BILLING_EVENT_STORE", raising=False)
    async with open_store(Owner.PLANS, load(OwnerSettings), {}):
        pass
    environment.setenv("BILLING_EVENT_STORE", "kurrentdb://127.0.0.1:9?Tls=false")
    with pytest.raises(StoreUnavailable, match=r"plans\.sqlite3 is a log already"):
        async with open_store(Owner.PLANS, load(OwnerSettings), {}):
            pass
