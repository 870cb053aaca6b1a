"""Who gets in, who does not, and how often the issuer is asked for its keys."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from contracts.problems import Refused
from services.chassis import auth
from services.chassis.auth import Authenticator, Caller, ServiceToken

from .tokens import AUDIENCE, ISSUER, LONGER_THAN_A_RUN_S, Issuer

issuer = Issuer()
now = int(time.time())


@pytest.fixture
async def authenticator(tmp_path: Path) -> Authenticator:
    checking = Authenticator(str(issuer.jwks_file(tmp_path)), ISSUER, AUDIENCE)
    await checking.refresh()
    return checking


def test_a_sound_token_names_its_caller(authenticator: Authenticator) -> None:
    token = issuer.token()
    caller = authenticator(f"Bearer {token}")
    assert (caller.subject, caller.role, caller.token) == ("user-1", "owner", token)
    assert caller.grants["globex"] == {"BillingSubscription:Read"}
    assert token not in repr(caller)


def test_a_checked_token_is_remembered_until_it_expires(tmp_path: Path) -> None:
    clock = [float(now)]
    checking = Authenticator(str(issuer.jwks_file(tmp_path)), ISSUER, AUDIENCE, lambda: clock[0])
    checking._keys = auth._usable({"keys": [issuer.jwk()]})
    header = f"Bearer {issuer.token(exp=now + LONGER_THAN_A_RUN_S)}"
    first = checking(header)
    assert checking(header) is first
    clock[0] = now + LONGER_THAN_A_RUN_S + 1.0
    assert checking(header) is not first


def test_remembered_tokens_are_bounded(authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MAX_REMEMBERED", 3)
    for number in range(10):
        authenticator(f"Bearer {issuer.token(sub=f'user-{number}')}")
    assert len(authenticator._known) == 3


def _unsigned(claims: dict[str, Any]) -> str:
    header = {"alg": "none", "typ": "JWT", "kid": issuer.kid}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    return f"{parts[0]}.{parts[1]}."


def _signed_with_the_public_key() -> str:
    """The classic confusion: the public key's own bytes as an HMAC secret."""
    secret = issuer.jwk()["x"]
    return issuer.token(key=base64.urlsafe_b64decode(secret + "=="), algorithm="HS256")


def _with_its_own_key() -> str:
    """A key that travels in the token's header must not be believed."""
    other = Issuer()
    return jwt.encode(
        jwt.decode(issuer.token(), options={"verify_signature": False}),
        other.key,
        "EdDSA",
        {"kid": issuer.kid, "jwk": other.jwk()},
    )


FORGERIES = {
    "no signature": lambda: _unsigned(jwt.decode(issuer.token(), options={"verify_signature": False})),
    "HS256 with the public key": _signed_with_the_public_key,
    "another key under our kid": lambda: Issuer().token(),
    "a key of its own": _with_its_own_key,
    "RS256 under an Ed25519 kid": lambda: issuer.token(key=rsa.generate_private_key(65537, 2048), algorithm="RS256"),
    "an unknown kid": lambda: issuer.token(headers={"kid": "key-2"}),
    "a kid that is a path": lambda: issuer.token(headers={"kid": "../../../dev/null"}),
    "no kid": lambda: jwt.encode({"sub": "x"}, issuer.key, "EdDSA"),
    "an unknown critical header": lambda: issuer.token(headers={"crit": ["exp"]}),
    "wrong audience": lambda: issuer.token(aud="another"),
    "wrong issuer": lambda: issuer.token(iss="another"),
    "expired": lambda: issuer.token(exp=now - 60),
    "not valid yet": lambda: issuer.token(nbf=now + LONGER_THAN_A_RUN_S),
    "issued in the future": lambda: issuer.token(iat=now + LONGER_THAN_A_RUN_S),
    "no exp": lambda: issuer.token(exp=None),
    "no iat": lambda: issuer.token(iat=None),
    "no sub": lambda: issuer.token(sub=None),
    "no aud": lambda: issuer.token(aud=None),
    "no iss": lambda: issuer.token(iss=None),
    "an exp beyond numbers": lambda: issuer.token(exp=float("inf")),
    "a subject with a line end": lambda: issuer.token(sub="user\nadmin"),
    "a subject without end": lambda: issuer.token(sub="u" * 129),
    "a subject that is not text": lambda: issuer.token(sub="ünser"),
    "no role": lambda: issuer.token(role=None),
    "a role that is a list": lambda: issuer.token(role=["owner"]),
    "no grants": lambda: issuer.token(grants=None),
    "grants that are a list": lambda: issuer.token(grants=["acme"]),
    "grants of text": lambda: issuer.token(grants={"acme": "BillingSubscription:Read"}),
    "grants of numbers": lambda: issuer.token(grants={"acme": [1]}),
    "too long": lambda: issuer.token(grants={"acme": ["x" * auth.MAX_HEADER_CHARS]}),
    "cut short": lambda: issuer.token()[:-5],
    "garbage": lambda: "a.b.c",
    "nothing": lambda: "",
    "not ASCII": lambda: "ü.ü.ü",
    "deeply nested": lambda: base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=") + ".e30.x",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_a_token_that_is_not_sound_lets_nobody_in(authenticator: Authenticator, forge: Any) -> None:
    with pytest.raises(Refused) as refused:
        await authenticator.caller(f"Bearer {forge()}")
    assert (refused.value.code, refused.value.facts) == ("unauthenticated", {})
    assert not authenticator._known


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic dXNlcjpwYXNz", "Token x"])
def test_a_header_without_a_bearer_token_lets_nobody_in(authenticator: Authenticator, header: str | None) -> None:
    with pytest.raises(Refused, match="unauthenticated"):
        authenticator(header)


def test_only_asymmetric_keys_for_signing_are_taken_from_the_issuer() -> None:
    curve = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))
    weak = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key()))
    keys = [
        issuer.jwk(),
        {**curve, "kid": "p-256"},
        {**weak, "kid": "p-384"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
        {**issuer.jwk(), "kid": "encryption", "use": "enc"},
        {"kty": "OKP", "crv": "X25519", "x": "AA", "kid": "unknown"},
        {name: value for name, value in issuer.jwk().items() if name != "kid"},
    ]
    assert set(auth._usable({"keys": keys})) == {"key-1", "p-256"}


async def test_keys_changed_by_the_issuer_are_found_by_the_first_token_that_needs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking = Authenticator(str(issuer.jwks_file(tmp_path)), ISSUER, AUDIENCE)
    await checking.refresh()
    renewed = Issuer("key-2")
    renewed.jwks_file(tmp_path)
    with pytest.raises(Refused):  # the keys were read a moment ago: inventing key ids costs the issuer nothing
        await checking.caller(f"Bearer {renewed.token()}")
    monkeypatch.setattr(auth, "JWKS_PAUSE_S", 0.0)
    assert (await checking.caller(f"Bearer {renewed.token()}")).subject == "user-1"


async def test_an_issuer_that_cannot_be_read_leaves_the_old_keys_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "JWKS_PAUSE_S", 0.0)
    file = issuer.jwks_file(tmp_path)
    checking = Authenticator(str(file), ISSUER, AUDIENCE)
    await checking.refresh()
    for broken in ("not JSON", "[]", "{}", '{"keys": 5}', '{"keys": ["x"]}'):
        file.write_text(broken)
        await checking.refresh()
        assert checking(f"Bearer {issuer.token()}")
    never = Authenticator(str(tmp_path / "absent.json"), ISSUER, AUDIENCE)
    with pytest.raises(LookupError, match=r"absent\.json"):
        await never.check()


async def test_an_issuer_that_does_not_answer_is_a_reason_and_not_a_crash() -> None:
    checking = Authenticator("http://127.0.0.1:9/jwks.json", ISSUER, AUDIENCE)
    with pytest.raises(LookupError, match="cannot be read"):
        await checking.check()


async def test_keys_are_fetched_from_an_address_once_for_many_tokens() -> None:
    asked = 0

    async def jwks(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"keys": [issuer.jwk()]})

    app = web.Application()
    app.router.add_get("/jwks.json", jwks)
    async with TestServer(app) as server:
        checking = Authenticator(str(server.make_url("/jwks.json")), ISSUER, AUDIENCE)
        for header in [f"Bearer {issuer.token(sub=f'user-{number}')}" for number in range(5)]:
            assert (await checking.caller(header)).subject.startswith("user-")
        with pytest.raises(Refused):
            await checking.caller(f"Bearer {Issuer('key-2').token()}")
        gone = Authenticator(str(server.make_url("/other.json")), ISSUER, AUDIENCE)
        with pytest.raises(LookupError, match="404"):
            await gone.check()
    assert asked == 1


def _caller(**grants: frozenset[str]) -> Caller:
    return Caller("user-1", "owner", {name.replace("everywhere", "*"): held for name, held in grants.items()}, "", 0.0)


def test_privileges_are_those_of_the_account_and_those_of_everywhere() -> None:
    caller = _caller(acme=frozenset({"A"}), everywhere=frozenset({"B"}))
    assert caller.privileges_in("acme") == {"A", "B"}
    assert caller.privileges_in("other") == {"B"}


def test_an_account_of_others_is_not_found_and_a_missing_privilege_is_forbidden() -> None:
    caller = _caller(acme=frozenset({"A"}), empty=frozenset())
    caller.require("acme", "A")
    with pytest.raises(Refused, match="forbidden") as refused:
        caller.require("acme", "B")
    assert refused.value.facts == {"privilege": "B"}
    for account in ("other", "empty"):
        with pytest.raises(Refused, match="account_not_found"):
            caller.require(account, "A")


def test_a_service_token_is_read_again_when_its_file_was_replaced(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    token = ServiceToken(file)
    assert token() == "first"
    renewed = tmp_path / "new"
    renewed.write_text("second\n")
    renewed.replace(file)
    assert token() == "second"


def test_a_public_key_as_pem_is_no_secret_either(authenticator: Authenticator) -> None:
    pem = issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": "HS256", "typ": "JWT", "kid": issuer.kid}
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(b".".join(parts), pem)
    forged = b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
    with pytest.raises(Refused, match="unauthenticated"):
        authenticator(f"Bearer {forged}")
