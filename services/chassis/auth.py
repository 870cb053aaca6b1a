"""Who is asking: tokens checked once and remembered until they expire, and privileges per account (DOMAIN B17)."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import structlog

from contracts.problems import Refused

ALGORITHMS = ("EdDSA", "ES256", "RS256")  # asymmetric only: a verifier must not be able to sign
LEEWAY_S = 10  # how far the clocks of issuer and verifier may differ
EVERYWHERE = "*"  # a grant for every account
MAX_HEADER_CHARS = 16 * 1024
MAX_REMEMBERED = 10_000
JWKS_TIMEOUT_S = 3.0
JWKS_PAUSE_S = 10.0  # unknown key ids are free to invent: keys are fetched again at most this often

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """grants: account id (or "*") to privileges. token: to be passed on. expires_at: seconds since the epoch."""

    subject: str
    role: str
    grants: Mapping[str, frozenset[str]]
    token: str = field(repr=False)
    expires_at: float

    def privileges_in(self, account_id: str) -> frozenset[str]:
        """What the caller may do in an account. Raises Refused("account_not_found") when that is nothing: an account
        of others cannot be told from one that does not exist (DOMAIN 6)."""
        here, everywhere = self.grants.get(account_id), self.grants.get(EVERYWHERE)
        held = here | everywhere if here and everywhere else here or everywhere
        if not held:
            raise Refused("account_not_found")
        return held

    def require(self, account_id: str, privilege: str) -> None:
        """Raises Refused("account_not_found") or Refused("forbidden", privilege=...) unless the caller holds it."""
        if privilege not in self.privileges_in(account_id):
            raise Refused("forbidden", privilege=str(privilege))


class UnknownKey(Refused):
    """The token names a key we do not have: the issuer may have a new one."""

    def __init__(self) -> None:
        super().__init__("unauthenticated")


class Authenticator:
    """Checks tokens against the issuer's keys. jwks: a file path or an http(s) URL.

    Calling it costs one dictionary look-up for a token seen before. `refresh` before the first call.
    """

    def __init__(self, jwks: str, issuer: str, audience: str, now: Callable[[], float] = time.time) -> None:
        self._jwks, self._issuer, self._audience, self._now = jwks, issuer, audience, now
        self._keys: dict[str, jwt.PyJWK] = {}
        self._trouble = "the keys were not fetched yet"
        self._refreshing = asyncio.Lock()
        self._refreshed_at = float("-inf")
        self._known: dict[str, Caller] = {}

    def __call__(self, authorization: str | None) -> Caller:
        """The caller behind an Authorization header. Raises Refused("unauthenticated"), UnknownKey among them."""
        if authorization is None:
            raise Refused("unauthenticated")
        known = self._known.get(authorization)
        if known is not None and self._now() < known.expires_at:
            return known
        caller = self._checked(authorization)
        self._remember(authorization, caller)
        return caller

    async def caller(self, authorization: str | None) -> Caller:
        """As calling it, but a token with an unknown key makes it look for new keys first."""
        try:
            return self(authorization)
        except UnknownKey:
            await self.refresh()
            return self(authorization)

    async def refresh(self) -> None:
        """Reads the issuer's keys, at most every JWKS_PAUSE_S. On a failure the old keys stay and `check` says why."""
        async with self._refreshing:
            if time.monotonic() - self._refreshed_at < JWKS_PAUSE_S:
                return
            try:
                self._keys = _usable(await _fetched(self._jwks))
            except (OSError, ValueError, TypeError, LookupError, TimeoutError) as error:
                self._trouble = f"the issuer's keys cannot be read: {error or type(error).__name__}"
                log.warning("token_keys_unavailable", jwks=self._jwks, reason=self._trouble)
            self._refreshed_at = time.monotonic()

    async def check(self) -> None:
        """A readiness check: raises LookupError while there is no key to check a token with."""
        if not self._keys:
            await self.refresh()
        if not self._keys:
            raise LookupError(self._trouble)

    def _checked(self, authorization: str) -> Caller:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or len(authorization) > MAX_HEADER_CHARS:
            raise Refused("unauthenticated")
        try:
            key = self._keys.get(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                raise UnknownKey
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
            return _caller(claims, token)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            # The reason is for us: a caller who forges tokens is told nothing.
            log.info("token_refused", reason=type(error).__name__)
            raise Refused("unauthenticated") from None

    def _remember(self, authorization: str, caller: Caller) -> None:
        while len(self._known) >= MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[authorization] = caller


class ServiceToken:
    """A service's own token, read from a file that its issuer renews in place (as Kubernetes does)."""

    def __init__(self, file: Path) -> None:
        self._file, self._token = file, ""
        self._version: tuple[int, int] | None = None

    def __call__(self) -> str:
        """The token of now. Raises OSError when the file cannot be read."""
        stat = self._file.stat()
        version = stat.st_mtime_ns, stat.st_ino
        if version != self._version:
            self._token, self._version = self._file.read_text().strip(), version
        return self._token


def _caller(claims: Mapping[str, Any], token: str) -> Caller:
    """Raises ValueError for claims of another form than this system's tokens have."""
    grants = claims.get("grants")
    if not isinstance(grants, dict) or not all(_is_list_of_text(held) for held in grants.values()):
        raise ValueError("grants map accounts to lists of privileges")
    held_in = {account: frozenset(held) for account, held in grants.items()}
    return Caller(_name(claims["sub"]), _name(claims.get("role")), held_in, token, float(claims["exp"]))


def _is_list_of_text(held: object) -> bool:
    return isinstance(held, list) and all(isinstance(privilege, str) for privilege in held)


def _name(text: object) -> str:
    """Subjects and roles are written into events and Kafka headers: visible ASCII, not too long."""
    if not isinstance(text, str) or not 1 <= len(text) <= 128 or not all("!" <= letter <= "~" for letter in text):
        raise ValueError("not 1 to 128 visible ASCII characters")
    return text


def _usable(key_set: Any) -> dict[str, jwt.PyJWK]:
    """The signing keys by id. Others (symmetric, for encryption, of curves we do not take) are left out.

    Raises ValueError when none is left, TypeError or LookupError for what is no key set at all.
    """
    usable = {}
    for members in key_set["keys"]:
        with suppress(jwt.PyJWTError, AttributeError):
            key = jwt.PyJWK(members)
            if key.key_id and key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig"):
                usable[key.key_id] = key
    if not usable:
        raise ValueError("the issuer has no key we accept")
    return usable


async def _fetched(jwks: str) -> Any:
    if not jwks.startswith(("http://", "https://")):
        return json.loads(Path(jwks).read_text())  # noqa: ASYNC240  one small local file
    import aiohttp  # a quarter of a second that a service with a key file need not spend

    timeout = aiohttp.ClientTimeout(total=JWKS_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(jwks, raise_for_status=True) as answer,
        ):
            return json.loads(await answer.text())
    except aiohttp.ClientError as error:
        raise OSError(f"{jwks}: {error}") from error
