"""Consumers that are not ours read the topic: per-account order, the documented headers, an unbroken chain.

Nothing of services is used here: this is what another team would write after reading the contract.
"""

import asyncio
import json
import re
import shutil
import subprocess
from collections import defaultdict
from datetime import date, datetime
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from contracts.topics import partition_of
from tests.portal import Portal
from tests.system import logs
from tests.system.customer import Customer

ACCOUNTS = 6
PARTITIONS = 4
REQUIRED = {
    "content-type": r"application/json",
    "ce_specversion": r"1\.0",
    "ce_id": r"[0-9a-f-]{36}",
    "ce_type": r"plans\.[A-Z][A-Za-z]+",
    "ce_source": r"/billing/plans",
    "ce_subject": r"(plan|billingaccount|catalogue)-[!-~]+",
    "ce_time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "ce_partitionkey": r"[A-Za-z0-9_.:-]+",
    "ce_dataversion": r"[1-9]\d*",
    "ce_revision": r"\d+",
    "ce_position": r"[1-9]\d*",
    "ce_prevposition": r"\d+",
    "ce_effectiveon": r"\d{4}-\d\d-\d\d",
    "ce_correlationid": r"[!-~]+",
    "ce_causationid": r"[!-~]+",
    "ce_commandid": r"[0-9a-f-]{36}",
    "ce_requestdigest": r"[0-9a-f]+|policy|due",
    "ce_actorid": r"[!-~]+",
    "ce_actorrole": r"[a-z]+",
    "ce_actorvia": r"api|portal|policy|clock|cli",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def history(portal: Portal) -> list[Customer]:
    """Some accounts, each with a plan and what happened to it, one command of each in turn; all of it in the topic."""
    customers = [Customer.with_account(portal) for _ in range(ACCOUNTS)]
    plans = [customer.started("workplace_pro", 1) for customer in customers]
    for quantity in (3, 2, 5, 4):
        for customer, plan in zip(customers, plans, strict=True):
            customer.changed(plan, "edit", {"quantity": quantity})
    for customer, plan in zip(customers, plans, strict=True):
        customer.changed(plan, "cancel", {"reason": "other"})
    await logs.topic(portal)
    return customers


async def test_a_plain_aiokafka_script_finds_order_headers_and_an_unbroken_chain(
    portal: Portal, history: list[Customer]
) -> None:
    records = await _everything(portal.bootstrap, "billing.plans.v1")
    for partition, read in records.items():
        seen = 0
        for record in read:
            headers = {name: value.decode() for name, value in record.headers}
            assert {name: headers.get(name) for name, form in REQUIRED.items() if not _fits(form, headers, name)} == {}
            assert set(headers) <= {*REQUIRED, "ce_traceparent"}
            assert date.fromisoformat(headers["ce_effectiveon"])
            assert datetime.fromisoformat(headers["ce_time"])
            account_id = record.key.decode()
            assert headers["ce_partitionkey"] == account_id
            assert partition == partition_of(account_id, PARTITIONS)
            assert int(headers["ce_prevposition"]) == seen, "each record names the one before it in its partition"
            seen = int(headers["ce_position"])
    _check_histories([record for read in records.values() for record in read], history)


def test_kcat_with_assigned_partitions_reads_the_same(portal: Portal, history: list[Customer]) -> None:
    _skip_without_kcat(portal.bootstrap)
    lines: list[dict[str, Any]] = []
    for partition in range(PARTITIONS):
        options = ["-t", "billing.plans.v1", "-p", str(partition), "-o", "beginning", "-e", "-q", "-J"]
        answer = _kcat(portal.bootstrap, "-C", *options)
        assert answer.returncode == 0, answer.stderr
        lines += map(json.loads, answer.stdout.splitlines())
    types = defaultdict(list)
    for line in lines:
        headers = dict(zip(line["headers"][::2], line["headers"][1::2], strict=True))
        assert all(_fits(form, headers, name) for name, form in REQUIRED.items())
        assert isinstance(json.loads(line["payload"]), dict)
        types[line["key"]].append(headers["ce_type"])
    assert all(types[customer.account_id] == EXPECTED for customer in history)


EXPECTED = [
    "plans.AccountOpened",
    "plans.PlanStarted",
    "plans.PlanEdited",
    "plans.PlanEditScheduled",
    "plans.PlanEditDiscarded",
    "plans.PlanEdited",
    "plans.PlanEditScheduled",
    "plans.PlanCancelled",
]


def _check_histories(records: list["ConsumerRecord[bytes, bytes]"], history: list[Customer]) -> None:
    """Every account's events came in the order they happened, with the revisions of each stream one by one."""
    types: dict[str, list[str]] = defaultdict(list)
    revisions: dict[str, list[int]] = defaultdict(list)
    for record in records:
        headers = {name: value.decode() for name, value in record.headers}
        types[record.key.decode()].append(headers["ce_type"])
        revisions[headers["ce_subject"]].append(int(headers["ce_revision"]))
        assert isinstance(json.loads(record.value), dict)
    assert all(types[customer.account_id] == EXPECTED for customer in history)
    assert all(found == list(range(len(found))) for found in revisions.values())


def _skip_without_kcat(bootstrap: str) -> None:
    if shutil.which("kcat") is None:
        pytest.skip("kcat IS NOT INSTALLED: librdkafka's view of the topic was not tested")
    answer = _kcat(bootstrap, "-L", "-m", "3")
    if answer.returncode and "ApiVersionRequest failed" in answer.stderr:
        # Debian's kcat has librdkafka 2.0.2, which cannot read how the embedded broker says what it speaks; 2.16 can.
        pytest.skip("kcat IS TOO OLD FOR THE EMBEDDED BROKER: librdkafka's view of the topic was not tested")


def _kcat(bootstrap: str, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["kcat", "-b", bootstrap, *options], capture_output=True, text=True, timeout=30)


def _fits(form: str, headers: dict[str, str], name: str) -> bool:
    return re.fullmatch(form, headers.get(name, "")) is not None


async def _everything(bootstrap: str, topic: str) -> dict[int, list[Any]]:
    """All records there are, by partition, read without a consumer group."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=50)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        records: dict[int, list[Any]] = defaultdict(list)
        async with asyncio.timeout(30):
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for partition, read in (await consumer.getmany(timeout_ms=1000)).items():
                    records[partition.partition] += read
        return records
    finally:
        await consumer.stop()
