"""The read store: rows, checkpoints and parked events are one; nothing is taken in twice, and nothing goes back."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import codec
from contracts.envelope import Envelope
from contracts.terms import Cycle
from contracts.topics import Owner, partition_of
from services.chassis.sink import CannotApply, Parked
from services.gateway.as_of import AsOf
from services.gateway.cards import card, opened, standing
from services.gateway.filling import fill
from services.gateway.past import Pasts
from services.gateway.projections import PROJECTIONS, account, catalogue, product_card
from services.gateway.projections.history import TABLE as HISTORY
from services.gateway.read_store import ReadStore, Row
from services.plans.commands import AssignLicence, StartPlan

from .history import EDITOR, TODAY, History, asked, started
from .random_history import histories
from .stores import PARTITIONS, Stores

Everything = dict[str, list[Row]]


async def everything(store: ReadStore) -> Everything:
    return {projection.TABLE: await store.every_row(projection.TABLE) for projection in PROJECTIONS}


async def take_in(store: ReadStore, owner: Owner, events: Sequence[Envelope]) -> None:
    """As the consumer does it: each partition's checkpoint is its own last event."""
    checkpoints = {partition_of(event.account_id, PARTITIONS): event.position for event in events}
    await store.apply(owner, events, checkpoints, ())


async def take_in_all(store: ReadStore, history: History, size: int = 1000) -> None:
    for owner, log in history.logs.items():
        for start in range(0, len(log), size):
            await take_in(store, owner, log[start : start + size])


class ListFeed:
    def __init__(self, log: list[Envelope]) -> None:
        self._log = log

    async def head(self) -> int:
        return self._log[-1].position if self._log else 0

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Envelope], None]:
        for event in self._log:
            if after < event.position and (until is None or event.position <= until):
                yield [event]


async def test_the_past_is_read_from_either_engine(stores: Stores) -> None:
    """Rows of the account and of the price books, whatever else is in the store."""
    history = started(cycle=Cycle.ANNUAL)
    history.open("globex")
    async with stores.opened() as store:
        await take_in_all(store, history)
        then = {projection.TABLE: await store.rows_of(projection.TABLE, "acme") for projection in PROJECTIONS}
        history.today = TODAY + timedelta(days=3)
        history.do("acme", StartPlan(**asked("b2", history, sku="phone", quantity=2, cycle=Cycle.MONTHLY)))
        await take_in_all(store, history)
        pasts, now = Pasts(store, feeds(history), PARTITIONS), datetime(2026, 6, 1, tzinfo=UTC)
        past = await pasts.of("acme", AsOf(at=datetime(2026, 2, 1, tzinfo=UTC)), now)
        in_history = await past.store.page(HISTORY, "acme/", "acme/~", 100)
        assert [row for _, row in in_history] == then.pop(HISTORY)[::-1]
        assert {table: await past.store.rows_of(table, "acme") for table in then} == then
        assert await past.store.row(catalogue.TABLE, "standard") == await store.row(catalogue.TABLE, "standard")
        assert not await past.store.rows_of(account.TABLE, "globex")


def feeds(history: History) -> dict[Owner, ListFeed]:
    return {owner: ListFeed(log) for owner, log in history.logs.items()}


many = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],  # stores opened anew each time
)


@many
@given(history=histories(), size=st.integers(1, 7), fill_size=st.integers(1, 20))
async def test_however_the_log_is_cut_the_rows_are_the_same(
    stores: Stores, history: History, size: int, fill_size: int
) -> None:
    async with stores.opened() as live, stores.opened() as rebuilt:
        await take_in_all(live, history, size)
        assert await fill(rebuilt, feeds(history), PARTITIONS, fill_size) == sum(map(len, history.logs.values()))
        assert await everything(rebuilt) == await everything(live)
        for owner in history.logs:
            assert set((await rebuilt.checkpoints(owner)).values()) <= {await feeds(history)[owner].head()}


@many
@given(history=histories(), data=st.data())
async def test_events_that_come_again_change_nothing(stores: Stores, history: History, data: st.DataObject) -> None:
    async with stores.opened() as once, stores.opened() as again:
        await take_in_all(once, history)
        for owner, log in history.logs.items():
            to = 0
            while to < len(log):  # from anywhere before, to a little further: as after a crash, or a rebalancing
                start = data.draw(st.integers(0, to))
                to = data.draw(st.integers(to + 1, len(log)))
                await take_in(again, owner, log[start:to])
        assert await everything(again) == await everything(once)


@many
@given(history=histories())
async def test_a_card_allows_what_the_decider_allows(stores: Stores, history: History) -> None:
    """DOMAIN B18, over both sides' own ways of folding: a grey button and a refusal cannot disagree."""
    async with stores.opened() as store:
        await take_in_all(store, history)
        for bundle_id, plan in history.plans.items():
            row = await store.row(product_card.TABLE, bundle_id)
            assert row is not None
            assert standing(opened(row)) == plan.standing()
            shown = card(opened(row), history.today, EDITOR)
            renewal = plan.next_renewal()
            assert (shown.next_renewal is None) == (not renewal.lines)
            if shown.next_renewal:
                assert (shown.next_renewal.due_on, shown.next_renewal.amount_minor) == (
                    renewal.due_on,
                    renewal.amount_minor,
                )
            assert [line.sku for line in shown.lines] == [line.sku for line in plan.lines.values()]
            assert shown.revision == history.revisions[f"plan-{bundle_id}"]


async def test_a_checkpoint_never_goes_back(stores: Stores) -> None:
    async with stores.opened() as store:
        await store.apply(Owner.PLANS, (), {0: 10, 1: 20}, ())
        await store.apply(Owner.PLANS, (), {0: 9, 1: 21, 2: 5}, ())
        await store.apply(Owner.RENEWALS, (), {0: 1}, ())
        assert await store.checkpoints(Owner.PLANS) == {0: 10, 1: 21, 2: 5}
        assert await store.checkpoints(Owner.RENEWALS) == {0: 1}


async def test_an_event_that_cannot_be_applied_is_named_and_nothing_of_its_batch_is_kept(stores: Stores) -> None:
    history = started()
    broken = replace(history.events[-1], data={})
    async with stores.opened() as store:
        with pytest.raises(CannotApply) as raised:
            await take_in(store, Owner.PLANS, [*history.events[:-1], broken])
        assert raised.value.envelope == broken
        assert isinstance(raised.value.__cause__, KeyError)
        assert await everything(store) == {projection.TABLE: [] for projection in PROJECTIONS}
        assert await store.checkpoints(Owner.PLANS) == {}
        await take_in(store, Owner.PLANS, history.events)
        assert await store.row(product_card.TABLE, "b1") is not None


async def test_a_store_opened_again_goes_on_where_it_stopped(stores: Stores) -> None:
    history = started()
    async with stores.opened("kept") as store:
        await take_in_all(store, history)
        before = await everything(store)
    async with stores.opened("kept") as store:
        assert await everything(store) == before
        assert max((await store.checkpoints(Owner.PLANS)).values()) == history.events[-1].position


async def test_a_new_version_of_a_projection_begins_empty(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    history = started()
    async with stores.opened("kept") as store:
        await take_in_all(store, history)
        old = await store.every_row(account.TABLE)
    monkeypatch.setattr(product_card, "TABLE", "product_card_next")
    async with stores.opened("kept") as store:
        assert await store.checkpoints(Owner.PLANS) == {}
        assert not any((await everything(store)).values())
        await fill(store, feeds(history), PARTITIONS)
        assert len(await store.every_row("product_card_next")) == 1
        assert await store.every_row(account.TABLE) == old


async def test_the_rows_of_an_account_are_its_own_and_come_oldest_first(stores: Stores) -> None:
    history = started(bundle_id="z")
    history.open("globex")
    wish = {"sku": "workplace_pro", "quantity": 1, "cycle": Cycle.MONTHLY}
    for account_id, bundle_id in (("globex", "g"), ("acme", "a")):
        history.do(account_id, StartPlan(**asked(bundle_id, history, **wish)))
    async with stores.opened() as store:
        await take_in_all(store, history)
        rows = [opened(row)["bundle_id"] for row in await store.rows_of(product_card.TABLE, "acme")]
        assert rows == ["z", "a"]
        assert await store.rows_of(product_card.TABLE, "nobody") == []
        assert await store.row(product_card.TABLE, "nothing") is None
        assert await store.row(product_card.TABLE, "noth\0ing") is None
        assert await store.rows_of(product_card.TABLE, "\0") == []


async def test_a_failure_between_two_tables_keeps_neither(stores: Stores) -> None:
    """The second read model's row cannot be written as JSON, when the first one's is written already."""
    other = SimpleNamespace(
        TABLE="other_v1",
        CATEGORY="plan",
        key=product_card.key,
        account=product_card.account,
        apply=lambda _row, _event: {"never": object()},
    )
    async with stores.opened(projections=(product_card, other)) as store:
        with pytest.raises(TypeError):
            await take_in(store, Owner.PLANS, started().events)
        assert await store.every_row(product_card.TABLE) == []


async def test_parked_events_are_kept_with_the_checkpoint_and_remembered(stores: Stores) -> None:
    history = started()
    poison = history.events[-1]
    async with stores.opened("kept") as store:
        await store.apply(Owner.PLANS, history.events[:-1], {0: poison.position}, [Parked(poison, "KeyError: 'line'")])
    async with stores.opened("kept") as store:
        assert await store.parked_streams(Owner.PLANS) == {"plan-b1"}
        assert await store.parked_streams(Owner.RENEWALS) == set()
        assert await store.checkpoints(Owner.PLANS) == {0: poison.position}
        assert await fill(store, {Owner.PLANS: ListFeed(history.events)}, PARTITIONS) == 0
        assert await store.row(product_card.TABLE, "b1") is None


async def test_a_parked_stream_is_replayed_when_what_stood_against_it_is_mended(stores: Stores) -> None:
    history = started()
    history.do("acme", AssignLicence(**asked("b1", history, assignee="a")))
    *before, first, second = history.events
    others = first.position + 10**6  # what came meanwhile: the checkpoint is far beyond
    async with stores.opened() as store, stores.opened() as never_parked:
        parked = [Parked(first, "KeyError: 'line'"), Parked(second, "its stream waits for an earlier event")]
        await store.apply(Owner.PLANS, before, {0: others}, parked)
        assert await store.parked_events(Owner.PLANS, "plan-b1") == [first, second]
        with pytest.raises(CannotApply):
            await store.unpark(Owner.PLANS, "plan-b1", [first, replace(second, revision=7)])
        assert await store.parked_streams(Owner.PLANS) == {"plan-b1"}
        assert await store.row(product_card.TABLE, "b1") is None
        await store.unpark(Owner.PLANS, "plan-b1", [first, second])
        assert await store.parked_streams(Owner.PLANS) == set()
        await take_in(never_parked, Owner.PLANS, history.events)
        assert await everything(store) == await everything(never_parked)
        assert await store.checkpoints(Owner.PLANS) == {0: others}


async def test_an_event_of_an_older_version_is_folded_in_todays_form(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, name = started(), "plans.AccountOpened"
    monkeypatch.setitem(codec.VERSIONS, name, 2)
    monkeypatch.setitem(codec.UPCASTERS, (name, 1), lambda data: {**data, "time_zone": data["time_zone"].upper()})
    async with stores.opened() as store:
        await fill(store, feeds(history), PARTITIONS)
        assert opened(await store.row(account.TABLE, "acme") or b"")["time_zone"] == "EUROPE/VIENNA"


async def test_an_event_that_cannot_be_brought_up_to_date_is_named(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, name = started(), "plans.AccountOpened"
    monkeypatch.setitem(codec.VERSIONS, name, 2)
    monkeypatch.setitem(codec.UPCASTERS, (name, 1), lambda data: {"time_zone": data["zone"]})
    async with stores.opened() as store:
        with pytest.raises(CannotApply) as raised:
            await take_in(store, Owner.PLANS, history.events)
        assert raised.value.envelope.type == name
