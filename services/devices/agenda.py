"""What devices do by themselves when its time has come: submit, ship, deliver, begin leases, replace, charge fees.

Done exactly once in effect: the id of a command derives from its stream and from what is due, and the rules record
nothing for what is so already.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

import structlog
from pydantic import BaseModel

from contracts.devices import LeaseEvent, OrderEvent
from contracts.envelope import Actor, Metadata
from services.chassis.clock import Clock, instant
from services.chassis.command_handler import Command, CommandHandler
from services.chassis.event_store import EventStore

from . import lease_decider, order_decider
from .carrier import Carrier
from .due_index import Due, DueIndex
from .lease import Lease
from .order import Order
from .schedule import next_lease_step, next_order_step, starting
from .shop import Shop

AT_ONCE = 500  # looked up together, when they are due at one instant

_AGENDA = uuid.UUID("3f0c6f52-9b7e-4a67-9c0f-5d8a4c1e7b90")
ACTOR = Actor(id="devices", role="service", via="clock")
NOTHING_SOLD = Shop(account=None)  # what the time brings asks for no price

log = structlog.get_logger(__name__)


class DevicesAgenda:
    """A chassis.due.Agenda."""

    def __init__(
        self,
        store: EventStore,
        index: DueIndex,
        orders: CommandHandler[Order],
        leases: CommandHandler[Lease],
        carrier: Carrier,
        clock: Clock,
    ) -> None:
        self._store = store
        self._index = index
        self._orders = orders
        self._leases = leases
        self._carrier = carrier
        self._clock = clock

    async def next_at(self) -> datetime | None:
        return await self._index.next_at()

    async def carry_out(self, now: datetime) -> None:
        """Instant by instant: what an instant brings may make something due before the next one."""
        before = await self._store.head()
        while due := await self._index.due(now, AT_ONCE):
            first = [each for each in due if each.at == due[0].at]
            for each in first:
                await self._do(each)
            head = await self._store.head()
            if head == before:  # it would be tried for ever
                log.error("due_work_stuck", streams=[each.stream for each in first[:5]])
                return
            before = head

    async def _do(self, due: Due) -> None:
        if due.delivered_by:
            await self._start_lease(due, *due.delivered_by.split(" "))
        elif due.stream.startswith("deviceorder-"):
            await self._move_order(due)
        else:
            await self._move_lease(due)

    async def _start_lease(self, due: Due, order_id: str, shipment_id: str) -> None:
        order = (await self._orders.current(f"deviceorder-{order_id}")).state
        assert order is not None
        shipment = order.shipments[shipment_id]
        (command,) = [each for each in starting(order, shipment) if f"lease-{each.lease_id}" == due.stream]

        def decide(lease: Lease | None, _: int) -> Sequence[LeaseEvent]:
            return lease_decider.decide(command, lease)

        metadata = self._metadata(due, "start", command.started_on.isoformat())
        await self._leases.handle(due.stream, Command(metadata), decide)

    async def _move_order(self, due: Due) -> None:
        order = (await self._orders.current(due.stream)).state
        step = next_order_step(order, self._carrier) if order else None
        if order is None or step is None or instant(step.at) != due.at:
            return  # somebody was faster: it is due no more

        def decide(state: Order | None, _: int) -> Sequence[OrderEvent]:
            return order_decider.decide(step.command, state, NOTHING_SOLD)

        metadata = self._metadata(due, step.name, order.day(step.at).isoformat())
        await self._orders.handle(due.stream, Command(metadata), decide)

    async def _move_lease(self, due: Due) -> None:
        lease = (await self._leases.current(due.stream)).state
        step = next_lease_step(lease, self._carrier) if lease else None
        if lease is None or step is None or instant(step.at) != due.at:
            return

        def decide(state: Lease | None, _: int) -> Sequence[BaseModel]:
            return lease_decider.decide(step.command, state)

        metadata = self._metadata(due, step.name, lease.day(step.at).isoformat())
        await self._leases.handle(due.stream, Command(metadata), decide)

    def _metadata(self, due: Due, name: str, effective_on: str) -> Metadata:
        """effective_on: the day it was due on, however late it is carried out."""
        command_id = str(uuid.uuid5(_AGENDA, f"{due.stream} {name}"))
        return Metadata(
            account_id=due.account_id,
            actor=ACTOR,
            recorded_at=instant(self._clock.now()),
            effective_on=effective_on,
            causation_id=command_id,
            correlation_id=command_id,
            command_id=command_id,
            request_digest="agenda",
        )
