"""Keys and tokens for tests: a sound issuer, and whatever an attacker might hand in instead."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ISSUER, AUDIENCE, KID = "test-issuer", "test-audience", "key-1"
LONGER_THAN_A_RUN_S = 24 * 60 * 60  # tokens are made when tests are collected too, and used much later


class Issuer:
    def __init__(self, kid: str = KID) -> None:
        self.key, self.kid = Ed25519PrivateKey.generate(), kid

    def jwk(self) -> dict[str, Any]:
        public: dict[str, Any] = jwt.algorithms.OKPAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {**public, "kid": self.kid}

    def jwks_file(self, folder: Path) -> Path:
        file = folder / "jwks.json"
        file.write_text(json.dumps({"keys": [self.jwk()]}))
        return file

    def token(
        self, key: Any = None, algorithm: str = "EdDSA", headers: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A sound token but for what is asked otherwise; a claim given as None is left out."""
        merged = {**sound_claims(), **claims}
        sent = {name: value for name, value in merged.items() if value is not None}
        return jwt.encode(sent, key or self.key, algorithm, {"kid": self.kid, **(headers or {})})


def sound_claims() -> dict[str, Any]:
    now = int(time.time())
    grants = {"acme": ["BillingSubscription:Read", "BillingSubscription:Edit"], "globex": ["BillingSubscription:Read"]}
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "iat": now,
        "exp": now + LONGER_THAN_A_RUN_S,
        "role": "owner",
        "grants": grants,
    }
