"""Kafka away: commands succeed, cards and summaries appear all the same, and the topic gets everything afterwards."""

import json

import pytest

from contracts.topics import Owner
from tests.portal import Portal
from tests.system import logs, recomputed
from tests.system.customer import Customer

COMMANDS = 12


@pytest.mark.parametrize("outage", ["it stood still", "it lost everything"])
async def test_commands_succeed_and_are_read_without_kafka_which_gets_them_later(portal: Portal, outage: str) -> None:
    customer = Customer.with_account(portal)
    before = {}
    for owner in (Owner.PLANS, Owner.RENEWALS):
        await logs.topic(portal, owner)
        before[owner] = logs.head(portal, owner)
    portal.pause("broker")
    try:
        plan = customer.started("workplace_business", 10)
        for number in range(1, COMMANDS):
            recorded = customer.changed(plan, "edit", {"quantity": 10 + number})
        portal.until(lambda: customer.get(f"/product-cards/{plan}", recorded["position"]).status_code == 200)
        card = customer.card(plan, recorded["position"])
        assert (card["licences"]["total"], card["revision"]) == (9 + COMMANDS, COMMANDS - 1)
        portal.until(lambda: customer.get("/plan-summary", recorded["position"]).status_code == 200)
        expected = recomputed.upcoming_renewals(logs.feed(portal), customer.account_id)
        shown = customer.read("/plan-summary", recorded["position"])
        assert recomputed.shown_renewals(shown) == recomputed.as_shown(expected)
    finally:
        if outage == "it lost everything":
            portal.until_back("broker", portal.kill("broker"))
        else:
            portal.resume("broker")

    _check_kafka_is_followed_again(portal, customer, plan)
    for owner, position in before.items():
        await _check_topic_has_everything(portal, owner, position, customer)


async def _check_topic_has_everything(portal: Portal, owner: Owner, after: int, customer: Customer) -> None:
    """Of the customer's events after a position. (A broker that lost everything has lost what came before.)"""
    events = [
        event for event in logs.feed(portal, owner, after) if event["metadata"]["account_id"] == customer.account_id
    ]
    records = [record for record in await logs.topic(portal, owner) if record["key"] == customer.account_id]
    bodies = {record["position"]: json.loads(record["value"]) for record in records if record["position"] > after}
    assert len(events) >= COMMANDS
    assert bodies == {event["position"]: event["data"] for event in events}


def _check_kafka_is_followed_again(portal: Portal, customer: Customer, plan: str) -> None:
    """Events come from the topic again, and not by the feed alone, which looks every second at most."""
    before = _from_kafka(portal)

    def one_more_came() -> bool:
        for command in ("assign-licence", "unassign-licence"):
            customer.changed(plan, command, {"assignee": "person-1"})
        return _from_kafka(portal) > before

    portal.until(one_more_came)


def _from_kafka(portal: Portal) -> float:
    """How many events of plans the gateway has applied from its topic."""
    name = 'billing_consumer_applied_events{owner="plans",source="kafka"}'
    metrics = portal.http.get(f"{portal.url()}/metrics").text.splitlines()
    (line,) = [line for line in metrics if line.startswith(name)]
    return float(line.rpartition(" ")[2])
