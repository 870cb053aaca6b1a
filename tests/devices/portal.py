"""The devices service as it runs, beside a real plans service whose feed it follows, both on a clock of ours."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from contracts.plan_actions import Privilege
from services.chassis.due import Settler
from services.devices.app import devices_app
from services.devices.settings import DevicesSettings
from services.plans.app import plans_app
from services.plans.settings import PlansSettings
from tests.chassis.test_feed import served
from tests.chassis.tokens import AUDIENCE, ISSUER, Issuer
from tests.engines import free_port
from tests.plans.given import BOOK_FILE
from tests.plans.portal import EDIT, NEW_YORK, Answer, SetClock, done, with_state

from .given import NOON

API = "/api/v1"
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens
TEN_PHONES: dict[str, Any] = {"lines": [{"sku": "haas_desk_phone", "quantity": 10}], "ship_to": "office-1"}


@dataclass
class Customer:
    """Somebody with a token at both services. settler: brings devices to rest, as moving the clock does."""

    plans: httpx2.AsyncClient
    devices: httpx2.AsyncClient
    issuer: Issuer
    clock: SetClock
    settler: Settler
    token: str
    account_id: str = "acme"

    def as_other(self, account_id: str = "acme", **grants: Sequence[str]) -> "Customer":
        return replace(self, token=self.issuer.token(sub="user-2", grants=grants), account_id=account_id)

    async def send(self, path: str, body: Any, to: httpx2.AsyncClient | None = None, **headers: str) -> Answer:
        """POST under the account. body: JSON members, or bytes as they are. headers: underscores for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        named["Authorization"] = f"Bearer {self.token}"
        path = f"{API}/accounts/{self.account_id}{path}"
        return await (to or self.devices).post(path, headers=named, **content)

    async def place(self, body: Any = TEN_PHONES, **headers: str) -> Answer:
        return await self.send("/device-orders", body, **headers)

    async def change(self, order_id: str, change: str, body: Any, if_match: str | None = "*", **headers: str) -> Answer:
        matched = {} if if_match is None else {"If_Match": if_match}
        return await self.send(f"/device-orders/{order_id}/{change}", body, **matched, **headers)

    async def lease(self, lease_id: str, change: str, body: Any, if_match: str | None = "*", **headers: str) -> Answer:
        matched = {} if if_match is None else {"If_Match": if_match}
        return await self.send(f"/leases/{lease_id}/{change}", body, **matched, **headers)

    async def placed(self, *args: Any, **named: Any) -> str:
        """The id of a new order."""
        return order_of(done(await self.place(*args, **named)))

    async def subscribe(self, sku: str, licences: int) -> str:
        """The id of a new plan, which devices need not have heard of yet."""
        wish = {"sku": sku, "quantity": licences, "cycle": "monthly"}
        stream: str = done(await self.send("/plans", wish, self.plans))["stream"]
        return stream.removeprefix("plan-")

    async def days_go_by(self, days: float) -> None:
        """Instant by instant, as the clock is moved: devices come to rest at each at which something is due."""
        until = self.clock.at + timedelta(days=days)
        _, due_at = await self.settler.settle()
        while due_at and due_at <= until:
            self.clock.at = max(self.clock.at, due_at)
            _, due_at = await self.settler.settle()
        self.clock.at = until


def order_of(members: dict[str, Any]) -> str:
    stream: str = members["stream"]
    return stream.removeprefix("deviceorder-")


@asynccontextmanager
async def devices_service(folder: Path, issuer: Issuer, clock: SetClock, **different: Any) -> AsyncIterator[Customer]:
    """Both services, and the editor of "acme", which is open and has plans for 10 phones and 2 rooms, of "globex"."""
    secret, token_file = folder / "quote_secret", folder / "token"
    secret.write_bytes(b"0123456789abcdef0123456789abcdef")
    token_file.write_text(issuer.token(sub="service", role="service", grants={"*": [Privilege.AUDIT_READ]}))
    frame: dict[str, Any] = {
        "port": free_port(),
        "jwks": str(issuer.jwks_file(folder)),
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "kafka_bootstrap": f"127.0.0.1:{free_port()}",
        "service_token_file": token_file,
    }
    plans = plans_app(
        PlansSettings(**frame, data_dir=folder / "plans", quote_secret_file=secret, renewals_url=NOWHERE), clock
    )
    token = issuer.token(grants={"acme": EDIT, "globex": EDIT})
    async with served(plans) as plans_url, httpx2.AsyncClient(base_url=plans_url, timeout=30) as to_plans:
        await _prepare(to_plans, issuer, token)
        settings = DevicesSettings(**{**frame, "data_dir": folder / "devices", "plans_url": plans_url, **different})
        app = devices_app(settings, clock)
        async with app.router.lifespan_context(app) as state:
            assert state is not None
            transport = httpx2.ASGITransport(with_state(app, state), raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url="http://devices") as to_devices:
                customer = Customer(to_plans, to_devices, issuer, clock, state["settler"], token)
                if not (folder / "prepared").exists():
                    await customer.subscribe("phone_us_unlimited", 10)
                    await customer.subscribe("rooms", 2)
                    (folder / "prepared").touch()
                yield customer


async def _prepare(plans: httpx2.AsyncClient, issuer: Issuer, token: str) -> None:
    publisher = issuer.token(sub="publisher", grants={"*": [Privilege.CATALOGUE_EDIT]})
    book = f"{API}/catalogue/standard/versions/1"
    done(await plans.put(book, headers=_bearer(publisher), content=BOOK_FILE.read_bytes()))
    for account in ("acme", "globex"):
        done(await plans.put(f"{API}/accounts/{account}", headers=_bearer(token), json=NEW_YORK))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def noon_clock() -> SetClock:
    return SetClock(NOON)


def instant_of(text: str) -> datetime:
    return datetime.fromisoformat(text)
