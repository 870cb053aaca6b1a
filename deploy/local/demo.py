"""Makes the demo: real commands through the gateway, on the days on which they happened, under a clock that is moved.

Every command has a fixed Idempotency-Key, so a second run repeats nothing, and one that was interrupted is completed.
"""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .client import Client, RequestFailed

BOOKS = "/api/v1/catalogue/standard/versions"
CLOCK = "/api/v1/clock"
OPERATOR = "otto"
ACME, GLOBEX = "/api/v1/accounts/acme", "/api/v1/accounts/globex"
LOOK_EVERY_S = 0.05
MOVE_S = 300.0  # a minute at most, on a slow machine


def _on(year: int, month: int, day: int) -> datetime:
    """That day at 10 in New York, in winter."""
    return datetime(year, month, day, 15, tzinfo=UTC)


BEGIN = _on(2024, 12, 31)  # the first price book is published before it takes effect
BOUGHT = _on(2026, 1, 31)
GREW = _on(2026, 2, 10)
NEWER_BOOKS_FROM = _on(2026, 4, 1)
ORDERED = _on(2026, 5, 14)
CARD_WENT_BAD = _on(2026, 5, 16)
END = datetime(2026, 5, 20, 3, tzinfo=UTC)  # 132 hours after the order: one parcel is there, the other on its way
NEW_YORK = {"currency": "USD", "time_zone": "America/New_York"}
BILL_TO = {
    "name": "Olive Example",
    "company": "Acme Inc.",
    "mail": "billing@acme.example",
    "address": {
        "street": ["1 Main Street"],
        "postal_code": "10001",
        "city": "New York",
        "region": "NY",
        "country": "US",
    },
}


def load(client: Client) -> str:
    """Returns the position of the last event of acme's plans, as `min_position` takes it. Raises RequestFailed."""
    _publish(client, 1)
    _until(client, BOUGHT)
    if _now(client) < NEWER_BOOKS_FROM:  # a portal that lives later has only the first one: no book begins in the past
        for version in (2, 3):
            _publish(client, version)
    client.put("olive", ACME, {**NEW_YORK, "tax_jurisdiction": "US-NY"}, key="demo-account")
    client.put("nora", GLOBEX, {"currency": "USD", "time_zone": "Europe/Vienna"}, key="demo-account")
    _load_billing(client)
    Bundle(client, "nora", GLOBEX, "workplace_pro", 3, "monthly")
    workplace = Bundle(client, "olive", ACME, "workplace_business", 10, "annual")
    workplace.change("capacities", {"sku": "large_meeting_500", "quantity": 1})
    workplace.change("capacities", {"sku": "storage_200", "quantity": 1})
    for number in range(1, 10):
        workplace.change("assign-licence", {"assignee": f"person-{number}"})
    phone = Bundle(client, "olive", ACME, "phone_us_unlimited", 8, "monthly")
    rooms = Bundle(client, "olive", ACME, "rooms", 1, "monthly")
    webinar = Bundle(client, "olive", ACME, "webinar_500", 1, "annual")
    _until(client, GREW)
    workplace.change("edit", {"quantity": 12})
    rooms.change("edit", {"quantity": 2})
    webinar.change("cancel", {"reason": "not_needed_now", "comment": "The season is over."})
    _until(client, ORDERED)
    phones = {"lines": [{"sku": "haas_desk_phone", "quantity": 10}], "ship_to": "office-1"}
    client.post("olive", f"{ACME}/device-orders", phones, key="demo-phones")
    phone.change("edit", {"quantity": 6})
    _until(client, CARD_WENT_BAD)
    client.put("olive", f"{ACME}/payment-method", {"token": "card-flaky"}, key="demo-card")
    _until(client, END)
    _let_time_go_by(client)
    return phone.position


def _publish(client: Client, version: int) -> None:
    book = Path(__file__).with_name(f"price_book_v{version}.json")
    client.put("seller", f"{BOOKS}/{version}", json.loads(book.read_text()), key=f"demo-price-book-{version}")


def _load_billing(client: Client) -> None:
    for subject, role in {"user-olive": "owner", "user-victor": "viewer", "user-aude": "auditor"}.items():
        client.put("olive", f"{ACME}/roles/{subject}", {"role": role}, key=f"demo-role-{subject}")
    client.put("nora", f"{GLOBEX}/roles/user-nora", {"role": "editor"}, key="demo-role-user-nora")
    client.put("olive", f"{ACME}/contacts/bill_to", BILL_TO, key="demo-bill-to")


class Bundle:
    """A plan being made. Its steps are numbered, so that each has the same key in every run."""

    def __init__(self, client: Client, user: str, account: str, sku: str, quantity: int, cycle: str) -> None:
        wish = {"sku": sku, "quantity": quantity, "cycle": cycle}
        answer = client.post(user, f"{account}/plans", wish, key=f"demo-{sku}")
        self._client, self._user, self._key = client, user, f"demo-{sku}"
        self._path = f"{account}/plans/{answer['stream'].removeprefix('plan-')}"
        self._steps = 0
        self.position: str = answer["position"]

    def change(self, name: str, body: dict[str, Any]) -> None:
        self._steps += 1
        answer = self._client.post(self._user, f"{self._path}/{name}", body, key=f"{self._key}-{self._steps}")
        self.position = answer["position"]


def _until(client: Client, at: datetime) -> None:
    """Lets all happen that is due by then. Nothing, when it is later already: a portal that lives today has no past."""
    if _now(client) >= at:
        return
    client.post(OPERATOR, CLOCK, {"to": at.isoformat(), "stand_still": True}, key="demo")
    deadline = time.monotonic() + MOVE_S
    while (view := client.get(OPERATOR, CLOCK))["moving_to"]:
        if time.monotonic() > deadline:
            raise RequestFailed(f"The clock has not come to {at:%Y-%m-%d} within {MOVE_S:g} s: {view['reason']}")
        time.sleep(LOOK_EVERY_S)
    if view["reason"]:
        raise RequestFailed(f"The clock stopped on its way to {at:%Y-%m-%d}: {view['reason']}")


def _let_time_go_by(client: Client) -> None:
    """From the demo's end. A clock that somebody has stopped elsewhere stays so."""
    if _now(client) == END:
        client.post(OPERATOR, CLOCK, {"run": True}, key="demo")


def _now(client: Client) -> datetime:
    return datetime.fromisoformat(client.get(OPERATOR, CLOCK)["now"])
