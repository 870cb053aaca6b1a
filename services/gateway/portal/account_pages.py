"""Payment History, Billing Management and History."""

import uuid
from contextlib import suppress

from starlette.responses import Response

from contracts.account_actions import BillingRole
from contracts.billing_management import CONTACTS
from contracts.plan_actions import Privilege
from contracts.problems import Refused
from services.gateway.exports import export_csv, export_jsonl

from .api import Members
from .visits import Visit

EXTRA_SHOWN = 1  # further contacts are for programs
ADDRESS = ("street", "postal_code", "city", "region", "country")
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
    why, key = await visit.api.why(f"invoices/{found['invoice_id']}"), uuid.uuid4().hex
    return visit.page("invoice.html", title=title, here="payment-history", invoice=found, why=why, key=key)


async def pay(visit: Visit) -> Response:
    invoice_id = visit.id("invoice_id")
    answer = await visit.api.command("pay_invoice", {}, visit.form.get("key"), "*", invoice_id=invoice_id)
    return visit.go(f"invoices/{invoice_id}", done="pay_invoice", at=answer["position"])


async def billing_management(visit: Visit) -> Response:
    """Whoever may not see how the account is billed sees its currency and zone."""
    catalogue = await visit.api.read("/catalogue")
    billing: Members | None = None
    with suppress(Refused):  # it is for others, or plans are away: the page says so
        billing = await visit.api.read("/billing")
    return visit.page(
        "billing_management.html",
        title="Billing Management",
        here="billing-management",
        currency=catalogue["currency"],
        zone=str(visit.formats.time_zone),
        billing=billing,
        contacts=CONTACTS[: 2 + EXTRA_SHOWN],
        roles=tuple(BillingRole),
        may=Privilege.INFORMATION_READ in visit.held(),
        key=uuid.uuid4().hex,
    )


async def change_payment_method(visit: Visit) -> Response:
    return await _changed(visit, "change_payment_method", {"token": visit.form.get("token", "").strip()})


async def change_contact(visit: Visit) -> Response:
    """An empty form removes the contact, and its personal data with it."""
    form = {name: visit.form.get(name, "").strip() for name in ("name", "company", "mail", *ADDRESS)}
    contact = visit.form.get("contact", "")
    if not any(form.values()):
        return await _changed(visit, "remove_contact", {}, contact=contact)
    address = {**{name: form[name] for name in ADDRESS if name != "street"}, "street": [form["street"]]}
    body = {"name": form["name"], "company": form["company"], "mail": form["mail"], "address": address}
    return await _changed(visit, "change_contact", body, contact=contact)


async def erase_personal_data(visit: Visit) -> Response:
    return await _changed(visit, "erase_personal_data", {})


async def change_role(visit: Visit) -> Response:
    """No role: whatever role the person has is taken away."""
    role, subject = visit.form.get("role", ""), visit.form.get("subject", "").strip()
    if role:
        return await _changed(visit, "grant_role", {"role": role}, subject=subject)
    return await _changed(visit, "revoke_role", {}, subject=subject)


async def history(visit: Visit) -> Response:
    found: Members | None = None
    if Privilege.AUDIT_READ in visit.held():
        asked = {name: visit.asked[name] for name in ("before", "about") if visit.asked.get(name)}
        found = await visit.api.read("/history", asked)
    entries = found["entries"] if found else []
    known = {entry["event_id"]: entry for entry in entries}
    effects: dict[str, list[Members]] = {}
    for entry in reversed(entries):  # what an event caused follows it within moments, so it is on the page as well
        effects.setdefault(entry["causation_id"], []).append(entry)
    said = {each: await _comment(visit, each) for entry in entries if (each := entry["data"].get("comment"))}
    told: Members = {
        "found": found,
        "known": known,
        "effects": effects,
        "said": said,
        "about": visit.asked.get("about", ""),
    }
    return visit.page("history.html", title="History", here="history", **told)


async def history_csv(visit: Visit) -> Response:
    return await export_csv(visit.api.inner("GET", b"", {}, {}))


async def history_jsonl(visit: Visit) -> Response:
    return await export_jsonl(visit.api.inner("GET", b"", {}, {}))


async def _comment(visit: Visit, comment: str) -> str:
    with suppress(Refused):
        return str((await visit.api.read("/comments/{comment}", comment=comment))["text"])
    return "Erased"


async def _changed(visit: Visit, command: str, body: Members, **ids: str) -> Response:
    answer = await visit.api.command(command, body, visit.form.get("key"), **ids)
    return visit.go("billing-management", done=command, at=answer["position"])
