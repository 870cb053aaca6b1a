"""From a request to a decision: gathers what the deciders need, and lets them decide on the stream."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from weakref import WeakValueDictionary

from contracts.devices import LeaseEvent, OrderEvent
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis.asked import Asked
from services.chassis.clock import Clock, today
from services.chassis.command_handler import Command, CommandHandler, Recorded
from services.chassis.feed import FeedUnavailable

from . import lease_decider, order_decider
from .due_index import DueIndex
from .lease import Lease
from .order import Order
from .plans_index import PlansIndex
from .requests import lease_command, order_command

# Refusals that news from plans might turn: they are believed only of plans as they are now.
OF_PLANS = frozenset(
    {
        "account_not_found",
        "unpaid_invoices",
        "contract_managed",
        "account_on_hold",
        "product_not_found",
        "product_retired",
        "requirement_unmet",
        "device_ratio",
        "currency_unavailable",
        "quantity_out_of_range",
        "sales_only",
    }
)


@dataclass(frozen=True, slots=True)
class Application:
    """follow_plans: takes in now all that plans have recorded. Raises FeedUnavailable."""

    orders: CommandHandler[Order]
    leases: CommandHandler[Lease]
    plans: PlansIndex
    due: DueIndex
    follow_plans: Callable[[], Awaitable[None]]
    clock: Clock
    placing: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def place(self, asked: Asked) -> Recorded:
        """Places an order whose id derives from the command's, so that a repetition finds the same stream."""
        command_id = asked.command_id("place-device-order")
        return await self._on_order(asked, command_id, command_id.hex[:20])

    async def change_order(self, asked: Asked, order_id: str) -> Recorded:
        """Raises Refused order_not_found for one that is not the account's."""
        return await self._on_order(asked, asked.command_id(f"deviceorder-{order_id}"), order_id)

    async def change_lease(self, asked: Asked, lease_id: str) -> Recorded:
        """Raises Refused lease_not_found for one that is not the account's."""
        now = self.clock.now()
        on = self._today(asked.account_id)
        command = lease_command(asked.body, at=now, on=on, privileges=asked.privileges)

        def decide(lease: Lease | None, _: int) -> Sequence[LeaseEvent]:
            return lease_decider.decide(command, lease)

        metadata = asked.metadata(asked.command_id(f"lease-{lease_id}"), now, on)
        return await self.leases.handle(f"lease-{lease_id}", Command(metadata, asked.expected_revision), decide)

    async def _on_order(self, asked: Asked, command_id: uuid.UUID, order_id: str) -> Recorded:
        # One at a time in an account: units are counted across its orders, which no expected revision holds together.
        lock = self.placing.setdefault(asked.account_id, asyncio.Lock())
        async with lock:
            try:
                return await self._decided(asked, command_id, order_id)
            except Refused as refused:
                if refused.code not in OF_PLANS:
                    raise
            await self._follow_plans()
            return await self._decided(asked, command_id, order_id)

    async def _decided(self, asked: Asked, command_id: uuid.UUID, order_id: str) -> Recorded:
        now, on = self.clock.now(), self._today(asked.account_id)
        command = order_command(asked.body, order_id=order_id, at=now, on=on, privileges=asked.privileges)
        shop = self.plans.shop(asked.account_id, on, await self.due.rented(asked.account_id))

        def decide(order: Order | None, _: int) -> Sequence[OrderEvent]:
            return order_decider.decide(command, order, shop)

        metadata = asked.metadata(command_id, now, on)
        return await self.orders.handle(f"deviceorder-{order_id}", Command(metadata, asked.expected_revision), decide)

    async def _follow_plans(self) -> None:
        try:
            await self.follow_plans()
        except FeedUnavailable as error:
            raise Refused("owner_unavailable", owner=Owner.PLANS, outcome="not_recorded") from error

    def _today(self, account_id: str) -> date:
        """In the account's zone; in UTC for one that is not known (yet), which the deciders refuse or look up."""
        account = self.plans.account(account_id)
        return today(self.clock, account.time_zone) if account else self.clock.now().astimezone(UTC).date()
