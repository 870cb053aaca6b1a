"""How replayed events are written: as the log's own lines, or as CloudEvents. Pure; the same bytes every time."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import orjson

from contracts.envelope import Record, from_feed_line, kafka_headers
from contracts.topics import Owner

Line = Callable[[bytes], bytes]


class Format(StrEnum):
    JSONL = "jsonl"
    CLOUDEVENTS = "cloudevents"


def as_it_is(lines: bytes) -> bytes:
    return lines


def as_cloud_events(lines: bytes) -> bytes:
    """CloudEvents 1.0 in JSON, one a line, with the attributes that the topics' headers have but for `prevposition`,
    which is about a partition."""
    return b"".join(orjson.dumps(_cloud_event(record_of(line))) + b"\n" for line in lines.splitlines())


WRITTEN: dict[Format, Line] = {Format.JSONL: as_it_is, Format.CLOUDEVENTS: as_cloud_events}


def record_of(line: bytes) -> Record:
    """The record whose feed line it is."""
    of = from_feed_line(line, orjson.loads)
    metadata, data = orjson.dumps(of.metadata), orjson.dumps(of.data)
    return Record(of.position, of.stream, of.revision, of.event_id, of.type, of.version, metadata, data)


def where(line: bytes, written: Format) -> tuple[Owner, int]:
    """The owner and the position of a written line. Raises ValueError or KeyError for anything else."""
    members = orjson.loads(line)
    if written is Format.JSONL:
        return Owner(members["type"].partition(".")[0]), members["position"]
    return Owner(members["source"].rpartition("/")[2]), int(members["position"])


def _cloud_event(record: Record) -> dict[str, Any]:
    owner = record.type.partition(".")[0]
    headers = {name: value.decode() for name, value in kafka_headers(record, owner, 0, orjson.loads)}
    attributes = {name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")}
    del attributes["prevposition"]
    return {**attributes, "datacontenttype": headers["content-type"], "data": orjson.loads(record.data)}
