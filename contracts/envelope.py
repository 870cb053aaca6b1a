"""The envelope of every event: as it lies in a store, in Kafka (CloudEvents binary mode) and in a feed line."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _quoted  # a tenth of the time of json.dumps on a dict
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Loads = Callable[[bytes], Any]
Headers = list[tuple[str, bytes]]


class Actor(BaseModel):
    """Who did it. `id` is an opaque subject, never a name or mail; `via` is the way in, e.g. api or policy."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: str
    role: str
    via: Literal["api", "portal", "policy", "clock", "cli"]


class Metadata(BaseModel):
    """What every event carries beside its body (DOMAIN 2).

    recorded_at: UTC instant, ISO 8601 with Z. effective_on: date in the account's zone. causation_id: the command or
    event that caused this one. command_id, request_digest: what makes a repeated command recognisable (see
    services.chassis.command_handler). traceparent: W3C Trace Context, or empty.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    account_id: str
    actor: Actor
    recorded_at: str
    effective_on: str
    causation_id: str
    correlation_id: str
    command_id: str
    request_digest: str
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it lies in a store: bytes nobody needs to decode in order to pass on.

    position: place in the owner's log, strictly increasing in commit order. revision: place in its stream, from 0.
    metadata, data: JSON objects (Metadata, and an event body as `codec.encode` wrote it).
    """

    position: int
    stream: str
    revision: int
    event_id: str
    type: str
    version: int
    metadata: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event as its readers see it; `data` is the decoded body, `metadata` has the members of Metadata."""

    position: int
    stream: str
    revision: int
    event_id: str
    type: str
    version: int
    metadata: dict[str, Any]
    data: dict[str, Any]

    @property
    def account_id(self) -> str:
        account_id: str = self.metadata["account_id"]
        return account_id


def opened(record: Record, loads: Loads = json.loads) -> Envelope:
    """The envelope of a stored record, its body as it was written (not upcast: see `codec.current`)."""
    return Envelope(
        record.position,
        record.stream,
        record.revision,
        record.event_id,
        record.type,
        record.version,
        loads(record.metadata),
        loads(record.data),
    )


def feed_line(record: Record) -> bytes:
    """One NDJSON line of a feed. Spliced from the stored bytes: the log is passed on, never written anew."""
    head = (
        f'{{"position":{record.position},"stream":{_quoted(record.stream)},"revision":{record.revision},'
        f'"event_id":{_quoted(record.event_id)},"type":{_quoted(record.type)},"version":{record.version},"metadata":'
    )
    return b'%b%b,"data":%b}\n' % (head.encode(), record.metadata, record.data)


def from_feed_line(line: bytes, loads: Loads = json.loads) -> Envelope:
    """The inverse of `feed_line`. Raises ValueError or KeyError on anything else."""
    members = loads(line)
    return Envelope(
        members["position"],
        members["stream"],
        members["revision"],
        members["event_id"],
        members["type"],
        members["version"],
        members["metadata"],
        members["data"],
    )


def kafka_headers(record: Record, owner: str, prevposition: int, loads: Loads = json.loads) -> Headers:
    """CloudEvents 1.0 headers in Kafka binary mode, with our extension attributes.

    prevposition: no event of this partition lies between it and `position`; a reader whose checkpoint is lower has
    missed something and fills the hole from the owner's feed.
    """
    metadata = loads(record.metadata)
    actor = metadata["actor"]
    attributes = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": record.event_id,
        "ce_type": record.type,
        "ce_source": f"/billing/{owner}",
        "ce_subject": record.stream,
        "ce_time": metadata["recorded_at"],
        "ce_partitionkey": metadata["account_id"],
        "ce_dataversion": str(record.version),
        "ce_revision": str(record.revision),
        "ce_position": str(record.position),
        "ce_prevposition": str(prevposition),
        "ce_effectiveon": metadata["effective_on"],
        "ce_correlationid": metadata["correlation_id"],
        "ce_causationid": metadata["causation_id"],
        "ce_commandid": metadata["command_id"],
        "ce_requestdigest": metadata["request_digest"],
        "ce_actorid": actor["id"],
        "ce_actorrole": actor["role"],
        "ce_actorvia": actor["via"],
    }
    if metadata.get("traceparent"):
        attributes["ce_traceparent"] = metadata["traceparent"]
    return [(name, value.encode()) for name, value in attributes.items()]


_POSITION = {"type": "string", "pattern": "^[0-9]{1,19}$"}
_NAME = {"type": "string", "minLength": 1}
_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "content-type": {"const": "application/json"},
    "ce_specversion": {"const": "1.0"},
    "ce_id": {**_NAME, "description": "Of the event, unique; the same each time it is delivered"},
    "ce_type": {**_NAME, "description": "Its name, as in renewals.InvoiceIssued"},
    "ce_source": {"type": "string", "pattern": "^/billing/[a-z]+$", "description": "Its owner"},
    "ce_subject": {**_NAME, "description": "Its stream"},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it was recorded, UTC, to microseconds"},
    "ce_partitionkey": {**_NAME, "description": "Its account, and the key of the record"},
    "ce_dataversion": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "Which version the body is in"},
    "ce_revision": {"type": "string", "pattern": "^[0-9]+$", "description": "Its place in its stream, from 0"},
    "ce_position": {**_POSITION, "description": "Its place in its owner's log; drop what is not beyond what you have"},
    "ce_prevposition": {**_POSITION, "description": "Of the record before it in this partition, 0 for the first"},
    "ce_effectiveon": {"type": "string", "format": "date", "description": "The day it is about, where the account is"},
    "ce_correlationid": {**_NAME, "description": "The same in all that one request brought about"},
    "ce_causationid": {**_NAME, "description": "The command or event that caused it"},
    "ce_commandid": {**_NAME, "description": "The command that recorded it"},
    "ce_requestdigest": {**_NAME, "description": "Of what the command asked for"},
    "ce_actorid": {**_NAME, "description": "An opaque subject, never a name"},
    "ce_actorrole": _NAME,
    "ce_actorvia": {"type": "string", "enum": ["api", "portal", "policy", "clock", "cli"]},
    "ce_traceparent": {**_NAME, "description": "W3C Trace Context; left out where there is none"},
}
# The JSON Schema of what `kafka_headers` writes, each value as text.
HEADERS: dict[str, Any] = {
    "title": "Headers",
    "type": "object",
    "properties": _ATTRIBUTES,
    "required": [name for name in _ATTRIBUTES if name != "ce_traceparent"],
}


def from_kafka(headers: Iterable[tuple[str, bytes]], value: bytes, loads: Loads = json.loads) -> tuple[Envelope, int]:
    """The envelope in a Kafka record and its prevposition. Raises KeyError or ValueError on a foreign record."""
    of = {name: text.decode() for name, text in headers}
    metadata = {
        "account_id": of["ce_partitionkey"],
        "actor": {"id": of["ce_actorid"], "role": of["ce_actorrole"], "via": of["ce_actorvia"]},
        "recorded_at": of["ce_time"],
        "effective_on": of["ce_effectiveon"],
        "causation_id": of["ce_causationid"],
        "correlation_id": of["ce_correlationid"],
        "command_id": of["ce_commandid"],
        "request_digest": of["ce_requestdigest"],
        "traceparent": of.get("ce_traceparent", ""),
    }
    envelope = Envelope(
        int(of["ce_position"]),
        of["ce_subject"],
        int(of["ce_revision"]),
        of["ce_id"],
        of["ce_type"],
        int(of["ce_dataversion"]),
        metadata,
        loads(value),
    )
    if not 0 < envelope.position < 2**63 or not isinstance(envelope.data, dict):
        raise ValueError("a position out of range, or a body that is no JSON object")
    return envelope, int(of["ce_prevposition"])
