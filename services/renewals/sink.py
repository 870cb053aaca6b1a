"""Turns events of plans into commands on renewals, then remembers how far it came.

Effects happen once although events may come twice: a command's id derives from its event, and the checkpoint moves only
after everything before it is recorded.
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from contracts.envelope import Actor, Envelope, Metadata
from contracts.renewals import RenewalEvent
from contracts.topics import Owner
from services.chassis.checkpoints import Checkpoints
from services.chassis.clock import Clock, instant
from services.chassis.command_handler import Command, CommandHandler
from services.chassis.consumer import CannotApply, Parked
from services.chassis.shared_checkpoints import SharedCheckpoints

from . import decider
from .decider import AccountRenewals
from .policy import command_for

Progress = Checkpoints | SharedCheckpoints

_POLICY = uuid.UUID("6b8a2a0e-8a5c-4a57-9b0e-0a3b6d1f4c55")
ACTOR = Actor(id="renewals", role="service", via="policy")


class PolicySink:
    """A consumer's sink: commands first, then checkpoints and parked events through `progress`."""

    def __init__(self, renewals: CommandHandler[AccountRenewals], progress: Progress, clock: Clock) -> None:
        self._renewals = renewals
        self._progress = progress
        self._clock = clock

    async def checkpoints(self, owner: Owner) -> dict[int, int]:
        return await self._progress.checkpoints(owner)

    async def parked_streams(self, owner: Owner) -> set[str]:
        return await self._progress.parked_streams(owner)

    async def parked_events(self, owner: Owner, stream: str) -> list[Envelope]:
        return await self._progress.parked_events(owner, stream)

    async def unpark(self, owner: Owner, stream: str, events: Sequence[Envelope]) -> None:
        """Carries out what the parked events call for; only then are they forgotten."""
        async with self._progress.replaying(owner, stream, events):
            await self._follow(events)

    async def apply(
        self, owner: Owner, events: Sequence[Envelope], checkpoints: Mapping[int, int], parked: Sequence[Parked]
    ) -> None:
        """Carries out what the events call for, in order per account, accounts side by side; then the checkpoint."""
        async with self._progress.following(owner, events, checkpoints, parked) as fresh:
            of_account: dict[str, list[Envelope]] = defaultdict(list)
            for event in fresh:
                of_account[event.account_id].append(event)
            outcomes = await asyncio.gather(*map(self._follow, of_account.values()), return_exceptions=True)
            for failure in outcomes:  # only when all have come to rest: a retry must not meet a command still under way
                if failure is not None:
                    raise failure

    async def _follow(self, events: Sequence[Envelope]) -> None:
        for event in events:
            await self._carry_out(event)

    async def _carry_out(self, event: Envelope) -> None:
        try:
            command = command_for(event)
        except (ValidationError, KeyError) as error:
            raise CannotApply(event) from error
        if command is None:
            return

        def decide(state: AccountRenewals | None, _: int) -> list[RenewalEvent]:
            try:
                return decider.decide(command, state)
            except ValueError as error:  # an account's total beyond Minor: one account must not hold up all others
                raise CannotApply(event) from error

        await self._renewals.handle(f"renewal-{event.account_id}", Command(self._metadata(event)), decide)

    def _metadata(self, cause: Envelope) -> Metadata:
        command_id = str(uuid.uuid5(_POLICY, cause.event_id))
        return Metadata(
            account_id=cause.account_id,
            actor=ACTOR,
            recorded_at=instant(self._clock.now()),
            effective_on=cause.metadata["effective_on"],
            causation_id=cause.event_id,
            correlation_id=cause.metadata["correlation_id"],
            command_id=command_id,
            request_digest="policy",
            traceparent=cause.metadata.get("traceparent", ""),
        )
