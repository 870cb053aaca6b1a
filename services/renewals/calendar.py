"""What renewals do by themselves: they declare what is due, and try to collect what was not paid."""

from datetime import datetime

from services.chassis.clock import Clock, instant
from services.chassis.follower import Follower
from services.chassis.policies import due

from . import billing, rentals
from .due_index import DueIndex, DueRenewal, DueRentals
from .ledger import SERVICE, Ledger


class Calendar:
    """An Agenda. plans, devices: their followers. What is due at an instant is declared only once everything they
    recorded before it is known here: no bundle may be missing from its renewal, no returned unit may be charged."""

    def __init__(self, index: DueIndex, ledger: Ledger, plans: Follower, devices: Follower, clock: Clock) -> None:
        self._index, self._ledger, self._plans, self._devices, self._clock = index, ledger, plans, devices, clock

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
        if await self._index.rentals(until):
            await self._plans.catch_up()  # they say where the account is taxed
            await self._devices.catch_up()
        while months := await self._index.rentals(until):
            for each in months:
                await self._charge(each)
        while tries := await self._index.tries(until):
            for again in tries:
                on = again.try_on.isoformat()
                await self._ledger.try_payment(again.account_id, again.invoice_id, again.attempt, on)

    async def _declare(self, renewal: DueRenewal) -> None:
        what = f"renewal {renewal.cadence} {renewal.due_on}"
        metadata = due(SERVICE, renewal.account_id, what, renewal.due_on.isoformat(), self._clock)
        key = (renewal.cadence, renewal.due_on)
        await self._ledger.on_account(metadata, lambda account: billing.declare_due(account, key))

    async def _charge(self, months: DueRentals) -> None:
        account_id, on, rates = months.account_id, months.due_on, self._ledger.rates
        metadata = due(SERVICE, account_id, f"rentals {on} {months.lease_id}", on.isoformat(), self._clock)
        await self._ledger.on_account(metadata, lambda account: rentals.charge(account, account_id, on, rates))
