"""The development issuer's OpenID Connect: an authorization code with PKCE for whichever demo user is chosen on a page.

Nobody proves who they are here: loopback only, and codes go back to loopback only (`issuer.refuse_unsafe`).
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from .issuer import TOKEN_VALID_S, USERS, DevelopmentIssuer

CODE_VALID_S = 60.0
CODES = 1000
ASKED = ("client_id", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method", "response_type")
HEADERS = {
    # The answer to the form leads back to the portal, which is another port of this machine.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'self' http://127.0.0.1:* http://localhost:*",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Granted:
    user: str
    asked: Mapping[str, str]
    until: float


class Codes:
    """Authorization codes, each good once and for CODE_VALID_S."""

    def __init__(self) -> None:
        self._granted: dict[str, Granted] = {}

    def grant(self, user: str, asked: Mapping[str, str]) -> str:
        while len(self._granted) >= CODES:
            del self._granted[next(iter(self._granted))]
        code = secrets.token_urlsafe(32)
        self._granted[code] = Granted(user, asked, time.monotonic() + CODE_VALID_S)
        return code

    def redeem(self, form: Mapping[str, str]) -> Granted | None:
        """None for a code that is unknown, used, too old, or brought by another than who asked for it (RFC 7636)."""
        granted = self._granted.pop(form.get("code", ""), None)
        if granted is None or time.monotonic() > granted.until:
            return None
        same = all(form.get(name) == granted.asked[name] for name in ("client_id", "redirect_uri"))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return granted if same and secrets.compare_digest(challenge, granted.asked["code_challenge"]) else None


def sign_in_router(codes: Codes) -> APIRouter:
    router = APIRouter()

    @router.get("/authorize", summary="A page to choose a demo user on")
    async def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        return _page(_choices(asked)) if _sound(asked) else _page(_REFUSED, 400)

    @router.post("/authorize", include_in_schema=False)
    async def chosen(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        asked = {name: form.get(name, "") for name in ASKED}
        if not _sound(asked) or form.get("user") not in USERS:
            return _page(_REFUSED, 400)
        back = urlencode({"code": codes.grant(form["user"], asked), "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", 303, HEADERS)

    @router.get("/sign-in.css", include_in_schema=False)
    async def style() -> Response:
        return Response(_STYLE, media_type="text/css")

    return router


def redeemed(
    issuer: DevelopmentIssuer, codes: Codes, form: Mapping[str, str], token_of: Callable[[str], str]
) -> Response:
    """The token endpoint's answer to a code: an access token, and an ID token that says whose it is. Raises what
    token_of raises, for the user who was chosen."""
    granted = codes.redeem(form) if form.get("grant_type") == "authorization_code" else None
    if granted is None:
        return JSONResponse({"error": "invalid_grant"}, 400, {"Cache-Control": "no-store"})
    answer = {
        "access_token": token_of(granted.user),
        "id_token": issuer.id_token(granted.user, granted.asked["client_id"], granted.asked["nonce"]),
        "token_type": "Bearer",
        "expires_in": TOKEN_VALID_S,
    }
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _sound(asked: Mapping[str, str]) -> bool:
    back = urlsplit(asked.get("redirect_uri", ""))
    return (
        all(asked.get(name) for name in ASKED)
        and asked["response_type"] == "code"
        and asked["code_challenge_method"] == "S256"
        and back.scheme == "http"
        and back.hostname in ("127.0.0.1", "localhost")
        and not back.query
        and not back.fragment
    )


def _page(body: str, status: int = 200) -> Response:
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    title = '<title>Sign in</title><link rel="stylesheet" href="/sign-in.css">'
    return HTMLResponse(f"{head}{title}<main>{body}</main></html>", status, HEADERS)


def _choices(asked: Mapping[str, str]) -> str:
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(asked[name])}">' for name in ASKED)
    people = "".join(
        f'<button name="user" value="{name}"><b>{name.title()}</b>'
        f"<span>{user.role} of {_of(user.grants)}</span></button>"
        for name, user in USERS.items()
    )
    return (
        "<h1>Who are you today?</h1><p>This sign-in is for development on your machine: choose a demo user, no password"
        f' needed.</p><form method="post" action="/authorize">{hidden}{people}</form>'
    )


def _of(grants: Mapping[str, object]) -> str:
    return ", ".join(account if account != "*" else "the system" for account in grants)


_REFUSED = "<h1>This sign-in cannot go on</h1><p>Go back to the portal and sign in from there.</p>"
_STYLE = """
:root { color-scheme: light dark; --bg: #f5f6f8; --card: #fff; --ink: #171a21; --soft: #5a6372;
  --line: #dfe3ea; --a: #3a4fd0 }
@media (prefers-color-scheme: dark) {
  :root { --bg: #0f1218; --card: #181c24; --ink: #eaedf2; --soft: #9ba5b4; --line: #2b323e; --a: #97a5ff }
}
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: var(--bg); color: var(--ink) }
main { max-width: 26rem; margin: 12vh auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 } p { color: var(--soft) }
form { display: grid; gap: .5rem }
button { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; padding: .85rem 1rem;
  font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; cursor: pointer }
button:hover { border-color: var(--a) } button:focus-visible { outline: 3px solid var(--a); outline-offset: 2px }
button span { color: var(--soft); font-size: .875rem }
"""
