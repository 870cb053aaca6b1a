"""Sessions: who is signed in, sealed into a cookie, so that every replica can read it and none must remember it.

A session ends IDLE_S after the last page was opened, with its token, or by signing out.
"""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

import orjson
from cryptography.fernet import Fernet, InvalidToken
from starlette.requests import Request
from starlette.responses import Response

IDLE_S = 3600
SIGN_IN_S = 600  # from asking for the sign-in page until coming back from it
# __Host-: of this very host, over a secure connection (loopback counts as one), for all its pages.
SESSION, SIGN_IN = "__Host-session", "__Host-sign-in"


@dataclass(frozen=True, slots=True)
class Session:
    """token: the user's own, sent with every read and command. name: to greet with."""

    token: str
    name: str

    @property
    def authorization(self) -> str:
        return f"Bearer {self.token}"


class Sealer:
    """Seals what a cookie holds: nobody else can read it or make one."""

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"portal session" + secret).digest()))

    @classmethod
    def from_file(cls, file: Path) -> "Sealer":
        """Raises OSError."""
        return cls(file.read_bytes().strip())

    def session(self, request: Request) -> Session | None:
        """None without one, or when it has ended."""
        members = self._opened(request, SESSION, IDLE_S)
        return Session(members["token"], members["name"]) if members else None

    def keep(self, response: Response, session: Session) -> None:
        """The session goes on for IDLE_S from now."""
        self._set(response, SESSION, {"token": session.token, "name": session.name}, IDLE_S)

    def asked(self, request: Request) -> dict[str, str] | None:
        """What `ask` kept."""
        return self._opened(request, SIGN_IN, SIGN_IN_S)

    def ask(self, response: Response, members: dict[str, str]) -> None:
        """Keeps what only who asked to sign in may bring back."""
        self._set(response, SIGN_IN, members, SIGN_IN_S)

    def _set(self, response: Response, name: str, members: dict[str, str], seconds: int) -> None:
        sealed = self._fernet.encrypt(orjson.dumps(members)).decode()
        response.set_cookie(name, sealed, seconds, path="/", secure=True, httponly=True, samesite="lax")

    def _opened(self, request: Request, name: str, seconds: int) -> dict[str, str] | None:
        try:
            members: dict[str, str] = orjson.loads(self._fernet.decrypt(request.cookies.get(name, ""), ttl=seconds))
        except InvalidToken:
            return None
        return members


def forget(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
