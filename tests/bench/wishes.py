"""The requests of the benchmark: licences up by one, plan after plan, and the same bytes again and again."""

import itertools
from collections.abc import Iterator, Sequence

import httpx2 as httpx
import orjson

from .load import Messages, request

SKU = "phone_us_unlimited"  # up to 500 licences, so that few plans bear many edits
LOW = 1


def start_plans(http: httpx.Client, accounts: Sequence[str], each: int) -> list[str]:
    """Paths of new plans. Of many accounts: one account has few plans."""
    paths = []
    for account_id in accounts:
        account = f"/api/v1/accounts/{account_id}"
        http.put(account, json={"currency": "USD", "time_zone": "UTC"}).raise_for_status()
        for _ in range(each):
            wish = {"sku": SKU, "quantity": LOW, "cycle": "monthly"}
            answer = http.post(f"{account}/plans", json=wish).raise_for_status().json()
            paths.append(f"{account}/plans/{answer['stream'].removeprefix('plan-')}")
    return paths


class Edits:
    """Edits that always change something: a licence more each time."""

    quantities: dict[str, int] = {}  # noqa: RUF012 (shared on purpose: plans outlive one measurement)

    def __init__(self, plans: Sequence[str], authorization: str, clients: int = 1) -> None:
        self._plans, self._authorization, self._clients = plans, authorization, clients

    def of_client(self, number: int) -> Iterator[bytes]:
        for plan in itertools.cycle(self._plans[number :: self._clients]):
            quantity = self.quantities.get(plan, LOW) + 1
            self.quantities[plan] = quantity
            yield request(
                "POST",
                f"{plan}/edit",
                orjson.dumps({"quantity": quantity}),
                Authorization=self._authorization,
                If_Match="*",
                Idempotency_Key=f"bench-{quantity}",
            )


def bare_appends(_: int) -> Iterator[bytes]:
    return itertools.repeat(request("POST", "/append", b'{"quantity": 7}', Content_Type="application/json"))


def repeated(path: str, authorization: str) -> Messages:
    message = request("GET", path, Authorization=authorization)
    return lambda _: itertools.repeat(message)
