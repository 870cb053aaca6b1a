"""The data folder of one portal: one `billing run` at a time, its secrets, and where its parts are to be found."""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.chassis.heads import new_key, public_text

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Folder:
    root: Path

    @property
    def issuer(self) -> Path:
        return self.root / "issuer"

    @property
    def tokens(self) -> Path:
        return self.root / "tokens"

    @property
    def quote_secret(self) -> Path:
        return self.root / "quote.secret"

    @property
    def portal_secret(self) -> Path:
        return self.root / "portal.secret"

    @property
    def audit_heads(self) -> Path:
        """Signed heads of every owner's log."""
        return self.root / "audit-heads"

    @property
    def audit_key(self) -> Path:
        return self.root / "audit.key.pem"

    @property
    def audit_public_key(self) -> Path:
        """What heads and proofs are checked with."""
        return self.root / "audit.pem"

    @property
    def clock(self) -> Path:
        """What time it is, once somebody has set it."""
        return self.root / "clock.json"

    @property
    def state(self) -> Path:
        return self.root / "run.json"

    def is_new(self) -> bool:
        """Whether nothing was ever recorded in it, nor its clock set."""
        return not self.clock.exists() and not (self.root / "plans").exists()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Makes the folder and holds it. Raises SystemExit, in one sentence, when it cannot or another run does."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.root / "run.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise SystemExit(f"The data folder {self.root} cannot be written: {error.strerror}.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"Another `billing run` is using the data folder {self.root}.") from None
        try:
            yield
        finally:
            self.state.unlink(missing_ok=True)
            os.close(lock)  # the lock is the kernel's: it goes with us, however we end

    def make_secrets(self) -> None:
        """The keys that sign quotes and heads of logs, and seal sessions: kept, so that all outlive a restart."""
        for secret in (self.quote_secret, self.portal_secret):
            _once(secret, lambda: secrets.token_hex(SECRET_BYTES).encode())
        _once(self.audit_key, new_key)
        self.audit_public_key.write_bytes(public_text(self.audit_key))

    def write_state(self, parts: dict[str, dict[str, Any]]) -> None:
        """Says where each part is: {name: {url, pid}}. For `billing status`, and for whoever looks for a process."""
        new = self.state.with_suffix(".new")
        new.write_text(json.dumps({"pid": os.getpid(), "parts": parts}, indent=2))
        new.replace(self.state)

    def read_state(self) -> dict[str, Any]:
        """What `write_state` wrote. Raises SystemExit when no portal runs in this folder."""
        try:
            state: dict[str, Any] = json.loads(self.state.read_text())
        except OSError:
            raise SystemExit(
                f"No portal is running in the data folder {self.root}: start one with `billing run`."
            ) from None
        return state


def _once(secret: Path, made: Callable[[], bytes]) -> None:
    if not secret.exists():
        new = secret.with_suffix(".new")  # whole or not at all, however we end
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(made())
        new.replace(secret)
