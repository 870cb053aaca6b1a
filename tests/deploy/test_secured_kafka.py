"""Relay, consumer and `billing topics` on Apache Kafka as deploy/ sets it up: TLS, passwords, access lists."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from structlog.testing import capture_logs

from contracts.topics import Owner, topic_of
from services.chassis import kafka
from services.chassis.consumer import Consumer
from services.chassis.kafka_access import Address, Secured, Tls
from services.chassis.memory_store import MemoryEventStore
from services.chassis.relay import Relay
from services.chassis.settings import load
from services.topics import TopicsSettings, make_topics
from tests.chassis.accounts import happens
from tests.chassis.ledger import Ledger, StoreFeed
from tests.engines import until
from tests.engines.secured_kafka import SecuredKafka

PARTITIONS = 3
TOPIC = topic_of(Owner.PLANS)


@pytest.fixture(autouse=True)
async def without_topics(secured_kafka: SecuredKafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=secured_kafka.inside)
    await admin.start()
    if ours := [topic for topic in await admin.list_topics() if topic.startswith("billing.")]:
        await admin.delete_topics(ours)
    await admin.close()


@asynccontextmanager
async def relaying(store: MemoryEventStore, address: Address, folder: Path) -> AsyncIterator[Relay]:
    relay = Relay(Owner.PLANS, store, address, folder / "frontier", PARTITIONS)
    async with running(relay):
        yield relay


@asynccontextmanager
async def running(what: Relay | Consumer) -> AsyncIterator[None]:
    task = asyncio.create_task(what.run())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_events_travel_from_a_service_that_may_write_to_one_that_may_read(
    secured_kafka: SecuredKafka, tmp_path: Path
) -> None:
    await kafka.ensure_topic(secured_kafka.speaking_as("operator"), TOPIC, PARTITIONS)
    store, ledger = MemoryEventStore(), Ledger()
    feed = StoreFeed(store)
    feed.away = True
    gateway = secured_kafka.speaking_as("gateway")
    async with (
        relaying(store, secured_kafka.speaking_as("plans"), tmp_path) as relay,
        running(Consumer(ledger, {Owner.PLANS: feed}, gateway, "gateway-read_models", PARTITIONS)),
    ):
        head = await happens(store, 200)
        await until(lambda: relay.published == head)
        await until(lambda: len(ledger.applied) == 200)
        await relay.check()


async def test_a_wrong_password_is_told_and_a_right_one_used_without_a_restart(
    secured_kafka: SecuredKafka, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await kafka.ensure_topic(secured_kafka.speaking_as("operator"), TOPIC, PARTITIONS)
    password = tmp_path / "password"
    password.write_text("correct-horse-battery")
    store = MemoryEventStore()
    head = await happens(store, 10)
    async with relaying(store, secured_kafka.speaking_as("plans", password), tmp_path) as relay:
        await until(lambda: "Authentication failed during authentication due to invalid credentials" in relay.trouble)
        with pytest.raises(
            RuntimeError, match=f"10 positions wait for Kafka: .*{secured_kafka.bootstrap}.*credentials"
        ):
            await relay.check()
        secured_kafka.copied("kafka_password_plans", password)
        await until(lambda: relay.published == head)
        await relay.check()
    assert "correct-horse-battery" not in caplog.text
    assert password.read_text() not in caplog.text


async def test_a_consumer_that_is_turned_away_says_why_and_lives_on_its_feed(
    secured_kafka: SecuredKafka, tmp_path: Path
) -> None:
    store, ledger = MemoryEventStore(), Ledger()
    (tmp_path / "password").write_text("wrong")
    stranger = secured_kafka.speaking_as("gateway", tmp_path / "password")
    consumer = Consumer(ledger, {Owner.PLANS: StoreFeed(store)}, stranger, "gateway-", PARTITIONS)
    with capture_logs() as said:
        async with running(consumer):
            await happens(store, 10)
            await until(lambda: len(ledger.applied) == 10)
            await until(lambda: any("invalid credentials" in str(entry.get("reason")) for entry in said))


async def test_a_consumer_of_a_group_that_is_not_its_own_says_so(secured_kafka: SecuredKafka) -> None:
    await kafka.ensure_topic(secured_kafka.speaking_as("operator"), TOPIC, PARTITIONS)
    feed = StoreFeed(MemoryEventStore())
    gateway = secured_kafka.speaking_as("gateway")
    with capture_logs() as said:
        async with running(Consumer(Ledger(), {Owner.PLANS: feed}, gateway, "renewals", PARTITIONS)):
            await until(lambda: any("GroupAuthorizationFailed" in str(entry.get("reason")) for entry in said))


async def test_a_consumer_whose_right_to_read_is_taken_says_so(
    secured_kafka: SecuredKafka, caplog: pytest.LogCaptureFixture
) -> None:
    await kafka.ensure_topic(secured_kafka.speaking_as("operator"), TOPIC, PARTITIONS)
    feed = StoreFeed(MemoryEventStore())
    devices = secured_kafka.speaking_as("devices")
    denied = ("--deny-principal", "User:devices", "--operation", "Read", "--topic", TOPIC)
    caplog.set_level(logging.INFO, "faststream.kafka")  # whatever a service's logs were set to before, in this process
    async with running(Consumer(Ledger(), {Owner.PLANS: feed}, devices, "devices", PARTITIONS)):
        await until(lambda: "waiting for messages" in caplog.text)
        await secured_kafka.allow("--add", *denied)
        try:
            await until(lambda: "TopicAuthorizationFailed" in caplog.text)
        finally:
            await secured_kafka.allow("--remove", *denied)


async def test_whom_we_do_not_trust_gets_no_password(secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    login = secured_kafka.speaking_as("plans").login
    with pytest.raises(KafkaConnectionError, match="certificate verify failed"):
        await kafka.ensure_topic(Secured(secured_kafka.bootstrap, login, Tls()), TOPIC, PARTITIONS)
    elsewhere = Secured(
        secured_kafka.bootstrap.replace("localhost", "127.0.0.1"), login, Tls(secured_kafka.secrets / "ca.pem")
    )
    with pytest.raises(KafkaConnectionError, match="IP address mismatch"):
        await kafka.ensure_topic(elsewhere, TOPIC, PARTITIONS)


async def test_a_certificate_says_who_we_are(secured_kafka: SecuredKafka) -> None:
    """Known, if to nobody who would let it make topics; without a certificate it does not come that far."""
    folder = secured_kafka.secrets
    known = Tls(folder / "ca.pem", folder / "postgres.crt", folder / "postgres.key")
    with pytest.raises(TopicAuthorizationFailedError):
        await kafka.ensure_topic(Secured(secured_kafka.certified, tls=known), TOPIC, PARTITIONS)
    with pytest.raises(KafkaConnectionError, match=secured_kafka.certified):
        await kafka.ensure_topic(Secured(secured_kafka.certified, tls=Tls(folder / "ca.pem")), TOPIC, PARTITIONS)


async def test_topics_are_the_operators_to_make(secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    store = MemoryEventStore()
    head = await happens(store, 10)
    async with relaying(store, secured_kafka.speaking_as("plans"), tmp_path) as relay:
        await until(lambda: f"there is no {TOPIC}, and this user may not make it" in relay.trouble)
        await kafka.ensure_topic(secured_kafka.speaking_as("operator"), TOPIC, PARTITIONS)
        await until(lambda: relay.published == head)


async def test_the_operator_makes_every_topic_as_services_want_it(
    secured_kafka: SecuredKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "BOOTSTRAP": secured_kafka.bootstrap,
        "SECURITY": "sasl_ssl",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "USER": "operator",
        "PASSWORD_FILE": secured_kafka.secrets / "kafka_password_operator",
        "CA_FILE": secured_kafka.secrets / "ca.pem",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"BILLING_KAFKA_{name}", str(value))
    monkeypatch.setenv("BILLING_PARTITIONS", "5")
    assert await make_topics(load(TopicsSettings)) == [topic_of(owner) for owner in Owner]
    admin = AIOKafkaAdminClient(bootstrap_servers=secured_kafka.inside)
    await admin.start()
    described = await admin.describe_topics([topic_of(owner) for owner in Owner])
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])
    await admin.close()
    assert [len(topic["partitions"]) for topic in described] == [5, 5, 5]
    settings = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert (settings["retention.ms"], settings["cleanup.policy"]) == ("-1", "delete")
    monkeypatch.setenv("BILLING_PARTITIONS", "6")
    with pytest.raises(kafka.WrongPartitions, match="has 5 partitions, not 6"):
        await make_topics(load(TopicsSettings))


async def test_a_topic_that_the_operator_made_with_other_partitions_is_not_used(
    secured_kafka: SecuredKafka, tmp_path: Path
) -> None:
    await kafka.ensure_topic(secured_kafka.speaking_as("operator"), TOPIC, PARTITIONS + 1)
    async with relaying(MemoryEventStore(), secured_kafka.speaking_as("plans"), tmp_path) as relay:
        await until(lambda: f"{TOPIC} has 4 partitions, not 3" in relay.trouble)


async def test_no_service_writes_what_another_owns(secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    await kafka.ensure_topic(secured_kafka.speaking_as("operator"), TOPIC, PARTITIONS)
    store = MemoryEventStore()
    await happens(store, 10)
    async with relaying(store, secured_kafka.speaking_as("gateway"), tmp_path) as relay:
        await until(lambda: "TopicAuthorizationFailed" in relay.trouble)
        assert relay.published == 0
