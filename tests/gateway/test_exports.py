"""An account's history as a file: all of it, harmless to a spreadsheet, and telling when it was changed."""

import csv
import hashlib
import io
import json
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest

from services.gateway import exports
from services.gateway.csv_cells import plain

from .gateway import Gateway
from .test_history import HISTORY, everything, shown
from .test_reads import problem

__all__ = ["shown"]
END = b'{"end":true'


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a history of an account is several."""
    monkeypatch.setattr(exports, "PAGE", 2)


async def lines_of(shown: Gateway) -> list[bytes]:
    return (await shown.get(f"{HISTORY}.jsonl", "auditor")).content.splitlines()


async def test_json_lines_hold_what_history_shows(shown: Gateway) -> None:
    *lines, end = await lines_of(shown)
    entries = await everything(shown, 200)
    assert len(entries) > 2 * exports.PAGE
    found = [json.loads(line) for line in lines]
    assert [{name: each[name] for name in each if name != "hash"} for each in found] == entries
    assert json.loads(end) == {"end": True, "events": len(entries), "hash": found[-1]["hash"]}


def is_whole(lines: list[bytes]) -> bool:
    """As anybody can count it anew."""
    before, count = "", 0
    for line in lines[:-1]:
        members: dict[str, Any] = orjson.loads(line)
        said = members.pop("hash")
        before, count = hashlib.sha256(before.encode() + orjson.dumps(members)).hexdigest(), count + 1
        if said != before:
            return False
    return bool(orjson.loads(lines[-1]) == {"end": True, "events": count, "hash": before})


async def test_a_file_that_was_changed_or_cut_can_be_told(shown: Gateway) -> None:
    lines = await lines_of(shown)
    assert is_whole(lines)
    assert not is_whole([*lines[:3], *lines[4:]])
    assert not is_whole([lines[1], lines[0], *lines[2:]])
    assert not is_whole([lines[0].replace(b"acme", b"ecma").replace(b"plans", b"plens"), *lines[1:]])
    assert not is_whole([*lines[:-2], lines[-1]])


async def test_csv_has_a_row_for_every_event(shown: Gateway) -> None:
    answer = await shown.get(f"{HISTORY}.csv", "auditor")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="acme-history.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    entries = await everything(shown, 200)
    assert [row["event_id"] for row in rows] == [entry["event_id"] for entry in entries]
    assert [json.loads(row["data"]) for row in rows] == [entry["data"] for entry in entries]
    assert [row["said"] for row in rows] == [entry["said"] for entry in entries]
    assert {row["actor"] for row in rows} == {entry["actor"]["id"] for entry in entries}


@pytest.mark.parametrize("path", [f"{HISTORY}.csv", f"{HISTORY}.jsonl"])
async def test_exports_are_for_auditors_of_the_account(shown: Gateway, path: str) -> None:
    assert problem(await shown.get(path, "owner")) == (403, "forbidden")
    assert problem(await shown.get(path, "stranger")) == (404, "account_not_found")


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
async def test_no_cell_is_a_formula(begins: str) -> None:
    formula = f"{begins}HYPERLINK(A1)"
    entry = dict.fromkeys(exports.COLUMNS, formula)
    actor = {"id": formula, "role": formula, "via": formula}

    async def pages() -> AsyncGenerator[list[dict[str, Any]], None]:
        yield [{**entry, "actor": actor, "causation_id": formula, "data": {"said": formula}}]

    text = b"".join([block async for block in exports.as_csv(pages())]).decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert {cell for name, cell in row.items() if name != "data"} == {f"'{formula}"}
    assert row["data"].startswith("{")


@pytest.mark.parametrize("text", ["", "plain", "a=b", "1-2", "'quoted"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert plain(text) == text


async def test_pages_are_written_as_they_are_read() -> None:
    read = 0

    async def pages() -> AsyncGenerator[list[dict[str, Any]], None]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield [{"event_id": str(read)}]

    lines = exports.as_jsonl(pages())
    for _ in range(3):
        await anext(lines)
    assert read == 3
    await lines.aclose()
