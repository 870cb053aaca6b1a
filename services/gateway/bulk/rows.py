"""A file of edits, as rows: CSV or JSON Lines. Pure; what is wrong with one row says nothing about the others."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.plans import Id, Quantity

MOST_ROWS = 5_000
COLUMNS = ("bundle_id", "line_id", "quantity", "effective_on", "revision", "product")


class Wish(BaseModel):
    """One row. line_id: the base when left out. revision: the plan's, as the file was made. product: for whoever reads
    the file; not looked at."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    bundle_id: Id
    quantity: Quantity
    line_id: Id | None = None
    effective_on: date | None = None
    revision: Annotated[int, Field(ge=0)] | None = None
    product: Annotated[str, Field(max_length=200)] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """number: from 1, without the heading. wrong: why it is no edit."""

    number: int
    bundle_id: str
    wish: Wish | None = None
    wrong: str | None = None


class BadFile(Exception):
    """What is wrong with the file as a whole."""


def rows_of(body: bytes, media_type: str) -> list[Row]:
    """media_type: text/csv or application/x-ndjson. Raises BadFile."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"not UTF-8 at byte {error.start:,}") from None
    read = {"text/csv": _csv, "application/x-ndjson": _json_lines}.get(media_type)
    if read is None:
        raise BadFile("neither text/csv nor application/x-ndjson: say which in Content-Type")
    rows: list[Row] = []
    for members in read(text):
        if len(rows) == MOST_ROWS:
            raise BadFile(f"more than {MOST_ROWS:,} rows: send several files")
        rows.append(_row(len(rows) + 1, members))
    if not rows:
        raise BadFile("no rows")
    return _without_repetitions(rows)


def _csv(text: str) -> Iterator[Any]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heading = [name.strip() for name in next(reader, [])]
        if unknown := [name for name in heading if name not in COLUMNS]:
            raise BadFile(f"no column is called {unknown[0]!r}: those there are, are {', '.join(COLUMNS)}")
        if missing := [name for name in ("bundle_id", "quantity") if name not in heading]:
            raise BadFile(f"the first line must name the columns, {missing[0]} among them")
        if len(set(heading)) < len(heading):
            raise BadFile("a column is there twice")
        for values in reader:
            if any(values):
                yield _from_csv(heading, values)
    except csv.Error as error:
        raise BadFile(f"line {reader.line_num}: {error}") from None


def _from_csv(heading: list[str], values: list[str]) -> Any:
    if len(values) != len(heading):
        return f"{len(values)} values in {len(heading)} columns"
    said = {name: value.strip() for name, value in zip(heading, values, strict=True) if value.strip()}
    return {name: int(value) if _is_count(name, value) else value for name, value in said.items()}


def _is_count(name: str, value: str) -> bool:
    return name in ("quantity", "revision") and value.isascii() and value.isdigit() and len(value) < 19


def _json_lines(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        if line.strip():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                yield "not JSON"


def _row(number: int, members: Any) -> Row:
    if isinstance(members, str):
        return Row(number, "", wrong=members)
    named = members.get("bundle_id") if isinstance(members, dict) else None
    bundle_id = named if isinstance(named, str) else ""
    try:
        # From JSON, where a date is text: strict otherwise, so 2.0, "5" and true are no quantities.
        return Row(number, bundle_id, Wish.model_validate_json(orjson.dumps(members)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return Row(number, bundle_id, wrong=f"{where}: {first['msg']}" if where else first["msg"])


def _without_repetitions(rows: list[Row]) -> list[Row]:
    """Of two rows for one line neither can be meant: the second is told so."""
    first: dict[tuple[str, str | None], int] = {}
    found = []
    for row in rows:
        if row.wish:
            earlier = first.setdefault((row.bundle_id, row.wish.line_id), row.number)
            if earlier != row.number:
                row = Row(row.number, row.bundle_id, wrong=f"row {earlier} is about the same line")
        found.append(row)
    return found
