"""An account's history as a file, the newest event first: CSV for a spreadsheet, JSON Lines for a program.

Written page by page as it is read, however long it is. A line of the JSON Lines has a hash over itself and the one
before it, and a last line says how many there are, so a file that was changed or cut afterwards can be told. (What
proves an event to be the log's own is `billing audit prove` with its event_id: the log's links are made of bytes that
the read models do not keep.)
"""

import csv
import hashlib
import io
from collections.abc import AsyncGenerator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from contracts.money import Currency
from contracts.plan_actions import Privilege
from contracts.plans import HistoryWay

from .cards import opened
from .csv_cells import plain
from .forwarded import ACCOUNT
from .history import END, entry
from .projections import history
from .readings import Readings
from .reads import Asked, admitted

CSV, JSONL = f"{ACCOUNT}/history.csv", f"{ACCOUNT}/history.jsonl"
MEDIA_TYPES = {CSV: "text/csv; charset=utf-8", JSONL: "application/x-ndjson"}
PAGE = 500
COLUMNS = (
    *("recorded_at", "effective_on", "said", "owner", "position", "stream", "revision", "type", "event_id"),
    *("actor", "role", "via", "caused_by", "correlation_id", "data"),
)

Entries = AsyncGenerator[list[dict[str, Any]], None]


async def export_csv(request: Request) -> Response:
    return await _exported(request, CSV)


async def export_jsonl(request: Request) -> Response:
    return await _exported(request, JSONL)


async def _exported(request: Request, path: str) -> Response:
    of = await admitted(request, of_renewals=True, privilege=Privilege.AUDIT_READ)
    form = path.rpartition(".")[2]
    readings: Readings = request.state.readings
    await readings.record(request, of, HistoryWay(form))
    name = f"{of.account_id}-history.{form}"
    headers = {"Cache-Control": "private, no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    lines = as_csv(_pages(of)) if path == CSV else as_jsonl(_pages(of))
    return StreamingResponse(lines, media_type=MEDIA_TYPES[path], headers=headers)


async def as_csv(pages: Entries) -> AsyncGenerator[bytes, None]:
    yield _rows([COLUMNS])
    async for entries in pages:
        yield _rows([_row(each) for each in entries])


async def as_jsonl(pages: Entries) -> AsyncGenerator[bytes, None]:
    count, before = 0, ""
    async for entries in pages:
        lines = []
        for each in entries:
            before = line_hash(before, each)
            lines.append(orjson.dumps({**each, "hash": before}) + b"\n")
        count += len(lines)
        yield b"".join(lines)
    yield orjson.dumps({"end": True, "events": count, "hash": before}) + b"\n"


def line_hash(before: str, line: dict[str, Any]) -> str:
    """SHA-256 over the hash of the line before (none before the first) and this one as JSON without its own."""
    return hashlib.sha256(before.encode() + orjson.dumps(line)).hexdigest()


async def _pages(of: Asked) -> Entries:
    mine = history.prefix(of.account_id)
    currency, before = Currency(opened(of.account)["currency"]), END
    while found := await of.reads.store.page(history.TABLE, mine, f"{mine}{before}", PAGE):
        yield [entry(opened(row), currency).model_dump(mode="json") for _, row in found]
        before = found[-1][0].removeprefix(mine)


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    actor = each["actor"]
    told = {
        **each,
        "actor": actor["id"],
        "role": actor["role"],
        "via": actor["via"],
        "caused_by": each["causation_id"],
        "data": orjson.dumps(each["data"]).decode(),
    }
    return tuple(plain(str(told[name])) for name in COLUMNS)


def _rows(rows: list[tuple[str, ...]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
