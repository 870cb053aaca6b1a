"""A fork of an account's history: the owners themselves, in this process, on event stores in memory and a clock of
their own. Nobody else can see it, and when it is closed nothing is left.

The deciders, policies and calendars are the real ones, and so is what brings them to rest at an instant
(`gateway.mover.Rest`); an owner's feed is its store. There is no Kafka, no file, and no payment provider but the
embedded one.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI

from contracts.envelope import Record
from contracts.topics import Owner
from services.chassis.consumer import Consumer
from services.chassis.derived_file import IN_MEMORY
from services.chassis.due import Settler
from services.chassis.event_store import START, NewEvent
from services.chassis.follower import Follower
from services.chassis.memory_store import MemoryEventStore
from services.chassis.own_log import OwnFeed
from services.devices import app as devices
from services.devices import routes as device_routes
from services.devices.settings import DevicesSettings
from services.gateway.mover import Rest, Settled
from services.plans import app as plans
from services.plans.settings import PlansSettings
from services.renewals import app as renewals
from services.renewals import routes as renewal_routes
from services.renewals.payments import EmbeddedPayments
from services.renewals.settings import RenewalsSettings

from .asking import Answer, ask, asking_app

NO_KAFKA = "nowhere:9092"
COMMANDS = {
    Owner.PLANS: plans.COMMANDS,
    Owner.DEVICES: (device_routes.router,),
    Owner.RENEWALS: (renewal_routes.router,),
}

Told = Callable[[datetime], None]


@dataclass(frozen=True, slots=True)
class World:
    """What the owners of the real account were started with. tax_rates: a file, or None: nothing is taxed."""

    tax_rates: Path | None = None
    device_ratio: int = 3


class ForkClock:
    """Stands where it is put."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class _Owner:
    """gateway.mover.Settling, in this process."""

    def __init__(self, owner: Owner, settler: Settler) -> None:
        self.name = owner.value
        self._settler = settler

    async def settle(self) -> Settled:
        return Settled(*await self._settler.settle())


class Fork:
    """Made by `forked`."""

    def __init__(
        self,
        account_id: str,
        clock: ForkClock,
        stores: Mapping[Owner, MemoryEventStore],
        states: Mapping[Owner, Mapping[str, Any]],
    ) -> None:
        self.account_id = account_id
        self._clock = clock
        self._stores = stores
        self._states = states
        self._apps: dict[Owner, FastAPI] = {
            owner: asking_app(owner, account_id, routers) for owner, routers in COMMANDS.items()
        }
        self._rest = Rest([_Owner(owner, state["settler"]) for owner, state in states.items()])

    def now(self) -> datetime:
        return self._clock.at

    async def records(self, owner: Owner) -> list[Record]:
        return [record async for record in self._stores[owner].read_all(START)]

    async def command(self, owner: Owner, method: str, path: str, body: Any, key: str) -> Answer:
        """The owner's answer to a command of somebody who may do everything in the account; its effects come with the
        next `roll`. path: as at the gateway. key: its Idempotency-Key."""
        headers = {"If-Match": "*", "Idempotency-Key": key}
        return await ask(self._apps[owner], self._states[owner], method, path, orjson.dumps(body), headers)

    async def roll(self, until: datetime, told: Told = lambda _: None) -> None:
        """Goes on to `until`, and does on the way all that is due, on its instant. told: where it is.

        Raises mover.Stuck, and Refused for a mistake of ours."""
        while True:
            due_at = await self._rest.at(self._clock.at)
            told(self._clock.at)
            if self._clock.at >= until:
                return
            self._clock.at = due_at.astimezone(UTC) if due_at and due_at <= until else until


@asynccontextmanager
async def forked(
    account_id: str, history: Mapping[Owner, Sequence[Record]], at: datetime, world: World
) -> AsyncIterator[Fork]:
    """history: as `history_of` reads it. at: what time it is there. Raises ValueError for a history with a gap."""
    clock, stores = ForkClock(at), {owner: await _store_of(history.get(owner, ())) for owner in Owner}
    feeds = {owner: OwnFeed(store) for owner, store in stores.items()}
    # Made without a look at the environment, where the real engines are.
    kept: dict[str, Any] = {"data_dir": IN_MEMORY, "kafka_bootstrap": NO_KAFKA, "partitions": 1}
    p_settings = PlansSettings.model_construct(**kept, tax_rates=world.tax_rates)
    d_settings = DevicesSettings.model_construct(**kept, device_ratio=world.device_ratio)
    r_settings = RenewalsSettings.model_construct(**kept, tax_rates=world.tax_rates)
    async with AsyncExitStack() as stack:
        open_ = stack.enter_async_context
        secret = secrets.token_bytes(32)
        states = {
            Owner.PLANS: await open_(
                plans.at_rest(p_settings, stores[Owner.PLANS], feeds[Owner.RENEWALS], secret, clock)
            ),
            Owner.DEVICES: await open_(devices.at_rest(d_settings, stores[Owner.DEVICES], feeds[Owner.PLANS], clock)),
            Owner.RENEWALS: await open_(
                renewals.at_rest(r_settings, stores[Owner.RENEWALS], feeds, EmbeddedPayments(), clock)
            ),
        }
        fork = Fork(account_id, clock, stores, states)
        for reader, follower in _policies(states):
            causes = {orjson.loads(record.metadata)["causation_id"] for record in await fork.records(reader)}
            _begin_behind(follower, await fork.records(follower.owner), causes)
        yield fork


async def _store_of(records: Sequence[Record]) -> MemoryEventStore:
    """With the same ids, streams and revisions; positions are this store's own."""
    store, revisions = MemoryEventStore(), dict[str, int]()
    for each in records:
        if each.revision != revisions.get(each.stream, -1) + 1:
            raise ValueError(f"{each.stream} has a gap before revision {each.revision}")
        revisions[each.stream] = each.revision
        event = NewEvent(each.event_id, each.type, each.version, each.metadata, each.data)
        await store.append(each.stream, [event], each.revision - 1)
    return store


def _policies(states: Mapping[Owner, Mapping[str, Any]]) -> Iterator[tuple[Owner, Follower]]:
    """Who answers events with commands, and how it follows them."""
    for reader in (Owner.PLANS, Owner.RENEWALS):
        consumer: Consumer = states[reader]["consumer"]
        for follower in consumer.followers.values():
            yield reader, follower
    yield Owner.RENEWALS, states[Owner.RENEWALS]["itself"]


def _begin_behind(follower: Follower, followed: Sequence[Record], causes: set[str]) -> None:
    """Where the real one stood, as far as its own log tells: behind the last event that caused one there. Later events
    had no effect, or have it still to come; commands have the ids they had, so looking at them again is safe."""
    reached = max((record.position for record in followed if record.event_id in causes), default=START)
    follower.checkpoints = dict.fromkeys(follower.checkpoints, reached)
