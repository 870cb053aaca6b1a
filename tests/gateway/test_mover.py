"""A clock that is moved stops wherever something is due, in every service, and goes on whatever happens on the way."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.problems import Refused
from services.chassis.clock import SetClock, Setting
from services.chassis.due import Agenda, Settler
from services.chassis.event_store import NewEvent
from services.chassis.memory_store import MemoryEventStore
from services.gateway import mover as moving_on
from services.gateway.mover import Mover, Settled
from tests.engines import until

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
END = BEGIN + 45 * DAY


@dataclass
class Diary:
    """An agenda: whatever stands in it is written down, with the instant at which that was done."""

    store: MemoryEventStore
    clock: SetClock
    done: list[tuple[datetime, str]]
    due: dict[datetime, str] = field(default_factory=dict)

    async def next_at(self) -> datetime | None:
        return min(self.due, default=None)

    async def carry_out(self, now: datetime) -> None:
        for at in sorted(each for each in self.due if each <= now):
            await self.write(self.due.pop(at))

    async def write(self, what: str) -> None:
        self.done.append((self.clock.now(), what))
        number = await self.store.head()
        event = NewEvent(uuid.uuid4(), "test.Done", 1, b"{}", b"{}")
        await self.store.append("diary-1", [event], number - 1)


@dataclass
class Service:
    """As the mover sees one: a real settler, with an agenda of the test's."""

    name: str
    diary: Diary
    settler: Settler
    away: str = ""
    asked: int = 0

    async def settle(self) -> Settled:
        self.asked += 1
        if self.away:
            raise OSError(f"{self.name} is {self.away}.")
        return Settled(*await self.settler.settle())


@dataclass
class World:
    """done: what was done when, in this order, by whomever. caught_up: how often the read models were asked to."""

    file: Path
    done: list[tuple[datetime, str]] = field(default_factory=list)
    caught_up: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = SetClock(self.file)
        self.clock.set(Setting(BEGIN, since=None))
        self.plans, self.renewals = self.service("plans"), self.service("renewals")
        self.mover = self.another_mover()

    def service(self, name: str, *others: Agenda) -> Service:
        store = MemoryEventStore()
        diary = Diary(store, self.clock, self.done)
        return Service(name, diary, Settler(store, self.clock, [*others, diary], []))

    def another_mover(self) -> Mover:
        async def catch_up() -> None:
            self.caught_up.append(self.clock.now())

        return Mover(SetClock(self.file), [self.plans, self.renewals], catch_up)

    async def moved(self, to: datetime = END) -> None:
        """Moves the clock and waits for it to arrive, or to give up."""
        self.mover.move(to, stand_still=True)
        await self.arrived()

    async def arrived(self) -> None:
        await until(lambda: self.mover.until is None)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path / "clock.json")
    yield world
    await world.mover.pause()


async def test_what_is_due_on_the_way_is_done_in_order_and_at_its_instant_wherever_it_is_due(world: World) -> None:
    world.plans.diary.due = {BEGIN + 3 * DAY: "a term ends", BEGIN + 44 * DAY: "another ends"}
    world.renewals.diary.due = {BEGIN + 30 * DAY: "an invoice is due", BEGIN + 46 * DAY: "too late for this move"}
    await world.moved()
    assert world.done == [
        (BEGIN + 3 * DAY, "a term ends"),
        (BEGIN + 30 * DAY, "an invoice is due"),
        (BEGIN + 44 * DAY, "another ends"),
    ]
    assert world.clock.now() == END
    assert (world.mover.steps, world.mover.next_due_at, world.mover.reason) == (3, BEGIN + 46 * DAY, "")


async def test_work_that_makes_work_elsewhere_is_done_at_the_same_instant_before_time_goes_on(world: World) -> None:
    """Plans and renewals answer each other, three times to and fro, while something is due one second later."""
    conversation = Conversation(world, turns=6)
    world.plans.settler = conversation.settler(world.plans)
    world.renewals.settler = conversation.settler(world.renewals)
    at = BEGIN + DAY
    world.renewals.diary.due = {at: "renewals 0", at + timedelta(seconds=1): "later"}
    await world.moved()
    said = [f"{who} {turn}" for turn, who in zip(range(7), itertools.cycle(("renewals", "plans")), strict=False)]
    assert world.done == [*((at, each) for each in said), (at + timedelta(seconds=1), "later")]


async def test_what_was_due_before_the_move_is_done_before_it_begins(world: World) -> None:
    world.renewals.diary.due = {BEGIN - DAY: "overdue", BEGIN: "due now"}
    await world.moved()
    assert world.done == [(BEGIN, "overdue"), (BEGIN, "due now")]
    assert world.mover.steps == 0


async def test_what_is_due_just_where_the_move_ends_is_done(world: World) -> None:
    world.plans.diary.due = {END: "at the end"}
    await world.moved()
    assert world.done == [(END, "at the end")]
    assert (world.caught_up, world.mover.steps) == ([END], 1)


async def test_the_clock_runs_on_from_where_it_was_moved_to_unless_it_shall_stand_still(world: World) -> None:
    world.mover.move(END, stand_still=False)
    assert world.clock.now() == BEGIN, "it stands still while it is moved"
    await world.arrived()
    setting = world.clock.setting()
    assert setting
    assert setting.at == END
    assert setting.since is not None
    assert END < world.clock.now() < END + DAY
    world.mover.move(END + DAY, stand_still=True)
    await world.arrived()
    assert world.clock.setting() == Setting(END + DAY, since=None, stand_still=True)


async def test_the_clock_never_goes_back(world: World) -> None:
    for earlier in (BEGIN - timedelta(microseconds=1), datetime(1, 1, 1, tzinfo=UTC)):
        with pytest.raises(Refused, match="clock_backwards"):
            world.mover.move(earlier, stand_still=True)
    await world.moved(BEGIN)
    assert world.clock.now() == BEGIN


async def test_one_move_goes_at_most_twenty_years(world: World) -> None:
    with pytest.raises(Refused, match="clock_too_far"):
        world.mover.move(BEGIN + moving_on.FARTHEST + timedelta(microseconds=1), stand_still=True)
    await world.moved(BEGIN + moving_on.FARTHEST)
    assert world.clock.now() == BEGIN + moving_on.FARTHEST


async def test_there_is_one_move_at_a_time(world: World) -> None:
    world.plans.away = "away"
    world.mover.move(END, stand_still=True)
    with pytest.raises(Refused, match="clock_moving"):
        world.mover.move(END + DAY, stand_still=True)
    with pytest.raises(Refused, match="clock_moving"):
        world.mover.run()
    assert world.mover.until == END


async def test_an_owner_that_is_away_is_waited_for_and_named(world: World) -> None:
    world.renewals.diary.due = {BEGIN + DAY: "an invoice"}
    world.renewals.away = "away"
    world.mover.move(END, stand_still=True)
    await until(lambda: world.renewals.asked == 3)
    assert world.mover.reason == "renewals is away."
    assert world.clock.now() == BEGIN
    world.renewals.away = ""
    await world.arrived()
    assert world.done == [(BEGIN + DAY, "an invoice")]
    assert world.mover.reason == ""


async def test_what_it_waited_for_is_not_told_any_more_once_it_goes_on(world: World) -> None:
    world.plans.diary.due = {BEGIN + DAY: "a term ends"}
    world.plans.away = "away"
    world.mover.move(END, stand_still=True)
    await until(lambda: world.mover.reason)
    world.renewals.settle = dying(world, lambda: world.clock.now() == BEGIN + DAY)  # type: ignore[method-assign]
    world.plans.away = ""
    await until(lambda: world.done)
    assert (world.mover.until, world.mover.reason) == (END, "")


async def test_a_move_can_be_ended_where_it_is(world: World) -> None:
    world.plans.diary.due = {BEGIN + DAY: "a term ends"}
    await world.moved(BEGIN + DAY)
    world.renewals.away = "gone for ever"
    world.mover.move(END, stand_still=False)
    await until(lambda: world.mover.reason)
    await world.mover.stand_still()
    assert world.clock.setting() == Setting(BEGIN + DAY, since=None)
    assert world.mover.reason == ""


async def test_a_move_goes_on_in_another_process_where_the_one_before_was_killed(world: World) -> None:
    world.plans.diary.due = {BEGIN + DAY: "a term ends", BEGIN + 2 * DAY: "another ends"}
    world.renewals.diary.due = {BEGIN + 2 * DAY + timedelta(hours=1): "an invoice"}
    gone_after: Callable[[], bool] = lambda: world.clock.now() == BEGIN + 2 * DAY  # noqa: E731
    world.renewals.settle = dying(world, gone_after)  # type: ignore[method-assign]
    world.mover.move(END, stand_still=True)
    await until(gone_after)
    await world.mover.pause()  # what a killed process leaves behind is the file
    assert world.clock.setting() == Setting(BEGIN + 2 * DAY, None, END, stand_still=True)
    del world.renewals.settle  # type: ignore[method-assign]
    world.mover = world.another_mover()
    world.mover.go_on()
    await world.arrived()
    assert [what for _, what in world.done] == ["a term ends", "another ends", "an invoice"]
    assert world.done[-1][0] == BEGIN + 2 * DAY + timedelta(hours=1)
    assert world.clock.now() == END


async def test_without_a_move_in_the_file_nothing_is_moved(world: World) -> None:
    async with moving_on.moving(world.mover):
        await asyncio.sleep(0)
    assert (world.plans.asked, world.clock.now()) == (0, BEGIN)


async def test_what_stays_due_though_it_was_asked_for_ends_the_move_and_names_its_owner(world: World) -> None:
    world.renewals.settler = Settler(MemoryEventStore(), world.clock, [Neglectful(BEGIN + DAY)], [])
    world.plans.diary.due = {BEGIN + 2 * DAY: "never reached"}
    await world.moved()
    assert world.mover.reason.startswith("renewals was asked to do what is due at 2026-01-02T12:00:00.000000Z, ")
    assert world.clock.setting() == Setting(BEGIN + DAY, since=None)
    assert world.done == []


async def test_owners_that_never_come_to_rest_end_the_move_and_are_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving_on, "ROUNDS", 20)
    conversation = Conversation(world, turns=10**9)
    world.plans.settler = conversation.settler(world.plans)
    world.renewals.settler = conversation.settler(world.renewals)
    world.plans.diary.due = {BEGIN + DAY: "plans 0"}
    await world.moved()
    assert world.mover.reason.startswith("plans and renewals did not come to rest at 2026-01-02T12:00:00.000000Z")
    assert world.clock.setting() == Setting(BEGIN + DAY, since=None)


async def test_a_disk_that_is_full_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.plans.diary.due = {BEGIN + DAY: "a term ends"}
    world.mover.move(END, stand_still=True)
    with monkeypatch.context() as full:

        def refuse(setting: Setting) -> None:
            raise OSError("No space left on device")

        full.setattr(world.mover.clock, "set", refuse)
        await until(lambda: world.mover.reason)
        assert world.mover.reason == "No space left on device"
    await world.arrived()
    assert world.done == [(BEGIN + DAY, "a term ends")]


@dataclass
class Neglectful:
    """An agenda on which something stays due whatever is done."""

    at: datetime

    async def next_at(self) -> datetime | None:
        return self.at

    async def carry_out(self, now: datetime) -> None:
        pass


class Conversation:
    """Two services, each of which answers what the other wrote last, so many times."""

    def __init__(self, world: World, turns: int) -> None:
        self.world, self.turns = world, turns

    def settler(self, service: Service) -> Settler:
        return Settler(service.diary.store, self.world.clock, [Answers(self, service), service.diary], [])


@dataclass
class Answers:
    conversation: Conversation
    service: Service

    async def next_at(self) -> datetime | None:
        return None

    async def carry_out(self, now: datetime) -> None:
        done = self.conversation.world.done
        who, _, turn = done[-1][1].partition(" ") if done else ("", "", "")
        if turn.isdigit() and who != self.service.name and int(turn) < self.conversation.turns:
            await self.service.diary.write(f"{self.service.name} {int(turn) + 1}")


def dying(world: World, when: Callable[[], bool]) -> Callable[[], object]:
    """The settle of renewals, which never answers once `when()` is true."""
    service = world.renewals

    async def settle() -> Settled:
        if when():
            await asyncio.Event().wait()
        return Settled(*await service.settler.settle())

    return settle
