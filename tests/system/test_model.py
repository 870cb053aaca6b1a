"""Five hundred random commands, valid and not, against a small model of what they answer and what cards then show."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

import httpx2 as httpx
import pytest

from contracts import codec
from contracts.plans import PlanEvent
from services.plans.plan import Plan, evolve
from tests.portal import Portal
from tests.system import logs, plan_model
from tests.system.customer import Customer, bundle_of
from tests.system.plan_model import CAPACITIES, FAMILIES, MONTHLY_MINOR, OK, ModelPlan

Members = dict[str, Any]

COMMANDS = 500
ACCOUNTS = 3
PLANS = 4  # of an account, so that each gets many commands
BASES = tuple(MONTHLY_MINOR)
PEOPLE = tuple(f"person-{number}" for number in range(8))


@dataclass
class Known:
    """A customer and the model of each plan; positions: of the last event of each."""

    customer: Customer
    plans: dict[str, ModelPlan]
    positions: dict[str, str]


@pytest.mark.parametrize("seed", [2026])
def test_five_hundred_random_commands_answer_and_show_as_the_model_says(portal: Portal, seed: int) -> None:
    random = Random(seed)
    accounts = [Known(Customer.with_account(portal), {}, {}) for _ in range(ACCOUNTS)]
    said: dict[str, int] = {}
    for number in range(COMMANDS):
        known = random.choice(accounts)
        expected = _one_command(random, known, f"{seed}-{number}")
        said[expected] = said.get(expected, 0) + 1
    assert said[OK] > COMMANDS // 4
    assert len(said) > 15, "the commands reach most refusals"
    for known in accounts:
        _check_folded(known)


def _one_command(random: Random, known: Known, what: str) -> str:
    """Sends one command and checks answer and card. Returns what the model expected."""
    if len(known.plans) < PLANS and random.random() < 0.3:
        return _start(random, known, what)
    if not known.plans:
        return _start(random, known, what)
    bundle_id = random.choice(list(known.plans))
    plan, customer = known.plans[bundle_id], known.customer
    name, body, expect = _change(random, plan)
    stale = random.random() < 0.08
    tag = f'"{plan.revision + (1 if stale else 0)}"' if stale or random.random() < 0.5 else "*"
    expected = "revision_stale" if stale else expect()
    answer = customer.change(bundle_id, name, body, tag, what)
    _check_answer(answer, expected, f"{what}: {name} {body} on {plan}")
    if expected == OK:
        known.positions[bundle_id] = answer.json()["position"]
        again = customer.change(bundle_id, name, body, tag, what)
        assert (again.status_code, again.content) == (answer.status_code, answer.content)
    card = customer.card(bundle_id, known.positions[bundle_id])
    assert plan_model.shown(card) == plan.card(), f"{what}: after {name} {body}"
    return expected


def _start(random: Random, known: Known, what: str) -> str:
    sku = random.choice((*BASES, random.choice((*CAPACITIES, "no_such_product"))))
    quantity = random.choice((1, 5, 10, 12, 20, 600))
    plan = ModelPlan.start(sku, quantity)
    answer = known.customer.start(sku, quantity, key=what)
    if isinstance(plan, str):
        _check_answer(answer, plan, f"{what}: start {sku} {quantity}")
        return plan
    recorded = known.customer.answered(answer)
    bundle_id = bundle_of(recorded)
    known.plans[bundle_id], known.positions[bundle_id] = plan, recorded["position"]
    assert plan_model.shown(known.customer.card(bundle_id, recorded["position"])) == plan.card()
    return OK


def _change(random: Random, plan: ModelPlan) -> tuple[str, Members, Callable[[], str]]:
    """A command's name and body, and how the model takes it."""
    line_id = random.choice((*plan.lines, *plan.lines, "line-9"))
    person = random.choice(PEOPLE)
    quantity = max(1, plan.base.quantity + random.choice((-4, -2, -1, 0, 1, 2, 300)))
    match random.choices(range(9), (6, 2, 3, 2, 2, 3, 1.5, 5, 3))[0]:
        case 0:
            return "edit", {"quantity": quantity}, lambda: plan.edit("line-1", quantity)
        case 1:
            sku = random.choice((*BASES, *CAPACITIES, "no_such_product"))
            return "edit", {"sku": sku, "quantity": quantity}, lambda: plan.edit("line-1", quantity, sku)
        case 2:
            amount = random.choice((1, 1, 2, 3, 5000))
            return "edit", {"line_id": line_id, "quantity": amount}, lambda: plan.edit(line_id, amount)
        case 3:
            sku = random.choice((*CAPACITIES, *_fitting(plan), "rooms", "no_such_product"))
            amount = random.choice((1, 1, 1, 2, 5000))
            return "capacities", {"sku": sku, "quantity": amount}, lambda: plan.buy(sku, amount)
        case 4:
            return "discard-pending-change", {"line_id": line_id}, lambda: plan.discard(line_id)
        case 5:
            return "reinstate", {}, plan.reinstate
        case 6:
            cascade = random.random() < 0.6
            return "cancel", {"reason": "other", "cascade": cascade}, lambda: plan.cancel(cascade)
        case 7:
            return "assign-licence", {"assignee": person}, lambda: plan.assign(person)
        case _:
            return "unassign-licence", {"assignee": person}, lambda: plan.unassign(person)


def _fitting(plan: ModelPlan) -> tuple[str, ...]:
    return tuple(sku for sku in CAPACITIES if FAMILIES[sku] == FAMILIES[plan.base.sku])


def _check_answer(answer: httpx.Response, expected: str, what: str) -> None:
    code = OK if answer.status_code in (200, 201) else answer.json()["code"]
    assert code == expected, f"{what}\n{answer.text}"


def _check_folded(known: Known) -> None:
    """The feed, folded as the plans service folds it, and the cards say the same."""
    folded: dict[str, Plan] = {}
    for event in logs.feed(known.customer.portal):
        bundle_id = event["stream"].removeprefix("plan-")
        if bundle_id in known.plans:
            body: PlanEvent = codec.decode(event["type"], event["version"], event["data"])  # type: ignore[assignment]
            effective_on = date.fromisoformat(event["metadata"]["effective_on"])
            folded[bundle_id] = evolve(folded.get(bundle_id), body, effective_on)
    assert folded.keys() == known.plans.keys()
    cards = known.customer.read("/product-cards", max(known.positions.values(), key=_number))["cards"]
    assert {card["bundle_id"]: plan_model.shown(card)["lines"] for card in cards} == {
        bundle_id: {line_id: (line.sku, line.quantity, bool(plan.cancellation)) for line_id, line in plan.lines.items()}
        for bundle_id, plan in folded.items()
    }
    for card in cards:
        plan = folded[card["bundle_id"]]
        assert card["licences"]["assigned"] == len(plan.assigned)
        renewal = plan.next_renewal()
        shown = {"due_on": renewal.due_on.isoformat(), "amount_minor": renewal.amount_minor} if renewal.lines else None
        assert card["next_renewal"] == shown


def _number(position: str) -> int:
    return int(position.partition(":")[2])
