"""The demo's next year in fast-forward, once left alone and once with its parts killed at random: the same invoices.

YEAR_KILLS=4 YEAR_SEED=… kills each part four times, at other instants.
"""

import os
import shutil
import time
from pathlib import Path
from random import Random
from typing import Any

import httpx2 as httpx
import pytest

from contracts.topics import Owner
from tests.portal import Portal

from . import logs

END = "2027-05-20T12:00:00Z"
YEAR_S = 400.0
# How often each part is killed; one that dies more than 5 times in a row is given up.
KILLED = ("plans", "renewals", "devices", "gateway") * int(os.environ.get("YEAR_KILLS", "1"))
SEED = int(os.environ.get("YEAR_SEED", "7"))

Members = dict[str, Any]


def live(portal: Portal, random: Random | None) -> list[str]:
    """Lets the year go by. random: says which part is killed when; None: nobody is. The parts killed."""
    portal.http.post(_clock(portal), json={"to": END, "stand_still": True}, headers=_otto(portal)).raise_for_status()
    killed: list[str] = []
    to_kill = random.sample(KILLED, len(KILLED)) if random else []
    deadline, next_at = time.monotonic() + YEAR_S, time.monotonic()
    while not _arrived(portal):
        assert time.monotonic() < deadline, f"not there after {YEAR_S:g} s; killed: {killed}"
        if random and to_kill and time.monotonic() >= next_at:
            part = to_kill.pop()
            pid = portal.kill(part)
            killed.append(part)
            portal.until_back(part, pid)
            next_at = time.monotonic() + random.uniform(0, 2)
        time.sleep(0.05)
    return killed


def _arrived(portal: Portal) -> bool:
    """Of a gateway that has just been killed nobody knows."""
    try:
        view = portal.http.get(_clock(portal), headers=_otto(portal)).raise_for_status().json()
    except (OSError, httpx.HTTPError):
        return False
    return view["moving_to"] is None and view["now"] >= END


def _clock(portal: Portal) -> str:
    return f"{portal.url()}/api/v1/clock"


def _otto(portal: Portal) -> dict[str, str]:
    return {"Authorization": f"Bearer {portal.token('otto')}"}


def money(portal: Portal) -> dict[str, list[tuple[str, Members]]]:
    """By stream, all that renewals have recorded of invoices, payments, credit and renewals, each in its order."""
    told: dict[str, list[tuple[str, Members]]] = {}
    for event in logs.feed(portal, Owner.RENEWALS):
        told.setdefault(event["stream"], []).append((event["type"], event["data"]))
    return told


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo has been loaded."""
    folder = tmp_path_factory.mktemp("year") / "demo"
    with Portal(folder):
        pass
    return folder


def test_a_year_in_which_parts_are_killed_ends_in_the_same_invoices(demo: Path) -> None:
    lived = []
    for name, random in (("undisturbed", None), ("disturbed", Random(SEED))):
        folder = shutil.copytree(demo, demo.with_name(name))
        with Portal(folder) as portal:
            begun = time.monotonic()
            killed = live(portal, random)
            print(f"{name}: {time.monotonic() - begun:.1f} s, killed {len(killed)} times: {' '.join(killed)}")
            lived.append(money(portal))
    undisturbed, disturbed = lived
    invoices = [stream for stream in undisturbed if stream.startswith("invoice-")]
    assert len(invoices) > 20
    assert len(killed) == len(KILLED)
    assert {stream: disturbed.get(stream) for stream in invoices} == {
        stream: undisturbed[stream] for stream in invoices
    }
    assert disturbed.keys() == undisturbed.keys()
