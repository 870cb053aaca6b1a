"""An engine that cannot be had is told at the end of the tests, and fails them when it is required."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOBODY = "127.0.0.1:1"


def asked(engine: str, *options: str, **environment: str) -> tuple[int, str]:
    """pytest's exit code and what it said to one test that asks for an engine."""
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"tests/engines/asked_for.py::test_{engine}")
    clean = {name: value for name, value in os.environ.items() if name != "REQUIRE_ENGINES"}
    ended = subprocess.run((*command, *options), cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True)
    return ended.returncode, ended.stdout + ended.stderr


def test_without_java_apache_kafka_is_skipped_loudly() -> None:
    code, said = asked("kafka", PATH="")
    assert code == 0, said
    assert "1 skipped" in said
    assert "kafka: NOT TESTED, it needs Java 17 or newer, and here is none" in said


def test_a_required_engine_that_is_missing_is_a_failure() -> None:
    code, said = asked("kafka", PATH="", REQUIRE_ENGINES="postgres,kafka")
    assert code == 1, said
    assert "REQUIRE_ENGINES names kafka, which cannot be had: it needs Java 17" in said


def test_requiring_an_engine_nobody_knows_is_an_error() -> None:
    code, said = asked("kafka", REQUIRE_ENGINES="kafkaesque")
    assert code == 4, said
    assert "REQUIRE_ENGINES names kafkaesque" in said


def test_without_a_docker_daemon_containers_are_skipped_loudly() -> None:
    for engine in ("kafka", "kurrentdb", "postgres"):
        code, said = asked(engine, "--engines=docker", DOCKER_HOST=f"tcp://{NOBODY}")
        assert code == 0, said
        assert f"{engine}: NOT TESTED, no Docker daemon answers" in said


def test_an_external_engine_is_where_the_environment_says() -> None:
    for engine, variable in (("kurrentdb", "KURRENTDB_URI"), ("postgres", "POSTGRES_URL")):
        code, said = asked(engine, "--engines=external", **{variable: NOBODY})
        assert code == 0, said
        assert f"{engine}: external, at ${variable}" in said
        code, said = asked(engine, "--engines=external", **{variable: ""})
        assert f"{engine}: NOT TESTED, ${variable} does not say where it is" in said
