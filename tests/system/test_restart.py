"""Ctrl-C and a second run in the same folder: no process is left, and everything goes on where it stopped.

The embedded broker starts empty each time; that must neither lose nor double anything."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from contracts.topics import Owner
from services.gateway.projections import PROJECTIONS
from tests.portal import Portal
from tests.system import logs
from tests.system.customer import Customer
from tests.system.load import Answered, Load

Members = dict[str, Any]

OWNERS = (Owner.PLANS, Owner.RENEWALS)


@dataclass(frozen=True, slots=True)
class Seen:
    """What could be seen of a portal: its feeds, the rows of its read models, every account's cards and summary."""

    feeds: dict[Owner, list[Members]]
    rows: dict[str, list[tuple[str, str, int, bytes | None]]]
    answers: dict[tuple[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Restarted:
    """A portal in its second run. before: as it was in the first. left: parts of the first that outlived it."""

    portal: Portal
    before: Seen
    left: list[str]
    answered: list[Answered]


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restarted]:
    folder = tmp_path_factory.mktemp("restarted") / "data"
    with Portal(folder) as portal:
        with Load(portal) as load:
            load.until_more(100)
        accounts = [client.customer.account_id for client in load.clients]
        before = _seen(portal, accounts)
        pids = {name: part["pid"] for name, part in portal.parts().items()}
        assert all(map(_is_there, pids.values()))
    left = [name for name, pid in pids.items() if _is_there(pid)]
    with Portal(folder) as portal:
        for client in load.clients:
            client.customer.portal = portal
        yield Restarted(portal, before, left, load.answered)


def test_ctrl_c_leaves_no_process(restarted: Restarted) -> None:
    assert restarted.left == []


def test_the_second_run_shows_what_the_first_one_showed(restarted: Restarted) -> None:
    after = _seen(restarted.portal, [account for account, _ in restarted.before.answers])
    assert after.feeds == restarted.before.feeds, "the demo was loaded twice and repeated nothing"
    assert after.rows == restarted.before.rows
    assert after.answers == restarted.before.answers


def test_a_repeated_command_gets_the_bytes_of_the_first_run(restarted: Restarted) -> None:
    acknowledged = [each for each in restarted.answered if each.acknowledged]
    assert len({each.path.rpartition("/")[2] for each in acknowledged}) > 4
    for each in acknowledged:
        again = each.customer.post(each.path, each.body, "*", each.key)
        assert (again.status_code, again.content) == (each.status, each.content)


async def test_the_topics_hold_each_later_event_once(restarted: Restarted) -> None:
    portal = restarted.portal
    customer = Customer.with_account(portal)
    recorded = customer.answered(customer.start("rooms", 2))
    customer.read("/plan-summary", recorded["position"])  # by which renewals have recorded their part
    for owner in OWNERS:
        last = restarted.before.feeds[owner][-1]["position"]
        later = [event for event in logs.feed(portal, owner) if event["position"] > last]
        records = await logs.topic(portal, owner)
        assert later
        assert Counter(record["headers"]["ce_id"] for record in records) == Counter(e["event_id"] for e in later)
        # The first record in each partition names what was published before the topic was lost.
        firsts = {number: of[0] for number, of in logs.per_partition(records).items()}
        assert all(int(first["headers"]["ce_prevposition"]) >= last for first in firsts.values())


def _seen(portal: Portal, accounts: list[str]) -> Seen:
    """Once everything has come to rest."""
    position = f"plans:{logs.head(portal)}"
    answers = {}
    for account_id in (*accounts, "acme", "globex"):
        customer = Customer(portal, account_id)
        portal.until(lambda c=customer: c.get("/plan-summary", position).status_code == 200)  # type: ignore[misc]
        for path in ("/product-cards", "/plan-summary", "/catalogue"):
            answers[account_id, path] = customer.get(path, position).content
    for owner in OWNERS:
        head = logs.head(portal, owner)
        portal.until(lambda o=owner, h=head: min(logs.checkpoints(portal, o).values()) >= h)  # type: ignore[misc]
    rows = {projection.TABLE: logs.live_rows(portal, projection.TABLE) for projection in PROJECTIONS}
    return Seen({owner: logs.feed(portal, owner) for owner in OWNERS}, rows, answers)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
