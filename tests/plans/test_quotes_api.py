"""A quote is what the commit does, and a token lets it be done only so, through HTTP (DOMAIN B19, 6)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from tests.chassis.tokens import Issuer
from tests.plans.given import BOOK_FILE
from tests.plans.portal import (
    JUNE_1_IN_NEW_YORK,
    Answer,
    Customer,
    SetClock,
    bundle_of,
    done,
    plans_service,
    problem,
)

issuer = Issuer()
Members = dict[str, Any]
START = {"sku": "workplace_pro", "quantity": 9, "cycle": "monthly"}


@pytest.fixture
async def customer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Customer]:
    async with plans_service(tmp_path_factory.mktemp("plans"), issuer, SetClock()) as customer:
        yield customer


Step = tuple[str, Members]
ASSIGN: Step = ("assign-licence", {"assignee": "ann"})
CANCELLED: Step = ("cancel", {"reason": "other"})
REFUNDED: Step = ("cancel", {"reason": "other", "refund": True})
# What was done to a plan of 5 licences, then what is quoted and done.
CHANGES: dict[str, tuple[list[Step], Step]] = {
    "an increase": ([], ("edit", {"quantity": 7})),
    "an increase over a reduction": ([("edit", {"quantity": 3})], ("edit", {"quantity": 7})),
    "a reduction": ([], ("edit", {"quantity": 3})),
    "a reduction over a reduction": ([("edit", {"quantity": 3})], ("edit", {"quantity": 2})),
    "a way back": ([("edit", {"quantity": 3})], ("edit", {"quantity": 5})),
    "a bigger product": ([], ("edit", {"sku": "workplace_business", "quantity": 10})),
    "a smaller product": ([], ("edit", {"sku": "workplace_basic"})),
    "a capacity": ([], ("capacities", {"sku": "large_meeting_500", "quantity": 2})),
    "an add-on": ([], ("add-ons", {"sku": "whiteboard_plus", "quantity": 60})),
    "a discard": ([("edit", {"quantity": 3})], ("discard-pending-change", {})),
    "the end of a capacity": (
        [("capacities", {"sku": "large_meeting_500", "quantity": 2})],
        ("cancel-line", {"line_id": "line-2"}),
    ),
    "a capacity of another size": (
        [("capacities", {"sku": "large_meeting_500", "quantity": 2})],
        ("resize-capacity", {"line_id": "line-2", "sku": "large_meeting_1000"}),
    ),
    "a line that goes on": (
        [("capacities", {"sku": "large_meeting_500", "quantity": 2}), ("cancel-line", {"line_id": "line-2"})],
        ("reinstate-line", {"line_id": "line-2"}),
    ),
    "another cycle": ([], ("change-cycle", {"cycle": "annual"})),
    "another cycle over a reduction": (
        [("edit", {"quantity": 3})],
        ("change-cycle", {"cycle": "annual", "discard_pending": True}),
    ),
    "an increase to come": ([], ("edit", {"quantity": 7, "effective_on": "2026-06-20"})),
    "a cancellation": ([], ("cancel", {"reason": "other", "comment": "Bye"})),
    "a refund": ([], REFUNDED),
    "a reinstatement": ([CANCELLED], ("reinstate", {})),
    "an assignment": ([], ASSIGN),
    "the end of an assignment": ([ASSIGN], ("unassign-licence", {"assignee": "ann"})),
}


async def on_june_11(customer: Customer, before: list[Step]) -> str:
    """A plan of 5 licences since June 1, with these steps taken on June 11."""
    customer.clock.at = JUNE_1_IN_NEW_YORK
    bundle = await customer.begun(quantity=5)
    customer.clock.at += timedelta(days=10)
    for change, body in before:
        await customer.done(bundle, change, body)
    return bundle


def check_as_quoted(quote: Members, answer: Answer) -> None:
    """The quote told the money, the coming renewal and the events that were recorded."""
    recorded = [event["data"] for event in done(answer)["events"]]
    lines = [line for data in recorded if "money" in data for line in data["money"]["lines"]]
    assert quote["due_now"]["lines"] == lines
    assert quote["due_now"]["net_minor"] == sum(data["money"]["net_minor"] for data in recorded if "money" in data)
    told = [data["next_renewal"] for data in recorded if data.get("next_renewal")]
    assert quote["next_renewal_after"] == (told[-1] if told else quote["next_renewal_before"])
    assert [f"plans.{name}" for name in quote["events"]] == [event["type"] for event in done(answer)["events"]]
    later = quote["due_later"]["on"] if quote["due_later"] else "2026-07-01"
    assert {data["effective_on"] for data in recorded if "effective_on" in data} <= {later}


@pytest.mark.parametrize("with_token", [True, False], ids=["by its token", "without it"])
@pytest.mark.parametrize(("before", "step"), CHANGES.values(), ids=CHANGES)
async def test_what_was_quoted_is_what_is_done(
    customer: Customer, before: list[Step], step: Step, with_token: bool
) -> None:
    bundle = await on_june_11(customer, before)
    change, body = step
    quote = done(await customer.quote(bundle, change, body))
    if with_token:
        answer = await customer.change(bundle, change, {**body, "quote_token": quote["token"]}, None)
    else:
        answer = await customer.change(bundle, change, body)
    assert quote["effective_on"] == "2026-06-11"
    check_as_quoted(quote, answer)


@pytest.mark.parametrize("with_token", [True, False], ids=["by its token", "without it"])
async def test_a_plan_is_started_as_it_was_quoted(customer: Customer, with_token: bool) -> None:
    quote = done(await customer.quote_start(START))
    assert (quote["next_renewal_before"], quote["due_now"]["net_minor"]) == (None, 15291)
    more = {"quote_token": quote["token"]} if with_token else {}
    check_as_quoted(quote, await customer.start(more=more))


async def test_a_quote_records_nothing(customer: Customer) -> None:
    bundle = await on_june_11(customer, [])
    for change, body in (("edit", {"quantity": 7}), REFUNDED, ASSIGN):
        done(await customer.quote(bundle, change, body))
    assert done(await customer.change(bundle, "edit", {"quantity": 7}, '"0"'))["revision"] == 1


@pytest.mark.parametrize(("before", "step"), CHANGES.values(), ids=CHANGES)
async def test_what_would_be_refused_is_refused_as_a_quote_too(
    customer: Customer, before: list[Step], step: Step
) -> None:
    bundle = await on_june_11(customer, before)
    customer.clock.at += timedelta(days=60)
    change, body = step
    refused, unquoted = await customer.change(bundle, change, body), await customer.quote(bundle, change, body)
    if refused.status_code != 200:
        assert problem(refused) == problem(unquoted)


@pytest.mark.parametrize("token", ["", "x", "a.b", "e30.e30", "x" * 4096, "\U0001f643"])
async def test_a_token_that_is_not_ours_is_forged(customer: Customer, token: str) -> None:
    bundle = await on_june_11(customer, [])
    body = {"quantity": 7, "quote_token": token}
    assert problem(await customer.change(bundle, "edit", body, None)) == "quote_forged"
    assert problem(await customer.start(more={"quote_token": token})) == "quote_forged"


async def test_a_token_is_for_one_request_on_one_plan(customer: Customer) -> None:
    bundle, other = await on_june_11(customer, []), await on_june_11(customer, [])
    token = done(await customer.quote(bundle, "edit", {"quantity": 7}))["token"]
    of_start = done(await customer.quote_start(START))["token"]
    assert problem(await customer.change(bundle, "edit", {"quantity": 8, "quote_token": token})) == "quote_forged"
    assert problem(await customer.change(other, "edit", {"quantity": 7, "quote_token": token})) == "quote_forged"
    assert problem(await customer.change(bundle, "cancel", {"reason": "other", "quote_token": token})) == "quote_forged"
    assert problem(await customer.change(bundle, "edit", {"quantity": 7, "quote_token": of_start})) == "quote_forged"
    done(await customer.change(bundle, "edit", {"quantity": 7, "quote_token": token}, None))


async def test_a_start_quoted_to_one_account_is_forged_in_another(customer: Customer) -> None:
    token = done(await customer.quote_start(START))["token"]
    globex = customer.at("globex")
    done(await globex.open())
    assert problem(await globex.start(more={"quote_token": token})) == "quote_forged"


async def test_a_quote_expires(customer: Customer) -> None:
    bundle = await on_june_11(customer, [])
    body = {"quantity": 7, "quote_token": done(await customer.quote(bundle, "edit", {"quantity": 7}))["token"]}
    customer.clock.at += timedelta(minutes=15)
    assert problem(await customer.change(bundle, "edit", body, None)) == "quote_expired"
    customer.clock.at -= timedelta(seconds=1)
    done(await customer.change(bundle, "edit", body, None))


async def stale(customer: Customer, bundle: str, body: Members) -> None:
    """The body's quote is stale; the fresh one that comes with the refusal works."""
    refused = await customer.change(bundle, "edit", body, None)
    assert problem(refused) == "quote_stale"
    fresh = refused.json()["quote"]
    check_as_quoted(fresh, await customer.change(bundle, "edit", {**body, "quote_token": fresh["token"]}, None))


async def test_a_quote_is_stale_when_the_plan_has_changed_and_the_fresh_one_works(customer: Customer) -> None:
    bundle = await on_june_11(customer, [])
    body = {"quantity": 7, "quote_token": done(await customer.quote(bundle, "edit", {"quantity": 7}))["token"]}
    await customer.done(bundle, *ASSIGN)
    await stale(customer, bundle, body)


async def test_a_quote_is_stale_on_the_next_day(customer: Customer) -> None:
    customer.clock.at = JUNE_1_IN_NEW_YORK
    bundle = await customer.begun(quantity=5)
    customer.clock.at = JUNE_1_IN_NEW_YORK.replace(day=12, hour=3, minute=59)  # a minute before midnight in New York
    body = {"quantity": 7, "quote_token": done(await customer.quote(bundle, "edit", {"quantity": 7}))["token"]}
    customer.clock.at += timedelta(minutes=1)
    await stale(customer, bundle, body)


async def test_a_quote_is_stale_when_a_new_price_book_is_in_force(customer: Customer) -> None:
    bundle = await on_june_11(customer, [])
    wish = {"sku": "workplace_business", "quantity": 10}
    body = {**wish, "quote_token": done(await customer.quote(bundle, "edit", wish))["token"]}
    dearer = BOOK_FILE.read_bytes().replace(b'"2025-01-01"', b'"2026-06-11"').replace(b"2199", b"2299")
    done(await customer.publish(2, dearer))
    refused = await customer.change(bundle, "edit", body, None)
    assert problem(refused) == "quote_stale"
    assert refused.json()["quote"]["next_renewal_after"]["amount_minor"] == 22990
    await stale(customer, bundle, body)


async def test_a_start_is_stale_on_the_next_day_and_its_fresh_quote_works(customer: Customer) -> None:
    customer.clock.at = JUNE_1_IN_NEW_YORK.replace(day=12, hour=3, minute=59)
    token = done(await customer.quote_start(START))["token"]
    customer.clock.at += timedelta(minutes=1)
    refused = await customer.start(more={"quote_token": token})
    assert problem(refused) == "quote_stale"
    fresh = refused.json()["quote"]["token"]
    assert bundle_of(done(await customer.start(more={"quote_token": fresh})))


async def test_a_token_does_not_overrule_if_match(customer: Customer) -> None:
    bundle = await on_june_11(customer, [ASSIGN])
    body = {"quantity": 7, "quote_token": done(await customer.quote(bundle, "edit", {"quantity": 7}))["token"]}
    assert problem(await customer.change(bundle, "edit", body, '"0"')) == "revision_stale"
    done(await customer.change(bundle, "edit", body, '"1"'))


async def test_a_quote_is_confirmed_once_however_often_it_is_sent(customer: Customer) -> None:
    wish = {"sku": "workplace_pro", "quantity": 5, "cycle": "monthly"}
    token = done(await customer.quote_start(wish))["token"]
    first, again = [await customer.start(quantity=5, more={"quote_token": token}) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
