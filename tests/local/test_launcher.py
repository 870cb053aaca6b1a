"""`billing run` when it cannot run: one clear sentence, exit code 1, and nothing left behind."""

import fcntl
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local import launcher
from deploy.local.folder import Folder
from deploy.local.launcher import Options
from deploy.local.ports import reserved
from services.chassis.serve import listening


def ended(*arguments: str) -> tuple[int, str]:
    """Exit code and everything said by a run that was not able to start."""
    command = [sys.executable, "-c", "from services.cli import app; app()", "run", "--no-demo", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return run.returncode, run.stderr.strip()


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        said = ended("--port", str(port), "--data-dir", str(tmp_path / "data"))
    assert said == (1, f"Port {port} cannot be used: Address already in use. Choose another with --port.")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "data"
    said = ended("--port", "0", "--data-dir", str(folder))
    assert said == (1, f"The data folder {folder} cannot be written: Not a directory.")


def test_a_second_run_on_one_folder_is_one_sentence(tmp_path: Path) -> None:
    with Folder(tmp_path).taken():
        said = ended("--port", "0", "--data-dir", str(tmp_path))
    assert said == (1, f"Another `billing run` is using the data folder {tmp_path}.")


def test_a_folder_is_free_again_when_its_run_was_killed(tmp_path: Path) -> None:
    lock = os.open(tmp_path / "run.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.close(lock)
    with Folder(tmp_path).taken():
        pass


def test_a_missing_wheel_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "PACKAGES", ("json", "no_such_broker"))
    with pytest.raises(
        SystemExit, match=r"These packages are missing: no_such_broker\. Install them with `make setup`"
    ):
        launcher.run(Options(tmp_path / "data", 0))
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ports are only looked up, not held")
def test_a_reserved_port_is_held_for_the_child_that_will_listen() -> None:
    with ExitStack() as held:
        port = reserved(0, held)
        with socket.socket() as another, pytest.raises(OSError, match="in use"):
            another.bind(("127.0.0.1", port))
        for _ in range(2):  # the first start, and a restart
            listening("127.0.0.1", port).close()


def test_the_quote_secret_is_made_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.make_secrets()
    made = folder.quote_secret.read_bytes()
    folder.make_secrets()
    assert folder.quote_secret.read_bytes() == made
    assert len(made) >= 32
    assert folder.quote_secret.stat().st_mode & 0o777 == 0o600


def test_a_part_that_cannot_start_ends_the_run_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "plans").write_text("in the way of a folder")
    code, said = ended("--port", "0", "--data-dir", str(tmp_path))
    assert code == 1
    assert "plans ended with exit code 3 and is given up." in said
    assert "File exists" in said
    assert said.endswith("plans does not run, so the portal cannot: see its last words above.")
