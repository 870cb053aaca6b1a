"""Payment History, Billing Management and History."""

import uuid

from starlette.responses import Response

from contracts.plan_actions import Privilege
from contracts.problems import Refused

from .api import Members
from .visits import Visit

FILTERS = ("q", "status", "from", "to", "before")


async def payment_history(visit: Visit) -> Response:
    # The page's own `from` says where an old address led from; the filter's is a date.
    asked = {name: text for name in FILTERS if (text := visit.asked.get(name, "").strip()) and text not in visit.old()}
    found = await visit.api.read("/invoices", asked)
    return visit.page(
        "payment_history.html",
        title="Payment History",
        here="payment-history",
        invoices=found["invoices"],
        next=found["next"],
        filters={name: asked.get(name, "") for name in FILTERS},
        filtered=bool(asked),
    )


async def invoice(visit: Visit) -> Response:
    found = await visit.api.read("/invoices/{invoice_id}", invoice_id=visit.id("invoice_id"))
    title = f"{'Credit note' if found['total_minor'] < 0 else 'Invoice'} {found['number']}"
    return visit.page("invoice.html", title=title, here="payment-history", invoice=found, key=uuid.uuid4().hex)


async def pay(visit: Visit) -> Response:
    invoice_id = visit.id("invoice_id")
    answer = await visit.api.command("pay_invoice", {}, visit.form.get("key"), "*", invoice_id=invoice_id)
    return visit.go(f"invoices/{invoice_id}", done="pay_invoice", at=answer["position"])


async def billing_management(visit: Visit) -> Response:
    """What the API tells of how the account is billed: its currency and zone for everyone, the rest where it may."""
    catalogue = await visit.api.read("/catalogue")
    billing: Members = {}
    refused = None
    if visit.api.has("/billing"):
        try:
            billing = await visit.api.read("/billing")
        except Refused as why:
            refused = why.code
    held = visit.caller.grants.get(visit.account_id, frozenset()) | visit.caller.grants.get("*", frozenset())
    return visit.page(
        "billing_management.html",
        title="Billing Management",
        here="billing-management",
        currency=catalogue["currency"],
        zone=str(visit.formats.time_zone),
        billing=billing,
        refused=refused,
        may_edit=Privilege.SUBSCRIPTION_EDIT in held,
        key=uuid.uuid4().hex,
    )


async def change_payment_method(visit: Visit) -> Response:
    body = {"token": visit.form.get("token", "").strip()}
    answer = await visit.api.command("change_payment_method", body, visit.form.get("key"))
    return visit.go("billing-management", done="change_payment_method", at=answer["position"])


async def history(visit: Visit) -> Response:
    found: Members = {}
    if visit.api.has("/history"):
        asked = {name: visit.asked[name] for name in ("before", "about") if visit.asked.get(name)}
        found = await visit.api.read("/history", asked)
    entries = next((value for value in found.values() if isinstance(value, list)), None)
    return visit.page("history.html", title="History", here="history", entries=entries, next=found.get("next"))
