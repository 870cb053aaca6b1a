"""One visit of one page: who comes, in which account, and every answer with the same headers and the same manners."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import orjson
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from contracts.problems import PROBLEMS, Refused
from services.chassis.auth import Authenticator, Caller
from services.chassis.clock import today
from services.gateway.projections import account
from services.gateway.read_store import ReadStoreUnavailable

from . import assets, words
from .api import Api, Members, Problem
from .formats import Formats, formats
from .sessions import SESSION, Sealer, Session, forget

TEMPLATES = Path(__file__).with_name("templates")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",  # after signing out, Back shows nothing
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
Page = Callable[["Visit"], Awaitable[Response]]
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Visit:
    """form: of a POST, else empty. caller: as the token says; what he may do is for reads and owners to judge.

    timed: the page can be seen as it was. as_of: when it is of; None: now. opened_on: the account.
    """

    request: Request
    session: Session
    caller: Caller
    account_id: str
    api: Api
    formats: Formats
    form: Mapping[str, str]
    as_of: str | None = None
    timed: bool = False
    opened_on: date | None = None

    @property
    def asked(self) -> Mapping[str, str]:
        return self.request.query_params

    def id(self, name: str) -> str:
        text: str = self.request.path_params[name]
        return text

    def address(self, path: str, **query: str | None) -> str:
        """Of another page of this account, as it was then."""
        said = urlencode({name: text for name, text in {"as_of": self.as_of, **query}.items() if text})
        return f"/a/{quote(self.account_id)}/{path}" + (f"?{said}" if said else "")

    def held(self) -> frozenset[str]:
        """The visitor's privileges here."""
        return self.caller.grants.get(self.account_id, frozenset()) | self.caller.grants.get("*", frozenset())

    def old(self) -> frozenset[str]:
        """The old addresses a page may say it was reached from."""
        return frozenset(words.OLD)

    def today(self) -> date:
        """Today in the account's time zone; on a page of the past, the day it is of."""
        zone = self.formats.time_zone
        if self.api.shown_at:
            return datetime.fromisoformat(self.api.shown_at).astimezone(zone).date()
        return today(self.request.state.reads.clock, str(zone))

    def page(self, template: str, status: int = 200, **members: Any) -> Response:
        return _answer(self.request, template, status, {**_shell(self), **members}, self.formats)

    def go(self, path: str, **query: str | None) -> Response:
        """After a command: to the page that shows what it did (303, so that a reload repeats nothing)."""
        return RedirectResponse(self.address(path, **query), 303, HEADERS)


def visited(page: Page, timed: bool = False) -> Handler:
    """A page of an account, for somebody who is signed in; others are sent to sign in first, and come back to it.

    timed: it can be seen as it was."""

    @wraps(page)
    async def handle(request: Request) -> Response:
        sealer: Sealer = request.app.state.sealer
        session = sealer.session(request)
        authenticator: Authenticator = request.app.state.authenticator
        try:
            if session is None:
                raise Refused("unauthenticated")
            visit = await _visit(request, session, await authenticator.caller(session.authorization), timed)
        except Refused as refused:
            if refused.code == "unauthenticated":
                return _to_sign_in(request)
            return problem_page(request, {"code": refused.code, **refused.facts})
        response = await _in_words(visit, page)
        if request.method == "GET" and "x-live" not in request.headers:  # what a page asks by itself keeps nobody here
            sealer.keep(response, session)
        return response

    return handle


def from_here(request: Request) -> bool:
    """Whether a POST comes from a page of ours and not from another site (Fetch Metadata, else Origin)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.headers.get("host")


def problem_page(request: Request, document: Mapping[str, Any], visit: Visit | None = None) -> Response:
    """What went wrong in words, and what to do next."""
    kind = PROBLEMS.get(str(document.get("code")), PROBLEMS["internal_error"])
    shell = _shell(visit) if visit else {"account": None, "name": None, "past": None, "time": None}
    members = {**shell, "kind": kind, "document": document, "title": kind.title, "here": ""}
    return _answer(request, "problem.html", kind.status, members, visit.formats if visit else _formats(request, "UTC"))


def plain_page(request: Request, template: str, status: int = 200, **members: Any) -> Response:
    """A page for somebody who is not signed in."""
    shell = {"account": None, "name": None, "here": "", "past": None, "time": None}
    return _answer(request, template, status, {**shell, **members}, _formats(request, "UTC"))


async def _visit(request: Request, session: Session, caller: Caller, timed: bool) -> Visit:
    account_id = request.path_params.get("account_id", "")
    if request.method == "POST" and not from_here(request):
        raise Refused("forbidden")
    body = (await request.body()).decode(errors="replace") if request.method == "POST" else ""
    how, opened_on = _formats(request, "UTC"), None
    if account_id:
        caller.privileges_in(account_id)
        if row := await request.state.reads.store.row(account.TABLE, account_id):
            members = orjson.loads(row)
            how = _formats(request, members["time_zone"])
            opened_on = datetime.fromisoformat(members["opened_at"]).astimezone(how.time_zone).date()
    as_of = (request.query_params.get("as_of") or None) if timed else None
    api = Api(request, session.authorization, account_id, request.query_params.get("at"), as_of)
    form = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=100))
    return Visit(request, session, caller, account_id, api, how, form, as_of, timed, opened_on)


async def _in_words(visit: Visit, page: Page) -> Response:
    try:
        return await page(visit)
    except Refused as refused:
        return problem_page(visit.request, {"code": refused.code, **refused.facts}, visit)
    except Problem as problem:
        return problem_page(visit.request, problem.document, visit)
    except RequestValidationError as invalid:
        errors = [{"message": error["msg"], "loc": error["loc"]} for error in invalid.errors()]
        return problem_page(visit.request, {"code": "invalid_request", "errors": errors}, visit)
    except ReadStoreUnavailable:
        return problem_page(visit.request, {"code": "read_store_unavailable"}, visit)


def _to_sign_in(request: Request) -> Response:
    if "x-live" in request.headers:
        return Response(status_code=401, headers=HEADERS)
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "") if request.method == "GET" else "/"
    response = RedirectResponse(f"/sign-in?{urlencode({'next': back})}", 303, HEADERS)
    forget(response, SESSION)
    return response


def _shell(visit: Visit) -> dict[str, Any]:
    return {
        "account": visit.account_id,
        "accounts": sorted(name for name in visit.caller.grants if name != "*"),
        "name": visit.session.name,
        "role": visit.caller.role,
        "held": visit.held(),
        "here": "",
        "to": visit.address,
        "done": words.DONE.get(visit.asked.get("done", "")),
        "moved": words.MOVED.get(visit.asked.get("from", "")),
        "past": visit.as_of,
        "now": visit.request.state.reads.clock.now().isoformat(),
        "time": _time(visit),
    }


def _time(visit: Visit) -> Members | None:
    """Of a page that can be seen as it was: the days there are, the one it is of, and what else it was asked for."""
    if visit.opened_on is None or not visit.timed:
        return None
    last = today(visit.request.state.reads.clock, str(visit.formats.time_zone))
    kept = {name: text for name, text in visit.asked.items() if name not in ("as_of", "at", "done", "before")}
    if kept.get("from") in words.MOVED:
        del kept["from"]
    return {
        "first": visit.opened_on.isoformat(),
        "last": last.isoformat(),
        "day": (visit.today() if visit.api.shown_at else last).isoformat(),
        "shown_at": visit.api.shown_at,
        "kept": kept,
        "now": visit.request.url.path + (f"?{urlencode(kept)}" if kept else ""),
    }


def _formats(request: Request, zone: str) -> Formats:
    return formats(request.headers.get("accept-language", "")[:200], zone)


def _answer(request: Request, template: str, status: int, members: dict[str, Any], how: Formats) -> Response:
    text = _environment().get_template(template).render(**members, f=how, w=words, asset=assets.address)
    headers = {**HEADERS, "Content-Language": "en", "Vary": "Cookie, Accept-Language"}
    return HTMLResponse(text, status, headers)


@lru_cache(1)
def _environment() -> Environment:
    """Everything is escaped, and a name that a page does not have is a mistake and not an empty place."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
