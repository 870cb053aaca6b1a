"""What is kept of persons lies beside the log and can be erased, whatever the events around it go on to say."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contracts.account_actions import PRIVILEGES, BillingRole
from contracts.plan_actions import Privilege
from tests.chassis.tokens import Issuer
from tests.plans.portal import Customer, SetClock, done, plans_service, problem
from tests.plans.test_billing_management import CONTACT, operator, page, post, put

SAID = "Ada Lovelace leaves, ask ada@acme.example"
CANCEL = {"reason": "other", "comment": SAID}
_NUMBERS = count()


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Customer, Path]]:
    folder = tmp_path_factory.mktemp("erasure")
    async with plans_service(folder, Issuer(), SetClock()) as customer:
        yield customer, folder


@pytest.fixture
async def owner(service: tuple[Customer, Path]) -> Customer:
    account_id = f"erased-{next(_NUMBERS)}"
    owner = service[0].as_other(account_id, **{account_id: list(PRIVILEGES[BillingRole.OWNER])})
    done(await owner.open())
    return owner


async def comment_of(owner: Customer, name: str) -> Any:
    return await owner.send("GET", f"/accounts/{owner.account_id}/comments/{name}")


async def cancelled(owner: Customer, bundle: str, **headers: str) -> str:
    """What the event has for the words."""
    answer = done(await owner.change(bundle, "cancel", CANCEL, **headers))
    name: str = answer["events"][0]["data"]["comment"]
    return name


async def test_after_it_neither_contacts_nor_comments_are_there(owner: Customer) -> None:
    done(await put(owner, "contacts/bill_to", CONTACT))
    done(await put(owner, "contacts/extra_2", CONTACT))
    name = await cancelled(owner, await owner.begun())
    assert done(await comment_of(owner, name)) == {"comment": name, "text": SAID}
    (event,) = done(await post(owner, "erase-personal-data"))["events"]
    assert (event["type"], event["data"]) == ("plans.PersonalDataErased", {"contacts": ["bill_to", "extra_2"]})
    assert (await page(owner))["contacts"] == []
    assert problem(await comment_of(owner, name)) == "comment_not_found"


async def test_the_same_again_records_nothing(owner: Customer) -> None:
    assert done(await post(owner, "erase-personal-data"))["events"] == []
    done(await put(owner, "contacts/bill_to", CONTACT))
    first = done(await post(owner, "erase-personal-data", Idempotency_Key="k"))
    assert done(await post(owner, "erase-personal-data", Idempotency_Key="k")) == first
    assert done(await post(owner, "erase-personal-data"))["events"] == []


async def test_a_cancellation_that_is_sent_again_brings_nothing_back(owner: Customer) -> None:
    bundle = await owner.begun()
    name = await cancelled(owner, bundle, Idempotency_Key="k")
    done(await post(owner, "erase-personal-data"))
    assert await cancelled(owner, bundle, Idempotency_Key="k") == name
    assert problem(await comment_of(owner, name)) == "comment_not_found"


async def test_the_same_words_later_are_said_anew(owner: Customer) -> None:
    bundle = await owner.begun()
    name = await cancelled(owner, bundle)
    done(await post(owner, "erase-personal-data"))
    await owner.done(bundle, "reinstate", {})
    again = await cancelled(owner, bundle)
    assert again != name
    assert done(await comment_of(owner, again))["text"] == SAID


async def test_nothing_of_it_is_in_a_file_of_the_service_even_before(
    owner: Customer, service: tuple[Customer, Path]
) -> None:
    """But for the records themselves, which lose it to the byte."""
    done(await put(owner, "contacts/bill_to", {**CONTACT, "name": "Grace Hopper"}))
    await cancelled(owner, await owner.begun())

    def found_in() -> set[str]:
        files = [each for each in (service[1] / "data").iterdir() if each.is_file()]
        words = (b"Grace", b"Lovelace")
        return {each.name for each in files if any(word in each.read_bytes() for word in words)}

    assert found_in() == {"personal.sqlite3"}
    for each in range(next(_NUMBERS)):
        account_id = f"erased-{each}"
        held = {account_id: list(PRIVILEGES[BillingRole.OWNER])}
        await post(owner.as_other(account_id, **held), "erase-personal-data")
    assert found_in() == set()


async def test_a_quote_of_a_cancellation_binds_its_words(owner: Customer) -> None:
    bundle = await owner.begun()
    token = done(await owner.quote(bundle, "cancel", CANCEL))["token"]
    other = {**CANCEL, "comment": "Something else"}
    assert problem(await owner.change(bundle, "cancel", {**other, "quote_token": token}, None)) == "quote_forged"
    done(await owner.change(bundle, "cancel", {**CANCEL, "quote_token": token}, None))


async def test_who_may_edit_information_erases_it_and_a_legal_hold_keeps_it(owner: Customer) -> None:
    done(await put(owner, "contacts/bill_to", CONTACT))
    name = await cancelled(owner, await owner.begun())
    viewer = owner.as_other(owner.account_id, **{owner.account_id: [Privilege.INFORMATION_READ]})
    stranger = owner.as_other(owner.account_id, other=list(PRIVILEGES[BillingRole.OWNER]))
    assert problem(await post(viewer, "erase-personal-data")) == "forbidden"
    assert problem(await post(stranger, "erase-personal-data")) == "account_not_found"
    assert problem(await comment_of(stranger, name)) == "account_not_found"
    done(await post(operator(owner), "holds/place", {"hold": "legal"}))
    assert problem(await post(owner, "erase-personal-data")) == "account_on_hold"
    done(await post(operator(owner), "holds/lift", {"hold": "legal"}))
    done(await post(operator(owner), "holds/place", {"hold": "contract"}))
    done(await post(owner, "erase-personal-data"))
