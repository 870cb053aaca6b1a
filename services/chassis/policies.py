"""Policies: events of an owner become commands here. What a policy asks for is carried out once, however often the
event comes, because the command's id derives from the event's.
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from contracts.envelope import Actor, Envelope, Metadata
from contracts.topics import Owner

from .checkpoints import Checkpoints
from .clock import Clock, instant
from .shared_checkpoints import SharedCheckpoints
from .sink import NOWHERE, CannotApply, Parked

_CAUSED = uuid.UUID("6b8a2a0e-8a5c-4a57-9b0e-0a3b6d1f4c55")

Progress = Checkpoints | SharedCheckpoints
React = Callable[[Envelope], Awaitable[None]]


class PolicySink:
    """A consumer's sink. react: carries out what an event calls for, every time it is asked to. It raises ValueError or
    KeyError for an event that it can make nothing of, now or later."""

    def __init__(self, react: React, progress: Progress) -> None:
        self._react = react
        self._progress = progress

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
        self,
        owner: Owner,
        events: Sequence[Envelope],
        checkpoints: Mapping[int, int],
        parked: Sequence[Parked],
        after: Mapping[int, int] = NOWHERE,
    ) -> None:
        """Carries out what the events call for, in order per account, accounts side by side; then the checkpoint."""
        async with self._progress.following(owner, events, checkpoints, parked, after) as fresh:
            of_account: dict[str, list[Envelope]] = defaultdict(list)
            for event in fresh:
                of_account[event.account_id].append(event)
            outcomes = await asyncio.gather(*map(self._follow, of_account.values()), return_exceptions=True)
            for failure in outcomes:  # only when all have come to rest: a retry must not meet a command still under way
                if failure is not None:
                    raise failure

    async def _follow(self, events: Sequence[Envelope]) -> None:
        for event in events:
            try:
                await self._react(event)
            except (ValueError, KeyError) as error:
                raise CannotApply(event) from error


def caused_by(
    cause: Envelope, service: str, clock: Clock, scope: str = "", effective_on: str | None = None
) -> Metadata:
    """Of a command that an event calls for. scope: tells several commands of one event apart. effective_on: a day other
    than the event's own."""
    return Metadata(
        account_id=cause.account_id,
        actor=Actor(id=service, role="service", via="policy"),
        recorded_at=instant(clock.now()),
        effective_on=effective_on or cause.metadata["effective_on"],
        causation_id=cause.event_id,
        correlation_id=cause.metadata["correlation_id"],
        command_id=str(uuid.uuid5(_CAUSED, cause.event_id + scope)),
        request_digest="policy",
        traceparent=cause.metadata.get("traceparent", ""),
    )


def due(service: str, account_id: str, what: str, effective_on: str, clock: Clock) -> Metadata:
    """Of a command whose time has come. what: the same for every try at the same thing, and for nothing else."""
    command_id = str(uuid.uuid5(_CAUSED, f"{service} {account_id} {what}"))
    return Metadata(
        account_id=account_id,
        actor=Actor(id=service, role="service", via="clock"),
        recorded_at=instant(clock.now()),
        effective_on=effective_on,
        causation_id=command_id,
        correlation_id=command_id,
        command_id=command_id,
        request_digest="due",
        traceparent="",
    )
