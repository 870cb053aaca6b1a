"""The `billing` command: quick to answer, and every mistake is one sentence."""

import json
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner

from deploy.local.folder import Folder
from services.cli import app

cli = CliRunner()


@pytest.mark.parametrize("command", ["run", "token", "demo", "status", "clock"])
def test_every_command_teaches_by_example(command: str) -> None:
    said = cli.invoke(app, [command, "--help"]).stdout
    assert f"billing {command}" in said
    assert "Example" in said


@pytest.mark.parametrize("command", ["verify", "sign", "prove", "check-proof", "export"])
def test_every_command_of_the_audit_teaches_by_example(command: str) -> None:
    said = cli.invoke(app, ["audit", command, "--help"]).stdout
    assert f"billing audit {command}" in said
    assert "Example" in said


def test_help_loads_no_service() -> None:
    script = (
        "import sys, services.cli; print([name for name in sys.modules if name.startswith(('fastapi', 'aiokafka'))])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout.strip() == b"[]"


def test_a_token_is_printed_for_a_demo_user(tmp_path: Path) -> None:
    printed = cli.invoke(app, ["token", "victor", "--data-dir", str(tmp_path)]).stdout.strip()
    claims = jwt.decode(printed, options={"verify_signature": False})
    assert claims["sub"] == "user-victor"
    assert claims["exp"] > time.time()


def test_a_user_nobody_knows_is_one_sentence(tmp_path: Path) -> None:
    result = cli.invoke(app, ["token", "mallory", "--data-dir", str(tmp_path)])
    assert (
        str(result.exception)
        == "There is no demo user 'mallory': choose one of olive, victor, aude, mia, nora, seller, otto."
    )


@pytest.mark.parametrize("command", ["status", "demo", "clock"])
def test_without_a_running_portal_the_way_to_start_one_is_told(command: str, tmp_path: Path) -> None:
    result = cli.invoke(app, [command, "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "start one with `billing run`" in str(result.exception) + result.output


def test_the_status_of_a_portal_that_is_gone_says_so(tmp_path: Path) -> None:
    Folder(tmp_path).write_state({"plans": {"url": "http://127.0.0.1:9", "pid": 1}})
    result = cli.invoke(app, ["status", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "it does not answer" in result.stdout
    assert json.loads(Folder(tmp_path).state.read_text())["parts"]


def test_a_demo_that_cannot_be_loaded_is_one_sentence(tmp_path: Path) -> None:
    Folder(tmp_path).write_state({"gateway": {"url": "http://127.0.0.1:9", "pid": 1}})
    result = cli.invoke(app, ["demo", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "got no answer" in str(result.exception) + result.output


@pytest.mark.parametrize("wish", ["forward", "set", "run 1d", "stop 1d", "back 1d", "45d"])
def test_a_wish_about_the_clock_that_makes_no_sense_is_one_sentence(wish: str, tmp_path: Path) -> None:
    result = cli.invoke(app, ["clock", *wish.split(), "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "see billing clock --help" in str(result.exception) + result.output
