"""A second gateway over the same database joins and is killed in mid-load: partitions move, and nobody loses or doubles
anything, nor shows less than it was asked for."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from contracts.topics import Owner
from deploy.local.status import not_ready
from tests.engines import free_port
from tests.portal import Portal
from tests.system import logs
from tests.system.load import Load
from tests.system.test_kill import check_cards, check_read_models, check_store


@contextmanager
def another_gateway(portal: Portal, folder: Path) -> Iterator[str]:
    """Its URL, once it is ready. It has the settings of the portal's own, and is killed at the end."""
    environ = Path(f"/proc/{portal.parts()['gateway']['pid']}/environ").read_bytes().decode().split("\0")
    settings = dict(each.split("=", 1) for each in environ if each.startswith("BILLING_"))
    port = free_port()
    ours = {"BILLING_PORT": str(port), "BILLING_DATA_DIR": str(folder)}
    log = (folder.parent / "another.log").open("wb")
    gateway = subprocess.Popen(
        [sys.executable, "-m", "services.gateway"], env={**os.environ, **settings, **ours}, stdout=log, stderr=log
    )
    url = f"http://127.0.0.1:{port}"
    try:
        portal.until(lambda: not not_ready("gateway", url))
        yield url
    finally:
        gateway.kill()
        gateway.wait()
        log.close()


def _from_kafka(url: str) -> float:
    """How many events a gateway has applied from topics."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    counts = [line for line in lines if line.startswith("billing_consumer_applied_events{") and "kafka" in line]
    return sum(float(line.rpartition(" ")[2]) for line in counts)


@pytest.mark.skipif(sys.platform != "linux", reason="a process's settings are read where Linux shows them")
async def test_partitions_move_to_a_second_gateway_and_back_in_mid_load(portal: Portal, tmp_path: Path) -> None:
    with Load(portal) as load:
        load.until_more(20)
        for number in range(2):
            with another_gateway(portal, tmp_path / str(number)) as url:
                portal.until(lambda url=url: _from_kafka(url) > 0)  # type: ignore[misc]  # it has partitions now
                load.until_more(20)
                _check_it_shows(portal, url, load)
        load.until_more(20)
    events = logs.feed(portal)
    check_store(events, load)
    check_cards(portal, events, load)
    await check_read_models(portal, tmp_path)


def _check_it_shows(portal: Portal, url: str, load: Load) -> None:
    """Whatever partitions it has, either gateway shows what was acknowledged before."""
    head = logs.head(portal, Owner.PLANS)
    for customer in (client.customer for client in load.clients):
        for gateway in (url, portal.url()):
            path = f"{gateway}/api/v1/accounts/{customer.account_id}/product-cards"
            answer = httpx.get(
                path, params={"min_position": f"plans:{head}"}, headers={"Authorization": customer.authorization}
            )
            assert answer.status_code == 200, answer.text
