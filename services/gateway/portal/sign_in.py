"""Signing in: OpenID Connect's authorization code with PKCE, against whatever issuer the settings name."""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import urlencode

import aiohttp
import jwt
import orjson

TIMEOUT = aiohttp.ClientTimeout(total=5)


class SignInFailed(Exception):
    """The issuer did not say who it is; the text is one sentence for the person who waits."""


class SignIn:
    """configuration: the URL of the issuer's OpenID configuration. client: our id there."""

    def __init__(self, configuration: str, client: str) -> None:
        self._url, self._client = configuration, client
        self._known: dict[str, Any] | None = None

    async def begin(self, redirect_uri: str) -> tuple[str, dict[str, str]]:
        """Where to send the browser, and what to keep until it comes back. Raises SignInFailed."""
        verifier = secrets.token_urlsafe(48)
        kept = {"state": secrets.token_urlsafe(16), "nonce": secrets.token_urlsafe(16), "verifier": verifier}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "scope": "openid profile",
            "client_id": self._client,
            "redirect_uri": redirect_uri,
            "state": kept["state"],
            "nonce": kept["nonce"],
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        configuration = await self._configuration()
        return f"{configuration['authorization_endpoint']}?{urlencode(asked)}", kept

    async def finish(self, code: str, kept: dict[str, str], redirect_uri: str) -> tuple[str, str]:
        """The access token, and the name to greet its owner with. Raises SignInFailed."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self._client,
            "redirect_uri": redirect_uri,
            "code_verifier": kept["verifier"],
        }
        endpoint = (await self._configuration())["token_endpoint"]
        answer = await _asked("POST", endpoint, form)
        try:
            # It comes from the issuer itself and not through the browser, so its signature says nothing more (OpenID
            # Connect Core, 3.1.3.7). The access token's is checked with every read.
            said = jwt.decode(answer["id_token"], options={"verify_signature": False})
            if said["nonce"] != kept["nonce"] or self._client not in (said["aud"], *said["aud"]):
                raise SignInFailed("The answer was meant for another sign-in.")
            return str(answer["access_token"]), str(said.get("name") or said["sub"])
        except (KeyError, TypeError, jwt.PyJWTError) as error:
            raise SignInFailed("The sign-in service gave an answer we do not understand.") from error

    async def _configuration(self) -> dict[str, Any]:
        if self._known is None:
            self._known = await _asked("GET", self._url)
        return self._known


async def _asked(method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as http,
            http.request(method, url, data=form, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise SignInFailed("The sign-in service did not accept this sign-in.")
            members: dict[str, Any] = orjson.loads(await answer.read())
            return members
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
        raise SignInFailed("The sign-in service cannot be reached.") from error
