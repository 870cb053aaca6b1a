"""The development token issuer over HTTP: its keys, and a token for any demo user who asks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import structlog
from fastapi import FastAPI, Request, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from contracts.plan_commands import Request as Body
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis import serve, settings
from services.chassis.auth import Authenticator
from services.chassis.http import create_app, json_body
from services.chassis.metrics import Metrics
from services.chassis.settings import ListenerSettings

from .client import RequestFailed
from .folder import Folder
from .issuer import (
    AUDIENCE,
    ISSUER,
    RENEW_EVERY_S,
    SERVICES,
    TOKEN_VALID_S,
    USERS,
    DevelopmentIssuer,
    refuse_unsafe,
    write_token,
)
from .roles import current_token
from .sign_in import Codes, redeemed, sign_in_router

ASK_AGAIN_S = 1.0

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


async def _answered(work: Callable[..., Result], *arguments: Any) -> Result:
    """In a thread: it asks the plans service. Raises Refused while that is away."""
    try:
        return await asyncio.to_thread(work, *arguments)
    except RequestFailed as failed:
        log.warning("roles_unknown", reason=str(failed))
        raise Refused("owner_unavailable", owner=Owner.PLANS, outcome="not_recorded") from None


class TokenRequest(Body):
    user: str


def issuer_app(issuer: DevelopmentIssuer, folder: Folder) -> FastAPI:
    """folder: whose token files are renewed long before they expire, while the app runs."""
    codes = Codes()
    router = sign_in_router(codes)
    token_of = partial(current_token, folder, issuer)

    @router.get("/.well-known/jwks.json", summary="The keys that tokens are signed with")
    async def jwks() -> dict[str, Any]:
        return issuer.jwks()

    @router.get("/.well-known/openid-configuration")
    async def configuration(request: Request) -> dict[str, Any]:
        return {
            "issuer": ISSUER,
            "jwks_uri": str(request.url_for("jwks")),
            "authorization_endpoint": str(request.url_for("authorize")),
            "token_endpoint": str(request.url_for("token")),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
        }

    @router.post("/token", summary="A token for a demo user, or for a code of the sign-in page", response_model=None)
    async def token(request: Request) -> Response | dict[str, Any]:
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form = dict(parse_qsl((await request.body()).decode(errors="replace")))
            return await _answered(redeemed, issuer, codes, form, token_of)
        body = await json_body(TokenRequest)(request)
        if body.user not in USERS:
            raise Refused("not_found", users=sorted(USERS))
        made = await _answered(token_of, body.user)
        return {"access_token": made, "token_type": "Bearer", "expires_in": TOKEN_VALID_S}

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        renewing = asyncio.create_task(_renew(issuer, folder))
        yield
        renewing.cancel()

    authenticator = Authenticator(str(issuer.jwks_file), ISSUER, AUDIENCE)
    app = create_app("issuer", lifespan, [router], authenticator, {}, Metrics())
    # A page on the web may point a name of its own at this machine; then the Host header is that name.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])
    return app


async def _renew(issuer: DevelopmentIssuer, folder: Folder) -> None:
    """Long before they expire; what was written before the plans service could be asked, as soon as it can."""
    while True:
        renewed = await asyncio.to_thread(_renewed, issuer, folder)
        await asyncio.sleep(RENEW_EVERY_S if renewed else ASK_AGAIN_S)


def _renewed(issuer: DevelopmentIssuer, folder: Folder) -> bool:
    """Whether every demo user's file has the roles of now; services' files are renewed in any case."""
    for service in SERVICES:
        write_token(folder.tokens / "services", service, issuer.service_token(service))
    try:
        for name in USERS:
            write_token(folder.tokens, name, current_token(folder, issuer, name))
    except RequestFailed as failed:
        log.info("roles_unknown", reason=str(failed))
        return False
    return True


def main() -> None:
    given = settings.load(ListenerSettings)
    refuse_unsafe(given.environment, given.host)
    folder = Folder(given.data_dir.parent)
    serve.run(issuer_app(DevelopmentIssuer(folder.issuer), folder), given)


if __name__ == "__main__":
    main()
