"""What renewals do by themselves: they declare what is due, and try to collect what was not paid."""

from datetime import datetime

from services.chassis.clock import Clock, instant
from services.chassis.follower import Follower
from services.chassis.policies import due

from . import billing
from .due_index import DueIndex, DueRenewal
from .ledger import SERVICE, Ledger


class Calendar:
    """An Agenda. plans: the follower of the plans service. What is due at an instant is declared only once everything
    the plans service recorded before it is known here: no bundle may be missing from its renewal."""

    def __init__(self, index: DueIndex, ledger: Ledger, plans: Follower, clock: Clock) -> None:
        self._index, self._ledger, self._plans, self._clock = index, ledger, plans, clock

    async def next_at(self) -> datetime | None:
        first = await self._index.first_at()
        return datetime.fromisoformat(first) if first else None

    async def carry_out(self, now: datetime) -> None:
        until = instant(now)
        if await self._index.renewals(until):
            await self._plans.catch_up()
        while renewals := await self._index.renewals(until):
            for renewal in renewals:
                await self._declare(renewal)
        while tries := await self._index.tries(until):
            for each in tries:
                on = each.try_on.isoformat()
                await self._ledger.try_payment(each.account_id, each.invoice_id, each.attempt, on)

    async def _declare(self, renewal: DueRenewal) -> None:
        what = f"renewal {renewal.cadence} {renewal.due_on}"
        metadata = due(SERVICE, renewal.account_id, what, renewal.due_on.isoformat(), self._clock)
        key = (renewal.cadence, renewal.due_on)
        await self._ledger.on_account(metadata, lambda account: billing.declare_due(account, key))
