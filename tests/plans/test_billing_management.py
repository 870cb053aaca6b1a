"""Billing Management over HTTP: contacts, how an account pays, roles and holds (DOMAIN 1, 6, B5, B17, B18)."""

import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contracts.account_actions import PRIVILEGES, BillingRole
from contracts.billing_management import ContactBody
from contracts.plan_actions import Privilege
from tests.chassis.tokens import Issuer
from tests.plans.portal import Customer, SetClock, done, plans_service, problem

INFORMATION = [Privilege.INFORMATION_READ, Privilege.INFORMATION_EDIT]
OWNER = list(PRIVILEGES[BillingRole.OWNER])
CONTACT: dict[str, Any] = {
    "name": "Ada Example",
    "company": "Acme Inc.",
    "mail": "ada@acme.example",
    "address": {"street": ["1 Main St"], "postal_code": "10001", "city": "New York", "region": "NY", "country": "US"},
}


@pytest.fixture
async def owner(customer: Customer) -> Customer:
    """Of an account of their own for each test."""
    account_id = f"account-{next(_NUMBERS)}"
    owner = customer.as_other(account_id, **{account_id: OWNER})
    done(await owner.open())
    return owner


_NUMBERS = count()


def operator(customer: Customer) -> Customer:
    return customer.as_other(customer.account_id, **{"*": [Privilege.HOLD_EDIT, Privilege.AUDIT_READ]})


async def put(customer: Customer, path: str, body: Any, **headers: str) -> Any:
    return await customer.send("PUT", f"/accounts/{customer.account_id}/{path}", body, **headers)


async def post(customer: Customer, path: str, body: Any = None, **headers: str) -> Any:
    return await customer.send("POST", f"/accounts/{customer.account_id}/{path}", body or {}, **headers)


async def page(customer: Customer) -> dict[str, Any]:
    return done(await customer.send("GET", f"/accounts/{customer.account_id}/billing"))


async def test_the_page_shows_the_account_as_it_is(owner: Customer) -> None:
    done(await put(owner, "contacts/sold_to", CONTACT))
    done(await put(owner, "contacts/bill_to", {**CONTACT, "name": "Bill"}))
    done(await put(owner, "payment-method", {"token": "pm-1"}))
    shown = await page(owner)
    assert (shown["currency"], shown["time_zone"], shown["payment_token"]) == ("USD", "America/New_York", "pm-1")
    assert [(each["contact"], each["name"]) for each in shown["contacts"]] == [
        ("bill_to", "Bill"),
        ("sold_to", "Ada Example"),
    ]
    assert shown["contacts"][1] == {**CONTACT, "contact": "sold_to"}
    assert shown["revision"] == 3


async def test_no_personal_data_is_in_an_event(owner: Customer) -> None:
    answer = await put(owner, "contacts/bill_to", CONTACT)
    (event,) = done(answer)["events"]
    assert event["type"] == "plans.BillingContactChanged"
    assert set(event["data"]) == {"contact", "record"}
    assert not any(word in answer.text for word in ("Ada", "acme.example", "Main", "10001"))


async def test_a_contact_is_changed_and_the_same_again_records_nothing(owner: Customer) -> None:
    done(await put(owner, "contacts/bill_to", CONTACT))
    assert done(await put(owner, "contacts/bill_to", CONTACT))["events"] == []
    changed = {**CONTACT, "mail": "new@acme.example"}
    done(await put(owner, "contacts/bill_to", changed))
    assert (await page(owner))["contacts"] == [{**changed, "contact": "bill_to"}]


async def test_a_repeated_change_gives_the_first_answer_and_brings_nothing_back(owner: Customer) -> None:
    first = await put(owner, "contacts/bill_to", CONTACT, Idempotency_Key="k")
    done(await put(owner, "contacts/bill_to", {**CONTACT, "name": "Eve"}))
    again = await put(owner, "contacts/bill_to", CONTACT, Idempotency_Key="k")
    assert again.content == first.content
    assert problem(await put(owner, "contacts/bill_to", {**CONTACT, "name": "Bob"}, Idempotency_Key="k")) == (
        "idempotency_key_reused"
    )
    assert [each["name"] for each in (await page(owner))["contacts"]] == ["Eve"]


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[tuple[Customer, Path]]:
    """A service with one account, and the file of its personal records."""
    async with plans_service(tmp_path, Issuer(), SetClock()) as customer:
        owner = customer.as_other("acme", acme=OWNER)
        yield owner, tmp_path / "data" / "personal.sqlite3"


async def test_what_is_replaced_removed_or_refused_is_erased_to_the_byte(alone: tuple[Customer, Path]) -> None:
    owner, file = alone
    done(await put(owner, "contacts/bill_to", {**CONTACT, "name": "First"}, Idempotency_Key="k"))
    done(await put(owner, "contacts/bill_to", {**CONTACT, "name": "Second"}))
    done(await put(owner, "contacts/bill_to", {**CONTACT, "name": "First"}, Idempotency_Key="k"))
    assert problem(await put(owner, "contacts/sold_to", CONTACT, If_Match='"0"')) == "revision_stale"
    assert b"Second" in file.read_bytes()
    assert not any(word in file.read_bytes() for word in (b"First", b"Ada"))
    done(await post(owner, "contacts/bill_to/remove"))
    assert b"Second" not in file.read_bytes()
    assert (await page(owner))["contacts"] == []
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (0,)
    stored = b"".join(each.read_bytes() for each in file.parent.iterdir())
    assert not any(word in stored for word in (b"First", b"Second", b"acme.example"))
    said = ContactBody.model_validate_json(json.dumps({**CONTACT, "name": "First"})).model_dump_json()
    guessed = hashlib.sha256(f"contact bill_to {said}".encode()).hexdigest()[:32]
    assert guessed.encode() not in stored  # who guesses the contact finds no digest that proves it


async def test_a_contact_that_is_not_there_cannot_be_removed(owner: Customer) -> None:
    assert problem(await post(owner, "contacts/bill_to/remove")) == "contact_not_found"


@pytest.mark.parametrize(
    "name", ["Robert'); DROP TABLE records;--", "<script>alert(1)</script>", "&lt;b&gt;", "李明", "🎉"]
)
async def test_what_looks_like_a_script_is_a_name(owner: Customer, name: str) -> None:
    done(await put(owner, "contacts/extra_1", {**CONTACT, "name": name}))
    assert (await page(owner))["contacts"][0]["name"] == name


BAD_CONTACTS: dict[str, dict[str, Any]] = {
    "no name": {"name": ""},
    "a blank name": {"name": "  \t"},
    "a long name": {"name": "x" * 201},
    "a name with a control character": {"name": "a\x00b"},
    "a name of two lines": {"name": "a\nb"},
    "a name that is a number": {"name": 5},
    "no mail": {"mail": ""},
    "a mail without a domain": {"mail": "ada"},
    "a mail without a dot": {"mail": "ada@acme"},
    "a mail with a space": {"mail": "a da@acme.example"},
    "a mail with a second header": {"mail": "ada@acme.example\nBcc: all@acme.example"},
    "two mails": {"mail": "a@acme.example,b@acme.example"},
    "a long mail": {"mail": f"{'x' * 64}@{'y.' * 120}example"},
    "no address": {"address": None},
    "a country in words": {"address": {**CONTACT["address"], "country": "USA"}},
    "no street": {"address": {**CONTACT["address"], "street": []}},
    "four lines of street": {"address": {**CONTACT["address"], "street": ["a"] * 4}},
    "an unknown member": {"telephone": "1"},
}


@pytest.mark.parametrize("different", BAD_CONTACTS.values(), ids=BAD_CONTACTS)
async def test_a_contact_that_is_none_is_refused(owner: Customer, different: dict[str, Any]) -> None:
    answer = await put(owner, "contacts/bill_to", {**CONTACT, **different})
    assert problem(answer) == "invalid_request"
    assert (await page(owner))["contacts"] == []


@pytest.mark.parametrize("contact", ["extra_0", "extra_10", "BILL_TO", "boss", "x" * 200])
async def test_there_are_so_many_contacts_and_no_more(owner: Customer, contact: str) -> None:
    assert problem(await put(owner, f"contacts/{contact}", CONTACT)) == "contact_not_found"


async def test_who_may_not_see_or_edit_billing_does_not(owner: Customer) -> None:
    account_id = owner.account_id
    reader = owner.as_other(account_id, **{account_id: [Privilege.INFORMATION_READ]})
    other = owner.as_other(account_id, **{account_id: [Privilege.SUBSCRIPTION_READ, Privilege.SUBSCRIPTION_EDIT]})
    assert {each["reason"] for each in (await page(reader))["allowed_actions"].values()} == {"forbidden"}
    assert problem(await other.send("GET", f"/accounts/{account_id}/billing")) == "forbidden"
    for nobody in (reader, other):
        assert problem(await put(nobody, "contacts/bill_to", CONTACT)) == "forbidden"
        assert problem(await post(nobody, "contacts/bill_to/remove")) == "forbidden"
        assert problem(await put(nobody, "roles/user-2", {"role": "viewer"})) == "forbidden"
        assert problem(await post(nobody, "roles/user-2/revoke")) == "forbidden"
        assert problem(await put(nobody, "payment-method", {"token": "pm"})) == "forbidden"
    assert problem(await post(owner, "holds/place", {"hold": "contract"})) == "forbidden"
    assert problem(await post(owner, "holds/lift", {"hold": "contract"})) == "forbidden"


REQUESTS = [
    ("GET", "billing", None),
    ("PUT", "contacts/bill_to", CONTACT),
    ("POST", "contacts/bill_to/remove", {}),
    ("PUT", "roles/user-2", {"role": "viewer"}),
    ("POST", "roles/user-2/revoke", {}),
    ("POST", "holds/place", {"hold": "contract"}),
]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS, ids=[path for _, path, _ in REQUESTS])
async def test_another_account_answers_as_an_absent_one(owner: Customer, method: str, path: str, body: Any) -> None:
    stranger = owner.as_other(globex=OWNER)
    theirs = await stranger.send(method, f"/accounts/{owner.account_id}/{path}", body, X_Correlation_Id="same")
    absent = await stranger.send(method, f"/accounts/nobody/{path}", body, X_Correlation_Id="same")
    assert problem(theirs) == "account_not_found"
    assert (theirs.headers, theirs.content) == (absent.headers, absent.content)


async def test_the_page_is_shown_as_it_was_at_a_position_but_for_what_is_erased(owner: Customer) -> None:
    done(await put(owner, "contacts/sold_to", CONTACT))
    done(await put(owner, "contacts/bill_to", CONTACT))
    then = done(await put(owner, "roles/user-2", {"role": "viewer"}))["position"].partition(":")[2]
    shown = await page(owner)
    done(await put(owner, "contacts/bill_to", {**CONTACT, "name": "Bill"}))
    done(await put(owner, "roles/user-2", {"role": "owner"}))
    done(await post(owner, "contacts/sold_to/remove"))
    address = f"/accounts/{owner.account_id}/billing?position="
    assert done(await owner.send("GET", f"{address}{then}&on=2026-06-01")) == {**shown, "contacts": []}
    assert (await page(owner))["roles"] == [{"subject": "user-2", "role": "owner"}]
    assert problem(await owner.send("GET", f"{address}0")) == "account_not_found"
    assert problem(await owner.send("GET", f"{address}soon")) == "invalid_request"


async def test_an_account_that_was_never_opened_has_no_billing(customer: Customer) -> None:
    everywhere = [*OWNER, Privilege.HOLD_EDIT]
    root = customer.as_other("never-opened", **{"*": everywhere})
    for method, path, body in REQUESTS:
        assert problem(await root.send(method, f"/accounts/never-opened/{path}", body)) == "account_not_found"


# Roles


async def test_a_role_is_granted_changed_and_revoked(owner: Customer) -> None:
    done(await put(owner, "roles/user-olive", {"role": "owner"}))
    done(await put(owner, "roles/user-victor", {"role": "viewer"}))
    assert done(await put(owner, "roles/user-victor", {"role": "viewer"}))["events"] == []
    done(await put(owner, "roles/user-victor", {"role": "auditor"}))
    assert (await page(owner))["roles"] == [
        {"subject": "user-olive", "role": "owner"},
        {"subject": "user-victor", "role": "auditor"},
    ]
    (event,) = done(await post(owner, "roles/user-victor/revoke"))["events"]
    assert event["data"] == {"subject": "user-victor", "role": "auditor"}
    assert problem(await post(owner, "roles/user-victor/revoke")) == "role_not_found"


async def test_the_last_editor_stays_one(owner: Customer) -> None:
    """DOMAIN B17: not even they themselves take it from them."""
    done(await put(owner, "roles/user-olive", {"role": "owner"}))
    done(await put(owner, "roles/user-victor", {"role": "viewer"}))
    assert problem(await post(owner, "roles/user-olive/revoke")) == "last_editor"
    assert problem(await put(owner, "roles/user-olive", {"role": "viewer"})) == "last_editor"
    done(await put(owner, "roles/user-olive", {"role": "editor"}))
    done(await put(owner, "roles/user-nora", {"role": "editor"}))
    done(await post(owner, "roles/user-olive/revoke"))
    assert problem(await post(owner, "roles/user-nora/revoke")) == "last_editor"


async def test_nobody_gives_what_they_do_not_have(owner: Customer) -> None:
    editor = owner.as_other(owner.account_id, **{owner.account_id: list(PRIVILEGES[BillingRole.EDITOR])})
    done(await put(editor, "roles/user-nora", {"role": "editor"}))
    assert problem(await put(editor, "roles/user-nora", {"role": "owner"})) == "forbidden"
    assert problem(await put(editor, "roles/user-aude", {"role": "auditor"})) == "forbidden"


@pytest.mark.parametrize("body", [{}, {"role": "king"}, {"role": None}, {"role": "viewer", "until": "2027-01-01"}])
async def test_a_role_is_one_there_is(owner: Customer, body: Any) -> None:
    assert problem(await put(owner, "roles/user-2", body)) == "invalid_request"


async def test_the_identity_provider_reads_the_roles_of_a_subject(owner: Customer) -> None:
    subject = f"user-{owner.account_id}"
    await put(owner, "roles/user-keeps-it", {"role": "owner"})
    service = operator(owner)
    assert done(await service.send("GET", f"/roles?subject={subject}"))["roles"] == {}
    done(await put(owner, f"roles/{subject}", {"role": "editor"}))
    assert done(await service.send("GET", f"/roles?subject={subject}"))["roles"] == {owner.account_id: "editor"}
    done(await post(owner, f"roles/{subject}/revoke"))
    assert done(await service.send("GET", f"/roles?subject={subject}"))["roles"] == {owner.account_id: None}
    assert problem(await owner.send("GET", f"/roles?subject={subject}")) == "forbidden"
    assert problem(await replace(owner, token="x").send("GET", f"/roles?subject={subject}")) == "unauthenticated"
    assert problem(await service.send("GET", "/roles")) == "invalid_request"


# Holds


@pytest.mark.parametrize(("hold", "code"), [("contract", "contract_managed"), ("legal", "account_on_hold")])
async def test_a_hold_stops_self_service_until_it_is_lifted(owner: Customer, hold: str, code: str) -> None:
    """DOMAIN B5. That a button is grey and the command refused is one rule (B18)."""
    bundle = await owner.begun()
    done(await post(operator(owner), "holds/place", {"hold": hold}))
    assert done(await post(operator(owner), "holds/place", {"hold": hold}))["events"] == []
    for change, body in (("edit", {"quantity": 8}), ("cancel", {"reason": "other"})):
        assert problem(await owner.change(bundle, change, body)) == code
        assert problem(await owner.quote(bundle, change, body)) == code
    assert problem(await owner.start()) == code
    assert problem(await put(owner, "contacts/bill_to", CONTACT)) == code
    assert problem(await put(owner, "payment-method", {"token": "pm-2"})) == code
    shown = await page(owner)
    assert shown["holds"] == [{"hold": hold, "invoice_id": None, "amount_minor": None}]
    reasons = {name: each["reason"] for name, each in shown["allowed_actions"].items()}
    assert reasons == {
        "change_contact": code,
        "erase_personal_data": code if hold == "legal" else None,
        "change_payment_method": code,
        "grant_role": None,
        "revoke_role": None,
        "place_hold": "forbidden",
        "lift_hold": "forbidden",
        "set_tax_jurisdiction": "forbidden",
    }
    done(await put(owner, "roles/user-2", {"role": "viewer"}))  # access can be given and taken away at any time
    done(await post(operator(owner), "holds/lift", {"hold": hold}))
    assert done(await post(operator(owner), "holds/lift", {"hold": hold}))["events"] == []
    await owner.done(bundle, "edit", {"quantity": 8})
    done(await put(owner, "contacts/bill_to", CONTACT))
    assert (await page(owner))["allowed_actions"]["change_contact"]["allowed"]


@pytest.mark.parametrize("body", [{"hold": "unpaid"}, {"hold": "none"}, {}, {"hold": "legal", "why": "?"}])
async def test_only_holds_of_ours_are_placed_by_command(owner: Customer, body: Any) -> None:
    assert problem(await post(operator(owner), "holds/place", body)) == "invalid_request"
    assert problem(await post(operator(owner), "holds/lift", body)) == "invalid_request"
