"""What the plans service does by itself: scheduled edits take effect, bundles end, and learn of new price books."""

from collections.abc import Sequence
from datetime import date, datetime

from pydantic import BaseModel

from services.chassis.clock import Clock, instant, today
from services.chassis.command_handler import Command, CommandHandler
from services.chassis.policies import due

from . import term_end
from .account import Account
from .bundle_index import BundleIndex, Coming, Ending
from .catalogue import Catalogue
from .plan import Plan
from .scheduled import take_effect, warning

SERVICE = "plans"


class Endings:
    """An Agenda: cancelled and one-month bundles end when their last day is over."""

    def __init__(self, index: BundleIndex, plans: CommandHandler[Plan], clock: Clock) -> None:
        self._index, self._plans, self._clock = index, plans, clock

    async def next_at(self) -> datetime | None:
        first = await self._index.first_end()
        return datetime.fromisoformat(first) if first else None

    async def carry_out(self, now: datetime) -> None:
        while endings := await self._index.endings(instant(now)):
            if not any([await self._end(ending) for ending in endings]):
                raise RuntimeError(f"{endings[0].bundle_id} should end on {endings[0].ends_on}, but its rules say no")

    async def _end(self, ending: Ending) -> bool:
        def decide(plan: Plan | None, _: int) -> Sequence[BaseModel]:
            return term_end.end(plan, ending.ends_on)

        what = f"plan {ending.bundle_id} ends {ending.ends_on}"
        metadata = due(SERVICE, ending.account_id, what, ending.ends_on.isoformat(), self._clock)
        return bool((await self._plans.handle(f"plan-{ending.bundle_id}", Command(metadata), decide)).events)


class Edits:
    """An Agenda: scheduled edits take effect on their day, where that is within the term. stream: of the price book
    that is sold from."""

    def __init__(
        self,
        index: BundleIndex,
        plans: CommandHandler[Plan],
        accounts: CommandHandler[Account],
        books: CommandHandler[Catalogue],
        stream: str,
        clock: Clock,
    ) -> None:
        self._index, self._plans, self._accounts, self._books = index, plans, accounts, books
        self._stream, self._clock = stream, clock

    async def next_at(self) -> datetime | None:
        first = await self._index.first_coming("effect")
        return datetime.fromisoformat(first) if first else None

    async def carry_out(self, now: datetime) -> None:
        while coming := await self._index.coming("effect", instant(now)):
            for each in coming:
                await self.take_effect(each)

    async def before(self, bundle_id: str, account_id: str, on: date) -> None:
        """Those of a bundle that are still to take effect before a day: a renewal may be heard of before they are."""
        plan = (await self._plans.current(f"plan-{bundle_id}")).state
        pending = sorted(plan.pending.values(), key=lambda each: each.effective_on) if plan else []
        for each in pending:
            if each.effective_on < on:
                await self.take_effect(Coming(bundle_id, account_id, each.change_id, each.effective_on))

    async def take_effect(self, each: Coming) -> None:
        account = (await self._accounts.current(f"billingaccount-{each.account_id}")).state
        catalogue = (await self._books.current(self._stream)).state or Catalogue()
        if account is None:
            raise ValueError(f"plan {each.bundle_id} is of an account that was never opened")

        def decide(plan: Plan | None, _: int) -> Sequence[BaseModel]:
            return take_effect(plan, each.change_id, account, catalogue)

        what = f"plan {each.bundle_id} edit {each.change_id}"
        metadata = due(SERVICE, each.account_id, what, each.on.isoformat(), self._clock)
        if not (await self._plans.handle(f"plan-{each.bundle_id}", Command(metadata), decide)).events:
            self._index.passed("effect", each)


class Warnings:
    """An Agenda: a week before a reduction below the licences that are assigned, it is told that it will fail (B4)."""

    def __init__(self, index: BundleIndex, plans: CommandHandler[Plan], clock: Clock) -> None:
        self._index, self._plans, self._clock = index, plans, clock

    async def next_at(self) -> datetime | None:
        first = await self._index.first_coming("warning")
        return datetime.fromisoformat(first) if first else None

    async def carry_out(self, now: datetime) -> None:
        while coming := await self._index.coming("warning", instant(now)):
            for each in coming:
                await self._warn(each)

    async def _warn(self, each: Coming) -> None:
        def decide(plan: Plan | None, _: int) -> Sequence[BaseModel]:
            return warning(plan, each.on)

        what = f"plan {each.bundle_id} warning {each.change_id}"
        metadata = due(SERVICE, each.account_id, what, each.on.isoformat(), self._clock)
        await self._plans.handle(f"plan-{each.bundle_id}", Command(metadata), decide)
        self._index.passed("warning", each)


class Requotes:
    """An Agenda: a price book is told to every bundle whose next renewal it changes, as soon as it is published or
    withdrawn."""

    def __init__(
        self, index: BundleIndex, plans: CommandHandler[Plan], books: CommandHandler[Catalogue], clock: Clock
    ) -> None:
        self._index, self._plans, self._books, self._clock = index, plans, books, clock

    async def next_at(self) -> datetime | None:
        return self._clock.now() if await self._index.published() else None

    async def carry_out(self, now: datetime) -> None:
        for book_id, version, position in await self._index.published():
            catalogue = (await self._books.current(f"catalogue-{book_id}")).state or Catalogue()
            bundles = self._index.live()
            while bundles:
                for bundle_id, account_id, zone in bundles:
                    await self._requote(bundle_id, account_id, zone, version, position, catalogue)
                bundles = self._index.live(after=bundles[-1][0])
            self._index.told(position)

    async def _requote(
        self, bundle_id: str, account_id: str, zone: str, version: int, position: int, catalogue: Catalogue
    ) -> None:
        def decide(plan: Plan | None, _: int) -> Sequence[BaseModel]:
            return term_end.requote(plan, version, catalogue)

        on = today(self._clock, zone)
        metadata = due(
            SERVICE, account_id, f"plan {bundle_id} requoted {version} {position}", on.isoformat(), self._clock
        )
        await self._plans.handle(f"plan-{bundle_id}", Command(metadata), decide)
