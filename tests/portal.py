"""A whole portal in processes of its own, as `billing run` starts it; parts that are killed come back by themselves."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2 as httpx

from contracts.plan_actions import Privilege
from deploy.local.folder import Folder
from deploy.local.issuer import DevelopmentIssuer, Subject
from deploy.local.status import not_ready

START_S = 180.0
WAIT_S = 120.0


class Portal:
    """Started in a data folder that outlives it. `log`: everything it said. broker_forgets: when it is killed."""

    broker_forgets = True

    def __init__(self, data_dir: Path, *options: str, start_s: float = START_S) -> None:
        self.data_dir = data_dir
        self._start_s = start_s
        self.log = data_dir.with_suffix(".log")
        self._command = [sys.executable, "-m", "services.cli", "run", "--port", "0", "--data-dir", str(data_dir)]
        self._command += options
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(timeout=30)

    def __enter__(self) -> "Portal":
        with self.log.open("ab") as log:
            begins_at = log.tell()
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        # The greeting comes last, when the demo is loaded.
        self.until(lambda: self.is_ready() and b"is running at" in self.log.read_bytes()[begins_at:], self._start_s)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """As Ctrl-C does. Raises AssertionError when it does not end cleanly."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        assert self._process.wait(30) == 0, self.log.read_text()[-2000:]

    def parts(self) -> dict[str, dict[str, Any]]:
        """{name: {url, pid}}"""
        parts: dict[str, dict[str, Any]] = json.loads((self.data_dir / "run.json").read_text())["parts"]
        return parts

    def url(self, part: str = "gateway") -> str:
        return str(self.parts()[part]["url"])

    def kill(self, part: str) -> int:
        """As `kill -9` does; the launcher starts the part again. Returns the pid that is no more."""
        pid: int = self.parts()[part]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def until_back(self, part: str, pid: int) -> None:
        """Waits until another process than `pid` does a part's work."""
        self.until(lambda: self.parts()[part]["pid"] != pid and not not_ready(part, self.url(part)))

    def pause(self, part: str) -> None:
        """The part stands still, its connections open."""
        os.kill(self.parts()[part]["pid"], signal.SIGSTOP)

    def resume(self, part: str) -> None:
        os.kill(self.parts()[part]["pid"], signal.SIGCONT)

    def token_for(self, subject: str, grants: Mapping[str, tuple[Privilege, ...]], role: str = "editor") -> str:
        """A token of anybody we like to be."""
        return DevelopmentIssuer(Folder(self.data_dir).issuer).token(Subject(subject, role, grants))

    def read_models(self, query: str) -> list[tuple[Any, ...]]:
        """What the running gateway's read models answer, asked beside it without ever writing."""
        with closing(sqlite3.connect(f"file:{self.data_dir / 'gateway' / 'read.sqlite3'}?mode=ro", uri=True)) as db:
            return db.execute(query).fetchall()

    @property
    def bootstrap(self) -> str:
        return self.url("broker").partition("://")[2]

    def token(self, user: str) -> str:
        return (self.data_dir / "tokens" / user).read_text().strip()

    def auditor(self) -> str:
        """The token of a service, which may read every log."""
        return (self.data_dir / "tokens" / "services" / "gateway").read_text().strip()

    def is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the portal ended: {self.log.read_text()[-2000:]}")
        try:
            return all(
                self.http.get(f"{self.url(part)}/health/ready").status_code == 200
                for part in ("plans", "devices", "renewals", "gateway")
            )
        except (OSError, httpx.HTTPError, ValueError):
            return False

    def until(self, true: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Returns when `true()` is. Raises AssertionError after `timeout_s`, with the last words of the log."""
        deadline = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout_s:g} s; the portal said:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)
