"""Who reads an account's audit log is recorded in the log: once a day for each reader and way, however often they do.

A stream per account and day, so neither grows with the years; who reads is the event's actor. It is signed with
everything else in this owner's log, and History shows it like everything that happened.
"""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import date

from contracts.plans import HistoryRead
from contracts.problems import Refused
from services.chassis.asked import Asked
from services.chassis.clock import Clock
from services.chassis.command_handler import Command, CommandHandler, Recorded

from .account import Account

KNOWN_FOR_S = 60.0  # an account that was opened stays so

_READINGS = uuid.UUID("6f0f7d52-8f0e-4b0b-8a4f-6a0d54f1c6de")


@dataclass(frozen=True, slots=True)
class Readings:
    handler: CommandHandler[HistoryRead]
    accounts: CommandHandler[Account]
    clock: Clock
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # who opens two pages at once is refused neither

    async def record(self, asked: Asked, read: HistoryRead) -> Recorded:
        """Raises Refused account_not_found."""
        account = await self.accounts.current(f"billingaccount-{asked.account_id}", KNOWN_FOR_S)
        if account.state is None:
            raise Refused("account_not_found")
        now = self.clock.now()
        on = now.date()
        said = "\n".join((asked.account_id, asked.actor.id, read.way, on.isoformat()))
        metadata = asked.metadata(uuid.uuid5(_READINGS, said), now, on)
        async with self.turn:
            return await self.handler.handle(f"reading-{asked.account_id}.{on}", Command(metadata), lambda *_: [read])


def evolve(_: HistoryRead | None, event: HistoryRead, _effective_on: date) -> HistoryRead:
    """Only whether there is any: which command was recorded is for the handler to know."""
    return event
