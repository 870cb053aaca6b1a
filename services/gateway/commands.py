"""The commands the gateway forwards: one table that drives its routes and its OpenAPI document."""

from contracts.plan_commands import (
    AssignLicenceBody,
    BuyAddOnBody,
    BuyCapacityBody,
    CancelLineBody,
    CancelPlanBody,
    ChangeCycleBody,
    DiscardPendingChangeBody,
    EditPlanBody,
    OpenAccountBody,
    PayInvoiceBody,
    PaymentMethodBody,
    PublishPriceBookBody,
    ReinstateLineBody,
    ReinstatePlanBody,
    Request,
    ResizeCapacityBody,
    RetireProductBody,
    StartPlanBody,
    UnassignLicenceBody,
    WithdrawPriceBookBody,
)
from contracts.topics import Owner

from .account_commands import ACCOUNT_COMMANDS
from .device_commands import DEVICE_COMMANDS
from .forwarded import ACCOUNT, API, Example, Forwarded

PLAN = f"{ACCOUNT}/plans/{{bundle_id}}"

_PRICED = ("product_not_found", "product_retired", "sales_only", "quantity_out_of_range", "amount_too_large")
_SOLD = (*_PRICED, "currency_unavailable", "cycle_unavailable", "requirement_unmet")
_HELD = ("unpaid_invoices", "contract_managed", "account_on_hold")
_STARTED = (*_SOLD, *_HELD, "currency_mismatch", "not_a_base", "date_out_of_range")
_STANDING = ("plan_not_found", "plan_ended", "renewal_due", "date_out_of_range")
_LIVE = ("plan_cancelled", "one_month_plan", *_HELD)
_EDITED = (*_SOLD, *_LIVE, "line_not_found", "line_cancelled", "different_family", "capacity_exists", "no_change")
_START_EXAMPLE = {"sku": "workplace_pro", "quantity": 5, "cycle": "monthly"}

# Of a bundle: its name, the last part of the address, what it does, its body, an example, and its own refusals.
_CHANGES: tuple[tuple[str, str, str, type[Request], Example, tuple[str, ...]], ...] = (
    (
        "edit_plan",
        "edit",
        "Change the licences or the product of a plan",
        EditPlanBody,
        {"quantity": 8},
        (*_EDITED, "licences_assigned", "not_a_base"),
    ),
    (
        "change_cycle",
        "change-cycle",
        "Begin a new term on another cycle today",
        ChangeCycleBody,
        {"cycle": "annual"},
        ("no_change", "pending_change", "cycle_unavailable", "amount_too_large", *_LIVE),
    ),
    (
        "buy_capacity",
        "capacities",
        "Buy a capacity within a plan",
        BuyCapacityBody,
        {"sku": "large_meeting_500", "quantity": 1},
        (*_SOLD, *_LIVE, "term_mismatch", "not_a_capacity", "second_base", "capacity_exists"),
    ),
    (
        "resize_capacity",
        "resize-capacity",
        "Change the size or the tier of a capacity",
        ResizeCapacityBody,
        {"line_id": "line-2", "quantity": 2},
        (*_EDITED, "not_a_capacity"),
    ),
    (
        "buy_add_on",
        "add-ons",
        "Buy an add-on within a plan",
        BuyAddOnBody,
        {"sku": "whiteboard_plus", "quantity": 60},
        (*_SOLD, *_LIVE, "term_mismatch", "not_an_add_on", "second_base", "add_on_exists"),
    ),
    (
        "discard_pending_change",
        "discard-pending-change",
        "Discard a scheduled change",
        DiscardPendingChangeBody,
        {},
        ("no_pending_change", "line_not_found", "plan_cancelled", *_HELD),
    ),
    (
        "cancel_line",
        "cancel-line",
        "Cancel a line beside the base at the end of the term",
        CancelLineBody,
        {"line_id": "line-2"},
        ("line_not_found", "base_line", "line_cancelled", "already_cancelled", "one_month_plan", *_HELD),
    ),
    (
        "reinstate_line",
        "reinstate-line",
        "Keep a line that was cancelled by itself",
        ReinstateLineBody,
        {"line_id": "line-2"},
        ("line_not_found", "line_not_cancelled", "plan_cancelled", "requirement_unmet", *_HELD),
    ),
    (
        "cancel_plan",
        "cancel",
        "Cancel a plan at the end of its term",
        CancelPlanBody,
        {"reason": "not_needed_now", "cascade": True},
        ("already_cancelled", "active_addons", "refund_window_closed", "one_month_plan", *_HELD),
    ),
    (
        "reinstate_plan",
        "reinstate",
        "Undo a cancellation before it takes effect",
        ReinstatePlanBody,
        {},
        ("not_cancelled", "plan_refunded", *_HELD),
    ),
    (
        "assign_licence",
        "assign-licence",
        "Give a person a licence",
        AssignLicenceBody,
        {"assignee": "person-1"},
        ("all_licences_assigned", "no_change"),
    ),
    (
        "unassign_licence",
        "unassign-licence",
        "Take a licence back",
        UnassignLicenceBody,
        {"assignee": "person-1"},
        ("no_change",),
    ),
)

_OF_ACCOUNTS = (
    Forwarded(
        "open_account",
        "PUT",
        ACCOUNT,
        "Open a billing account",
        OpenAccountBody,
        {"currency": "USD", "time_zone": "Europe/Vienna"},
        ("account_exists", "time_zone_unknown", "jurisdiction_unknown"),
    ),
    Forwarded(
        "change_payment_method",
        "PUT",
        f"{ACCOUNT}/payment-method",
        "Say how the account pays",
        PaymentMethodBody,
        {"token": "pm-4711"},
        ("contract_managed", "account_on_hold"),
    ),
    Forwarded(
        "pay_invoice",
        "POST",
        f"{ACCOUNT}/invoices/{{invoice_id}}/pay",
        "Pay an invoice now",
        PayInvoiceBody,
        {},
        ("invoice_not_found", "invoice_collected"),
        owner=Owner.RENEWALS,
    ),
    Forwarded(
        "publish_price_book",
        "PUT",
        f"{API}/catalogue/{{book_id}}/versions/{{version}}",
        "Publish a version of a price book",
        PublishPriceBookBody,
        {
            "effective_from": "2026-04-01",
            "products": [
                {
                    "sku": "workplace_pro",
                    "name": "Workplace Pro",
                    "kind": "base",
                    "family": "workplace",
                    "grade": 1,
                    "prices": {"USD": {"monthly": {"model": "fixed", "tiers": [{"up_to": None, "unit_minor": 1799}]}}},
                    "minimum": 1,
                    "maximum": 9,
                    "pack": 1,
                    "requires": [],
                    "includes": ["Meetings of 100 people"],
                    "sales_only": False,
                    "retired": False,
                }
            ],
        },
        ("price_book_exists", "price_book_invalid"),
    ),
    Forwarded(
        "withdraw_price_book",
        "POST",
        f"{API}/catalogue/{{book_id}}/versions/{{version}}/withdraw",
        "Withdraw a version of a price book before it takes effect",
        WithdrawPriceBookBody,
        {},
        ("price_book_not_found", "price_book_in_force"),
    ),
    Forwarded(
        "retire_product",
        "POST",
        f"{API}/catalogue/{{book_id}}/products/{{sku}}/retire",
        "Sell a product no longer; who has it keeps it",
        RetireProductBody,
        {},
        ("product_not_found",),
    ),
    Forwarded(
        "start_plan", "POST", f"{ACCOUNT}/plans", "Start a plan", StartPlanBody, _START_EXAMPLE, _STARTED, status=201
    ),
    Forwarded(
        "quote_start_plan",
        "POST",
        f"{ACCOUNT}/quotes/start",
        "Quote a new plan",
        StartPlanBody,
        _START_EXAMPLE,
        _STARTED,
        quote=True,
    ),
)

COMMANDS: tuple[Forwarded, ...] = (
    *_OF_ACCOUNTS,
    *(
        Forwarded(name, "POST", f"{PLAN}/{last}", summary, body, example, (*_STANDING, *codes), revision=True)
        for name, last, summary, body, example, codes in _CHANGES
    ),
    *(
        Forwarded(
            f"quote_{name}",
            "POST",
            f"{PLAN}/quotes/{last}",
            f"Quote: {summary[0].lower()}{summary[1:]}",
            body,
            example,
            (*_STANDING, *codes),
            quote=True,
        )
        for name, last, summary, body, example, codes in _CHANGES
    ),
    *DEVICE_COMMANDS,
    *ACCOUNT_COMMANDS,
)
