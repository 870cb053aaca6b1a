"""A token issuer for development on one machine: anybody who reaches it may be any demo user, so loopback only."""

import ipaddress
import json
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.plan_actions import Privilege

ISSUER = "billing-development-issuer"
AUDIENCE = "billing"
TOKEN_VALID_S = 2 * 3600  # as long as a role that was revoked can still be used
RENEW_EVERY_S = 3600
SERVICES = ("plans", "devices", "renewals", "gateway")

_READ = (Privilege.SUBSCRIPTION_READ, Privilege.INFORMATION_READ)
_EDIT = (*_READ, Privilege.SUBSCRIPTION_EDIT, Privilege.INFORMATION_EDIT)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a token speaks for. `subject` is opaque: it goes into events, which are never erased."""

    subject: str
    role: str
    grants: Mapping[str, tuple[Privilege, ...]]


USERS = {
    "olive": Subject("user-olive", "owner", {"acme": (*_EDIT, Privilege.AUDIT_READ)}),
    "victor": Subject("user-victor", "viewer", {"acme": _READ}),
    "aude": Subject("user-aude", "auditor", {"acme": (*_READ, Privilege.AUDIT_READ)}),
    "mia": Subject("user-mia", "editor", {"acme": _EDIT, "globex": _EDIT}),
    "nora": Subject("user-nora", "editor", {"globex": _EDIT}),
    "seller": Subject("user-seller", "seller", {"*": (Privilege.CATALOGUE_EDIT,)}),
    "otto": Subject(
        "user-otto",
        "operator",
        {"*": (Privilege.CLOCK_EDIT, Privilege.HOLD_EDIT, Privilege.TAX_EDIT, Privilege.AUDIT_READ)},
    ),
}


class DevelopmentIssuer:
    """Signs tokens with a key kept in `folder` (made at the first use, readable by its owner only)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.jwks_file = folder / "jwks.json"
        self._key = _key_in(folder / "key.pem")
        self._kid = f"dev-{uuid.uuid5(uuid.NAMESPACE_OID, self._public_jwk()['x']).hex[:12]}"
        _write(self.jwks_file, json.dumps(self.jwks()), 0o644)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [{**self._public_jwk(), "kid": self._kid, "use": "sig", "alg": "EdDSA"}]}

    def token(self, subject: Subject, valid_s: float = TOKEN_VALID_S) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject.subject,
            "iat": now,
            "exp": now + int(valid_s),
            "role": subject.role,
            "grants": {account: list(held) for account, held in subject.grants.items()},
        }
        return jwt.encode(claims, self._key, "EdDSA", {"kid": self._kid})

    def user_token(self, name: str) -> str:
        """A token for a demo user. Raises KeyError for a name that is not in USERS."""
        return self.token(USERS[name])

    def id_token(self, name: str, client_id: str, nonce: str) -> str:
        """Says to `client_id` who signed in. Raises KeyError for a name that is not in USERS."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": client_id, "sub": USERS[name].subject, "iat": now, "exp": now + 300}
        return jwt.encode({**claims, "nonce": nonce, "name": name.title()}, self._key, "EdDSA", {"kid": self._kid})

    def service_token(self, service: str) -> str:
        moves_the_clock = (Privilege.CLOCK_EDIT,) if service == "gateway" else ()
        return self.token(Subject(f"service-{service}", "service", {"*": (Privilege.AUDIT_READ, *moves_the_clock)}))

    def write_tokens(self, folder: Path) -> None:
        """Writes a fresh token of every demo user, and of every service under services/, replacing whole files."""
        for name in USERS:
            write_token(folder, name, self.user_token(name))
        for service in SERVICES:
            write_token(folder / "services", service, self.service_token(service))

    def _public_jwk(self) -> dict[str, Any]:
        members: dict[str, Any] = jwt.algorithms.OKPAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return members


def write_token(folder: Path, name: str, token: str) -> None:
    _write(folder / name, token, 0o600)


def service_token_file(tokens: Path, service: str) -> Path:
    return tokens / "services" / service


def refuse_unsafe(environment: str, host: str) -> None:
    """Raises SystemExit in production and on an address that others can reach: it gives tokens to whoever asks."""
    if environment != "development":
        raise SystemExit("The development token issuer does not run in production: point BILLING_JWKS to a real one.")
    if host != "localhost" and not _is_loopback(host):
        raise SystemExit(f"The development token issuer listens on loopback only, not on {host}.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key_in(file: Path) -> Ed25519PrivateKey:
    with suppress(FileNotFoundError):
        key = serialization.load_pem_private_key(file.read_bytes(), None)
        if isinstance(key, Ed25519PrivateKey):
            return key
    key = Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(file, key.private_bytes(*form).decode(), 0o600)
    return key


def _write(file: Path, text: str, mode: int) -> None:
    """Replaces a file at once, never readable by others while it is being written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as writer:
        writer.write(text)
    new.replace(file)
