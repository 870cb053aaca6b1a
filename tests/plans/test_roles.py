"""The plans service as two processes: one answers commands, the other publishes what they wrote."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2
import pytest

from contracts.envelope import from_kafka
from contracts.plan_actions import Privilege
from contracts.topics import Owner, topic_of
from tests.chassis.tokens import AUDIENCE, ISSUER, Issuer
from tests.engines import Broker, free_port, records_in
from tests.plans.portal import BOOK_FILE, EDIT, Customer, SetClock, done

START_S = 30.0


class Service:
    """The processes of one plans service, in one data folder."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.issuer, self.output = Issuer(), folder / "output.log"
        (folder / "secret").write_bytes(b"0123456789abcdef0123456789abcdef")
        self._settings = {
            "DATA_DIR": folder / "data",
            "KAFKA_BOOTSTRAP": broker.bootstrap,
            "KAFKA_FORGETS": broker.forgets,
            "JWKS": self.issuer.jwks_file(folder),
            "ISSUER": ISSUER,
            "AUDIENCE": AUDIENCE,
            "SERVICE_TOKEN_FILE": folder / "token",
            "QUOTE_SECRET_FILE": folder / "secret",
            "RENEWALS_URL": "http://127.0.0.1:9",
        }

    @contextmanager
    def process(self, role: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
        """Its address. Killed at the end."""
        port = free_port()
        settings = {**self._settings, "ROLE": role, "PORT": port}
        environment = {**os.environ, **{f"BILLING_{name}": str(value) for name, value in settings.items()}}
        command = (sys.executable, "-m", "services.plans")
        with self.output.open("ab") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.kill()
            process.wait()

    @asynccontextmanager
    async def running(self, role: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of a process that is ready."""
        with self.process(role) as (url, process):
            async with httpx2.AsyncClient(base_url=url) as http, asyncio.timeout(START_S):
                while not await is_ready(http):
                    assert process.poll() is None, self.output.read_text()
                    await asyncio.sleep(0.05)
            async with httpx2.AsyncClient(base_url=url) as http:
                yield http

    def customer(self, http: httpx2.AsyncClient) -> Customer:
        publisher = self.issuer.token(sub="publisher", grants={"*": [Privilege.CATALOGUE_EDIT]})
        return Customer(http, self.issuer, SetClock(), self.issuer.token(grants={"acme": EDIT}), publisher)


async def is_ready(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/health/ready")).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture
def service(tmp_path: Path, broker: Broker) -> Service:
    return Service(tmp_path, broker)


async def is_published(broker: Broker, types: list[str]) -> None:
    """Returns when these and no other events are in the topic."""
    async with asyncio.timeout(START_S):
        while sorted(await published(broker)) != sorted(types):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def published(broker: Broker) -> list[str]:
    partitions = await records_in(broker.bootstrap, topic_of(Owner.PLANS), 4)
    return [from_kafka(each.headers, each.value or b"")[0].type for records in partitions for each in records]


async def test_what_one_process_writes_another_publishes(service: Service, broker: Broker) -> None:
    async with service.running("api") as api:
        customer = service.customer(api)
        done(await customer.publish(1, BOOK_FILE.read_bytes()))
        assert "billing_relay" not in (await api.get("/metrics")).text
        async with service.running("relay") as relay:
            await is_published(broker, ["plans.PriceBookPublished"])
            assert "billing_relay_lag_positions 0.0" in (await relay.get("/metrics")).text
            assert (await relay.get("/events?after=0")).status_code == 404  # it answers nobody else
        done(await customer.open())  # with no relay at all
        async with service.running("relay"):
            await is_published(broker, ["plans.PriceBookPublished", "plans.AccountOpened"])


async def test_a_second_process_that_would_write_the_same_file_says_why_it_cannot(service: Service) -> None:
    async with service.running("api"):
        with service.process("api") as (_, second):
            assert await asyncio.to_thread(second.wait, START_S)
        assert "is being written by another process" in service.output.read_text()
