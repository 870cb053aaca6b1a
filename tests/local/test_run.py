"""`billing run` with everything in it: what it prints works, and however it ends, nothing is lost or left behind."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.folder import Folder
from tests.portal import WAIT_S, Portal

from .test_processes import is_alive, until

# Only Linux tells a child that its parent was killed; elsewhere the parts of a killed run live on.
ENDINGS = (signal.SIGTERM, signal.SIGKILL) if sys.platform == "linux" else (signal.SIGTERM,)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("portal") / "data"


@pytest.fixture
def portal(data_dir: Path) -> Iterator[Portal]:
    """A run for every test, all of them in the same data folder, one after the other."""
    with Portal(data_dir) as running:
        yield running


def read(portal: Portal, what: str) -> Any:
    url = f"{portal.url()}/api/v1/accounts/acme/{what}"
    return portal.http.get(url, headers={"Authorization": f"Bearer {portal.token('olive')}"}).raise_for_status().json()


def answer_of(export: str, line: str) -> Any:
    """What a shell makes of a printed line."""
    script = ["sh", "-c", f"{export}\n{line}"]
    return json.loads(subprocess.run(script, capture_output=True, timeout=WAIT_S, check=True).stdout)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the lines are for curl")
def test_the_demo_is_there_and_every_line_printed_does_what_it_says(portal: Portal) -> None:
    before = {card["sku"]: card for card in read(portal, "product-cards")["cards"]}
    assert set(before) == {"workplace_business", "phone_us_unlimited", "rooms", "webinar_500"}
    workplace = before["workplace_business"]
    assert workplace["licences"] == {"total": 12, "assigned": 9, "available": 3}
    assert [line["sku"] for line in workplace["lines"]][1:] == ["large_meeting_500", "storage_200"]
    assert [change["after"]["quantity"] for change in before["phone_us_unlimited"]["pending_changes"]] == [6]
    assert before["webinar_500"]["status"] == "cancel_scheduled"
    invoices = [invoice["status"] for invoice in read(portal, "invoices")["invoices"]]
    assert (invoices[0], invoices[1:]) == ("past_due", ["collected"] * 11)
    (order,) = read(portal, "device-orders")["orders"]
    assert (order["units"], order["units_delivered"], order["units_in_transit"]) == (10, 6, 4)
    assert workplace["term"] == {"start": "2026-01-31", "end": "2027-01-31"}

    export, *lines = _printed(portal)
    cards, quote, edited, bought, summary = (answer_of(export, line) for line in lines)
    assert cards == {"account_id": "acme", "cards": list(before.values())}
    assert quote["events"] == ["PlanEdited"]
    assert edited["events"][0]["data"]["after"]["quantity"] == 15
    assert edited["events"][0]["data"]["money"] == quote["due_now"]
    assert bought["events"][0]["type"] == "plans.CapacityPurchased"
    assert summary["annual"]["next"]["bundle_ids"] == [workplace["bundle_id"]]
    assert answer_of(export, lines[2]) == edited, "the same command twice is one fact"
    card = read(portal, f"product-cards/{workplace['bundle_id']}?min_position={bought['position']}")
    assert card["revision"] == bought["revision"] == workplace["revision"] + 2


def test_the_demo_is_not_made_again(portal: Portal) -> None:
    before = read(portal, "invoices"), read(portal, "device-orders")
    assert billing_demo(portal) == "The demo is loaded.\n"
    assert (read(portal, "invoices"), read(portal, "device-orders")) == before


def test_a_run_goes_on_where_the_one_before_stopped_however_that_ended(portal: Portal) -> None:
    before = read(portal, "product-cards"), read(portal, "plan-summary")
    for ending in ENDINGS:
        _end(portal, ending)
        portal.__enter__()  # in the same folder again
        assert (read(portal, "product-cards"), read(portal, "plan-summary")) == before


def test_a_part_that_is_killed_is_started_again(portal: Portal) -> None:
    for part in ("broker", "plans", "devices", "renewals", "gateway", "issuer"):
        portal.until_back(part, portal.kill(part))
        assert f"{part} was killed by SIGKILL; restarting it in 0.5 s." in portal.log.read_text()


def billing_demo(portal: Portal) -> str:
    command = [sys.executable, "-m", "services.cli", "demo", "--data-dir", str(portal.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=True).stdout


def _printed(portal: Portal) -> list[str]:
    """The lines to copy: the one that exports a token, and the five for curl."""
    lines = [line.strip() for line in portal.log.read_text().splitlines()]
    return [line for line in lines if line.startswith(("export", "curl"))][-6:]


def _end(portal: Portal, ending: signal.Signals) -> None:
    """Ends the launcher; waits until no process of its is left."""
    launcher = json.loads((portal.data_dir / "run.json").read_text())["pid"]
    pids = [launcher, *(part["pid"] for part in portal.parts().values())]
    os.kill(launcher, ending)
    portal.until(lambda: not any(map(is_alive, pids)))


def test_a_run_that_is_stopped_twice_while_it_starts_leaves_no_process(tmp_path: Path) -> None:
    run = [sys.executable, "-m", "services.cli", "run", "--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(run, stderr=subprocess.PIPE, text=True) as launcher:
        state = Folder(tmp_path).state
        asyncio.run(
            until(
                lambda: state.exists() and all(part["pid"] for part in json.loads(state.read_text())["parts"].values())
            )
        )
        pids = [part["pid"] for part in json.loads(state.read_text())["parts"].values()]
        launcher.send_signal(signal.SIGINT)
        launcher.send_signal(signal.SIGINT)
        _, said = launcher.communicate(timeout=WAIT_S)
    assert launcher.returncode == 0
    assert "Traceback" not in said
    assert not any(map(is_alive, pids))
