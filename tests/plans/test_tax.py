"""A quote's tax is the tax of the invoice that follows: both compute it by one function (DOMAIN M10, B19)."""

import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import Envelope
from contracts.money import Currency
from contracts.plan_actions import Privilege
from contracts.renewals import Invoice, InvoiceDrafted
from contracts.tax import table_in
from contracts.terms import Cycle
from deploy.local.launcher import TAX_RATES
from services.renewals.account import AccountRenewals, evolve
from services.renewals.policy import decided, steps_for
from tests.chassis.tokens import Issuer
from tests.plans.given import catalogue_of, nothing, published, start, with_product
from tests.plans.portal import (
    EDIT,
    JUNE_1_IN_NEW_YORK,
    Answer,
    Customer,
    SetClock,
    bundle_of,
    done,
    plans_service,
    problem,
)
from tests.plans.test_quotes_api import CHANGES, Step

issuer = Issuer()
TEXAS = {"currency": "USD", "time_zone": "America/New_York", "tax_jurisdiction": "US-TX"}
RATES = table_in(TAX_RATES)
_NUMBERS = count()


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Customer]:
    folder: Path = tmp_path_factory.mktemp("plans")
    async with plans_service(folder, issuer, SetClock(), tax_rates=TAX_RATES) as customer:
        yield customer


@pytest.fixture
async def customer(service: Customer) -> Customer:
    """Of an account of their own, in Texas since June 1."""
    service.clock.at = JUNE_1_IN_NEW_YORK
    account_id = f"taxed-{next(_NUMBERS)}"
    customer = service.as_other(account_id, **{account_id: EDIT})
    customer.opened = done(await customer.open(TEXAS))  # type: ignore[attr-defined]
    return customer


class Renewals:
    """What renewals make of the answers of plans, one account's."""

    def __init__(self) -> None:
        self.account: AccountRenewals | None = None

    def hear(self, answer: dict[str, Any], customer: Customer) -> list[Invoice]:
        """The invoices of what was recorded."""
        on = customer.clock.at.date()
        recorded = []
        for told in answer["events"]:
            metadata = {"account_id": customer.account_id, "effective_on": on.isoformat()}
            event = Envelope(
                1, answer["stream"], told["revision"], told["event_id"], told["type"], 1, metadata, told["data"]
            )
            for each in decided(steps_for(event, RATES), self.account, on):
                self.account = evolve(self.account, each, on)
                recorded.append(each)
        return [each.invoice for each in recorded if isinstance(each, InvoiceDrafted)]


def tax_of(invoices: list[Invoice]) -> list[dict[str, Any]]:
    return [tax.model_dump(mode="json") for invoice in invoices for tax in invoice.taxes]


@pytest.mark.parametrize(("before", "step"), CHANGES.values(), ids=CHANGES)
async def test_the_tax_that_was_quoted_is_on_the_invoice(customer: Customer, before: list[Step], step: Step) -> None:
    renewals = Renewals()
    renewals.hear(customer.opened, customer)  # type: ignore[attr-defined]
    started = done(await customer.start(quantity=5))
    renewals.hear(started, customer)
    bundle = bundle_of(started)
    customer.clock.at += timedelta(days=10)
    for change, body in before:
        renewals.hear(await customer.done(bundle, change, body), customer)
    change, body = step
    quote = done(await customer.quote(bundle, change, body))
    answer = await customer.change(bundle, change, {**body, "quote_token": quote["token"]}, None)
    invoices = renewals.hear(done(answer), customer)
    assert quote["taxes"] == tax_of(invoices)
    assert quote["total_minor"] == sum(invoice.total_minor for invoice in invoices)


async def test_an_edit_of_a_later_day_is_quoted_with_the_tax_of_that_day(customer: Customer) -> None:
    """3 × 16.99 for 16 of 30 days: 27.18; at 6.60 %: 1.79388."""
    bundle = bundle_of(done(await customer.start(quantity=5)))
    later = done(await customer.quote(bundle, "edit", {"quantity": 8, "effective_on": "2026-06-15"}))["due_later"]
    assert (later["on"], later["money"]["net_minor"], later["total_minor"]) == ("2026-06-15", 2718, 2718 + 179)
    assert [(tax["rate_bp"], tax["tax_minor"]) for tax in later["taxes"]] == [(660, 179)]


async def test_phones_are_taxed_as_phones(customer: Customer) -> None:
    """8 × 15.00 at 11.05 % telephony in Texas: 13.26. Nine Pro, 152.91 at 6.60 %: 10.09206."""
    phones = {"sku": "phone_us_unlimited", "quantity": 8, "cycle": "monthly"}
    (tax,) = done(await customer.quote_start(phones))["taxes"]
    assert tax == {
        "code": "telephony",
        "rate_bp": 1105,
        "net_minor": 12_000,
        "tax_minor": 1326,
        "jurisdiction": "US-TX",
    }
    quote = done(await customer.quote_start({"sku": "workplace_pro", "quantity": 9, "cycle": "monthly"}))
    assert (quote["due_now"]["net_minor"], quote["total_minor"]) == (15_291, 15_291 + 1_009)


async def test_a_quote_holds_only_while_its_tax_does(tmp_path: Path) -> None:
    """An operator has put other rates into the table meanwhile, from a day that has begun."""
    table = tmp_path / "rates.json"
    clock = SetClock()
    tokens = []
    for rate_bp in (660, 700):
        rates = {"US-TX": {"standard": [{"valid_from": "2020-01-01", "rate_bp": rate_bp}]}}
        table.write_text(json.dumps({"jurisdictions": rates}))
        async with plans_service(tmp_path, issuer, clock, tax_rates=table) as service:
            customer = service.as_other("taxed", taxed=EDIT)
            done(await customer.open(TEXAS))
            answer = await customer.start(more={"quote_token": tokens[0]}) if tokens else None
            quoted = {"sku": "workplace_pro", "quantity": 9, "cycle": "monthly"}
            tokens.append(done(await customer.quote_start(quoted))["token"])
    assert answer is not None
    assert problem(answer) == "quote_stale"
    assert answer.json()["quote"]["taxes"][0]["rate_bp"] == 700


def test_a_term_that_is_renewed_is_taxed_as_the_book_of_its_first_day_says() -> None:
    line = nothing().when(start()).happened().known().base
    book = published(2, date(2026, 7, 1), products=with_product("workplace_pro", tax_code="telephony"))
    renewed = catalogue_of(published(), book).renewed(line, date(2026, 7, 1), Currency.USD, Cycle.MONTHLY)
    assert (line.tax_code, renewed.tax_code) == ("standard", "telephony")


def moved(customer: Customer) -> Customer:
    grants = {"*": [Privilege.TAX_EDIT], customer.account_id: EDIT}
    return customer.as_other(customer.account_id, **grants)


async def taxed_in(customer: Customer, jurisdiction: str | None, **more: Any) -> Answer:
    body = {"jurisdiction": jurisdiction, **more}
    return await moved(customer).send("PUT", f"/accounts/{customer.account_id}/tax-jurisdiction", body)


async def test_who_moves_is_taxed_there_from_the_next_day_and_a_term_as_it_began(customer: Customer) -> None:
    """And a quote of the day before is carried out as it was quoted."""
    start = {"sku": "workplace_pro", "quantity": 9, "cycle": "monthly"}
    texan = done(await customer.quote_start(start))
    assert done(await taxed_in(customer, "US-OR"))["events"][0]["data"]["effective_from"] == "2026-06-02"
    bundle = bundle_of(done(await customer.start(more={"quote_token": texan["token"]})))
    customer.clock.at += timedelta(days=1)
    (of_the_term,) = done(await customer.quote(bundle, "add-ons", {"sku": "whiteboard_plus", "quantity": 60}))["taxes"]
    assert (of_the_term["jurisdiction"], of_the_term["rate_bp"]) == ("US-TX", 660)
    (of_a_new_one,) = done(await customer.quote_start(start))["taxes"]
    assert (of_a_new_one["jurisdiction"], of_a_new_one["tax_minor"]) == ("US-OR", 0)


async def test_a_refund_gives_back_the_tax_of_what_it_gives_back(customer: Customer) -> None:
    """Nine Pro since June 1, refunded on June 11: 19 of 30 days of 152.91 are 96.84, and their tax 6.39."""
    bundle = await customer.begun()
    done(await taxed_in(customer, None))
    customer.clock.at += timedelta(days=10)
    quote = done(await customer.quote(bundle, "cancel", {"reason": "other", "refund": True}))
    assert quote["due_now"]["net_minor"] == -9684
    assert (quote["taxes"][0]["tax_minor"], quote["total_minor"]) == (-639, -10_323)


async def test_where_an_account_is_taxed_stands_on_its_page(customer: Customer) -> None:
    assert problem(await taxed_in(customer, "ATLANTIS")) == "jurisdiction_unknown"
    assert problem(await taxed_in(customer, "US-OR", effective_from="2026-06-01")) == "date_out_of_range"
    path = f"/accounts/{customer.account_id}"
    body = {"jurisdiction": "US-OR"}
    assert problem(await customer.send("PUT", f"{path}/tax-jurisdiction", body)) == "forbidden"
    done(await taxed_in(customer, "US-OR", exemption="certificate-7", effective_from="2026-07-01"))
    reader = customer.as_other(customer.account_id, **{customer.account_id: [Privilege.INFORMATION_READ]})
    shown = done(await reader.send("GET", f"{path}/billing"))["tax"]
    assert shown == [
        {"jurisdiction": "US-TX", "exemption": None, "effective_from": "2026-06-01"},
        {"jurisdiction": "US-OR", "exemption": "certificate-7", "effective_from": "2026-07-01"},
    ]
