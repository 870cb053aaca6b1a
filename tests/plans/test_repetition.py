"""The same command twice is one fact: a repeated key gives the original answer, byte for byte (DOMAIN 6)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from contracts.problems import PROBLEMS
from tests.chassis.tokens import Issuer
from tests.plans.given import BOOK_FILE
from tests.plans.portal import EDIT, Answer, Customer, SetClock, bundle_of, done, plans_service, problem

issuer = Issuer()
clock = SetClock()
Service = Callable[[], AbstractAsyncContextManager[Customer]]
KEY = {"Idempotency_Key": "key-1"}


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Starts the service, each time on the same folder."""
    folder = tmp_path_factory.mktemp("plans")
    return lambda: plans_service(folder, issuer, clock)


@pytest.fixture
async def customer(service: Service) -> AsyncIterator[Customer]:
    async with service() as customer:
        yield customer


def same(first: Answer, second: Answer) -> None:
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert [first.headers[name] for name in ("etag", "billing-position")] == [
        second.headers[name] for name in ("etag", "billing-position")
    ]


async def test_a_repeated_start_is_one_plan(customer: Customer) -> None:
    first, second = [await customer.start(**KEY) for _ in range(2)]
    same(first, second)
    assert bundle_of(done(await customer.start(Idempotency_Key="key-2"))) != bundle_of(done(first))
    assert bundle_of(done(await customer.start())) != bundle_of(done(await customer.start()))


async def test_a_repeated_change_is_one_change_whatever_happened_since(customer: Customer) -> None:
    bundle = await customer.begun(quantity=3)
    first = await customer.change(bundle, "edit", {"quantity": 4}, '"0"', **KEY)
    await customer.done(bundle, "edit", {"quantity": 6})
    await customer.done(bundle, "cancel", {"reason": "other"})
    same(first, await customer.change(bundle, "edit", {"quantity": 4}, '"0"', **KEY))
    same(first, await customer.change(bundle, "edit", {"quantity": 4}, "*", **KEY))


async def test_a_repetition_of_several_events_gives_them_all(customer: Customer) -> None:
    bundle = await customer.begun()
    await customer.done(bundle, "capacities", {"sku": "storage_30", "quantity": 1})
    body = {"reason": "other", "cascade": True}
    first = await customer.change(bundle, "cancel", body, **KEY)
    await customer.done(bundle, "reinstate", {})
    same(first, await customer.change(bundle, "cancel", body, **KEY))
    assert len(done(first)["events"]) == 2


async def test_a_repetition_after_a_restart_gives_the_original_answer(service: Service) -> None:
    async with service() as customer:
        started = await customer.start(**KEY)
        bundle = bundle_of(done(started))
        edited = await customer.change(bundle, "edit", {"quantity": 6}, '"0"', **KEY)
        await customer.done(bundle, "discard-pending-change", {})
    async with service() as customer:
        same(started, await customer.start(**KEY))
        same(edited, await customer.change(bundle, "edit", {"quantity": 6}, '"0"', **KEY))
        assert done(await customer.change(bundle, "edit", {"quantity": 5}, '"2"'))["revision"] == 3


async def test_a_repetition_after_the_quote_expired_gives_the_original_answer(customer: Customer) -> None:
    bundle = await customer.begun(quantity=3)
    token = done(await customer.quote(bundle, "edit", {"quantity": 4}))["token"]
    body = {"quantity": 4, "quote_token": token}
    first = await customer.change(bundle, "edit", body, None, **KEY)
    clock.at += timedelta(hours=1)
    same(first, await customer.change(bundle, "edit", body, None, **KEY))
    same(first, await customer.change(bundle, "edit", {"quantity": 4}, "*", **KEY))


async def test_a_repeated_start_gives_the_original_answer_when_the_product_is_sold_no_more(customer: Customer) -> None:
    first = await customer.start(**KEY)
    today = clock.now().date().isoformat().encode()
    book = BOOK_FILE.read_bytes().replace(b'"2025-01-01"', b'"' + today + b'"')
    retired = book.replace(b'"sales_only": false, "retired": false', b'"sales_only": false, "retired": true')
    done(await customer.publish(2, retired))
    assert problem(await customer.start()) == "product_retired"
    same(first, await customer.start(**KEY))


async def test_a_key_used_for_another_request_is_refused(customer: Customer) -> None:
    bundle = bundle_of(done(await customer.start(**KEY)))
    assert problem(await customer.start(quantity=8, **KEY)) == "idempotency_key_reused"
    await customer.change(bundle, "edit", {"quantity": 8}, **KEY)
    assert problem(await customer.change(bundle, "edit", {"quantity": 7}, **KEY)) == "idempotency_key_reused"
    assert problem(await customer.change(bundle, "discard-pending-change", {}, **KEY)) == "idempotency_key_reused"


async def test_a_key_is_its_callers_and_its_plans_own(customer: Customer) -> None:
    first, second = await customer.begun(), await customer.begun()
    done(await customer.change(first, "edit", {"quantity": 8}, **KEY))
    done(await customer.change(second, "edit", {"quantity": 7}, **KEY))
    colleague = customer.as_other(acme=EDIT)
    assert done(await colleague.change(first, "edit", {"quantity": 6}, **KEY))["revision"] == 2


async def test_a_refused_command_may_be_sent_again_with_its_key(customer: Customer) -> None:
    bundle = await customer.begun()
    assert problem(await customer.change(bundle, "reinstate", {}, **KEY)) == "not_cancelled"
    await customer.done(bundle, "cancel", {"reason": "other"})
    done(await customer.change(bundle, "reinstate", {}, **KEY))


@pytest.mark.parametrize("key", ["", " ", "two words", "x" * 129, "tab\tkey", "ünser"])
async def test_a_key_is_visible_ascii(customer: Customer, key: str) -> None:
    answer = await customer.http.post(
        "/api/v1/accounts/acme/plans",
        json={"sku": "workplace_pro", "quantity": 1, "cycle": "monthly"},
        headers={b"Authorization": f"Bearer {customer.token}".encode(), b"Idempotency-Key": key.encode()},
    )
    assert problem(answer) == "idempotency_key_invalid"


async def test_the_same_command_many_times_at_once_is_one_fact(customer: Customer) -> None:
    bundle = await customer.begun(quantity=3)
    answers = await asyncio.gather(*(customer.change(bundle, "edit", {"quantity": 4}, **KEY) for _ in range(20)))
    assert {a.content for a in answers if a.status_code == 200} == {
        (await customer.change(bundle, "edit", {"quantity": 4}, **KEY)).content
    }
    assert {problem(answer) for answer in answers if answer.status_code != 200} <= {"command_in_flight"}
    assert PROBLEMS["command_in_flight"].status == 409
    assert done(await customer.change(bundle, "edit", {"quantity": 5}, '"1"'))["revision"] == 2


async def test_many_editors_at_once_each_get_their_turn(customer: Customer) -> None:
    bundle = await customer.begun()
    answers = await asyncio.gather(
        *(customer.change(bundle, "assign-licence", {"assignee": f"person-{n}"}) for n in range(12))
    )
    codes = sorted(problem(answer) for answer in answers if answer.status_code != 200)
    assert codes == ["all_licences_assigned"] * 3
    assert sorted(done(answer)["revision"] for answer in answers if answer.status_code == 200) == list(range(1, 10))
