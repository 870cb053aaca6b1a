"""Somebody with a browser, for tests without one: a session in a cookie, and forms as our pages send them."""

from urllib.parse import urlencode

import httpx2
from starlette.responses import Response

from services.gateway.portal.sessions import SESSION, Session
from tests.gateway.gateway import SEALER, Gateway, token

QUOTE = {
    "command": "edit",
    "effective_on": "2026-01-31",
    "due_now": {"currency": "USD", "net_minor": 4466, "lines": []},
    "taxes": [{"code": "standard", "rate_bp": 825, "net_minor": 4466, "tax_minor": 368, "jurisdiction": "US-TX"}],
    "total_minor": 4834,
    "due_later": None,
    "next_renewal_before": None,
    "next_renewal_after": None,
    "events": ["plans.PlanEdited"],
    "token": "quote-1",
    "expires_at": "2026-01-31T12:00:00+00:00",
}


def cookie(user: str) -> str:
    sealed = Response()
    SEALER.keep(sealed, Session(token(user), user.title()))
    return sealed.headers["set-cookie"].partition(";")[0]


class Visitor:
    def __init__(self, gateway: Gateway, user: str = "editor") -> None:
        self.gateway, self.cookie = gateway, cookie(user)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        sent = {"Cookie": self.cookie, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.gateway.client.get(path, headers=sent)

    async def send(self, path: str, form: dict[str, str], site: str | None = "same-origin") -> httpx2.Response:
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        headers |= {"Sec-Fetch-Site": site} if site else {}
        return await self.gateway.client.post(path, content=urlencode(form).encode(), headers=headers)


def cookies_of(answer: httpx2.Response) -> list[str]:
    return [value for name, value in answer.headers.multi_items() if name == "set-cookie" and SESSION in value]
