"""The log in the OpenAPI document."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from contracts.topics import Owner
from services.replay.formats import Format

from .events import ACCOUNT_EVENTS, EVENTS, LONGEST_STREAM, MEDIA_TYPE, LogEnd, LogLine

Document = dict[str, Any]

_POSITION = {"type": "integer", "minimum": 0}
_INSTANT = {"type": "string", "examples": ["2026-05-01", "2026-05-01T12:00:00+02:00"]}
PARAMETERS: dict[str, tuple[str, Document]] = {
    "owner": ("Of this log alone; of all, one after the other, if left out.", {"enum": list(Owner)}),
    "stream": ("Of this stream alone, as in plan-….", {"type": "string", "maxLength": LONGEST_STREAM}),
    "since": ("Recorded on this day, or at this instant, or later.", _INSTANT),
    "before": ("Recorded before this day or instant.", _INSTANT),
    "after": ("After this position of the owner: go on where an answer broke off.", _POSITION),
    "until": ("Up to and with this position of the owner.", _POSITION),
    "format": ("How an event is written.", {"enum": list(Format), "default": Format.JSONL}),
}
LINES = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in (LogLine, LogEnd)]
EVENT = LogLine(
    position=42,
    stream="plan-0f2d4c6b8a9e1f3d5c7b",
    revision=3,
    event_id="4a1de0a5-6a6e-5f0e-9d0b-1c3f7f0a2b11",
    type="plans.LicenceAssigned",
    version=1,
    metadata={"account_id": "acme", "recorded_at": "2026-06-11T10:00:00.000000Z", "effective_on": "2026-06-11"},
    data={"bundle_id": "0f2d4c6b8a9e1f3d5c7b", "assignee": "person-1"},
)
END = LogEnd(positions={Owner.PLANS: 42})
EXAMPLES = {name: {"value": line.model_dump(mode="json")} for name, line in (("event", EVENT), ("end", END))}


def event_paths(
    account: Sequence[Document], read: Iterable[str], failures: Callable[[Iterable[str]], Document]
) -> dict[str, Document]:
    """account: parameters of its address. read: codes any read may be refused with."""
    asked = [
        {"in": "query", "name": name, "description": description, "schema": schema}
        for name, (description, schema) in PARAMETERS.items()
    ]
    answers = {
        "200": {
            "description": "An event a line, then a line that says it is whole",
            "content": {MEDIA_TYPE: {"schema": {"oneOf": LINES}, "examples": EXAMPLES}},
        },
        **failures((*read, "owner_unavailable")),
    }
    described = {
        ACCOUNT_EVENTS: ("replay_account", "The log of an account, event by event", [*account, *asked]),
        EVENTS: ("replay_everything", "The log of everything, for auditors of everything", asked),
    }
    return {
        path: {
            "get": {
                "tags": ["events"],
                "operationId": name,
                "summary": summary,
                "description": "Needs Audit:Read. The same question is answered with the same bytes, but for what was"
                " recorded since; name `until` to leave that out. An answer without the last line broke off.",
                "parameters": parameters,
                "responses": answers,
            }
        }
        for path, (name, summary, parameters) in described.items()
    }
