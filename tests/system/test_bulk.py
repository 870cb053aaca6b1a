"""Many plans changed with one file: looked at first, row by row, once, whatever is killed meanwhile."""

import csv
import io
import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.portal import Portal
from tests.system import logs
from tests.system.customer import READER, Customer

PLANS = 12
Members = dict[str, Any]


class Office(Customer):
    """A customer with many plans, who sends files."""

    def plans(self, quantity: int = 3) -> list[str]:
        return [self.started("workplace_pro", quantity) for _ in range(PLANS)]

    def export(self) -> list[dict[str, str]]:
        """As the log has it now."""
        answer = self.get("/bulk-edits", f"plans:{logs.head(self.portal)}")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return list(csv.DictReader(io.StringIO(answer.text)))

    def send(self, rows: list[dict[str, Any]] | bytes, key: str | None = "file", **flags: str) -> httpx.Response:
        body = rows if isinstance(rows, bytes) else _file(rows)
        headers = {"Authorization": self.authorization, "Content-Type": "text/csv"}
        headers |= {"Idempotency-Key": key} if key else {}
        flags["min_position"] = f"plans:{logs.head(self.portal)}"
        return self.http.post(self._url("/bulk-edits"), params=flags, content=body, headers=headers)

    def results(self, rows: list[dict[str, Any]], key: str = "file", **flags: str) -> tuple[list[Members], Members]:
        *results, end = map(json.loads, self.send(rows, key, **flags).raise_for_status().text.splitlines())
        assert end["end"]
        assert [result["row"] for result in results] == list(range(1, len(rows) + 1))
        return results, end

    def events(self, name: str) -> int:
        found = [e for e in logs.feed(self.portal) if e["metadata"]["account_id"] == self.account_id]
        return sum(event["type"] == f"plans.{name}" for event in found)


def _file(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, sorted({name for row in rows for name in row}))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


@pytest.fixture
def office(portal: Portal) -> Office:
    customer = Office.with_account(portal)
    assert isinstance(customer, Office)
    return customer


def test_what_was_exported_changes_nothing_and_edited_what_was_edited(office: Office) -> None:
    bundles = office.plans()
    office.changed(bundles[0], "edit", {"quantity": 2})  # pending: it is exported as it will be
    rows = office.export()
    assert [(row["bundle_id"] in bundles, row["line_id"]) for row in rows] == [(True, "line-1")] * PLANS
    _, end = office.results(rows)
    assert end["counts"] == {"done": 0, "would_be_done": 0, "unchanged": PLANS, "refused": 0, "not_tried": 0}
    rows[3]["quantity"] = rows[5]["quantity"] = "7"
    looked, _ = office.results(rows, dry_run="true")
    assert office.events("PlanEdited") == 0
    done, end = office.results(rows, key="edited")
    assert end["counts"]["done"] == office.events("PlanEdited") == 2
    assert [row["net_minor"] for row in looked] == [row["net_minor"] for row in done]
    assert end["net_minor"] == 2 * 4 * 1799  # by the second price book
    assert office.card(rows[3]["bundle_id"], done[3]["position"])["licences"]["total"] == 7


def test_each_row_is_told_what_stands_against_it_and_keeps_none_back(office: Office, portal: Portal) -> None:
    bundles, stranger = office.plans(), Customer.with_account(portal)
    elsewhere = stranger.started("workplace_pro", 3)
    office.changed(bundles[1], "assign-licence", {"assignee": "ann"})
    office.changed(bundles[1], "assign-licence", {"assignee": "bob"})
    rows: list[dict[str, Any]] = [
        {"bundle_id": bundles[0], "quantity": 10},
        {"bundle_id": bundles[1], "quantity": 1},
        {"bundle_id": elsewhere, "quantity": 4},
        {"bundle_id": bundles[2], "quantity": 4, "revision": 7},
        {"bundle_id": bundles[3], "quantity": "many"},
        {"bundle_id": bundles[4], "quantity": 4},
        {"bundle_id": bundles[4], "quantity": 5},
    ]
    results, end = office.results(rows)
    codes = ["quantity_out_of_range", "licences_assigned", "plan_not_found", "revision_stale", "invalid_request", None]
    assert [result["code"] for result in results] == [*codes, "invalid_request"]
    assert results[1]["more"] == {"assigned": 2, "requested": 1}
    assert results[6]["message"] == "row 6 is about the same line"
    assert (end["counts"]["done"], end["counts"]["refused"]) == (1, 6)


def test_all_or_none_is_none_when_one_row_cannot_be(office: Office) -> None:
    rows = [{"bundle_id": bundle, "quantity": 4} for bundle in office.plans()]
    results, end = office.results([*rows[:-1], {**rows[-1], "quantity": 10}], atomic="true")
    assert {result["outcome"] for result in results[:-1]} == {"not_tried"}
    assert (results[-1]["code"], end["counts"]["done"]) == ("quantity_out_of_range", 0)
    assert office.events("PlanEdited") == 0
    assert (
        office.results(rows, key="mended", atomic="true")[1]["counts"]["done"] == PLANS == office.events("PlanEdited")
    )


@pytest.mark.parametrize("atomic", ["true", "false"])
def test_sent_again_a_file_is_answered_as_it_was(office: Office, atomic: str) -> None:
    rows = [{"bundle_id": bundle, "quantity": 4} for bundle in office.plans()]
    first = office.results(rows, atomic=atomic)
    assert office.results(rows, atomic=atomic) == first
    assert office.events("PlanEdited") == PLANS
    rows[0]["quantity"] = 5
    (other, *_), _ = office.results(rows)
    assert other["code"] == "idempotency_key_reused"


def test_lines_of_one_plan_build_upon_each_other(office: Office) -> None:
    bundle = office.started("workplace_pro", 3)
    office.changed(bundle, "capacities", {"sku": "large_meeting_500", "quantity": 1})
    rows = office.export()
    assert [row["revision"] for row in rows] == ["1", "1"]
    for row in rows:
        row["quantity"] = "5"
    assert office.results(rows, atomic="true")[1]["counts"]["done"] == 2


def test_the_gateway_is_killed_in_the_middle_and_the_file_sent_again(office: Office, portal: Portal) -> None:
    rows = [{"bundle_id": bundle, "quantity": 4} for bundle in office.plans()]
    pid = portal.parts()["gateway"]["pid"]
    killing = threading.Timer(0.02, portal.kill, ["gateway"])
    killing.start()
    with suppress(httpx.HTTPError, ValueError, AssertionError):  # the answer breaks off, or comes just before
        office.results(rows, key="killed")
    killing.join()
    portal.until_back("gateway", pid)
    portal.until(lambda: office.get("/product-cards").is_success)
    assert office.results(rows, key="killed")[1]["counts"]["done"] == PLANS == office.events("PlanEdited")


BAD = {
    "no file": (b"", "file", 422, "bulk_file_invalid"),
    "another column": (b"bundle_id,quantity,price\nb,1,1\n", "file", 422, "bulk_file_invalid"),
    "no key": (b"bundle_id,quantity\nb,1\n", None, 422, "idempotency_key_invalid"),
    "too large": (b"x" * 1_100_000, "file", 413, "body_too_large"),
}


@pytest.mark.parametrize(("body", "key", "status", "code"), BAD.values(), ids=BAD)
def test_what_is_no_file_of_edits(office: Office, body: bytes, key: str | None, status: int, code: str) -> None:
    answer = office.send(body, key)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_who_may_only_read_sends_none_and_flags_are_true_or_false(office: Office, portal: Portal) -> None:
    row = [{"bundle_id": "b", "quantity": 1}]
    reader = Office(portal, office.account_id, READER)
    assert reader.send(row).json()["code"] == "forbidden"
    assert Office(portal).send(row).json()["code"] == "account_not_found"
    assert office.send(row, dry_run="yes").json()["code"] == "invalid_request"


def test_the_command_does_the_same(portal: Portal, tmp_path: Path) -> None:
    def billing(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "services.cli", "bulk", *words, "--data-dir", str(portal.data_dir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    file = tmp_path / "plans.csv"
    assert billing("export", "-o", str(file)).returncode == 0
    text = file.read_text()
    looked = billing("edit", str(file), "--dry-run")
    assert (looked.returncode, "unchanged" in looked.stdout) == (0, True)
    rows = list(csv.DictReader(io.StringIO(text)))
    rooms = next(row for row in rows if row["product"] == "Rooms")
    rooms["quantity"] = "501"
    file.write_bytes(_file(list(rows)))
    refused = billing("edit", str(file), "--atomic")
    assert refused.returncode == 1
    assert "quantity_out_of_range" not in refused.stdout  # said in words
    assert "The quantity is outside what this product allows" in refused.stdout
    assert "cannot be read" in billing("edit", str(tmp_path / "no.csv")).stderr
