"""The example consumers read one history, with repetitions in it, to the same totals: one from the beginning, one from
a date, one that is killed and comes back without the offsets of its group."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.envelope import Envelope, Record, feed_line
from contracts.money import Currency
from contracts.renewals import Invoice, InvoiceIssued
from contracts.terms import Cycle
from contracts.topics import Owner, topic_of
from services.chassis import kafka
from services.plans.commands import EditPlan, StartPlan
from services.replay import to_topic
from tests.contracts.wheel import built, unpacked
from tests.engines import Broker
from tests.engines.apache_kafka import jars
from tests.engines.missing import Missing, go_without
from tests.gateway.history import History, asked

EXAMPLES = Path(__file__).parents[2] / "contracts" / "examples"
MONTHS = (date(2026, 1, 31), date(2026, 2, 10), date(2026, 3, 10), date(2026, 4, 10))
SINCE = "2026-03-01"
ACCOUNTS = ("acme", "globex", "initech", "umbrella", "hooli")
PARTITIONS = 4
TOTALS_S = 60.0
Totals = dict[str, int]
Logs = dict[Owner, Sequence[Envelope]]


@dataclass(frozen=True, slots=True)
class Example:
    """A process that follows the topics until the test is done with it."""

    command: tuple[str, ...]
    file: Path

    @contextmanager
    def running(self, packages: Path) -> Iterator["subprocess.Popen[bytes]"]:
        environment = {**os.environ, "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}
        with self.file.with_suffix(".log").open("wb") as said:
            process = subprocess.Popen(self.command, stdout=said, stderr=said, env=environment)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    async def reaches(self, expected: Totals, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + TOTALS_S
        while (reached := self.totals()) != expected:
            assert process.poll() is None, self.file.with_suffix(".log").read_text()[-2000:]
            assert time.monotonic() < deadline, (reached, self.file.with_suffix(".log").read_text()[-2000:])
            await asyncio.sleep(0.05)

    def totals(self) -> Totals:
        return without_nothing(json.loads(self.file.read_bytes())["totals"]) if self.file.exists() else {}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples find the wheel, which this environment has not."""
    return unpacked(built(tmp_path_factory.mktemp("wheel")), tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def kafka_client() -> str:
    """A class path with Kafka's own client: the broker's jars have it."""
    try:
        return f"{jars()}/*"
    except Missing as missing:
        go_without("kafka", str(missing))


@pytest.fixture(scope="module")
def logs() -> Logs:
    history = History()
    history.publish()
    for number, account_id in enumerate(ACCOUNTS):
        history.open(account_id)
        history.do(
            account_id, StartPlan(**asked(f"b{number}", history, sku="workplace_pro", quantity=5, cycle=Cycle.MONTHLY))
        )
    for month in MONTHS:
        history.today = month
        for number, account_id in enumerate(ACCOUNTS):
            sku = "workplace_business" if (number + month.month) % 3 == 0 else None
            history.try_to(
                account_id, EditPlan(**asked(f"b{number}", history, quantity=5 + number + 3 * month.month, sku=sku))
            )
            issued = invoice(f"{account_id}-{month.month}", month, 1000 * number + 10 * month.month)
            history.write(Owner.RENEWALS, f"invoice-{issued.invoice_id}", account_id, [InvoiceIssued(invoice=issued)])
    return {owner: history.logs[owner] for owner in (Owner.PLANS, Owner.RENEWALS)}


def invoice(invoice_id: str, on: date, minor: int) -> Invoice:
    amounts: dict[str, Any] = {"net_minor": minor, "total_minor": minor, "credit_minor": 0, "due_minor": minor}
    named: dict[str, Any] = {"invoice_id": invoice_id, "number": on.month, "kind": "renewal", "cause_id": "c"}
    members = {**named, **amounts, "cadence": "monthly", "issued_on": on, "currency": Currency.USD, "refund": False}
    return Invoice.model_validate({**members, "lines": (), "taxes": ()}, strict=False)


def expected(logs: Logs, since: str = "") -> Totals:
    """Counted from the logs, by nothing of the examples."""
    counted: Counter[str] = Counter()
    for envelope in (envelope for log in logs.values() for envelope in log):
        at, data = envelope.metadata["recorded_at"], envelope.data
        if at < since:
            continue
        if envelope.type in ("plans.PlanStarted", "plans.PlanEdited"):
            for member, sign in (("line", 1), ("before", -1), ("after", 1)):
                if member in data:
                    counted[f"{at[:7]} {data[member]['sku']}"] += sign * data[member]["quantity"]
        if envelope.type == "renewals.InvoiceIssued":
            counted[f"{at[:7]} {envelope.account_id} USD"] += data["invoice"]["total_minor"]
    return without_nothing(counted)


def without_nothing(totals: Totals) -> Totals:
    return {what: amount for what, amount in totals.items() if amount}


async def publish(broker: Broker, logs: Logs, repeated: bool = False) -> None:
    """As the relay does. repeated: though the topics hold all of it."""
    for owner, log in logs.items():
        lines = b"".join(feed_line(stored(envelope)) for envelope in log)
        async with to_topic.opened(broker.bootstrap, topic_of(owner), PARTITIONS, broker.forgets) as topic:
            await topic.take(owner, lines)
        if repeated:
            async with kafka.sending(broker.bootstrap, topic_of(owner)) as sender:
                await to_topic.Topic(sender, PARTITIONS, {}).take(owner, lines)


def stored(envelope: Envelope) -> Record:
    return Record(
        position=envelope.position,
        stream=envelope.stream,
        revision=envelope.revision,
        event_id=envelope.event_id,
        type=envelope.type,
        version=envelope.version,
        metadata=orjson.dumps(envelope.metadata),
        data=orjson.dumps(envelope.data),
    )


def first_half(logs: Logs) -> Logs:
    return {owner: log[: len(log) // 2] for owner, log in logs.items()}


@pytest.fixture
async def half_published(broker: Broker, logs: Logs) -> Broker:
    await publish(broker, first_half(logs), repeated=True)
    return broker


async def test_one_from_the_beginning_and_one_that_is_killed_reach_the_same_totals(
    half_published: Broker, logs: Logs, packages: Path, tmp_path: Path
) -> None:
    bootstrap, half = half_published.bootstrap, expected(first_half(logs))
    assert half != expected(logs)
    beginning = Example(python("with_aiokafka.py", bootstrap, tmp_path / "a.json", "one"), tmp_path / "a.json")
    killed = Example(python("with_faststream.py", bootstrap, tmp_path / "f.json", "two"), tmp_path / "f.json")
    with beginning.running(packages) as process:
        with killed.running(packages) as victim:
            await killed.reaches(half, victim)
        await publish(half_published, logs)
        await beginning.reaches(expected(logs), process)
        # To another group everything is delivered again.
        back = Example(python("with_faststream.py", bootstrap, killed.file, "three"), killed.file)
        with back.running(packages) as process:
            await back.reaches(expected(logs), process)


async def test_one_in_java_without_the_wheel_counts_the_same_from_a_date(
    tansu: Broker, kafka_client: str, logs: Logs, packages: Path, tmp_path: Path
) -> None:
    await publish(tansu, logs, repeated=True)
    file, command = tmp_path / "java.json", ("java", "-cp", kafka_client, str(EXAMPLES / "Totals.java"))
    java = Example((*command, tansu.bootstrap, str(file), SINCE), file)
    with java.running(packages) as process:
        await java.reaches(expected(logs, SINCE), process)
    assert expected(logs, SINCE).items() < expected(logs).items()  # the months from then on, as the others have them


def python(example: str, bootstrap: str, file: Path, group: str) -> tuple[str, ...]:
    return (sys.executable, str(EXAMPLES / example), bootstrap, str(file), group)
