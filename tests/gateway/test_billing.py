"""Billing Management at the gateway: asked of its owner, kept nowhere; and what the catalogue sells no longer."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from aiohttp import web

from contracts.plans import PriceBookWithdrawn, ProductRetired
from contracts.topics import Owner

from .gateway import Gateway, gateway, token
from .history import BOOK, TODAY, started
from .test_reads import problem

BILLING = "/api/v1/accounts/acme/billing"


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as opened:
        opened.plans.answer = lambda _: web.json_response({"name": "Ada"}, headers={"ETag": '"4"'})
        yield opened


async def test_the_page_is_the_owners_and_nobody_keeps_it(asking: Gateway) -> None:
    answer = await asking.get(f"{BILLING}?min_position=plans:42", "owner")
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, {"name": "Ada"}, '"4"')
    assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private, no-store", "Authorization")
    (asked,) = asking.plans.asked
    assert (asked.method, asked.raw_path) == ("GET", BILLING)
    assert asked.headers["authorization"] == f"Bearer {token('owner')}"


async def test_what_the_owner_refuses_is_refused(asking: Gateway) -> None:
    headers = {"Content-Type": "application/problem+json"}
    asking.plans.answer = lambda _: web.Response(
        body=b'{"code": "forbidden", "status": 403}', status=403, headers=headers
    )
    assert problem(await asking.get(BILLING)) == (403, "forbidden")


async def test_strangers_and_odd_questions_go_no_further(asking: Gateway) -> None:
    assert problem(await asking.client.get(BILLING)) == (401, "unauthenticated")
    assert problem(await asking.get("/api/v1/accounts/a%20b/billing")) == (404, "account_not_found")
    assert problem(await asking.get(f"{BILLING}?min_position=soon")) == (422, "invalid_request")
    assert asking.plans.asked == []


async def test_the_page_says_when_its_owner_is_away(asking: Gateway) -> None:
    await asking.plans.stop()
    assert problem(await asking.get(BILLING, "owner")) == (503, "owner_unavailable")
    await asking.plans.start()


async def test_withdrawn_books_and_retired_products_are_not_for_sale(asking: Gateway) -> None:
    history = started()
    history.publish(BOOK.model_copy(update={"book_version": 2, "effective_from": TODAY}))
    retirements = [("phone", TODAY), ("storage", date(2027, 1, 1))]
    events = [PriceBookWithdrawn(book_id="standard", book_version=2)]
    retired = [ProductRetired(book_id="standard", sku=sku, retired_on=on) for sku, on in retirements]
    history.write(Owner.PLANS, "catalogue-standard", "seller", [*events, *retired])
    await asking.show(history)
    shown = (await asking.get("/api/v1/accounts/acme/catalogue")).json()
    assert shown["book_version"] == 1
    skus = {product["sku"] for product in shown["products"]}
    assert "phone" not in skus
    assert {"storage", "workplace_pro"} <= skus
