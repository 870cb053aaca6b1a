"""After an erasure no store, topic, read model or export holds what was kept of persons; all else goes on."""

import json
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx

from contracts.account_actions import PRIVILEGES, BillingRole
from contracts.topics import Owner
from tests.portal import Portal
from tests.system import logs
from tests.system.customer import Customer

NAME, COMPANY, MAIL, STREET = "Xanthippe Marker", "Markerworks", "xanthippe@marker.example", "7 Markerstrasse"
CITY, SAID = "Markerville", "Xanthippe leaves: call her\nat Markerworks"
MARKERS = (b"anthippe", b"arkerworks", b"marker.example", b"arkerstrasse", b"arkerville")
CONTACT = {
    "name": NAME,
    "company": COMPANY,
    "mail": MAIL,
    "address": {"street": [STREET], "postal_code": "1010", "city": CITY, "region": "", "country": "AT"},
}


async def test_after_it_nothing_anywhere_holds_it_and_all_goes_on(portal: Portal) -> None:
    owner = Customer(portal, "acme", tuple(PRIVILEGES[BillingRole.OWNER]))
    owner.answered(owner.put("/contacts/bill_to", CONTACT))
    owner.answered(owner.put("/contacts/extra_3", CONTACT))
    plan = owner.started("workplace_pro", 3)
    (event,) = owner.changed(plan, "cancel", {"reason": "other", "comment": SAID})["events"]
    assert owner.read(f"/comments/{event['data']['comment']}")["text"] == SAID
    assert found_in_files(portal.data_dir) == {"personal.sqlite3"}
    assert STREET in owner.get("/billing").text

    said = billing(portal, "erase", "acme", "--yes", "--user", "olive")
    assert "plans.PersonalDataErased" in said.stdout
    billing(portal, "rebuild")
    shown = owner.read("/history")["entries"][0]
    assert (shown["type"], shown["said"]) == ("plans.PersonalDataErased", "Personal data of the account erased")
    assert owner.get(f"/comments/{event['data']['comment']}").status_code == 404

    assert found_in_files(portal.data_dir) == set()
    for owner_of in Owner:
        records = await logs.topic(portal, owner_of)
        assert not marked(json.dumps([[record["headers"], record["value"]] for record in records], default=str))
    reads = ("/billing", "/history", "/history.csv", "/history.jsonl", "/events", "/product-cards", "/invoices")
    answers: list[httpx.Response] = [owner.get(path) for path in reads]
    answers += [owner.get(path, as_of="now") for path in ("/billing", "/history")]
    assert {answer.status_code for answer in answers} == {200}
    assert [str(answer.url) for answer in answers if marked(answer.text)] == []
    assert not marked(billing(portal, "replay").stdout)

    owner.changed(plan, "reinstate", {})
    owner.answered(owner.put("/contacts/bill_to", {**CONTACT, "name": "Somebody Else"}))
    assert [contact["name"] for contact in owner.read("/billing")["contacts"]] == ["Somebody Else"]
    billing(portal, "erase", "acme", "--contact", "bill_to", "--yes")
    assert found_in_files(portal.data_dir) == set()
    assert "Nothing of persons" in billing(portal, "erase", "acme", "--yes").stdout
    billing(portal, "audit", "verify")
    billing(portal, "reconcile")


def marked(text: str) -> bool:
    return any(marker in text.encode() for marker in MARKERS)


def found_in_files(folder: Path) -> set[str]:
    """The names of the files that hold a marker."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return {each.name for each in files if any(marker in each.read_bytes() for marker in MARKERS)}


def billing(portal: Portal, *command: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "services.cli", *command, "--data-dir", str(portal.data_dir)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done
