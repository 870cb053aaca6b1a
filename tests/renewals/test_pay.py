"""Paying an invoice by hand over HTTP: once, by who may, and only what is open (DOMAIN 6, B16)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from contracts.money import Currency
from contracts.renewals import BillingTermsNoted
from services.chassis.auth import Authenticator
from services.chassis.http import create_app
from services.chassis.memory_store import MemoryEventStore
from services.chassis.metrics import Metrics
from services.chassis.policies import due
from services.renewals import billing, routes
from services.renewals import invoice as invoices
from services.renewals.ledger import Ledger
from tests.chassis.tokens import AUDIENCE, ISSUER, Issuer
from tests.plans.portal import SetClock, problem
from tests.renewals.test_invoice import issued
from tests.renewals.test_sink import ledger

issuer = Issuer()
READ, EDIT = "BillingInformation:Read", "BillingInformation:Edit"


class Payer:
    """acme's, with one open invoice of 3100 from July 1."""

    def __init__(self, http: httpx2.AsyncClient, kept: Ledger) -> None:
        self.http, self.kept = http, kept

    async def pays_with(self, token: str) -> None:
        terms = BillingTermsNoted(currency=Currency.USD, time_zone="UTC", payment_token=token)
        metadata = due("test", "acme", token, "2026-07-01", self.kept.clock)
        await self.kept.on_account(metadata, lambda account: billing.note_terms(account, terms))

    async def pay(self, invoice_id: str = "i1", *privileges: str, body: bytes = b"{}", **headers: str) -> Any:
        token = issuer.token(grants={"acme": privileges or [READ, EDIT]})
        named = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): it for name, it in headers.items()}}
        return await self.http.post(f"/api/v1/accounts/acme/invoices/{invoice_id}/pay", content=body, headers=named)


@pytest.fixture
async def payer(tmp_path: Path) -> AsyncIterator[Payer]:
    kept = ledger(MemoryEventStore(), SetClock())
    for account_id, name in (("acme", "i1"), ("globex", "i2")):
        invoice = issued().model_copy(update={"invoice_id": name, "issued_on": date(2026, 6, 1)})
        metadata = due("test", account_id, name, "2026-06-01", kept.clock)
        await kept.on_invoice(metadata, name, lambda state, invoice=invoice: invoices.issue(state, invoice))  # type: ignore[misc]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        yield {}

    authenticator = Authenticator(str(issuer.jwks_file(tmp_path)), ISSUER, AUDIENCE)
    app = create_app("renewals", lifespan, [routes.router], authenticator, {}, Metrics())

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": {"ledger": kept}}, receive, send)

    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(with_state), base_url="http://renewals")
    async with app.router.lifespan_context(app), http:
        yield Payer(http, kept)


def kinds(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [event["type"].removeprefix("renewals.") for event in answer.json()["events"]]


async def test_an_open_invoice_is_paid_once_however_often_it_is_asked_for(payer: Payer) -> None:
    first = await payer.pay(Idempotency_Key="key-1")
    assert kinds(first) == ["PaymentSucceeded", "InvoiceCollected"]
    assert (await payer.pay(Idempotency_Key="key-1")).content == first.content
    assert problem(await payer.pay(Idempotency_Key="key-2")) == "invoice_collected"


async def test_a_payment_that_is_declined_is_told_with_the_day_of_the_next_try(payer: Payer) -> None:
    await payer.pays_with("card-declined")
    answer = await payer.pay()
    assert kinds(answer) == ["PaymentFailed"]
    assert answer.json()["events"][0]["data"]["next_try_on"] == "2026-06-03"
    await payer.pays_with("card-good")
    assert kinds(await payer.pay()) == ["PaymentSucceeded", "InvoiceCollected"]


async def test_another_accounts_invoice_cannot_be_told_from_an_absent_one(payer: Payer) -> None:
    theirs, absent = [await payer.pay(name, X_Correlation_Id="same") for name in ("i2", "i9")]
    assert problem(theirs) == "invoice_not_found"
    assert (theirs.headers, theirs.content) == (absent.headers, absent.content)


async def test_only_who_may_edit_billing_information_pays(payer: Payer) -> None:
    assert problem(await payer.pay("i1", READ)) == "forbidden"
    assert problem(await payer.http.post("/api/v1/accounts/acme/invoices/i1/pay", content=b"{}")) == "unauthenticated"
    assert problem(await payer.pay("i1", Authorization="Bearer x")) == "unauthenticated"


@pytest.mark.parametrize(("body", "code"), [(b"", "malformed_json"), (b'{"amount_minor": 1}', "invalid_request")])
async def test_nobody_says_how_much_is_paid(payer: Payer, body: bytes, code: str) -> None:
    assert problem(await payer.pay(body=body)) == code
    assert kinds(await payer.pay()) == ["PaymentSucceeded", "InvoiceCollected"]
