"""A customer with an account of its own, speaking to the gateway as any HTTP client would."""

import uuid
from typing import Any

import httpx2 as httpx

from contracts.plan_actions import Privilege
from tests.portal import Portal

READER = (Privilege.SUBSCRIPTION_READ,)
EDITOR = (Privilege.SUBSCRIPTION_READ, Privilege.SUBSCRIPTION_EDIT)
ZONE = "Europe/Vienna"

Members = dict[str, Any]


class Customer:
    """account_id: a fresh one unless given. privileges: what the token grants in it."""

    def __init__(
        self,
        portal: Portal,
        account_id: str | None = None,
        privileges: tuple[Privilege, ...] = EDITOR,
        http: httpx.Client | None = None,
    ) -> None:
        self.portal = portal
        self.account_id = account_id or f"account-{uuid.uuid4().hex[:12]}"
        self.http = http or portal.http
        self.opened_at: str | None = None
        self.authorization = f"Bearer {portal.token_for('user-of-tests', {self.account_id: privileges})}"

    @classmethod
    def with_account(cls, portal: Portal, http: httpx.Client | None = None) -> "Customer":
        customer = cls(portal, http=http)
        customer.opened_at = customer.answered(customer.put("", {"currency": "USD", "time_zone": ZONE}, "open"))[
            "position"
        ]
        return customer

    def get(self, path: str, position: str | None = None, **params: str) -> httpx.Response:
        """path: below the account's address. position: of the write to be read."""
        if position is not None:
            params["min_position"] = position
        return self.http.get(self._url(path), params=params, headers={"Authorization": self.authorization})

    def read(self, path: str, position: str | None = None, **params: str) -> Members:
        return self.answered(self.get(path, position, **params))

    def card(self, bundle_id: str, position: str | None = None) -> Members:
        return self.read(f"/product-cards/{bundle_id}", position)

    def put(self, path: str, body: Members, key: str | None = None) -> httpx.Response:
        return self.http.put(self._url(path), json=body, headers=self._headers(key, None))

    def post(
        self, path: str, body: Members, if_match: str | None = "*", key: str | None = None, **headers: str
    ) -> httpx.Response:
        return self.http.post(self._url(path), json=body, headers={**self._headers(key, if_match), **headers})

    def start(self, sku: str, quantity: int, cycle: str = "monthly", key: str | None = None) -> httpx.Response:
        return self.post("/plans", {"sku": sku, "quantity": quantity, "cycle": cycle}, None, key)

    def started(self, sku: str, quantity: int, cycle: str = "monthly") -> str:
        """The id of a new bundle."""
        return bundle_of(self.answered(self.start(sku, quantity, cycle)))

    def change(
        self, bundle_id: str, name: str, body: Members, if_match: str | None = "*", key: str | None = None
    ) -> httpx.Response:
        return self.post(f"/plans/{bundle_id}/{name}", body, if_match, key)

    def changed(self, bundle_id: str, name: str, body: Members) -> Members:
        return self.answered(self.change(bundle_id, name, body))

    @staticmethod
    def answered(response: httpx.Response) -> Members:
        """The body of an answer that is not a problem."""
        assert response.status_code in (200, 201), response.text
        members: Members = response.json()
        return members

    def _url(self, path: str) -> str:
        return f"{self.portal.url()}/api/v1/accounts/{self.account_id}{path}"

    def _headers(self, key: str | None, if_match: str | None) -> dict[str, str]:
        headers = {"Authorization": self.authorization, "Idempotency-Key": key, "If-Match": if_match}
        return {name: value for name, value in headers.items() if value is not None}


def bundle_of(answer: Members) -> str:
    stream: str = answer["stream"]
    return stream.removeprefix("plan-")
