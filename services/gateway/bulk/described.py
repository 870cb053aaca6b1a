"""Bulk edits in the OpenAPI document."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .results import BulkResult, Outcome, RowResult
from .routes import BULK, EXPORTED, MEDIA_TYPE
from .rows import MOST_ROWS

Document = dict[str, Any]

BUNDLE = "0f2d4c6b8a9e1f3d5c7b"
CODES = ("bulk_file_invalid", "idempotency_key_invalid", "body_too_large", "overloaded")
ROW = RowResult(
    row=1,
    bundle_id=BUNDLE,
    outcome=Outcome.DONE,
    net_minor=3277,
    events=["PlanEdited"],
    revision=5,
    position="plans:42",
)
END = BulkResult(
    dry_run=False, atomic=False, rows=1, counts={each: int(each is Outcome.DONE) for each in Outcome}, net_minor=3277
)
FILE = f"{','.join(EXPORTED)}\n{BUNDLE},line-1,Workplace Pro,8,4\n"
LINE = f'{{"bundle_id":"{BUNDLE}","quantity":8}}\n'


def bulk_paths(
    parameters: Sequence[Document], key: Document, read: Iterable[str], failures: Callable[[Iterable[str]], Document]
) -> dict[str, Document]:
    """parameters: of the account's address. key: the Idempotency-Key. read: codes any read may be refused with."""
    return {
        BULK: {
            "get": {
                "tags": ["bulk"],
                "operationId": "export_plans",
                "summary": "The lines of every plan as a CSV file, to be changed and sent back",
                "parameters": list(parameters),
                "responses": {
                    "200": {
                        "description": "One row per line, with the quantity it has or will have",
                        "content": {"text/csv": {"schema": {"type": "string"}, "example": FILE}},
                    },
                    **failures(read),
                },
            },
            "post": {
                "tags": ["bulk"],
                "operationId": "edit_in_bulk",
                "summary": f"Up to {MOST_ROWS:,} edits in a file, with a result for each",
                "description": "Each row is an edit of a plan (`edit_plan`). Whoever lost the answer sends the file"
                " again under the same Idempotency-Key: what was done is answered as it was, and the rest is done.",
                "parameters": [*parameters, *map(_flag, FLAGS), key],
                "requestBody": {
                    "required": True,
                    "content": {
                        "text/csv": {"schema": {"type": "string"}, "example": FILE},
                        MEDIA_TYPE: {
                            "schema": {"type": "string"},
                            "example": f'{{"bundle_id":"{BUNDLE}","quantity":8}}\n',
                        },
                    },
                },
                "responses": {
                    "200": {
                        "description": "A RowResult for each row, then a BulkResult; without one it is not whole",
                        "content": {
                            MEDIA_TYPE: {
                                "schema": {"oneOf": [_ref("RowResult"), _ref("BulkResult")]},
                                "examples": {
                                    "row": {"value": ROW.model_dump(mode="json")},
                                    "end": {"value": END.model_dump(mode="json")},
                                },
                            }
                        },
                    },
                    **failures((*read, *CODES)),
                },
            },
        }
    }


FLAGS = {
    "dry_run": "Only say what each row would do by itself; nothing is recorded.",
    "atomic": "Do nothing unless every row can be done. Plans are streams of their own, so what somebody else changes"
    " in that very moment stops it where it is: what was done stays done, and is said.",
}


def _flag(name: str) -> Document:
    schema = {"type": "boolean", "default": False}
    return {"in": "query", "name": name, "description": FLAGS[name], "schema": schema}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}
