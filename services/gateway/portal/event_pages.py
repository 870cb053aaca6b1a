"""The catalogue of events, for people: what there is, what each one says, in which versions, with an example."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from contracts import asyncapi, json_schemas
from contracts.codec import VERSIONS
from contracts.json_schemas import Schema
from contracts.topics import Owner, topic_of

from .visits import plain_page, problem_page


@dataclass(frozen=True, slots=True)
class Member:
    """part: the name of the part of the page that says what it holds; empty: nothing more to say."""

    name: str
    kind: str
    part: str
    needed: bool
    said: str


@dataclass(frozen=True, slots=True)
class Part:
    """An object with its members, or the values of an enumeration."""

    name: str
    said: str
    members: list[Member]
    values: list[str]


async def catalogue(request: Request) -> Response:
    return plain_page(request, "events.html", title="Events", wide=True, owners=_owners())


async def event(request: Request) -> Response:
    name = request.path_params["name"]
    version = VERSIONS.get(name)
    if version is None:
        return problem_page(request, {"code": "not_found"})
    message = asyncapi.document_as_written()["components"]["messages"][asyncapi.message_name(name, version)]
    schema = json_schemas.stored(name, version)
    parts = [_part(each, definition) for each, definition in schema.get("$defs", {}).items()]
    members = {"name_of": name, "version": version, "topic": topic_of(Owner(name.partition(".")[0])), "parts": parts}
    example = message["examples"][0]
    told = {
        "body": _part("", schema),
        "headers": example["headers"],
        "payload": json.dumps(example["payload"], indent=2),
    }
    return plain_page(request, "event.html", title=name.partition(".")[2], wide=True, **members, **told)


@lru_cache(1)
def _owners() -> list[tuple[Owner, str, list[tuple[str, str, int]]]]:
    """Each with its topic, and the name, first sentence and newest version of every event."""
    return [(owner, topic_of(owner), list(_of(owner))) for owner in Owner]


def _of(owner: Owner) -> Iterator[tuple[str, str, int]]:
    for name, version in VERSIONS.items():
        if name.startswith(f"{owner}."):
            said: str = json_schemas.stored(name, version)["description"]
            yield name, said.partition(". ")[0].rstrip("."), version


def _part(name: str, schema: Schema) -> Part:
    needed = schema.get("required", ())
    rows = [
        Member(each, _kind(said), _part_of(said), each in needed, said.get("description", ""))
        for each, said in schema.get("properties", {}).items()
    ]
    return Part(name, schema.get("description", ""), rows, schema.get("enum", []))


def _kind(schema: Schema) -> str:
    """In words, as in `list of MoneyLine` or `integer, 1 to 128`."""
    match schema:
        case {"$ref": reference}:
            return str(reference).rpartition("/")[2]
        case {"anyOf": alternatives}:
            return " or ".join(map(_kind, alternatives))
        case {"enum": values}:
            return "one of " + ", ".join(values)
        case {"const": value}:
            return f"always {value}"
        case {"type": "array", "items": items}:
            return f"list of {_kind(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"{_kind(values)} by {_kind(schema.get('propertyNames', {'type': 'name'}))}"
        case {"type": "integer", "minimum": lowest, "maximum": highest}:
            return f"integer, {lowest:,} to {highest:,}"
        case {"format": form}:
            return str(form)
        case {"type": "string"}:
            return "text"
    return str(schema.get("type", "any"))


def _part_of(schema: Any) -> str:
    """The first definition it refers to."""
    match schema:
        case {"$ref": reference}:
            return str(reference).rpartition("/")[2]
        case {"anyOf": alternatives}:
            return next(filter(None, map(_part_of, alternatives)), "")
        case {"items": inner} | {"additionalProperties": inner}:
            return _part_of(inner)
    return ""
