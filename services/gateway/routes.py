"""The public addresses: reads answered here, commands forwarded, and a page that says where everything is.

Plain Starlette routes: FastAPI's routers and parameters cost a read more than the read itself, and a command's body is
its owner's to judge. The OpenAPI document is written from the same tables instead (`openapi`).
"""

from collections.abc import Mapping
from functools import lru_cache

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from contracts.plan_actions import Privilege
from contracts.topics import Owner
from services.chassis import http

from . import account_reads, device_reads, event_documents, exports, openapi, reads, why
from .account_commands import BILLING, COMMENT
from .addresses import checked
from .as_of import PARAMETER
from .bulk.routes import BULK, export, take_in
from .clock import CLOCK, move_clock, read_clock
from .commands import COMMANDS
from .device_commands import LEASES, ORDERS
from .events import ACCOUNT_EVENTS, EVENTS, read_account_events, read_events
from .forwarded import ACCOUNT, Forwarded
from .forwarding import Forwarder
from .history import read_history
from .past import Past
from .time_travel import Handler, at_any_time
from .waiting import wanted
from .what_if.routes import WHAT_IF, ask_what_if


async def read_billing(request: Request) -> Response:
    """Asked of the plans service, which alone has the personal data: here is no copy to erase, or to be behind."""
    await http.caller(request)
    wanted(request)  # whatever it is, the owner is there already; but it must be one
    forwarders: Mapping[Owner, Forwarder] = request.state.forwarders
    path = BILLING.format(account_id=checked("account_id", request.path_params["account_id"]))
    if PARAMETER in request.query_params:
        then = await reads.admitted(request, privilege=Privilege.INFORMATION_READ)
        past: Past = request.scope[reads.PAST]
        path += f"?position={past.positions[Owner.PLANS]}&on={then.today}"
    answer = await forwarders[Owner.PLANS].forward(request, path)
    answer.headers.update({"Cache-Control": "private, no-store", "Vary": "Authorization"})
    return answer


async def read_comment(request: Request) -> Response:
    """Asked of the plans service as well. What was said is not of a time: as_of is no matter."""
    await http.caller(request)
    wanted(request)
    forwarders: Mapping[Owner, Forwarder] = request.state.forwarders
    path = COMMENT.format(**{name: checked(name, request.path_params[name]) for name in ("account_id", "comment")})
    answer = await forwarders[Owner.PLANS].forward(request, path)
    answer.headers.update({"Cache-Control": "private, no-store", "Vary": "Authorization"})
    return answer


_READS: dict[str, Handler] = {
    f"{ACCOUNT}/product-cards/{{bundle_id}}": reads.read_product_card,
    f"{ACCOUNT}/product-cards": reads.read_product_cards,
    f"{ACCOUNT}/plan-summary": reads.read_plan_summary,
    f"{ACCOUNT}/plan-summary/breakdown": reads.read_breakdown,
    f"{ACCOUNT}/catalogue": reads.read_catalogue,
    f"{ACCOUNT}/history": read_history,
    f"{ACCOUNT}/invoices": reads.read_invoices,
    f"{ACCOUNT}/invoices/{{invoice_id}}": reads.read_invoice,
    f"{ACCOUNT}/entitlements": account_reads.read_entitlements,
    f"{ACCOUNT}/upcoming-charges": account_reads.read_upcoming_charges,
    f"{ACCOUNT}/shipments": account_reads.read_shipments,
    f"{ACCOUNT}/why": why.read_why,
    BILLING: read_billing,
    COMMENT: read_comment,
    ORDERS: device_reads.read_device_orders,
    f"{ORDERS}/{{order_id}}": device_reads.read_device_order,
    LEASES: device_reads.read_leases,
    f"{LEASES}/{{lease_id}}": device_reads.read_lease,
}
READS = {path: at_any_time(read) for path, read in _READS.items()}


EXPORTS: dict[str, Handler] = {exports.CSV: exports.export_csv, exports.JSONL: exports.export_jsonl}


class Address(Route):
    """A route that says which one it is, as FastAPI's own do: requests are counted by it."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        await super().handle(scope, receive, send)


def routes() -> list[Route]:
    """Needs `reads` (reads.Reads), `forwarders` and `logs` (by owner), `forks`, `readings` and `mover` (or None) in
    request.state."""
    return [
        *(Address(path, read, methods=["GET"]) for path, read in READS.items()),
        *(Address(command.path, _forwarding(command), methods=[command.method]) for command in COMMANDS),
        *(Address(path, exported, methods=["GET"]) for path, exported in EXPORTS.items()),
        Address(BULK, export, methods=["GET"]),
        Address(BULK, take_in, methods=["POST"]),
        Address(ACCOUNT_EVENTS, read_account_events, methods=["GET"]),
        Address(EVENTS, read_events, methods=["GET"]),
        Address(WHAT_IF, ask_what_if, methods=["POST"]),
        Address(CLOCK, read_clock, methods=["GET"]),
        Address(CLOCK, move_clock, methods=["POST"]),
        Address("/openapi.json", _openapi, methods=["GET"]),
        Address(event_documents.ASYNCAPI, event_documents.read_asyncapi, methods=["GET"]),
        Address(event_documents.SCHEMA, event_documents.read_schema, methods=["GET"]),
        Address(event_documents.ENVELOPE, event_documents.read_envelope_schema, methods=["GET"]),
        Address("/", _landing, methods=["GET"]),
    ]


def _forwarding(command: Forwarded) -> Handler:
    async def forward(request: Request) -> Response:
        await http.caller(request)  # strangers go no further; what the caller may do is for the owner to say
        path = command.path.format(**{name: checked(name, text) for name, text in request.path_params.items()})
        forwarders: Mapping[Owner, Forwarder] = request.state.forwarders
        return await forwarders[command.owner].forward(request, path)

    return forward


@lru_cache(1)
def _document() -> bytes:
    return orjson.dumps(openapi.document())


async def _openapi(request: Request) -> Response:
    return Response(_document(), media_type="application/json")


async def _landing(request: Request) -> Response:
    """For a program that starts from here; a person in a browser is led to the portal."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/plan-management", 303)
    listed = {
        "service": "Plans and Billing",
        "openapi": "/openapi.json",
        "asyncapi": event_documents.ASYNCAPI,
        "health": "/health/ready",
        "metrics": "/metrics",
        "authentication": "Authorization: Bearer <token>",
        "reads": [f"GET {path}" for path in READS],
        "commands": [f"{command.method} {command.path}" for command in COMMANDS],
    }
    return Response(orjson.dumps(listed, option=orjson.OPT_INDENT_2), media_type="application/json")
