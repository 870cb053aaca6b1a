"""What the plans service does by itself: it ends bundles whose last day is over, and tells them of new price books."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

from services.chassis.clock import Clock, instant, today
from services.chassis.command_handler import Command, CommandHandler
from services.chassis.policies import due

from . import term_end
from .bundle_index import BundleIndex, Ending
from .catalogue import Catalogue
from .plan import Plan

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
