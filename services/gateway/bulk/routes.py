"""Bulk edits over HTTP: a file in, a result per row out as they come; and the file to begin with."""

import csv
import io
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from contracts.plan_actions import PlanStatus, Privilege
from contracts.problems import Refused
from services.gateway.cards import Row, opened, standing
from services.gateway.csv_cells import plain
from services.gateway.forwarded import ACCOUNT
from services.gateway.inside import Commands
from services.gateway.projections import product_card
from services.gateway.reads import CACHING, Asked, admitted

from .results import RowResult, Tally
from .rows import BadFile, rows_of
from .sending import BulkEdit

BULK = f"{ACCOUNT}/bulk-edits"
MEDIA_TYPE = "application/x-ndjson"
EXPORTED = ("bundle_id", "line_id", "product", "quantity", "revision")
MOST_KEY_CHARS = 128


async def export(request: Request) -> Response:
    """A CSV file with a row per line of every plan that is not over, to be changed and sent back. A line that will
    change has the quantity it will have: sent back as it is, the file changes nothing."""
    of = await admitted(request)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(EXPORTED)
    for bundle_id, plan in (await _plans(of)).items():
        if standing(plan).status is PlanStatus.ACTIVE:
            for line_id, line in plan["lines"].items():
                quantity = plan["changes"].get(line_id, {"after": line})["after"]["quantity"]
                writer.writerow((bundle_id, line_id, plain(line["name"]), quantity, plan["revision"]))
    headers = {**CACHING, "Content-Disposition": f'attachment; filename="{of.account_id}-plans.csv"'}
    return Response(out.getvalue(), headers=headers, media_type="text/csv; charset=utf-8")


async def take_in(request: Request) -> Response:
    """Query: dry_run, atomic (true or false). A file that is none is refused as a whole."""
    of = await admitted(request, privilege=Privilege.SUBSCRIPTION_EDIT)
    dry_run, atomic = _flag(request, "dry_run"), _flag(request, "atomic")
    key = request.headers.get("idempotency-key", "")
    if not dry_run and not (key.isascii() and key.isprintable() and 0 < len(key) <= MOST_KEY_CHARS):
        raise Refused("idempotency_key_invalid")
    try:
        rows = rows_of(await request.body(), request.headers.get("content-type", "").partition(";")[0].strip())
    except BadFile as bad:
        raise Refused("bulk_file_invalid", reason=str(bad)) from None
    plans = await _plans(of) if atomic else {}
    revisions = {bundle_id: int(plan["revision"]) for bundle_id, plan in plans.items()} if atomic else None
    edit = BulkEdit(Commands(request, request.headers["authorization"], of.account_id), revisions, key)
    how = edit.dry_run if dry_run else edit.all_or_none if atomic else edit.one_by_one
    return StreamingResponse(
        _lines(how(rows), Tally(dry_run, atomic)), media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"}
    )


async def _plans(of: Asked) -> dict[str, Row]:
    rows = await of.reads.store.rows_of(product_card.TABLE, of.account_id)
    return {plan["bundle_id"]: plan for plan in map(opened, rows)}


async def _lines(results: AsyncGenerator[RowResult, None], tally: Tally) -> AsyncGenerator[bytes, None]:
    async with aclosing(results):
        async for result in results:
            tally.add(result)
            yield result.model_dump_json().encode() + b"\n"
    yield tally.end().model_dump_json().encode() + b"\n"


def _flag(request: Request, name: str) -> bool:
    said = request.query_params.get(name, "false")
    if said not in ("true", "false"):
        raise RequestValidationError([{"type": "parameter_malformed", "loc": ("query", name), "msg": "true or false"}])
    return said == "true"
