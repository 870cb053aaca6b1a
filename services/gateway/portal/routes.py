"""The portal's addresses. They need `sealer`, `sign_in` (or None) and `changes` in app.state."""

from starlette.routing import Route

from services.gateway.routes import Address

from . import (
    account_pages,
    assets,
    changes,
    comparing,
    device_pages,
    entrance,
    event_pages,
    plan_pages,
    what_if_page,
    words,
)
from .visits import Page, visited

PAGES: dict[str, tuple[Page, str]] = {
    "plan-management": (plan_pages.plan_management, "GET"),
    "what-if": (what_if_page.what_if, "GET"),
    "renewals/{cadence}": (plan_pages.breakdown, "GET"),
    "plans/{bundle_id}": (plan_pages.plan, "GET"),
    "plans/{bundle_id}/edit": (plan_pages.edit_plan, "GET POST"),
    "plans/{bundle_id}/cycle": (plan_pages.change_cycle, "GET POST"),
    "plans/{bundle_id}/cancel": (plan_pages.cancel, "GET POST"),
    "plans/{bundle_id}/cancel-line": (plan_pages.cancel_line, "GET POST"),
    "plans/{bundle_id}/keep-line": (plan_pages.reinstate_line, "GET POST"),
    "plans/{bundle_id}/reinstate": (plan_pages.reinstate, "GET POST"),
    "plans/{bundle_id}/discard": (plan_pages.discard, "GET POST"),
    "plans/{bundle_id}/licences": (plan_pages.licence, "POST"),
    "buy/{sku}": (plan_pages.buy, "GET POST"),
    "device-management": (device_pages.device_management, "GET"),
    "device-orders/{order_id}": (device_pages.device_order, "GET"),
    "device-orders/{order_id}/{change}": (device_pages.change_order, "POST"),
    "leases/{lease_id}/{change}": (device_pages.change_lease, "POST"),
    "order-devices": (device_pages.order_devices, "GET POST"),
    "payment-history": (account_pages.payment_history, "GET"),
    "invoices/{invoice_id}": (account_pages.invoice, "GET"),
    "invoices/{invoice_id}/pay": (account_pages.pay, "POST"),
    "billing-management": (account_pages.billing_management, "GET"),
    "payment-method": (account_pages.change_payment_method, "POST"),
    "contacts": (account_pages.change_contact, "POST"),
    "personal-data": (account_pages.erase_personal_data, "POST"),
    "roles": (account_pages.change_role, "POST"),
    "history": (account_pages.history, "GET"),
    "compare": (comparing.compare, "GET"),
    "history.csv": (account_pages.history_csv, "GET"),
    "history.jsonl": (account_pages.history_jsonl, "GET"),
    "changes": (changes.changes, "GET"),
}
# Pages that can be seen as they were: they show, and what they offer to do is not offered there.
TIMED = {
    *(page for page, _ in words.PAGES),
    *("renewals/{cadence}", "plans/{bundle_id}", "device-orders/{order_id}", "invoices/{invoice_id}"),
}


def portal_routes() -> list[Route]:
    own = visited(entrance.own_account)
    return [
        *(
            Address(f"/a/{{account_id}}/{path}", visited(page, path in TIMED), methods=how.split())
            for path, (page, how) in PAGES.items()
        ),
        *(Address(f"/{page}", own, methods=["GET"]) for page, _ in words.PAGES),
        *(Address(f"/{old}", entrance.old_address, methods=["GET"]) for old in words.OLD),
        Address("/sign-in", entrance.sign_in, methods=["GET"]),
        Address(entrance.DONE, entrance.signed_in, methods=["GET"]),
        Address("/sign-out", entrance.sign_out, methods=["POST"]),
        Address("/signed-out", entrance.signed_out, methods=["GET"]),
        Address("/events", event_pages.catalogue, methods=["GET"]),
        Address("/events/{name}", event_pages.event, methods=["GET"]),
        Address("/static/{name}", assets.serve, methods=["GET"]),
    ]
