"""Invoices as their account sees them: from rows to answers, searched and filtered."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from fastapi.exceptions import RequestValidationError

from contracts.money import Currency, format_minor
from contracts.plan_actions import Privilege

from .answers import Invoices, InvoiceStatus, InvoiceSummary, InvoiceView, Permission

PAGE = 50

Row = dict[str, Any]


def page(account_id: str, rows: Iterable[Row], asked: Mapping[str, str]) -> Invoices:
    """asked: status, from, to (dates of issue, both included), q (in a number or a product's name), before (a number).
    Raises RequestValidationError."""
    found = sorted((row for row in rows if _matches(row, asked)), key=_number, reverse=True)
    before = _whole(asked, "before")
    if before is not None:
        found = [row for row in found if _number(row) < before]
    shown = found[:PAGE]
    more = _number(shown[-1]) if len(found) > PAGE else None
    return Invoices(account_id=account_id, invoices=[InvoiceSummary(**_summary(row)) for row in shown], next=more)


def view(row: Row, privileges: frozenset[str]) -> InvoiceView:
    invoice = row["invoice"]
    kept = ("cadence", "cause_id", "lines", "net_minor", "taxes", "credit_minor", "due_minor")
    return InvoiceView.model_validate(
        {
            **_summary(row),
            **{name: invoice[name] for name in kept},
            "cut_minor": row["cut_minor"],
            "payments": row["payments"],
            "pay": Permission.of(_why_not_pay(row, privileges)),
            "event_id": row["event_id"],
        },
        strict=False,
    )


def _why_not_pay(row: Row, privileges: frozenset[str]) -> str | None:
    if Privilege.INFORMATION_EDIT not in privileges:
        return "forbidden"
    return None if row["remains_minor"] else "invoice_collected"


def _summary(row: Row) -> dict[str, Any]:
    invoice = row["invoice"]
    kept = ("invoice_id", "number", "kind", "issued_on", "currency", "total_minor")
    return {
        **{name: invoice[name] for name in kept},
        "status": row["status"],
        "remains_minor": row["remains_minor"],
        "next_try_on": row["next_try_on"],
        "shown": format_minor(invoice["total_minor"], Currency(invoice["currency"])),
    }


def _matches(row: Row, asked: Mapping[str, str]) -> bool:
    invoice = row["invoice"]
    status = asked.get("status")
    if status is not None and status not in set(InvoiceStatus):
        raise _malformed("status", f"one of {', '.join(InvoiceStatus)}")
    issued_on = date.fromisoformat(invoice["issued_on"])
    first, last, text = _day(asked, "from"), _day(asked, "to"), asked.get("q", "").casefold()
    words = [str(invoice["number"]), *(line["name"].casefold() for line in invoice["lines"])]
    return (
        status in (None, row["status"])
        and (first is None or issued_on >= first)
        and (last is None or issued_on <= last)
        and any(text in word for word in words)
    )


def _number(row: Row) -> int:
    number: int = row["invoice"]["number"]
    return number


def _day(asked: Mapping[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(asked[name]) if name in asked else None
    except ValueError:
        raise _malformed(name, "a date such as 2026-11-22") from None


def _whole(asked: Mapping[str, str], name: str) -> int | None:
    if name not in asked:
        return None
    if not asked[name].isascii() or not asked[name].isdigit() or len(asked[name]) > 18:
        raise _malformed(name, "a whole number")
    return int(asked[name])


def _malformed(name: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "parameter_malformed", "loc": ("query", name), "msg": message}])
