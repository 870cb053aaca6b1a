"""The plans service as it runs, on a temporary folder and a clock of ours; nobody listens where Kafka should be."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from contracts.plan_actions import Privilege
from contracts.problems import PROBLEMS
from services.plans.app import plans_app
from services.plans.settings import PlansSettings
from tests.chassis.tokens import AUDIENCE, ISSUER, Issuer
from tests.engines import free_port
from tests.plans.given import BOOK_FILE

API = "/api/v1"
NEW_YORK = {"currency": "USD", "time_zone": "America/New_York"}
JUNE_1_IN_NEW_YORK = datetime(2026, 6, 1, 12, tzinfo=UTC)
EDIT = [Privilege.SUBSCRIPTION_READ, Privilege.SUBSCRIPTION_EDIT]

Answer = httpx2.Response


class SetClock:
    """A clock that stands until it is set."""

    def __init__(self, at: datetime = JUNE_1_IN_NEW_YORK) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass
class Customer:
    """Somebody with a token at the service; `account_id` is where their requests go. publisher: the token of who may
    publish price books, which this customer may not."""

    http: httpx2.AsyncClient
    issuer: Issuer
    clock: SetClock
    token: str
    publisher: str
    account_id: str = "acme"

    def as_other(self, account_id: str = "acme", **grants: Sequence[str]) -> "Customer":
        return replace(self, token=self.issuer.token(sub="user-2", grants=grants), account_id=account_id)

    def at(self, account_id: str) -> "Customer":
        return replace(self, account_id=account_id)

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """body: JSON members, or bytes as they are. headers: underscores for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.http.request(
            method, f"{API}{path}", headers={"Authorization": f"Bearer {self.token}", **named}, **content
        )

    async def open(self, body: Any = NEW_YORK, **headers: str) -> Answer:
        return await self.send("PUT", f"/accounts/{self.account_id}", body, **headers)

    async def publish(self, version: int | str, body: Any) -> Answer:
        publisher = replace(self, token=self.publisher)
        return await publisher.send("PUT", f"/catalogue/standard/versions/{version}", body)

    async def start(
        self, sku: str = "workplace_pro", quantity: Any = 9, cycle: str = "monthly", more: Any = None, **headers: str
    ) -> Answer:
        body = {"sku": sku, "quantity": quantity, "cycle": cycle, **(more or {})}
        return await self.send("POST", f"/accounts/{self.account_id}/plans", body, **headers)

    async def change(
        self, bundle_id: str, change: str, body: Any, if_match: str | None = "*", **headers: str
    ) -> Answer:
        matched = {} if if_match is None else {"If_Match": if_match}
        path = f"/accounts/{self.account_id}/plans/{bundle_id}/{change}"
        return await self.send("POST", path, body, **matched, **headers)

    async def quote(self, bundle_id: str, change: str, body: Any, **headers: str) -> Answer:
        path = f"/accounts/{self.account_id}/plans/{bundle_id}/quotes/{change}"
        return await self.send("POST", path, body, **headers)

    async def quote_start(self, body: Any) -> Answer:
        return await self.send("POST", f"/accounts/{self.account_id}/quotes/start", body)

    async def begun(self, *args: Any, **named: Any) -> str:
        """The id of a new bundle."""
        return bundle_of(done(await self.start(*args, **named)))

    async def done(self, bundle_id: str, change: str, body: Any) -> dict[str, Any]:
        return done(await self.change(bundle_id, change, body))


def done(answer: Answer) -> dict[str, Any]:
    """The body of an answer that is no problem."""
    assert answer.status_code in (200, 201), answer.text
    members: dict[str, Any] = answer.json()
    return members


def bundle_of(members: dict[str, Any]) -> str:
    stream: str = members["stream"]
    return stream.removeprefix("plan-")


def problem(answer: Answer) -> str:
    """The code, having checked that it is a whole problem document with the status its code has."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    code: str = document["code"]
    assert document["status"] == answer.status_code == PROBLEMS[code].status
    assert answer.headers["x-correlation-id"]
    return code


def plans_settings(folder: Path, issuer: Issuer, **more: Any) -> PlansSettings:
    """In an existing folder; nobody listens where Kafka and renewals should be."""
    secret, token_file = folder / "quote_secret", folder / "token"
    secret.write_bytes(b"0123456789abcdef0123456789abcdef")
    token_file.write_text("unused")
    given: dict[str, Any] = {
        "port": free_port(),
        "data_dir": folder / "data",
        "jwks": str(issuer.jwks_file(folder)),
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "kafka_bootstrap": f"127.0.0.1:{free_port()}",
        "service_token_file": token_file,
        "quote_secret_file": secret,
        "renewals_url": "http://127.0.0.1:9",
    }
    return PlansSettings(**{**given, **more})


@asynccontextmanager
async def plans_service(folder: Path, issuer: Issuer, clock: SetClock, **more: Any) -> AsyncIterator[Customer]:
    """A running service that sells from the price book, and the editor of "acme", which is open, and "globex". more:
    settings."""
    settings = plans_settings(folder, issuer, **more)
    app = plans_app(settings, clock)
    token = issuer.token(grants={"acme": EDIT, "globex": EDIT})
    publisher = issuer.token(sub="publisher", grants={"*": [Privilege.CATALOGUE_EDIT]})
    async with app.router.lifespan_context(app) as state:
        transport = httpx2.ASGITransport(with_state(app, state), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://plans") as http:
            customer = Customer(http, issuer, clock, token, publisher)
            done(await customer.publish(1, BOOK_FILE.read_bytes()))
            done(await customer.open())
            yield customer


def with_state(app: Any, state: Any) -> Any:
    """What a server does with what a lifespan yields: every request gets it."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state or {})}, receive, send)

    return served
