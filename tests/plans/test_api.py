"""Bad input through HTTP: each with its status and stable code, never a 500 and never a change (DOMAIN 6)."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as every
from hypothesis import strategies as st

from contracts.plan_actions import Privilege
from services.plans.requests import CHANGES
from tests.plans.given import BOOK_FILE
from tests.plans.portal import (
    JUNE_1_IN_NEW_YORK,
    Customer,
    bundle_of,
    done,
    problem,
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b"quantity=3", "malformed_json"),
        (b'{"quantity": 3', "malformed_json"),
        (b'{"quantity": NaN}', "invalid_request"),
        (b'{"quantity": Infinity}', "invalid_request"),
        (b'{"quantity": 2.0}', "invalid_request"),
        (b'{"quantity": 2e0}', "invalid_request"),
        (b'{"quantity": "5"}', "invalid_request"),
        (b'{"quantity": true}', "invalid_request"),
        (b'{"quantity": [5]}', "invalid_request"),
        (b'{"quantity": 0}', "invalid_request"),
        (b'{"quantity": -5}', "invalid_request"),
        (b'{"quantity": 1000001}', "invalid_request"),
        (b'{"quantity": 99999999999999999999999999999999}', "invalid_request"),
        (b'{"quantity": 5, "price": 1}', "invalid_request"),
        (b'{"sku": ""}', "invalid_request"),
        (b'{"sku": "a b"}', "invalid_request"),
        (b'{"sku": "../../etc/passwd"}', "invalid_request"),
        (b'{"line_id": "line-1\\n"}', "invalid_request"),
        (b'{"quantity": 5, "quote_token": 7}', "invalid_request"),
        (b"[]", "invalid_request"),
    ],
)
async def test_an_edit_that_is_none_is_refused_as_a_command_and_as_a_quote(
    customer: Customer, body: bytes, code: str
) -> None:
    bundle = await customer.begun()
    assert problem(await customer.change(bundle, "edit", body)) == code
    assert problem(await customer.quote(bundle, "edit", body)) == code
    assert done(await customer.quote(bundle, "edit", {"quantity": 8}))["next_renewal_before"]["amount_minor"] == 15291


async def test_a_quantity_out_of_range_is_told_with_the_limits(customer: Customer) -> None:
    answer = await customer.start(quantity=10)
    assert problem(answer) == "quantity_out_of_range"
    told = {name: answer.json()[name] for name in ("minimum", "maximum", "pack", "requested")}
    assert told == {"minimum": 1, "maximum": 9, "pack": 1, "requested": 10}
    bundle = await customer.begun()
    assert problem(await customer.change(bundle, "edit", {"quantity": 10})) == "quantity_out_of_range"
    assert problem(await customer.change(bundle, "edit", {"quantity": 1_000_000})) == "quantity_out_of_range"


async def test_fewer_licences_than_are_assigned_is_told_with_both(customer: Customer) -> None:
    bundle = await customer.begun()
    for person in ("ann", "bob"):
        await customer.done(bundle, "assign-licence", {"assignee": person})
    answer = await customer.change(bundle, "edit", {"quantity": 1})
    assert problem(answer) == "licences_assigned"
    assert (answer.json()["assigned"], answer.json()["requested"]) == (2, 1)


STARTS: list[tuple[dict[str, Any], str]] = [
    ({"sku": "no_such_thing"}, "product_not_found"),
    ({"sku": "workplace_enterprise", "quantity": 250}, "sales_only"),
    ({"sku": "storage_30", "quantity": 1}, "not_a_base"),
    ({"more": {"currency": "EUR"}}, "currency_mismatch"),
    ({"more": {"currency": "XXX"}}, "invalid_request"),
    ({"more": {"currency": "usd"}}, "invalid_request"),
    ({"cycle": "one_month"}, "cycle_unavailable"),
    ({"cycle": "weekly"}, "invalid_request"),
    ({"quantity": 2.5}, "invalid_request"),
    ({"sku": None}, "invalid_request"),
]


@pytest.mark.parametrize(("wish", "code"), STARTS)
async def test_what_is_not_sold_like_that_is_not_started(customer: Customer, wish: dict[str, Any], code: str) -> None:
    assert problem(await customer.start(**wish)) == code


async def test_a_webinar_is_sold_once_a_workplace_plan_is_active(customer: Customer) -> None:
    globex = customer.at("globex")
    done(await globex.open())
    assert problem(await globex.start("webinar_500", 1)) == "requirement_unmet"
    workplace = await globex.begun()
    await globex.begun("webinar_500", 1)
    await globex.done(workplace, "cancel", {"reason": "other"})
    await globex.begun("webinar_500", 1)  # it is active until it ends
    customer.clock.at += timedelta(days=31)
    assert problem(await globex.start("webinar_500", 1)) == "requirement_unmet"


CAPACITIES: list[tuple[dict[str, Any], str]] = [
    ({"sku": "storage_30", "quantity": 2}, "quantity_out_of_range"),
    ({"sku": "storage_30", "quantity": 1, "cycle": "annual"}, "term_mismatch"),
    ({"sku": "workplace_business", "quantity": 10}, "second_base"),
    ({"sku": "whiteboard_plus", "quantity": 1}, "not_a_capacity"),
    ({"sku": "phone_number_extra", "quantity": 1}, "requirement_unmet"),
    ({"sku": "no_such_thing", "quantity": 1}, "product_not_found"),
    ({"sku": "workplace_enterprise", "quantity": 1}, "sales_only"),
    ({"sku": "large_meeting_500", "quantity": 1}, "capacity_exists"),
    ({"sku": "storage_30"}, "invalid_request"),
]


@pytest.mark.parametrize(("wish", "code"), CAPACITIES)
async def test_a_capacity_that_does_not_fit_is_not_bought(customer: Customer, wish: dict[str, Any], code: str) -> None:
    bundle = await customer.begun()
    await customer.done(bundle, "capacities", {"sku": "large_meeting_500", "quantity": 1})
    assert problem(await customer.change(bundle, "capacities", wish)) == code


ADD_ONS: list[tuple[dict[str, Any], int, str]] = [
    ({"sku": "whiteboard_plus", "quantity": 10_001}, 422, "quantity_out_of_range"),
    ({"sku": "translated_captions", "quantity": 1}, 404, "product_not_found"),  # of a later book
    ({"sku": "whiteboard_plus", "quantity": 1, "cycle": "annual"}, 409, "term_mismatch"),
    ({"sku": "workplace_business", "quantity": 10}, 409, "second_base"),
    ({"sku": "storage_30", "quantity": 1}, 409, "not_an_add_on"),
    ({"sku": "premier_support", "quantity": 1}, 409, "requirement_unmet"),
    ({"sku": "whiteboard_plus", "quantity": 1}, 409, "add_on_exists"),
    ({"sku": "workplace_enterprise", "quantity": 1}, 409, "sales_only"),
    ({"sku": "whiteboard_plus", "quantity": 2.0}, 422, "invalid_request"),
    ({"sku": "whiteboard_plus", "quantity": "5"}, 422, "invalid_request"),
    ({"sku": "whiteboard_plus", "quantity": True}, 422, "invalid_request"),
    ({"sku": "whiteboard_plus"}, 422, "invalid_request"),
    ({"sku": "whiteboard_plus", "quantity": 1, "colour": "red"}, 422, "invalid_request"),
]


@pytest.mark.parametrize(("wish", "status", "code"), ADD_ONS)
async def test_an_add_on_that_does_not_fit_is_not_bought(
    customer: Customer, wish: dict[str, Any], status: int, code: str
) -> None:
    bundle = await customer.begun()
    if code == "add_on_exists":
        await customer.done(bundle, "add-ons", {"sku": "whiteboard_plus", "quantity": 60})
    answer = await customer.change(bundle, "add-ons", wish)
    assert (answer.status_code, problem(answer)) == (status, code)


LINES: list[tuple[dict[str, Any], int, str]] = [
    ({"line_id": "line-1"}, 409, "base_line"),
    ({"line_id": "line-9"}, 404, "line_not_found"),
    ({"line_id": "line-2"}, 409, "line_cancelled"),
    ({"line_id": ""}, 422, "invalid_request"),
    ({}, 422, "invalid_request"),
]


@pytest.mark.parametrize(("wish", "status", "code"), LINES)
async def test_a_line_that_cannot_be_cancelled_is_not(
    customer: Customer, wish: dict[str, Any], status: int, code: str
) -> None:
    bundle = await customer.begun()
    await customer.done(bundle, "add-ons", {"sku": "whiteboard_plus", "quantity": 1})
    await customer.done(bundle, "cancel-line", {"line_id": "line-2"})
    answer = await customer.change(bundle, "cancel-line", wish)
    assert (answer.status_code, problem(answer)) == (status, code)


async def test_a_line_that_is_kept_after_all_is_kept_once(customer: Customer) -> None:
    bundle = await customer.begun()
    await customer.done(bundle, "add-ons", {"sku": "whiteboard_plus", "quantity": 1})
    line = {"line_id": "line-2"}
    assert problem(await customer.change(bundle, "reinstate-line", line)) == "line_not_cancelled"
    await customer.done(bundle, "cancel-line", line)
    assert problem(await customer.change(bundle, "edit", {**line, "quantity": 2})) == "line_cancelled"
    await customer.done(bundle, "reinstate-line", line)
    assert problem(await customer.change(bundle, "reinstate-line", line)) == "line_not_cancelled"
    assert problem(await customer.change(bundle, "reinstate-line", {"line_id": "line-9"})) == "line_not_found"


CYCLES: list[tuple[dict[str, Any], int, str]] = [
    ({"cycle": "monthly"}, 409, "no_change"),
    ({"cycle": "annual"}, 409, "pending_change"),
    ({"cycle": "one_month"}, 422, "invalid_request"),
    ({"cycle": "once"}, 422, "invalid_request"),
    ({"cycle": "annual", "discard_pending": "yes"}, 422, "invalid_request"),
    ({}, 422, "invalid_request"),
]


@pytest.mark.parametrize(("wish", "status", "code"), CYCLES)
async def test_a_cycle_that_cannot_be_is_not_changed(
    customer: Customer, wish: dict[str, Any], status: int, code: str
) -> None:
    bundle = await customer.begun()
    pending = await customer.done(bundle, "edit", {"quantity": 6})
    answer = await customer.change(bundle, "change-cycle", wish)
    assert (answer.status_code, problem(answer)) == (status, code)
    if code == "pending_change":
        assert answer.json()["changes"] == [pending["events"][0]["data"]["change_id"]]
        continued = await customer.done(bundle, "change-cycle", {**wish, "discard_pending": True})
        assert [event["type"] for event in continued["events"]] == ["plans.PlanEditDiscarded", "plans.PlanCycleChanged"]


SIZES: list[tuple[dict[str, Any], int, str]] = [
    ({"line_id": "line-1", "quantity": 8}, 409, "not_a_capacity"),
    ({"line_id": "line-9", "quantity": 8}, 404, "line_not_found"),
    ({"line_id": "line-2", "quantity": 101}, 422, "quantity_out_of_range"),
    ({"line_id": "line-2", "sku": "storage_30"}, 409, "different_family"),
    ({"line_id": "line-2", "sku": "large_meeting_500"}, 409, "no_change"),
    ({"line_id": "line-2"}, 422, "invalid_request"),
    ({"quantity": 3}, 422, "invalid_request"),
    ({"line_id": "line-2", "quantity": "3"}, 422, "invalid_request"),
]


@pytest.mark.parametrize(("wish", "status", "code"), SIZES)
async def test_a_capacity_is_not_resized_to_what_it_cannot_be(
    customer: Customer, wish: dict[str, Any], status: int, code: str
) -> None:
    bundle = await customer.begun()
    await customer.done(bundle, "capacities", {"sku": "large_meeting_500", "quantity": 1})
    answer = await customer.change(bundle, "resize-capacity", wish)
    assert (answer.status_code, problem(answer)) == (status, code)


DAYS: list[tuple[Any, str]] = [
    ("2026-05-31", "date_out_of_range"),  # the past
    ("2026-07-02", "date_out_of_range"),  # beyond the term
    ("9999-12-31", "date_out_of_range"),
    ("2026-02-30", "invalid_request"),
    ("2026-06-15T00:00:00Z", "invalid_request"),
    ("tomorrow", "invalid_request"),
    (20260615, "invalid_request"),
    ("", "invalid_request"),
]


@pytest.mark.parametrize(("day", "code"), DAYS)
async def test_an_edit_is_dated_within_the_term_or_refused(customer: Customer, day: Any, code: str) -> None:
    bundle = await customer.begun(quantity=3)
    answer = await customer.change(bundle, "edit", {"quantity": 6, "effective_on": day})
    assert problem(answer) == code
    if code == "date_out_of_range":
        told = {name: answer.json()[name] for name in ("not_before", "not_after")}
        assert told == {"not_before": "2026-06-01", "not_after": "2026-07-01"}


CANCELLATIONS: list[tuple[dict[str, Any], str]] = [
    ({}, "invalid_request"),
    ({"reason": "bored"}, "invalid_request"),
    ({"reason": "other", "comment": "x" * 1001}, "invalid_request"),
    ({"reason": "other", "comment": "bell \u0007"}, "invalid_request"),
    ({"reason": "other", "comment": "nothing \u0000"}, "invalid_request"),
    ({"reason": "other", "comment": "escape \u001b[31m"}, "invalid_request"),
    ({"reason": "other", "comment": "next line \u0085"}, "invalid_request"),
    ({"reason": "other", "comment": None}, "invalid_request"),
    ({"reason": "other", "refund": "yes"}, "invalid_request"),
    ({"reason": "other", "cascade": 1}, "invalid_request"),
]


@pytest.mark.parametrize(("body", "code"), CANCELLATIONS)
async def test_a_cancellation_that_is_none_is_refused(customer: Customer, body: dict[str, Any], code: str) -> None:
    assert problem(await customer.change(await customer.begun(), "cancel", body)) == code


async def test_a_long_comment_in_any_language_is_kept_as_it_is(customer: Customer) -> None:
    comment = ("Zu teuer – 高すぎる 🙃\n\t" * 100)[:1000]
    answer = await customer.done(await customer.begun(), "cancel", {"reason": "other", "comment": comment})
    name = answer["events"][0]["data"]["comment"]
    reader = customer.as_other("acme", acme=[Privilege.INFORMATION_READ])
    said = done(await reader.send("GET", f"/accounts/acme/comments/{name}"))
    assert said == {"comment": name, "text": comment}
    assert problem(await customer.as_other("acme", acme=[]).send("GET", f"/accounts/acme/comments/{name}"))


async def test_the_base_ends_last(customer: Customer) -> None:
    bundle = await customer.begun()
    await customer.done(bundle, "capacities", {"sku": "storage_30", "quantity": 1})
    answer = await customer.change(bundle, "cancel", {"reason": "other"})
    assert problem(answer) == "active_addons"
    assert answer.json()["lines"] == ["line-2"]
    cancelled = await customer.done(bundle, "cancel", {"reason": "other", "cascade": True})
    assert [event["type"] for event in cancelled["events"]] == ["plans.AddOnCancelled", "plans.PlanCancelled"]


async def test_a_cancelled_plan_is_reinstated_and_nothing_else(customer: Customer) -> None:
    bundle = await customer.begun()
    assert problem(await customer.change(bundle, "reinstate", {})) == "not_cancelled"
    await customer.done(bundle, "cancel", {"reason": "other"})
    assert problem(await customer.change(bundle, "cancel", {"reason": "other"})) == "already_cancelled"
    assert problem(await customer.change(bundle, "edit", {"quantity": 8})) == "plan_cancelled"
    assert (
        problem(await customer.change(bundle, "capacities", {"sku": "storage_30", "quantity": 1})) == "plan_cancelled"
    )
    customer.clock.at += timedelta(days=30)
    assert problem(await customer.change(bundle, "reinstate", {})) == "plan_ended"


async def test_what_is_already_so_is_no_change(customer: Customer) -> None:
    bundle = await customer.begun()
    for body in ({"quantity": 9}, {"sku": "workplace_pro"}):
        assert problem(await customer.change(bundle, "edit", body)) == "no_change"
    assert problem(await customer.change(bundle, "edit", {})) == "invalid_request"  # and no change is discarded by it
    assert problem(await customer.change(bundle, "discard-pending-change", {})) == "no_pending_change"
    await customer.done(bundle, "assign-licence", {"assignee": "ann"})
    assert problem(await customer.change(bundle, "assign-licence", {"assignee": "ann"})) == "no_change"
    assert problem(await customer.change(bundle, "unassign-licence", {"assignee": "bob"})) == "no_change"


async def test_a_refund_asked_for_too_late_is_refused_and_tells_until_when(customer: Customer) -> None:
    bundle = await customer.begun("workplace_business", 10, "annual")
    customer.clock.at += timedelta(days=31)
    answer = await customer.change(bundle, "cancel", {"reason": "other", "refund": True})
    assert problem(answer) == "refund_window_closed"
    assert answer.json()["closed_on"] == "2026-07-01"
    await customer.done(bundle, "cancel", {"reason": "other"})


async def test_a_line_that_is_not_there_and_an_assignee_that_is_a_name_are_refused(customer: Customer) -> None:
    bundle = await customer.begun()
    assert problem(await customer.change(bundle, "edit", {"line_id": "line-9", "quantity": 1})) == "line_not_found"
    for assignee in ("Ann Smith", "ann@example.org", "", "x" * 65, "ann\n"):
        assert problem(await customer.change(bundle, "assign-licence", {"assignee": assignee})) == "invalid_request"


async def test_a_day_is_the_accounts_and_not_the_machines(customer: Customer) -> None:
    customer.clock.at = JUNE_1_IN_NEW_YORK.replace(day=11, hour=3)  # still June 10 in New York
    started = done(await customer.start())["events"][0]["data"]
    assert started["anchor_on"] == "2026-06-10"


async def test_the_clock_going_backwards_dates_nothing_before_what_is_recorded(customer: Customer) -> None:
    bundle = await customer.begun(quantity=3)
    customer.clock.at = JUNE_1_IN_NEW_YORK - timedelta(days=1)
    assert problem(await customer.change(bundle, "edit", {"quantity": 4})) == "date_out_of_range"


async def test_a_change_names_the_revision_it_was_decided_on(customer: Customer) -> None:
    bundle = await customer.begun()
    body = {"quantity": 8}
    assert problem(await customer.change(bundle, "edit", body, None)) == "revision_required"
    for tag in (
        '"1"',
        '"-1"',
        '"99999999999999999999"',
        '"x"',
        "0",
        'W/"0"',
        '"0", "1"',
        '""',
        "",
        "**",
        '"00"',
        '"٠"',
    ):
        answer = await customer.send(
            "POST",
            f"/accounts/acme/plans/{bundle}/edit",
            body,
            **{"If-Match": tag.encode()},  # type: ignore[arg-type]
        )
        assert problem(answer) == "revision_stale", tag
    answer = await customer.change(bundle, "edit", body, '"0"')
    assert done(answer)["revision"] == 1
    assert answer.headers["etag"] == '"1"'
    stale = await customer.change(bundle, "edit", {"quantity": 7}, '"0"')
    assert (problem(stale), stale.json()["revision"]) == ("revision_stale", 1)
    assert problem(await customer.quote(bundle, "edit", {"quantity": 7}, If_Match='"0"')) == "revision_stale"


async def test_of_two_editors_with_one_revision_one_is_first(customer: Customer) -> None:
    bundle = await customer.begun()
    first, second = [await customer.change(bundle, "edit", {"quantity": quantity}, '"0"') for quantity in (8, 7)]
    assert done(first)["revision"] == 1
    assert problem(second) == "revision_stale"


async def test_an_amount_beyond_what_can_be_billed_is_refused(customer: Customer) -> None:
    dear = BOOK_FILE.read_bytes().replace(b'"2025-01-01"', b'"2031-01-01"').replace(b"1699", b"1000000000000")
    done(await customer.publish(77, dear))
    customer.clock.at = JUNE_1_IN_NEW_YORK.replace(year=2031)
    assert done(await customer.quote_start({"sku": "workplace_pro", "quantity": 1, "cycle": "monthly"}))
    assert problem(await customer.start(quantity=2)) == "amount_too_large"


async def test_commands_succeed_while_nobody_listens_where_kafka_should_be(customer: Customer) -> None:
    await customer.begun()
    async with asyncio.timeout(10):
        while not await _waiting_for_kafka(customer):  # noqa: ASYNC110  a metric can only be asked
            await asyncio.sleep(0.05)
    assert (await customer.http.get("/health/ready")).status_code == 200


async def _waiting_for_kafka(customer: Customer) -> bool:
    metrics = (await customer.http.get("/metrics")).text.splitlines()
    (lag,) = [line.split()[-1] for line in metrics if line.startswith("billing_relay_lag_positions")]
    return float(lag) > 0


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
members = st.sampled_from(["sku", "quantity", "cycle", "line_id", "reason", "assignee", "refund", "quote_token", "x"])
nearly = st.sampled_from([1, 9, "workplace_pro", "storage_30", "monthly", "line-1", "other", "ann", True])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@every(st.sampled_from([*CHANGES, "plans"]), anything | st.dictionaries(members, nearly | anything, max_size=4))
async def test_no_body_whatsoever_is_our_mistake(customer: Customer, change: str, body: Any) -> None:
    sent = json.dumps(body).encode()
    path = "/accounts/acme/plans" if change == "plans" else f"/accounts/acme/plans/{await _bundle(customer)}/{change}"
    answer = await customer.send("POST", path, sent, If_Match="*")
    assert answer.status_code in (200, 201) or (problem(answer) and answer.status_code < 500)


async def _bundle(customer: Customer) -> str:
    """The one plan all bodies are thrown at."""
    return bundle_of(done(await customer.start(Idempotency_Key="thrown-at")))


async def test_the_answer_tells_what_was_recorded_and_where(customer: Customer) -> None:
    answer = await customer.start(X_Correlation_Id="asked-1")
    members = done(answer)
    assert answer.status_code == 201
    assert answer.headers["etag"] == f'"{members["revision"]}"' == '"0"'
    assert answer.headers["billing-position"] == members["position"]
    assert members["position"].startswith("plans:")
    assert answer.headers["x-correlation-id"] == "asked-1"
    (event,) = members["events"]
    assert (event["type"], event["revision"]) == ("plans.PlanStarted", 0)
    assert event["data"]["bundle_id"] == bundle_of(members)
