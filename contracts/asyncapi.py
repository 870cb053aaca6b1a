"""The AsyncAPI 3 document of the topics: a channel per owner, a message per version of an event."""

from functools import lru_cache
from typing import Any

from . import __version__, json_schemas
from .codec import VERSIONS
from .envelope import Record, kafka_headers
from .json_schemas import Schema
from .topics import Owner, topic_of

FILE = json_schemas.FOLDER.with_name("asyncapi.json")
EXAMPLE_METADATA = (
    b'{"account_id":"acme","actor":{"id":"u-7f3a","role":"owner","via":"portal"},'
    b'"recorded_at":"2026-06-11T10:00:00.000000Z","effective_on":"2026-06-11","causation_id":"c-51","correlation_id":"r-51",'
    b'"command_id":"0b0c2f0e-6a55-5d54-8d59-3a6a4d3a3c05","request_digest":"9f86d081"}'
)


def document() -> dict[str, Any]:
    schemas: dict[str, Schema] = {"Headers": _read("headers.json")}
    messages = {message_name(*of): _message(*of, schemas) for of in json_schemas.versions()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Plans and Billing: events",
            "version": __version__,
            "description": "Every event of an owner is in its topic, keyed by account: one account's events stay in"
            " order. An event may come twice; drop what is not beyond the position you have of that partition."
            " Members, events and versions you do not know may come: ignore them.",
        },
        "defaultContentType": "application/json",
        "channels": {owner.value: _channel(owner, messages) for owner in Owner},
        "operations": {
            f"publish_{owner}": {"action": "send", "channel": {"$ref": f"#/channels/{owner}"}} for owner in Owner
        },
        "components": {"messages": messages, "schemas": schemas},
    }


@lru_cache(1)
def document_as_written() -> dict[str, Any]:
    """The one that is published."""
    return json_schemas.read(FILE)


def message_name(name: str, version: int) -> str:
    return f"{name}.v{version}"


def _channel(owner: Owner, messages: dict[str, Any]) -> dict[str, Any]:
    own = [name for name in messages if name.startswith(f"{owner}.")]
    return {
        "address": topic_of(owner),
        "description": f"What the {owner} service recorded, from the first event on. Nothing is deleted from it.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in own},
    }


def _message(name: str, version: int, schemas: dict[str, Schema]) -> dict[str, Any]:
    """Adds its schemas to `schemas`."""
    payload = _inlined(name, version, schemas)
    these = {"ce_type": {"const": name}, "ce_dataversion": {"const": str(version)}}
    return {
        "name": name,
        "title": name.partition(".")[2] + (f", version {version}" if version > 1 else ""),
        "summary": payload["description"],
        "headers": {"allOf": [{"$ref": "#/components/schemas/Headers"}, {"type": "object", "properties": these}]},
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": "The account"}, "bindingVersion": "0.5.0"}},
        "examples": [{"headers": _example_headers(name, version), "payload": json_schemas.sample(name, version)}],
    }


def _example_headers(name: str, version: int) -> dict[str, str]:
    record = Record(
        position=52,
        stream="plan-7c9e6679f3b24a1e8d55",
        revision=3,
        event_id="5e7c1f8e-9f0a-5b7e-8a55-1d2c3b4a5f60",
        type=name,
        version=version,
        metadata=EXAMPLE_METADATA,
        data=b"{}",
    )
    owner = name.partition(".")[0]
    return {header: value.decode() for header, value in kafka_headers(record, owner, prevposition=47)}


def _inlined(name: str, version: int, schemas: dict[str, Schema]) -> Schema:
    """An event's schema, what it refers to put into `schemas`: in AsyncAPI all references begin at the document."""
    schema = json_schemas.stored(name, version)
    definitions: dict[str, Schema] = schema.pop("$defs", {})
    of_today = version == VERSIONS[name]
    names = {each: each if of_today else f"{each}.of.{message_name(name, version)}" for each in definitions}
    for each, definition in definitions.items():
        made = _pointing(definition, names)
        assert schemas.setdefault(names[each], made) == made, f"two different {each}"
    inlined = _pointing(schema, names)
    return {key: value for key, value in inlined.items() if key != "$schema"}


def _pointing(schema: Schema, names: dict[str, str]) -> Schema:
    """With its references to `#/components/schemas`."""

    def pointed(value: Any) -> Any:
        if isinstance(value, list):
            return [pointed(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            key: f"#/components/schemas/{names[each.rpartition('/')[2]]}" if key == "$ref" else pointed(each)
            for key, each in value.items()
        }

    result: Schema = pointed(schema)
    return result


def _read(file: str) -> Schema:
    schema = json_schemas.read(json_schemas.FOLDER / file)
    return {key: value for key, value in schema.items() if key != "$schema"}
