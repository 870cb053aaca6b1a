"""Load, decide, append, again: repeated commands are one fact, conflicts are retried, caches are never believed."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import date

import pytest
from pydantic import BaseModel

from contracts.envelope import Actor, Metadata
from contracts.plans import LicenceAssigned
from contracts.problems import Refused
from services.chassis.command_handler import Command, CommandHandler
from services.chassis.event_store import AppendResult, EventStore, NewEvent, OutcomeUnknown, WrongExpectedRevision
from services.chassis.memory_store import MemoryEventStore

Names = tuple[str, ...]
Decide = Callable[[Names | None, int], Sequence[BaseModel]]
STREAM = "plan-1"


def evolve(names: Names | None, event: LicenceAssigned, effective_on: date) -> Names:
    return (*(names or ()), event.assignee)


def command(
    key: str | None = None, digest: str = "d", expected_revision: int | None = None, account_id: str = "acme"
) -> Command:
    command_id = uuid.uuid5(uuid.NAMESPACE_OID, key) if key else uuid.uuid4()
    metadata = Metadata(
        account_id=account_id,
        actor=Actor(id="user-1", role="editor", via="api"),
        recorded_at="2026-06-11T10:00:00.000000Z",
        effective_on="2026-06-11",
        causation_id=str(command_id),
        correlation_id="c",
        command_id=str(command_id),
        request_digest=digest,
    )
    return Command(metadata, expected_revision)


def assign(*names: str) -> Decide:
    def decide(present: Names | None, _: int) -> Sequence[BaseModel]:
        if set(names) & set(present or ()):
            raise Refused("no_change")
        return [LicenceAssigned(bundle_id="1", assignee=name) for name in names]

    return decide


async def names_in(store: EventStore) -> list[str]:
    return [LicenceAssigned.model_validate_json(record.data).assignee for record in await store.read_stream(STREAM)]


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


@pytest.fixture
def handler(store: MemoryEventStore) -> CommandHandler[Names]:
    return CommandHandler(store, evolve)


async def test_a_command_is_appended_and_answered_with_its_place(handler: CommandHandler[Names]) -> None:
    recorded = await handler.handle(STREAM, command(), assign("ann", "bob"))
    assert (recorded.revision, len(recorded.events)) == (1, 2)
    assert (await handler.handle(STREAM, command(), assign("cy"))).revision == 2


async def test_what_is_so_already_is_answered_with_the_place_where_it_became_so(handler: CommandHandler[Names]) -> None:
    recorded = await handler.handle(STREAM, command(), assign("ann", "bob"))
    again = await handler.handle(STREAM, command(), lambda *_: [])
    assert (again.revision, again.position, again.events) == (recorded.revision, recorded.position, ())


async def test_the_same_key_again_gets_the_original_answer_and_writes_nothing(
    store: MemoryEventStore, handler: CommandHandler[Names]
) -> None:
    first = await handler.handle(STREAM, command("k"), assign("ann", "bob"))
    await handler.handle(STREAM, command(), assign("cy"))
    assert await handler.handle(STREAM, command("k"), assign("ann", "bob")) == first
    assert await names_in(store) == ["ann", "bob", "cy"]


async def test_the_same_key_after_a_crash_gets_the_original_answer(
    store: MemoryEventStore, handler: CommandHandler[Names]
) -> None:
    first = await handler.handle(STREAM, command("k"), assign("ann", "bob"))
    assert await CommandHandler(store, evolve).handle(STREAM, command("k"), assign("ann", "bob")) == first
    assert await names_in(store) == ["ann", "bob"]


async def test_the_same_key_on_a_replica_whose_cache_is_behind_gets_the_original_answer(
    store: MemoryEventStore, handler: CommandHandler[Names]
) -> None:
    replica = CommandHandler(store, evolve)
    await replica.handle(STREAM, command(), assign("zoe"))
    await handler.handle(STREAM, command(), assign("ann"))
    first = await handler.handle(STREAM, command("k"), assign("bob"))
    assert await replica.handle(STREAM, command("k"), assign("bob")) == first
    assert await names_in(store) == ["zoe", "ann", "bob"]


@pytest.mark.parametrize("replica", [False, True])
async def test_a_key_used_with_another_request_is_refused(
    store: MemoryEventStore, handler: CommandHandler[Names], replica: bool
) -> None:
    other = CommandHandler(store, evolve) if replica else handler
    await other.handle(STREAM, command(), assign("zoe"))
    await handler.handle(STREAM, command("k", "d1"), assign("ann"))
    with pytest.raises(Refused, match="idempotency_key_reused"):
        await other.handle(STREAM, command("k", "d2"), assign("bob"))


class Slow(MemoryEventStore):
    """Appends when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def append(self, stream: str, events: Sequence[NewEvent], expected: int) -> AppendResult:
        self.asked.set()
        await self.go_on.wait()
        return await super().append(stream, events, expected)


async def test_the_same_command_again_before_the_first_is_answered_is_told_that_it_is_in_flight() -> None:
    store = Slow()
    handler = CommandHandler(store, evolve)
    first = asyncio.create_task(handler.handle(STREAM, command("k"), assign("ann")))
    await store.asked.wait()
    with pytest.raises(Refused, match="command_in_flight"):
        async with asyncio.timeout(10):  # waiting for the first one would never end
            await handler.handle(STREAM, command("k"), assign("ann"))
    store.go_on.set()
    assert await handler.handle(STREAM, command(), assign("bob")) != await first
    assert await names_in(store) == ["ann", "bob"]


async def test_a_stale_revision_is_refused_and_names_the_present_one(handler: CommandHandler[Names]) -> None:
    await handler.handle(STREAM, command(), assign("ann"))
    await handler.handle(STREAM, command(expected_revision=0), assign("bob"))
    with pytest.raises(Refused, match="revision_stale") as refused:
        await handler.handle(STREAM, command(expected_revision=0), assign("cy"))
    assert refused.value.facts == {"revision": 1}


async def test_of_two_editors_with_one_revision_on_two_replicas_one_wins(
    store: MemoryEventStore, handler: CommandHandler[Names]
) -> None:
    replica = CommandHandler(store, evolve)
    await handler.handle(STREAM, command(), assign("zoe"))
    await replica.current(STREAM)
    await handler.handle(STREAM, command(expected_revision=0), assign("ann"))
    with pytest.raises(Refused, match="revision_stale"):
        await replica.handle(STREAM, command(expected_revision=0), assign("bob"))
    assert await names_in(store) == ["zoe", "ann"]


async def test_a_refusal_from_a_cache_that_is_behind_is_checked_against_the_stream(
    store: MemoryEventStore, handler: CommandHandler[Names]
) -> None:
    def only_after_bob(present: Names | None, _: int) -> Sequence[BaseModel]:
        if "bob" not in (present or ()):
            raise Refused("no_change")
        return [LicenceAssigned(bundle_id="1", assignee="cy")]

    await handler.handle(STREAM, command(), assign("ann"))
    await CommandHandler(store, evolve).handle(STREAM, command(), assign("bob"))
    assert (await handler.handle(STREAM, command(), only_after_bob)).revision == 2


async def test_what_a_cache_that_is_behind_takes_for_impossible_or_so_already_is_checked_against_the_stream(
    store: MemoryEventStore, handler: CommandHandler[Names]
) -> None:
    def if_second(present: Names | None, _: int) -> Sequence[BaseModel]:
        if len(present or ()) != 2:
            raise ValueError("not now")
        return [LicenceAssigned(bundle_id="1", assignee="cy")]

    def unless_third(present: Names | None, _: int) -> Sequence[BaseModel]:
        return [LicenceAssigned(bundle_id="1", assignee="di")] if len(present or ()) > 3 else []

    other = CommandHandler(store, evolve)
    await handler.handle(STREAM, command(), assign("ann"))
    await other.handle(STREAM, command(), assign("bob"))
    await handler.handle(STREAM, command(), if_second)
    await other.handle(STREAM, command(), assign("eve"))
    await handler.handle(STREAM, command(), unless_third)
    assert await names_in(store) == ["ann", "bob", "cy", "eve", "di"]
    with pytest.raises(ValueError, match="not now"):
        await handler.handle(STREAM, command(), if_second)


async def test_another_accounts_stream_looks_absent(handler: CommandHandler[Names]) -> None:
    seen: list[object] = []

    def decide(present: Names | None, revision: int) -> Sequence[BaseModel]:
        seen.append((present, revision))
        raise Refused("plan_not_found")

    await handler.handle(STREAM, command(), assign("ann"))
    with pytest.raises(Refused, match="plan_not_found"):
        await handler.handle(STREAM, command(account_id="globex", expected_revision=7), decide)
    assert set(seen) == {(None, -1)}


async def test_many_writers_on_one_stream_from_three_replicas_all_get_through(store: MemoryEventStore) -> None:
    replicas = [CommandHandler(store, evolve) for _ in range(3)]
    writes = [replicas[n % 3].handle(STREAM, command(f"k{n}"), assign(f"n{n}")) for n in range(60)]
    await asyncio.gather(*writes)
    assert sorted(await names_in(store)) == sorted(f"n{n}" for n in range(60))


class Contested(MemoryEventStore):
    """Somebody else is always faster."""

    async def append(self, stream: str, events: Sequence[NewEvent], expected: int) -> AppendResult:
        raise WrongExpectedRevision(stream, expected, expected + 1)


async def test_a_stream_on_which_somebody_else_is_always_faster_is_overloaded() -> None:
    with pytest.raises(Refused, match="overloaded"):
        await CommandHandler(Contested(), evolve).handle(STREAM, command(), assign("ann"))


class Forgetful(MemoryEventStore):
    """Writes, then says it does not know: what a lost connection looks like."""

    unknown = 1

    async def append(self, stream: str, events: Sequence[NewEvent], expected: int) -> AppendResult:
        result = await super().append(stream, events, expected)
        if self.unknown:
            self.unknown -= 1
            raise OutcomeUnknown("no answer")
        return result


async def test_an_unknown_outcome_is_settled_by_asking_again_and_never_written_twice() -> None:
    store = Forgetful()
    recorded = await CommandHandler(store, evolve).handle(STREAM, command(), assign("ann"))
    assert (recorded.revision, await names_in(store)) == (0, ["ann"])


async def test_an_outcome_that_stays_unknown_is_said_and_the_key_finds_it_later() -> None:
    store = Forgetful()
    store.unknown = 3
    handler = CommandHandler(store, evolve)
    with pytest.raises(OutcomeUnknown):
        await handler.handle(STREAM, command("k"), assign("ann"))
    assert (await handler.handle(STREAM, command("k"), assign("ann"))).revision == 0
    assert await names_in(store) == ["ann"]


async def test_streams_beyond_the_cache_are_read_again(store: MemoryEventStore) -> None:
    handler = CommandHandler(store, evolve, cached_streams=2)
    for n in range(5):
        await handler.handle(f"plan-{n}", command(), assign("ann"))
    assert (await handler.handle("plan-0", command(), assign("bob"))).revision == 1
