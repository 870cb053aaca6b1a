"""Loads the demo: real commands through the gateway, with fixed Idempotency-Keys, so a second run repeats nothing.

Everything is dated today, the only day the system knows until its clock can be set.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .client import Client

PRICE_BOOK = Path(__file__).with_name("price_book_v1.json")
BOOK = "/api/v1/catalogue/standard/versions/1"
ACME_ZONE = "America/New_York"
GLOBEX_ZONE = "Europe/Vienna"
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
    """Returns the position of acme's last event, as `min_position` takes it. Raises RequestFailed."""
    client.put("seller", BOOK, json.loads(PRICE_BOOK.read_text()), key="demo-price-book-1")
    client.put("olive", "/api/v1/accounts/acme", {"currency": "USD", "time_zone": ACME_ZONE}, key="demo-account")
    client.put("nora", "/api/v1/accounts/globex", {"currency": "USD", "time_zone": GLOBEX_ZONE}, key="demo-account")
    _load_billing(client)
    Bundle.started(client, "nora", "globex", "workplace_pro", 3, "monthly")
    return _load_acme(client)


def _load_billing(client: Client) -> None:
    for subject, role in {"user-olive": "owner", "user-victor": "viewer", "user-aude": "auditor"}.items():
        client.put("olive", f"/api/v1/accounts/acme/roles/{subject}", {"role": role}, key=f"demo-role-{subject}")
    client.put("nora", "/api/v1/accounts/globex/roles/user-nora", {"role": "editor"}, key="demo-role-user-nora")
    client.put("olive", "/api/v1/accounts/acme/contacts/bill_to", BILL_TO, key="demo-bill-to")


def _load_acme(client: Client) -> str:
    workplace = Bundle.started(client, "olive", "acme", "workplace_business", 12, "annual")
    workplace.change("capacities", {"sku": "large_meeting_500", "quantity": 1})
    workplace.change("capacities", {"sku": "storage_200", "quantity": 1})
    for number in range(1, 10):
        workplace.change("assign-licence", {"assignee": f"person-{number}"})
    phone = Bundle.started(client, "olive", "acme", "phone_us_unlimited", 8, "monthly")
    phone.change("edit", {"quantity": 6})
    Bundle.started(client, "olive", "acme", "rooms", 2, "monthly")
    webinar = Bundle.started(client, "olive", "acme", "webinar_500", 1, "monthly")
    webinar.change("cancel", {"reason": "not_needed_now", "comment": "The season is over."})
    return webinar.position


@dataclass(slots=True)
class Bundle:
    """A plan being made. Its steps are numbered, so that each has the same key and If-Match in every run."""

    client: Client
    user: str
    path: str
    sku: str
    revision: int
    position: str
    steps: int = 0

    @classmethod
    def started(cls, client: Client, user: str, account: str, sku: str, quantity: int, cycle: str) -> "Bundle":
        plans = f"/api/v1/accounts/{account}/plans"
        wish = {"sku": sku, "quantity": quantity, "cycle": cycle}
        answer = client.post(user, plans, wish, key=f"demo-{sku}")
        path = f"{plans}/{answer['stream'].removeprefix('plan-')}"
        return cls(client, user, path, sku, answer["revision"], answer["position"])

    def change(self, name: str, body: dict[str, Any]) -> None:
        self.steps += 1
        key = f"demo-{self.sku}-{self.steps}"
        answer = self.client.post(self.user, f"{self.path}/{name}", body, key=key, if_match=f'"{self.revision}"')
        self.revision, self.position = answer["revision"], answer["position"]
