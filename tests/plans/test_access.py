"""Who may do what where: rights, accounts that are not theirs, odd addresses, accounts and price books (DOMAIN 6)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.plan_actions import Privilege
from tests.plans.given import BOOK_FILE
from tests.plans.portal import (
    EDIT,
    NEW_YORK,
    Customer,
    done,
    problem,
)


async def test_who_may_only_look_changes_nothing(customer: Customer) -> None:
    bundle = await customer.begun()
    viewer = customer.as_other(acme=[Privilege.SUBSCRIPTION_READ])
    assert problem(await viewer.change(bundle, "edit", {"quantity": 8})) == "forbidden"
    assert problem(await viewer.quote(bundle, "edit", {"quantity": 8})) == "forbidden"
    assert problem(await viewer.start()) == "forbidden"
    assert problem(await viewer.open()) == "forbidden"
    assert problem(await replace(viewer, publisher=viewer.token).publish(2, BOOK_FILE.read_bytes())) == "forbidden"


async def test_nobody_without_a_token_learns_anything(customer: Customer) -> None:
    nobody = replace(customer, token="nobody", publisher="nobody")
    bundle = await customer.begun()
    for answer in (
        await nobody.start(),
        await nobody.change(bundle, "edit", b"not JSON"),
        await nobody.quote("absent", "edit", {}),
        await nobody.open(),
        await nobody.publish(2, {}),
    ):
        assert problem(answer) == "unauthenticated"


@pytest.mark.parametrize("change", ["edit", "cancel", "no-such-change"])
async def test_a_plan_of_another_account_cannot_be_told_from_an_absent_one(customer: Customer, change: str) -> None:
    bundle = await customer.begun()
    initech = customer.as_other("initech", initech=EDIT)
    done(await initech.open())
    body = {"reason": "other"} if change == "cancel" else {"quantity": 8}
    headers = {"X_Correlation_Id": "the-same"}
    theirs = await initech.change(bundle, change, body, '"0"', **headers)
    absent = await initech.change("0" * 20, change, body, '"0"', **headers)
    assert problem(theirs) == ("not_found" if change == "no-such-change" else "plan_not_found")
    assert (theirs.status_code, theirs.headers, theirs.content) == (404, absent.headers, absent.content)
    quoted, unquoted = [await initech.quote(b, change, body, **headers) for b in (bundle, "0" * 20)]
    assert (quoted.status_code, quoted.headers, quoted.content) == (404, unquoted.headers, unquoted.content)


async def test_another_account_cannot_be_told_from_an_absent_one(customer: Customer) -> None:
    stranger = customer.as_other("acme", initech=EDIT)
    headers = {"X_Correlation_Id": "the-same"}
    theirs = await stranger.start(**headers)
    stranger.account_id = "nobody-has-this"
    absent = await stranger.start(**headers)
    assert problem(theirs) == "account_not_found"
    assert (theirs.headers, theirs.content) == (absent.headers, absent.content)


async def test_an_account_that_was_never_opened_buys_nothing(customer: Customer) -> None:
    hooli = customer.as_other("hooli", hooli=EDIT)
    assert problem(await hooli.start()) == "account_not_found"
    assert problem(await hooli.change("0" * 20, "edit", {"quantity": 2})) in ("account_not_found", "plan_not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/acme/plans/",
        "/accounts/acme/plans//edit",
        "/accounts/acme/plans/a%2Fb/edit",
        "/accounts/acme/plans/%00/edit",
        "/accounts/acme/plans/%20/edit",
        "/accounts/acme/plans/ünser/edit",
        "/accounts/acme/plans/%ff/edit",
        f"/accounts/acme/plans/{'x' * 129}/edit",
        f"/accounts/acme/plans/{'x' * 5000}/edit",
        "/accounts/acme/plans/0000/edit/",
        "/accounts/acme/plans/0000/EDIT",
        "/accounts/acme/plans/0000/start",
        "/accounts/acme/plans/%2E%2E/plans",
        "/accounts//plans",
        "/accounts/%2A/plans",
        "/accounts/*/plans",
        "/accounts/seller/plans",
        "/accounts/acme%00/plans",
        "/accounts/ACME/plans",
    ],
)
async def test_an_odd_address_is_not_found(customer: Customer, path: str) -> None:
    body = {"sku": "workplace_pro", "quantity": 1, "cycle": "monthly"} if path.endswith("/plans") else {"quantity": 1}
    answer = await customer.send("POST", path, body, If_Match="*")
    assert problem(answer) in ("not_found", "plan_not_found", "account_not_found")


@pytest.mark.parametrize("account_id", ["*", "%2A", "seller"])
async def test_who_may_everything_everywhere_opens_no_account_that_is_none(customer: Customer, account_id: str) -> None:
    root = customer.as_other(account_id, **{"*": [*EDIT, Privilege.CATALOGUE_EDIT]})
    assert problem(await root.open()) == "account_not_found"
    assert problem(await root.start()) == "account_not_found"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"currency": "EUR", "time_zone": "America/New_York"}, "account_exists"),
        ({"currency": "USD", "time_zone": "Atlantis/Capital"}, "time_zone_unknown"),
        ({"currency": "USD", "time_zone": "../../etc/passwd"}, "time_zone_unknown"),
        ({"currency": "USD", "time_zone": "x" * 65}, "invalid_request"),
        ({"currency": "DEM", "time_zone": "Europe/Vienna"}, "invalid_request"),
        ({"currency": "USD"}, "invalid_request"),
        ({"time_zone": "Europe/Vienna"}, "invalid_request"),
        ({**NEW_YORK, "name": "Acme Inc."}, "invalid_request"),
    ],
)
async def test_an_account_is_opened_once_and_on_terms_that_exist(
    customer: Customer, body: dict[str, Any], code: str
) -> None:
    assert problem(await customer.open(body)) == code
    assert done(await customer.open())["events"] == []


@pytest.mark.parametrize("version", ["0", "-1", "1000001", "1.5", "x", "9" * 5000])
async def test_a_version_of_a_price_book_is_a_number(customer: Customer, version: str) -> None:
    assert problem(await customer.publish(version, BOOK_FILE.read_bytes())) in ("not_found", "invalid_request")


async def test_a_price_book_that_is_none_is_refused(customer: Customer) -> None:
    book = done(await customer.publish(1, BOOK_FILE.read_bytes()))
    assert book["events"] == []
    assert problem(await customer.publish(1, BOOK_FILE.read_bytes().replace(b"1699", b"1799"))) == "price_book_exists"
    assert problem(await customer.publish(2, BOOK_FILE.read_bytes())) == "price_book_invalid"  # it begins in the past
    assert problem(await customer.publish(2, BOOK_FILE.read_bytes().replace(b"1699", b"-1"))) == "invalid_request"
    assert problem(await customer.publish(2, {"effective_from": "2026-02-30", "products": []})) == "invalid_request"
    assert problem(await customer.publish(2, b"[" * 100_000)) == "malformed_json"
