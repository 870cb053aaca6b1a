"""Plans as replicas over one KurrentDB: whoever is asked, a fact is one fact, and what is due is done once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from pathlib import Path

import pytest
from pydantic import SecretStr

from contracts.envelope import from_kafka
from contracts.topics import Owner, topic_of
from services.chassis.command_handler import CommandHandler
from services.plans import plan
from services.plans.app import plans_app
from services.plans.bundle_index import BundleIndex
from services.plans.calendar import Endings
from tests.chassis.event_store_contract import TIMEOUT_S, everything
from tests.chassis.kurrent import opened, running
from tests.chassis.tokens import Issuer
from tests.doubles.kurrentdb import KurrentDouble
from tests.engines import Tansu, records_in
from tests.plans.portal import (
    JUNE_1_IN_NEW_YORK,
    Customer,
    SetClock,
    bundle_of,
    done,
    plans_service,
    plans_settings,
    problem,
)

KEY = {"Idempotency_Key": "another-key"}


@dataclass
class Replicas:
    """one, two: the same customer at each of them."""

    server: KurrentDouble
    one: Customer
    two: Customer

    async def types(self, stream: str) -> list[str]:
        async with opened(self.server) as store:
            return [record.type for record in await store.read_stream(stream)]


@pytest.fixture(scope="module")
async def running_replicas(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Replicas]:
    issuer, folder = Issuer(), tmp_path_factory.mktemp
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running())
        customers = [
            await stack.enter_async_context(
                plans_service(folder(name), issuer, SetClock(), event_store=SecretStr(server.uri), role="api")
            )
            for name in ("one", "two")
        ]
        yield Replicas(server, *customers)


@pytest.fixture
def replicas(running_replicas: Replicas) -> Replicas:
    """Their clocks differ, as clocks do."""
    running_replicas.one.clock.at = JUNE_1_IN_NEW_YORK
    running_replicas.two.clock.at = JUNE_1_IN_NEW_YORK + timedelta(seconds=1)
    return running_replicas


async def test_of_two_editors_at_two_replicas_one_wins(replicas: Replicas) -> None:
    bundle = await replicas.one.begun(quantity=3)
    for replica in (replicas.one, replicas.two):  # each has it in its cache
        await replica.quote(bundle, "edit", {"quantity": 9})
    answers = await asyncio.gather(
        replicas.one.change(bundle, "edit", {"quantity": 4}, '"0"'),
        replicas.two.change(bundle, "edit", {"quantity": 5}, '"0"'),
    )
    lost = [answer for answer in answers if answer.status_code != 200]
    assert [problem(answer) for answer in lost] == ["revision_stale"]
    assert await replicas.types(f"plan-{bundle}") == ["plans.PlanStarted", "plans.PlanEdited"]


@pytest.mark.parametrize("attempt", range(3))
async def test_one_key_at_two_replicas_at_once_is_one_fact_with_one_answer(replicas: Replicas, attempt: int) -> None:
    key = {"Idempotency_Key": f"key-{attempt}"}
    started = await asyncio.gather(replicas.one.start(**key), replicas.two.start(**key))
    assert started[0].content == started[1].content
    bundle = bundle_of(done(started[0]))
    change = bundle, "cancel", {"reason": "other"}
    cancelled = await asyncio.gather(replicas.one.change(*change, **key), replicas.two.change(*change, **key))
    assert cancelled[0].content == cancelled[1].content
    assert await replicas.types(f"plan-{bundle}") == ["plans.PlanStarted", "plans.PlanCancelled"]
    reinstated = await asyncio.gather(*(each.change(bundle, "reinstate", {}) for each in (replicas.one, replicas.two)))
    assert sorted(answer.status_code for answer in reinstated) == [200, 409]


async def test_at_midnight_one_key_is_one_fact_of_one_day(replicas: Replicas) -> None:
    """What the slower replica would have recorded says another day than what is recorded."""
    replicas.two.clock.at += timedelta(days=1)
    for attempt in range(5):
        key = {"Idempotency_Key": f"midnight-{attempt}"}
        started = await asyncio.gather(replicas.one.start(**key), replicas.two.start(**key))
        assert started[0].content == started[1].content


async def test_what_one_replica_answered_the_other_repeats(replicas: Replicas) -> None:
    first = await replicas.one.start(quantity=3, **KEY)
    again = await replicas.two.start(quantity=3, **KEY)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    bundle = bundle_of(done(first))
    await replicas.one.done(bundle, "edit", {"quantity": 5})
    assert problem(await replicas.two.change(bundle, "edit", {"quantity": 6}, '"0"')) == "revision_stale"
    assert problem(await replicas.two.change(bundle, "edit", {"quantity": 5})) == "no_change"


async def test_what_an_account_has_is_known_at_every_replica(replicas: Replicas) -> None:
    customer = replicas.one.at("globex")
    done(await customer.open())
    assert problem(await customer.start("webinar_500", 1)) == "requirement_unmet"
    await replicas.two.at("globex").begun()
    done(await customer.start("webinar_500", 1))


async def test_what_is_due_is_done_once_by_whichever_replica(replicas: Replicas, tmp_path: Path) -> None:
    bundles = [await replicas.one.begun() for _ in range(5)]
    for bundle in bundles:
        await replicas.two.done(bundle, "cancel", {"reason": "other"})
    async with AsyncExitStack() as stack:
        agendas = []
        for days in (35, 36):
            store = await stack.enter_async_context(opened(replicas.server))
            index = await stack.enter_async_context(BundleIndex.open(store, tmp_path / f"{days}.sqlite3"))
            clock = SetClock(JUNE_1_IN_NEW_YORK + timedelta(days=days))
            agendas.append((Endings(index, CommandHandler(store, plan.evolve), clock), clock))
        await asyncio.gather(*(endings.carry_out(clock.now()) for endings, clock in agendas))
        ended = [record.stream for record in await everything(store) if record.type == "plans.PlanEnded"]
        assert set(ended) >= {f"plan-{bundle}" for bundle in bundles}
        assert len(ended) == len(set(ended))


async def test_a_relay_elsewhere_publishes_what_all_replicas_recorded(
    replicas: Replicas, tmp_path: Path, tansu: Tansu
) -> None:
    relay = plans_app(
        plans_settings(
            tmp_path,
            replicas.one.issuer,
            event_store=SecretStr(replicas.server.uri),
            role="relay",
            kafka_bootstrap=tansu.bootstrap,
            kafka_forgets=tansu.forgets,
        )
    )
    async with relay.router.lifespan_context(relay):
        for replica in (replicas.one, replicas.two):
            await replica.begun()
            await replica.at("globex").begun()
        async with opened(replicas.server) as store, asyncio.timeout(TIMEOUT_S):
            log = await everything(store)
            while sum(map(len, partitions := await positions(tansu))) < len(log):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    for published in partitions:
        assert published == sorted(set(published))
    assert sorted(chain(*partitions)) == [record.position for record in log]


async def positions(broker: Tansu) -> list[list[int]]:
    """Of each partition, in its order."""
    return [
        [from_kafka(each.headers, each.value or b"")[0].position for each in records]
        for records in await records_in(broker.bootstrap, topic_of(Owner.PLANS), 4)
    ]
