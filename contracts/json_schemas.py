"""The JSON Schema of every version of every event, for who reads them without the models.

Today's are made from the models. An older one has no model any more: it stays as it was last written in `schemas/`.
"""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from .codec import EVENTS, VERSIONS
from .envelope import HEADERS, Metadata

Schema = dict[str, Any]

FOLDER = Path(__file__).with_name("schemas")
HISTORY = Path(__file__).with_name("history")
DIALECT = GenerateJsonSchema.schema_dialect
# What is around every event: the headers of its Kafka record, and `metadata` in a line of a feed.
HEADERS_NAME, METADATA_NAME = "headers", "metadata"

_OUR_RULE = re.compile(r" \((?:DOMAIN )?[MB]?\d+(?:, [MB]\d+)*\)")


class _WithoutFieldTitles(GenerateJsonSchema):
    """A member's title would only be its name again."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def of_model(model: type[BaseModel]) -> Schema:
    schema: Schema = _told_outside(model.model_json_schema(schema_generator=_WithoutFieldTitles))
    return schema


def _told_outside(part: Any) -> Any:
    """Descriptions on one line, and without the numbers of our own rules."""
    if isinstance(part, list):
        return [_told_outside(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _OUR_RULE.sub("", " ".join(said.split()))
        if key == "description" and isinstance(said, str)
        else _told_outside(said)
        for key, said in part.items()
    }


def of_event(name: str) -> Schema:
    """Of the version written today."""
    return {"$schema": DIALECT, **of_model(EVENTS[name])}


def todays() -> dict[str, Schema]:
    """By file name."""
    events = {file_name(name, version): of_event(name) for name, version in VERSIONS.items()}
    envelope = {f"{METADATA_NAME}.json": of_model(Metadata), f"{HEADERS_NAME}.json": HEADERS}
    return {**events, **{name: {"$schema": DIALECT, **schema} for name, schema in envelope.items()}}


def file_name(name: str, version: int | str) -> str:
    return f"{name}.v{version}.json"


def stored(name: str, version: int) -> Schema:
    """The schema as it is published. Raises FileNotFoundError."""
    return read(FOLDER / file_name(name, version))


def sample(name: str, version: int) -> Schema:
    """A body of this version, as it was written once."""
    return read(HISTORY / file_name(name, version))


def versions() -> list[tuple[str, int]]:
    """Every event and version there ever was, in the order of the table of events."""
    return [(name, version) for name, newest in VERSIONS.items() for version in range(1, newest + 1)]


def text(document: Schema) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read(file: Path) -> Schema:
    members: Schema = json.loads(file.read_bytes())
    return members
