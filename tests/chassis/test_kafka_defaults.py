"""The Kafka clients' dangerous defaults (FACTS) are off on the very objects that services run."""

from contracts.topics import Owner, topic_of
from services.chassis import kafka
from services.chassis.consumer import Consumer
from tests.engines import Broker

from .ledger import Ledger, StoreFeed, no_events

OWNERS = (Owner.DEVICES, Owner.PLANS)


async def test_a_consumer_acknowledges_by_itself_and_leaves_out_nothing(broker: Broker) -> None:
    """ACK_FIRST and auto-commit acknowledge before anything is applied, ACK also after a failure; "latest" is late."""
    for owner in OWNERS:
        await kafka.ensure_topic(broker.bootstrap, topic_of(owner), 4)
    feeds = {owner: StoreFeed(no_events()) for owner in OWNERS}
    connection = Consumer(Ledger(), feeds, broker.bootstrap, "gateway", 4)._broker()
    await connection.start()
    try:
        subscribers = sorted(connection.subscribers, key=lambda each: str(each.group_id))
        assert [each.group_id for each in subscribers] == ["gateway-devices", "gateway-plans"]
        for each, owner in zip(subscribers, OWNERS, strict=True):
            assert each.ack_policy.name == "MANUAL"
            client = each.consumer
            assert client._subscription.topics == {topic_of(owner)}
            assert client._enable_auto_commit is False
            assert client._auto_offset_reset == "earliest"
            assert client._isolation_level == "read_committed"
    finally:
        await connection.stop()


async def test_a_producer_waits_for_every_replica_and_needs_no_transactions(broker: Broker) -> None:
    producer = kafka.producer(broker.bootstrap)
    await producer.start()
    try:
        assert producer._sender._acks == -1  # all
        assert producer._txn_manager is None  # idempotence dedupes within one session only
    finally:
        await producer.stop()
