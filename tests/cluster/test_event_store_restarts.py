"""KurrentDB, here its double, goes away and comes back in mid-load: nothing is lost or doubled, order is kept."""

from pathlib import Path

from contracts.topics import Owner
from tests.doubles.in_a_thread import InAThread
from tests.portal import Portal
from tests.system import logs, test_kill
from tests.system.customer import Customer
from tests.system.load import Load

RESTARTS = 3


async def test_nothing_is_lost_or_doubled_when_the_event_store_is_restarted(
    portal: Portal, event_store: InAThread, tmp_path: Path
) -> None:
    customer = Customer.with_account(portal)
    with Load(portal) as load:
        for number in range(RESTARTS):
            load.until_more(20)
            event_store.stop()
            assert customer.start("rooms", 1, key=f"key-{number}").status_code == 503
            event_store.start()
            portal.until(lambda n=number: customer.start("rooms", 1, key=f"key-{n}").status_code == 201)  # type: ignore[misc]
        load.until_more(20)
    assert any(each.tries > 1 for each in load.answered)
    assert len(customer.read("/product-cards", f"plans:{logs.head(portal)}")["cards"]) == RESTARTS
    assert not list(portal.data_dir.glob("*/plans.sqlite3"))

    events = logs.feed(portal)
    assert len(events) < events[-1]["position"] / 100, "these positions count bytes"
    test_kill.check_store(events, load)
    test_kill.check_cards(portal, events, load)
    await test_kill.check_read_models(portal, tmp_path)
    for owner in Owner:
        await test_kill.check_topic(portal, owner, lost=0)
    test_kill.check_repetitions(load)


def test_each_owner_has_its_own_part_of_the_database(portal: Portal, event_store: InAThread) -> None:
    streams = {stored.stream for stored in event_store.node.log.events}
    assert {stream.partition(".")[0] for stream in streams if not stream.startswith("$")} <= {*Owner}
    for owner in Owner:
        ours = [stored for stored in event_store.node.log.events if stored.stream.startswith(f"{owner}.")]
        assert [event["event_id"] for event in logs.feed(portal, owner)] == [each.event.event_id for each in ours]
