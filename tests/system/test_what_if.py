"""What if tells what then really happens: the demo account's next months, foretold and then lived through."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.topics import Owner
from tests.portal import Portal
from tests.system import logs

AUTUMN = "2026-10-02T12:00:00Z"  # the card fails twice after each renewal: the account is on hold
PAID, WINTER, SPRING = "2026-10-15T12:00:00Z", "2027-01-15T12:00:00Z", "2027-04-05T12:00:00Z"
ACME = "/api/v1/accounts/acme"
SAID = ("invoice_id", "number", "kind", "cadence", "issued_on", "lines", "net_minor", "taxes", "total_minor")
SAID += ("credit_minor", "due_minor", "status", "remains_minor", "shown")

Members = dict[str, Any]


def foretold(portal: Portal, until: str, *commands: Members) -> Members:
    """By `billing what-if`; the commands are sent in a file, as a user would."""
    file = Path(f"{portal.data_dir}.jsonl")
    file.write_text("".join(f"{json.dumps(command)}\n" for command in commands))
    asked = ["what-if", "acme", "--until", until, "--commands", str(file), "--json", "--data-dir", str(portal.data_dir)]
    place = Path(f"{portal.data_dir}.place")  # where it may leave something
    place.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", *asked],
        capture_output=True,
        timeout=200,
        check=False,
        cwd=place,
        env={**os.environ, "TMPDIR": str(place)},
    )
    assert not list(place.iterdir())
    assert done.stdout, done.stderr.decode()
    answer: Members = json.loads(done.stdout)
    return answer


def time_goes_by(portal: Portal, until: str) -> None:
    clock = f"{portal.url()}/api/v1/clock"
    operator = {"Authorization": f"Bearer {portal.token('otto')}"}
    portal.http.post(clock, json={"to": until, "stand_still": True}, headers=operator).raise_for_status()
    portal.until(lambda: portal.http.get(clock, headers=operator).json()["moving_to"] is None)
    assert not portal.http.get(clock, headers=operator).json()["reason"]


def read(portal: Portal, path: str, **params: str) -> Members:
    olive = {"Authorization": f"Bearer {portal.token('olive')}"}
    params["min_position"] = f"renewals:{logs.head(portal, Owner.RENEWALS)}"
    answer = portal.http.get(f"{portal.url()}{ACME}{path}", headers=olive, params=params)
    members: Members = answer.raise_for_status().json()
    return members


def invoices(portal: Portal) -> dict[str, Members]:
    """All that can be said of each invoice, by id."""
    found, page = [], read(portal, "/invoices")
    while page["invoices"]:
        found += page["invoices"]
        page = read(portal, "/invoices", before=str(found[-1]["number"]))
    views = (read(portal, f"/invoices/{each['invoice_id']}") for each in found)
    return {view["invoice_id"]: {name: view[name] for name in SAID} for view in views}


def everything(portal: Portal) -> Members:
    """Where every log ends, what every topic holds, and every file of the portal's data that is not a draft."""
    kept = (file for file in portal.data_dir.rglob("*") if file.suffix == ".sqlite3" or file.is_dir())
    return {
        "heads": {owner: logs.head(portal, owner) for owner in Owner},
        "topics": {owner: len(asyncio.run(logs.topic(portal, owner))) for owner in Owner},
        "files": sorted(map(str, kept)),
    }


@pytest.fixture(scope="module")
def stands_still(portal: Portal) -> Portal:
    """So that what is asked and what is done is on one instant."""
    operator = {"Authorization": f"Bearer {portal.token('otto')}"}
    portal.http.post(f"{portal.url()}/api/v1/clock", json={"run": False}, headers=operator).raise_for_status()
    return portal


def test_what_is_foretold_without_commands_is_what_comes(stands_still: Portal) -> None:
    """Trials of a card that fails twice, parcels on their way, months of leases, a scheduled reduction, renewals."""
    portal = stands_still
    known, before = invoices(portal), everything(portal)
    answer = foretold(portal, AUTUMN)
    assert everything(portal) == before
    time_goes_by(portal, AUTUMN)
    came = {key: each for key, each in invoices(portal).items() if key not in known}
    assert {each["without"]["invoice_id"]: each["without"] for each in answer["invoices"]} == came
    assert len(came) > 10
    assert answer["cards"] == read(portal, "/product-cards")["cards"]


def test_what_is_foretold_of_commands_is_what_comes_of_them(stands_still: Portal) -> None:
    portal = stands_still
    known = invoices(portal)
    plans = {card["sku"]: card["bundle_id"] for card in read(portal, "/product-cards")["cards"]}
    rooms, phone, workplace = (plans[sku] for sku in ("rooms", "phone_us_unlimited", "workplace_business"))
    commands = [
        {"at": AUTUMN, "plan": rooms, "command": "edit", "body": {"quantity": 5}},
        {"at": PAID, "plan": workplace, "command": "edit", "body": {"quantity": 20}},
        {"at": PAID, "plan": rooms, "command": "cancel", "body": {"reason": "not_needed_now"}},
        {"at": WINTER, "plan": phone, "command": "edit", "body": {"quantity": 9}},
    ]
    answer = foretold(portal, SPRING, *commands)
    assert [each["problem"] and each["problem"]["code"] for each in answer["commands"]] == [
        "unpaid_invoices",
        *[None] * 3,
    ]
    assert answer["totals"]["difference_minor"] != 0
    for command, expected in zip(commands, answer["commands"], strict=True):
        time_goes_by(portal, command["at"])
        headers = {"Authorization": f"Bearer {portal.token('olive')}", "If-Match": "*"}
        path = f"{portal.url()}{ACME}/plans/{command['plan']}/{command['command']}"
        done = portal.http.post(path, json=command["body"], headers=headers)
        assert done.is_success == (expected["outcome"] == "done"), done.text
    time_goes_by(portal, SPRING)
    came = [_facts(each) for key, each in invoices(portal).items() if key not in known]
    told = [_facts(each["with_commands"]) for each in answer["invoices"] if each["with_commands"]]
    assert sorted(told, key=_number) == sorted(came, key=_number)


def _facts(invoice: Members) -> Members:
    """Without the ids that derive from a command's key."""
    lines = [{**line, "line_id": None} for line in invoice["lines"]]
    kept = {name: value for name, value in invoice.items() if name != "invoice_id"}
    return {**kept, "lines": lines}


def _number(invoice: Members) -> int:
    number: int = invoice["number"]
    return number
