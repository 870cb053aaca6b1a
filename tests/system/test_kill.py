"""kill -9 of each part in mid-load: what was acknowledged is a fact, once, everywhere; what was not left no trace."""

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from contracts.topics import Owner, partition_of
from services.chassis.feed import FeedClient
from services.gateway.filling import fill
from services.gateway.projections import PROJECTIONS
from services.gateway.sqlite_read_store import open_sqlite_read_store
from tests.portal import Portal
from tests.system import logs, recomputed
from tests.system.load import Load

Members = dict[str, Any]

KILLS = 3
OWNERS = tuple(Owner)
PARTITIONS = 4


@pytest.mark.parametrize("part", ["gateway", "plans", "renewals", "broker"])
async def test_nothing_acknowledged_is_lost_or_doubled_when_a_part_is_killed(
    portal: Portal, part: str, tmp_path: Path
) -> None:
    heads = dict.fromkeys(OWNERS, 0)  # of what a topic need not hold
    with Load(portal) as load:
        for _ in range(KILLS):
            load.until_more(30)
            pid = portal.kill(part)
            if part == "broker" and portal.broker_forgets:
                heads = {owner: logs.head(portal, owner) for owner in OWNERS}
            portal.until_back(part, pid)
        load.until_more(30)
    assert any(each.tries > 1 for each in load.answered) or part in ("renewals", "broker")

    events = logs.feed(portal)
    check_store(events, load)
    check_cards(portal, events, load)
    await check_read_models(portal, tmp_path)
    for owner in OWNERS:
        await check_topic(portal, owner, heads[owner])
    check_repetitions(load)


def check_store(events: list[Members], load: Load) -> None:
    """The feed holds what was acknowledged, each event once, in order, and nothing else of these accounts."""
    acknowledged = {}
    for each in filter(lambda each: each.acknowledged, load.answered):
        answer = json.loads(each.content)
        for event in answer["events"]:
            acknowledged[event["event_id"]] = (answer["stream"], event["type"], event["revision"], event["data"])
    accounts = {client.customer.account_id for client in load.clients}
    recorded = [event for event in events if event["metadata"]["account_id"] in accounts]
    of_load = [event for event in recorded if event["metadata"]["command_id"] not in _beginnings(recorded)]
    found = {event["event_id"]: (event["stream"], event["type"], event["revision"], event["data"]) for event in of_load}
    assert found == acknowledged
    assert len(found) == len(of_load)
    _check_order(events)


def _beginnings(recorded: list[Members]) -> set[str]:
    """The commands before the load: every account opened, and its first plan started."""
    opened = [event for event in recorded if event["type"] == "plans.AccountOpened"]
    started: dict[str, str] = {}
    for event in recorded:
        if event["type"] == "plans.PlanStarted":
            started.setdefault(event["metadata"]["account_id"], event["metadata"]["command_id"])
    return {event["metadata"]["command_id"] for event in opened} | set(started.values())


def _check_order(events: list[Members]) -> None:
    positions = [event["position"] for event in events]
    assert positions == sorted(set(positions))
    revisions: Counter[str] = Counter()
    for event in events:
        assert event["revision"] == revisions[event["stream"]], event
        revisions[event["stream"]] += 1


def check_cards(portal: Portal, events: list[Members], load: Load) -> None:
    """Every account reads its own writes; every card is at the last revision, and the summary adds up."""
    last = {event["stream"]: event["revision"] for event in events}
    position = f"plans:{events[-1]['position']}"
    for client in load.clients:
        customer = client.customer
        portal.until(lambda c=customer: c.get("/plan-summary", position).status_code == 200)  # type: ignore[misc]
        cards = customer.read("/product-cards", position)["cards"]
        assert {card["bundle_id"]: card["revision"] for card in cards} == {
            stream.removeprefix("plan-"): last[stream]
            for stream in {
                event["stream"] for event in events if event["metadata"]["account_id"] == customer.account_id
            }
            if stream.startswith("plan-")
        }
        expected = recomputed.upcoming_renewals(events, customer.account_id)
        assert recomputed.shown_renewals(customer.read("/plan-summary", position)) == recomputed.as_shown(expected)


async def check_read_models(portal: Portal, folder: Path) -> None:
    """A read store filled from the feeds has the rows the running gateway has."""
    for owner in OWNERS:
        head = logs.head(portal, owner)
        portal.until(lambda o=owner, h=head: min(logs.checkpoints(portal, o).values()) >= h)  # type: ignore[misc]
    async with open_sqlite_read_store(folder / "rebuilt.sqlite3") as rebuilt, aiohttp.ClientSession() as session:
        feeds = {owner: FeedClient(portal.url(owner), session, portal.auditor) for owner in OWNERS}
        count = await fill(rebuilt, feeds, PARTITIONS)
        assert count == sum(len(logs.feed(portal, owner)) for owner in OWNERS)
        for projection in PROJECTIONS:
            rows = await rebuilt.every_row(projection.TABLE)
            assert rows, "the demo has some of each"
            assert rows == logs.live_rows(portal, projection.TABLE)


async def check_topic(portal: Portal, owner: Owner, lost: int) -> None:
    """Every event after position `lost` is in the topic, in order; of those before it none is missing in the middle.

    A relay may repeat what it was not told had arrived, so the first record of each event counts."""
    events = logs.feed(portal, owner)
    split = [
        [e for e in events if partition_of(e["metadata"]["account_id"], PARTITIONS) == p] for p in range(PARTITIONS)
    ]
    ends = [log[-1]["position"] for log in split if log]  # of each: partitions are not published at the same moment
    records = logs.per_partition(await logs.topic(portal, owner, [end for end in ends if end > lost]))
    _check_order(events)
    for partition, log in enumerate(split):
        first = {record["position"]: record for record in reversed(records.get(partition, []))}
        read = list(dict.fromkeys(record["position"] for record in records.get(partition, [])))
        begin = min([lost + 1, *read])
        kept = [event for event in log if event["position"] >= begin]
        assert read == [event["position"] for event in kept]
        assert [json.loads(first[event["position"]]["value"]) for event in kept] == [event["data"] for event in kept]
        chain = [int(first[position]["headers"]["ce_prevposition"]) for position in read]
        before = [0, *(event["position"] for event in log)]
        assert all(
            before[before.index(position) - 1] <= said < position for said, position in zip(chain, read, strict=True)
        ), "prevposition leaves nothing out"


def check_repetitions(load: Load) -> None:
    """A command that was acknowledged gets its answer again, byte for byte, whatever has happened since."""
    for each in Random(1).sample([each for each in load.answered if each.acknowledged], 25):
        again = each.customer.post(each.path, each.body, "*", each.key)
        assert (again.status_code, again.content) == (each.status, each.content)
