"""Coming in and going out: signing in and out, the accounts there are, and where old addresses have gone."""

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.chassis.auth import Authenticator

from . import words
from .sessions import SESSION, SIGN_IN, Sealer, Session, forget
from .sign_in import SignIn, SignInFailed
from .visits import HEADERS, Visit, from_here, plain_page

DONE = "/sign-in/done"


async def sign_in(request: Request) -> Response:
    begin: SignIn | None = request.app.state.sign_in
    if begin is None:
        return plain_page(request, "signed_out.html", 503, title="Sign in", message="No sign-in service is set up.")
    try:
        to, kept = await begin.begin(_redirect_uri(request))
    except SignInFailed as failed:
        return plain_page(request, "signed_out.html", 503, title="Sign in", message=str(failed))
    response = RedirectResponse(to, 303, HEADERS)
    sealer: Sealer = request.app.state.sealer
    sealer.ask(response, {**kept, "next": own_path(request.query_params.get("next", "/"))})
    return response


async def signed_in(request: Request) -> Response:
    sealer: Sealer = request.app.state.sealer
    begun: SignIn | None = request.app.state.sign_in
    kept, code = sealer.asked(request), request.query_params.get("code")
    if begun is None or kept is None or not code or request.query_params.get("state") != kept["state"]:
        message = "This sign-in was not finished. Please try again."
        return plain_page(request, "signed_out.html", 400, title="Sign in", message=message)
    try:
        token, name = await begun.finish(code, kept, _redirect_uri(request))
    except SignInFailed as failed:
        return plain_page(request, "signed_out.html", 400, title="Sign in", message=str(failed))
    authenticator: Authenticator = request.app.state.authenticator
    await authenticator.caller(f"Bearer {token}")
    response = RedirectResponse(kept["next"], 303, HEADERS)
    sealer.keep(response, Session(token, name))
    forget(response, SIGN_IN)
    return response


async def sign_out(request: Request) -> Response:
    if not from_here(request):
        return RedirectResponse("/plan-management", 303, HEADERS)
    response = RedirectResponse("/signed-out", 303, HEADERS)
    forget(response, SESSION)
    return response


async def signed_out(request: Request) -> Response:
    return plain_page(request, "signed_out.html", title="Signed out", message="You are signed out.")


async def own_account(visit: Visit) -> Response:
    """An address without an account leads to the visitor's own, or asks which one."""
    page = visit.request.url.path.strip("/")
    accounts = sorted(name for name in visit.caller.grants if name != "*")
    wanted = visit.asked.get("account")
    if wanted or len(accounts) == 1:
        here = Visit(
            **{**{name: getattr(visit, name) for name in Visit.__slots__}, "account_id": wanted or accounts[0]}
        )
        return RedirectResponse(here.address(page, **{"from": visit.asked.get("from")}), 303, HEADERS)
    return visit.page("accounts.html", title="Choose an account", page=page)


async def old_address(request: Request) -> Response:
    old = request.url.path.strip("/")
    return RedirectResponse(f"/{words.OLD[old]}?{urlencode({'from': old})}", 308, HEADERS)


def _redirect_uri(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', '')}{DONE}"


def own_path(address: str) -> str:
    """A path of ours, whatever somebody has written into the link."""
    parts = urlsplit(address)
    inside = (
        address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc and "\\" not in address
    )
    return address if inside and address.isprintable() else "/"
