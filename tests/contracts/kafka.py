"""Records as other teams get them, made of the stored samples."""

import json
from dataclasses import dataclass

from contracts.envelope import Record, kafka_headers
from contracts.json_schemas import HISTORY, file_name, versions

METADATA = {
    "account_id": "acme",
    "actor": {"id": "u-olive", "role": "owner", "via": "portal"},
    "recorded_at": "2026-06-11T10:00:00.000000Z",
    "effective_on": "2026-06-11",
    "causation_id": "c-1",
    "correlation_id": "r-1",
    "command_id": "0b0c2f0e-6a55-5d54-8d59-3a6a4d3a3c05",
    "request_digest": "00ff",
    "traceparent": "",
}


@dataclass(frozen=True, slots=True)
class Message:
    headers: list[tuple[str, bytes]]
    value: bytes


def samples() -> list[Record]:
    """One event of every version there ever was."""
    metadata = json.dumps(METADATA).encode()
    return [
        Record(
            position=position,
            stream="plan-1",
            revision=0,
            event_id=f"e-{position}",
            type=name,
            version=version,
            metadata=metadata,
            data=(HISTORY / file_name(name, version)).read_bytes(),
        )
        for position, (name, version) in enumerate(versions(), 1)
    ]


def message(record: Record, prevposition: int = 0) -> Message:
    return Message(kafka_headers(record, record.type.partition(".")[0], prevposition), record.data)
