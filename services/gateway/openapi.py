"""The public OpenAPI document, written from the tables that make the routes: complete enough to generate clients."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts.billing_management import BillingManagement, Comment
from contracts.plan_commands import CommandAnswer, Quote
from contracts.problems import PROBLEMS, problem_document
from services.chassis.openapi import PROBLEM_SCHEMA
from services.chassis.problems import MEDIA_TYPE

from .account_commands import BILLING, COMMENT
from .answers import (
    Breakdown,
    CatalogueForSale,
    DeviceLease,
    DeviceLeases,
    DeviceOrder,
    DeviceOrders,
    Explanation,
    History,
    Invoices,
    InvoiceStatus,
    InvoiceView,
    PlanSummary,
    ProductCard,
    ProductCards,
    Shipments,
)
from .bulk.described import bulk_paths
from .bulk.results import BulkResult, RowResult
from .bulk.routes import BULK
from .clock import CLOCK, ClockBody, ClockView
from .commands import COMMANDS
from .device_commands import LEASES, ORDERS
from .entitlements import Entitlements
from .events import LogEnd, LogLine
from .events_described import event_paths
from .examples import ANSWERS
from .exports import MEDIA_TYPES
from .forwarded import ACCOUNT, Forwarded
from .upcoming import MOST_MONTHS, UpcomingCharges
from .what_if.described import what_if_path
from .what_if.routes import WHAT_IF
from .what_if.wish import WhatIfAnswer, WhatIfBody

Document = dict[str, Any]

# What every request, every forwarded one, every command, and every command on a bundle may meet.
ANY = ("unauthenticated", "forbidden", "account_not_found", "invalid_request", "internal_error")
FORWARDED = (*ANY, "malformed_json", "body_too_large", "owner_unavailable", "store_unavailable", "overloaded")
RECORDED = ("idempotency_key_reused", "idempotency_key_invalid", "command_in_flight", "outcome_unknown")
QUOTED = ("quote_forged", "quote_expired", "quote_stale")
REVISED = ("revision_required", "revision_stale")
OF_THE_PAST = ("as_of_in_the_future", "as_of_before_account", "history_too_long", "log_unavailable", "overloaded")
READ = (*ANY, "read_model_behind", "read_store_unavailable")
CLOCKED = ("unauthenticated", "not_found", "internal_error")

_ID = {"type": "string", "pattern": r"^[A-Za-z0-9_.:-]+$", "minLength": 1, "maxLength": 128}
_PATH_EXAMPLES = {
    "account_id": "acme",
    "bundle_id": "0f2d4c6b8a9e1f3d5c7b",
    "invoice_id": "5f1c3b7f0a9d4e2b8c61",
    "book_id": "standard",
    "version": 1,
    "contact": "bill_to",
    "comment": "9f0c2d6a0a645a3c9a552f1f5e1f7b20-change-5",
    "subject": "user-olive",
    "sku": "phone_us_metered",
    "order_id": "2f2fc21e16585f08a104",
    "lease_id": "2f2fc21e16585f08a104-1",
}
_MIN_POSITION = {
    "in": "query",
    "name": "min_position",
    "description": "Wait until the answer holds this position, as a command answered it: read your own write.",
    "schema": {"type": "string", "pattern": r"^(plans|devices|renewals):(0|[1-9][0-9]{0,18})$"},
    "example": "plans:42",
}
_AS_OF = {
    "in": "query",
    "name": "as_of",
    "description": "The answer as it was: to the end of a day of the account's, at an instant (in UTC without an"
    " offset), `now`, or at positions such as `plans:42,devices:17`; owners that are not named are taken up to the"
    " newest event of those that are. Nothing in the answer is allowed, and its ETag is no revision.",
    "schema": {"type": "string", "maxLength": 128},
    "example": "2026-02-10",
}
_READ_PARAMETERS = [
    _AS_OF,
    _MIN_POSITION,
    {**_MIN_POSITION, "in": "header", "name": "Billing-Min-Position"},
    {"in": "header", "name": "If-None-Match", "schema": {"type": "string"}, "description": "An ETag: 304 if it holds."},
]
_CADENCE = {
    "in": "query",
    "name": "cadence",
    "required": True,
    "schema": {"type": "string", "enum": ["monthly", "annual"]},
    "example": "monthly",
}
_SEARCH: list[Document] = [
    {"in": "query", "name": name, "description": description, "schema": schema}
    for name, description, schema in (
        ("status", "only those", {"type": "string", "enum": [status.value for status in InvoiceStatus]}),
        ("from", "issued on that day or later", {"type": "string", "format": "date"}),
        ("to", "issued on that day or earlier", {"type": "string", "format": "date"}),
        ("q", "in the number or the name of a product", {"type": "string"}),
        ("before", "a number: those before it, as `next` says", {"type": "integer", "minimum": 0}),
    )
]
_PAGE: list[Document] = [
    {
        "in": "query",
        "name": "limit",
        "description": "how many at most",
        "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    },
    {"in": "query", "name": "before", "description": "read on, as `next` says", "schema": {"type": "string"}},
    {
        "in": "query",
        "name": "about",
        "description": "the id of a plan, an order, a lease or an invoice: its own events",
        "schema": {"type": "string"},
    },
]
_SUBJECT = {
    "in": "query",
    "name": "subject",
    "description": "A person: what belongs to the plans they have a licence of.",
    "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_-]{1,64}$"},
}
_MONTHS = {
    "in": "query",
    "name": "months",
    "description": "How far to look ahead.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST_MONTHS, "default": 12},
}
_OF = {
    "in": "query",
    "name": "of",
    "required": True,
    "description": "The read, as its path below the account: product-cards, product-cards/{bundle_id}, plan-summary,"
    " plan-summary/breakdown (with cadence), upcoming-charges (with months) or invoices/{invoice_id}.",
    "schema": {"type": "string"},
    "example": "product-cards",
}
_EXPORTED: dict[str, Document] = {
    "csv": {"type": "string"},
    "jsonl": {
        "allOf": [{"$ref": "#/components/schemas/HistoryEntry"}],
        "properties": {"hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
    },
}
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Sent again with the same key, the command gives its first answer and is not carried out again.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    "example": "7c1f9b2e-order-66",
}
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "description": "The ETag of the product card, order or lease, or `*` for whatever it is now. Not needed with a"
    " quote_token.",
    "schema": {"type": "string"},
    "example": '"3"',
}
_ETAG = {"description": "What the answer looked like; of one card, order or lease and of a command: its revision."}
_TEXT = {"schema": {"type": "string"}}
_HEADERS = {
    "ETag": {**_ETAG, **_TEXT, "example": '"3"'},
    "Billing-Position": {
        "description": "Give it to a read as min_position.",
        "example": "plans:42",
        **_TEXT,
    },
    "Billing-As-Of": {"description": "With as_of: the instant the answer is of.", **_TEXT},
    "Billing-Positions": {
        "description": "With as_of: the last event of each owner that is in it. As as_of, they give the same events for"
        " ever.",
        "example": "devices:17,plans:42,renewals:9",
        **_TEXT,
    },
    "X-Correlation-Id": {"description": "Name it when you report a problem.", **_TEXT},
}

_READS: tuple[tuple[str, str, str, type[BaseModel], tuple[str, ...]], ...] = (
    (
        "list_product_cards",
        f"{ACCOUNT}/product-cards",
        "The plans of an account, with what may be done with each",
        ProductCards,
        (),
    ),
    ("read_product_card", f"{ACCOUNT}/product-cards/{{bundle_id}}", "One plan", ProductCard, ("plan_not_found",)),
    (
        "read_plan_summary",
        f"{ACCOUNT}/plan-summary",
        "What will be charged next, monthly and annually",
        PlanSummary,
        (),
    ),
    (
        "read_breakdown",
        f"{ACCOUNT}/plan-summary/breakdown",
        "The coming renewals of a cadence, line by line",
        Breakdown,
        (),
    ),
    (
        "read_catalogue",
        f"{ACCOUNT}/catalogue",
        "What is for sale today, and whether this account may buy it",
        CatalogueForSale,
        (),
    ),
    ("read_history", f"{ACCOUNT}/history", "What happened to an account, the newest first", History, ()),
    ("list_invoices", f"{ACCOUNT}/invoices", "The invoices of an account, the newest first", Invoices, ()),
    ("read_invoice", f"{ACCOUNT}/invoices/{{invoice_id}}", "One invoice", InvoiceView, ("invoice_not_found",)),
    ("read_entitlements", f"{ACCOUNT}/entitlements", "What an account may use today", Entitlements, ()),
    (
        "read_upcoming_charges",
        f"{ACCOUNT}/upcoming-charges",
        "What is known to be charged in the coming months",
        UpcomingCharges,
        (),
    ),
    (
        "explain_amounts",
        f"{ACCOUNT}/why",
        "Why the amounts of a read are what they are: formula, parts and events",
        Explanation,
        ("plan_not_found", "invoice_not_found"),
    ),
    ("list_shipments", f"{ACCOUNT}/shipments", "The parcels of an account, the last sent first", Shipments, ()),
    (
        "read_billing",
        BILLING,
        "Billing Management: contacts, payment method, currency, time zone, roles and holds",
        BillingManagement,
        ("owner_unavailable", "store_unavailable"),
    ),
    (
        "read_comment",
        COMMENT,
        "What somebody said with a cancellation, which its event names",
        Comment,
        ("comment_not_found", "owner_unavailable", "store_unavailable"),
    ),
    ("list_device_orders", ORDERS, "The device orders of an account, with their parcels", DeviceOrders, ()),
    ("read_device_order", f"{ORDERS}/{{order_id}}", "One device order", DeviceOrder, ("order_not_found",)),
    ("list_leases", LEASES, "The devices an account has leased, one by one", DeviceLeases, ()),
    ("read_lease", f"{LEASES}/{{lease_id}}", "One leased device", DeviceLease, ("lease_not_found",)),
)


def document() -> Document:
    paths: dict[str, Document] = {}
    for name, path, summary, answer, codes in _READS:
        paths.setdefault(path, {})["get"] = _read(name, path, summary, answer, codes)
    for command in COMMANDS:
        paths.setdefault(command.path, {})[command.method.lower()] = _command(command)
    paths |= bulk_paths(_path_parameters(BULK), _IDEMPOTENCY_KEY, READ, _failures)
    paths |= event_paths(_path_parameters(ACCOUNT), READ, _failures)
    paths |= {path: {"get": _export(path, media_type)} for path, media_type in MEDIA_TYPES.items()}
    paths[WHAT_IF] = what_if_path(_path_parameters(WHAT_IF), READ, _failures)
    paths[CLOCK] = {"get": _read_clock(), "post": _move_clock()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Plans and Billing",
            "version": "1",
            "description": "Buy, change and cancel plans, rent devices, and see what they will cost. Every failure is"
            " an RFC 9457 problem document with a stable `code`.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [
            {"name": "reads"},
            {"name": "commands"},
            {"name": "quotes"},
            {"name": "bulk"},
            {"name": "events"},
            {"name": "clock"},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": _schemas(),
        },
    }


def _read(name: str, path: str, summary: str, answer: type[BaseModel], codes: Sequence[str]) -> Document:
    parameters: dict[type[BaseModel], list[Document]] = {
        Breakdown: [_CADENCE],
        Entitlements: [_SUBJECT],
        Invoices: _SEARCH,
        History: _PAGE,
        UpcomingCharges: [_MONTHS],
        Explanation: [_OF, {**_CADENCE, "required": False}, _MONTHS],
    }
    asked = parameters.get(answer, [])
    return {
        "tags": ["reads"],
        "operationId": name,
        "summary": summary,
        "parameters": [*_path_parameters(path), *asked, *_READ_PARAMETERS],
        "responses": {
            "200": _success(summary, answer, ("ETag", "Billing-As-Of", "Billing-Positions", "X-Correlation-Id")),
            "304": {"description": "The caller has this answer already", "headers": {"ETag": _HEADERS["ETag"]}},
            **_failures((*READ, *OF_THE_PAST, *codes)),
        },
    }


def _export(path: str, media_type: str) -> Document:
    form = path.rpartition(".")[2]
    return {
        "tags": ["reads"],
        "operationId": f"export_history_{form}",
        "summary": f"What happened to an account, the newest first, as a file ({form})",
        "parameters": [*_path_parameters(path), _MIN_POSITION],
        "responses": {
            "200": {
                "description": "One line per event; in JSON Lines, a last line says that it is whole",
                "content": {media_type.partition(";")[0]: {"schema": _EXPORTED[form]}},
            },
            **_failures(READ),
        },
    }


def _command(command: Forwarded) -> Document:
    answer = Quote if command.quote else CommandAnswer
    told = ("X-Correlation-Id",) if command.quote else ("ETag", "Billing-Position", "X-Correlation-Id")
    codes = [*FORWARDED, *command.codes, *(() if command.quote else RECORDED)]
    if "quote_token" in command.body.model_fields and not command.quote:
        codes += QUOTED
    if command.revision:
        codes += REVISED
    headers = [_IF_MATCH] if command.revision else []
    return {
        "tags": ["quotes" if command.quote else "commands"],
        "operationId": command.name,
        "summary": command.summary,
        "parameters": [
            *_path_parameters(command.path),
            *headers,
            *([] if command.quote else [_IDEMPOTENCY_KEY]),
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(command.body), "example": command.example}},
        },
        "responses": {str(command.status): _success(command.summary, answer, told), **_failures(codes)},
    }


def _read_clock() -> Document:
    return {
        "tags": ["clock"],
        "operationId": "read_clock",
        "summary": "What time it is, in a development portal whose clock can be set",
        "parameters": [],
        "responses": {
            "200": _success("Where the clock is, and where it is going", ClockView, ("X-Correlation-Id",)),
            **_failures(CLOCKED),
        },
    }


def _move_clock() -> Document:
    codes = (*CLOCKED, "forbidden", "invalid_request", "malformed_json", "body_too_large")
    return {
        "tags": ["clock"],
        "operationId": "move_clock",
        "summary": "Move the clock on, and do all that is due on the way; or let it stand still or run",
        "parameters": [],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(ClockBody), "example": {"forward": "45d"}}},
        },
        "responses": {
            "202": _success("It is on its way: read the clock to see it arrive", ClockView, ("X-Correlation-Id",)),
            **_failures((*codes, "clock_backwards", "clock_moving", "clock_too_far")),
        },
    }


def _success(description: str, answer: type[BaseModel], headers: Iterable[str]) -> Document:
    return {
        "description": description,
        "headers": {name: _HEADERS[name] for name in headers},
        "content": {"application/json": {"schema": _ref(answer), "example": ANSWERS[answer]}},
    }


def _failures(codes: Iterable[str]) -> dict[str, Document]:
    """By status: every code it may be, with the document it comes in."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {str(status): _failure(status, of_status) for status, of_status in sorted(by_status.items())}


def _failure(status: int, codes: Sequence[str]) -> Document:
    headers = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}} if status == 503 else {}
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": {"code": {"type": "string", "enum": list(codes)}},
    }
    return {
        "description": "; ".join(f"{code}: {PROBLEMS[code].title}" for code in codes),
        **({"headers": headers} if headers else {}),
        "content": {
            MEDIA_TYPE: {"schema": schema, "examples": {code: {"value": problem_document(code)} for code in codes}}
        },
    }


def _path_parameters(path: str) -> list[Document]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    integer = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
    return [
        {
            "in": "path",
            "name": name,
            "required": True,
            "schema": integer if name == "version" else _ID,
            "example": _PATH_EXAMPLES[name],
        }
        for name in names
    ]


def _ref(model: type[BaseModel]) -> Document:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _schemas() -> Document:
    """Bodies as a client may send them, answers as it will get them (with every member, even those with a default)."""
    sent: set[type[BaseModel]] = {ClockBody, WhatIfBody, *(command.body for command in COMMANDS)}
    received: set[type[BaseModel]] = {
        ClockView,
        WhatIfAnswer,
        CommandAnswer,
        Quote,
        RowResult,
        BulkResult,
        LogLine,
        LogEnd,
        *(answer for _, _, _, answer, _ in _READS),
    }
    schemas: Document = {"Problem": PROBLEM_SCHEMA}
    schemas |= _definitions(received, "serialization") | _definitions(sent, "validation")
    return dict(sorted(schemas.items()))


def _definitions(models: Iterable[type[BaseModel]], mode: Literal["serialization", "validation"]) -> Document:
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schema = models_json_schema([(model, mode) for model in ordered], ref_template="#/components/schemas/{model}")
    definitions: Document = schema["$defs"]
    return definitions
