"""`billing rebuild`, as an operator runs it while customers are at work."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from threading import Event, Thread

import httpx2 as httpx
import pytest

from services.gateway.projections import product_card
from tests.portal import Portal
from tests.system.load import Load

CARDS = "/api/v1/accounts/acme/product-cards"


def billing(portal: Portal, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", *arguments, "--data-dir", str(portal.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env={"COLUMNS": "200"}, check=False)


def cards(portal: Portal) -> bytes:
    answer = portal.http.get(f"{portal.url()}{CARDS}", headers={"Authorization": f"Bearer {portal.token('olive')}"})
    assert answer.status_code == 200, answer.text
    return answer.content


def change_by_hand(portal: Portal) -> str:
    """A card of acme's says something that never happened; which one it is."""
    of_acme = f"FROM {product_card.TABLE} WHERE account_id = 'acme' ORDER BY key LIMIT 1"
    ((key, data),) = portal.read_models(f"SELECT key, data {of_acme}")
    row = json.loads(data)
    next(iter(row["lines"].values()))["quantity"] += 1
    with closing(sqlite3.connect(portal.data_dir / "gateway" / "read.sqlite3", timeout=10)) as db, db:
        db.execute(f"UPDATE {product_card.TABLE} SET data = ? WHERE key = ?", (json.dumps(row).encode(), key))
    return str(key)


def test_what_was_changed_by_hand_is_named_and_mended_while_customers_are_at_work(portal: Portal) -> None:
    before = cards(portal)
    key, stop, shown = change_by_hand(portal), Event(), set[bytes]()
    wrong = cards(portal)
    assert wrong != before

    def read() -> None:
        while not stop.is_set():
            shown.add(cards(portal))

    reader = Thread(target=read)
    with Load(portal) as load:
        load.until_more(30)
        reader.start()
        compared = billing(portal, "rebuild", "--compare")
        assert (compared.returncode, key in compared.stdout) == (1, True), compared.stdout + compared.stderr
        assert "; 1 differ:" in compared.stdout
        assert cards(portal) == wrong
        rebuilt = billing(portal, "rebuild")
        assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
        assert "The new rows are in place." in rebuilt.stdout
        load.until_more(30)
    stop.set()
    reader.join(30)
    assert shown == {wrong, before}
    assert cards(portal) == before
    again = billing(portal, "rebuild", "--compare")
    assert (again.returncode, "every one is as it was" in again.stdout) == (0, True), again.stdout + again.stderr


def test_killed_on_its_way_it_leaves_what_was_there_and_can_be_run_again(portal: Portal) -> None:
    before = cards(portal)
    address, token = f"{portal.url()}/read-models/rebuild", {"Authorization": f"Bearer {portal.auditor()}"}
    with portal.http.stream("POST", address, headers=token) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert "filled" in next(lines)
        portal.until_back("gateway", portal.kill("gateway"))
        with pytest.raises(httpx.TransportError):
            list(lines)
    assert cards(portal) == before
    assert billing(portal, "rebuild").returncode == 0
    assert cards(portal) == before


def test_only_who_may_audit_everything_may_ask_for_it(portal: Portal) -> None:
    for token in (portal.token("olive"), portal.token("aude")):
        answer = portal.http.post(f"{portal.url()}/read-models/rebuild", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")
