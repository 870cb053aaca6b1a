"""Every way a request can fail: stable codes, their HTTP status, and what to do next (RFC 9457, DOMAIN 6)."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ProblemType:
    """`title` says what happened; `next_step` what the caller can do about it."""

    status: int
    title: str
    next_step: str


PROBLEMS: dict[str, ProblemType] = {
    # the request itself
    "malformed_json": ProblemType(400, "The body is not JSON", "Send one JSON object encoded as UTF-8."),
    "invalid_request": ProblemType(422, "The request does not fit its schema", "Mend the fields listed in errors."),
    "body_too_large": ProblemType(413, "The body is too large", "Send less than the limit."),
    "method_not_allowed": ProblemType(405, "This address does not take that method", "See Allow for those it takes."),
    "not_found": ProblemType(404, "There is nothing at this address", "Check the path and its identifiers."),
    "unauthenticated": ProblemType(401, "No valid token", "Send a current token as Authorization: Bearer."),
    "forbidden": ProblemType(403, "You lack the privilege this needs", "Ask a billing editor of the account for it."),
    "account_not_found": ProblemType(404, "No such account", "Check the account id."),
    "plan_not_found": ProblemType(404, "No such plan in this account", "List the account's product cards."),
    "line_not_found": ProblemType(404, "No such line in this plan", "Take a line_id from the product card."),
    "product_not_found": ProblemType(404, "No such product", "Take a sku from the catalogue."),
    "product_retired": ProblemType(410, "This product is no longer sold", "Choose another one from the catalogue."),
    "revision_required": ProblemType(428, "If-Match is missing", "Send the ETag of what you read as If-Match."),
    "revision_stale": ProblemType(412, "It has changed since you read it", "Read it again, then decide."),
    "idempotency_key_reused": ProblemType(
        422, "This Idempotency-Key was used with another request", "Use a new key for a new request."
    ),
    "idempotency_key_invalid": ProblemType(422, "Not an Idempotency-Key", "Send 1 to 128 visible ASCII characters."),
    "bulk_file_invalid": ProblemType(
        422, "This is no file of edits", "Mend what reason names; GET gives one to begin with."
    ),
    "command_in_flight": ProblemType(409, "The same command is being carried out", "Send it again in a moment."),
    # what may be bought
    "sales_only": ProblemType(409, "This product is sold by our sales team only", "Contact sales."),
    "quantity_out_of_range": ProblemType(
        422, "The quantity is outside what this product allows", "Choose a quantity within limits."
    ),
    "date_out_of_range": ProblemType(422, "That date cannot be used", "Use a later date, within the calendar."),
    "amount_too_large": ProblemType(422, "The amount is beyond what can be billed", "Choose a smaller quantity."),
    "currency_unavailable": ProblemType(422, "No price in that currency", "Use a currency the price book has."),
    "currency_mismatch": ProblemType(422, "The account is billed in another currency", "Use the account's currency."),
    "cycle_unavailable": ProblemType(422, "Not sold on that cycle", "Choose a cycle the product has a price for."),
    "term_mismatch": ProblemType(409, "Add-ons share the cycle of their plan", "Use the cycle of the plan."),
    "second_base": ProblemType(409, "A plan has one base product", "Edit the plan, or start another one."),
    "not_a_base": ProblemType(409, "Only a base product can start a plan", "Buy it within a plan."),
    "not_a_capacity": ProblemType(409, "This is not a capacity", "Choose a capacity."),
    "capacity_exists": ProblemType(409, "The plan has this capacity already", "Edit the quantity of its line."),
    "not_an_add_on": ProblemType(409, "This product is not an add-on", "Choose an add-on."),
    "add_on_exists": ProblemType(409, "The plan has this add-on already", "Edit the quantity of its line."),
    "requirement_unmet": ProblemType(409, "This product needs another one", "Buy what it requires first."),
    "different_family": ProblemType(409, "A plan cannot change into that product", "Start another plan for it."),
    # what the state of the plan allows
    "no_change": ProblemType(409, "It is already so", "Nothing needs to be done."),
    "no_pending_change": ProblemType(409, "Nothing is pending", "Nothing needs to be done."),
    "pending_change": ProblemType(409, "A change is pending", "Discard it, then continue."),
    "already_cancelled": ProblemType(409, "The plan is cancelled already", "Reinstate it to keep it."),
    "plan_cancelled": ProblemType(409, "A cancelled plan cannot be changed", "Reinstate it first."),
    "plan_ended": ProblemType(409, "The plan has ended", "Start a new one."),
    "not_cancelled": ProblemType(409, "The plan is not cancelled", "Nothing needs to be done."),
    "plan_refunded": ProblemType(409, "What was left of the plan has been given back", "Start a new one."),
    "renewal_due": ProblemType(409, "The plan is being renewed", "Try again when its new term has begun."),
    "one_month_plan": ProblemType(409, "A one-month plan is not edited or renewed", "Start a new plan."),
    "active_addons": ProblemType(
        409, "The plan still has other lines", "Send cascade: true to cancel them with it, or cancel them first."
    ),
    "base_line": ProblemType(409, "The base is not cancelled alone", "Cancel the plan."),
    "line_cancelled": ProblemType(409, "The line is cancelled already", "It is served to the end of the term."),
    "line_not_cancelled": ProblemType(409, "The line is not cancelled", "Nothing needs to be done."),
    "refund_window_closed": ProblemType(
        409, "A refund is possible in the first 30 days of a term only", "Cancel without a refund."
    ),
    "licences_assigned": ProblemType(
        409, "More licences are assigned than that", "Unassign licences first, or ask for more."
    ),
    "all_licences_assigned": ProblemType(409, "Every licence is assigned", "Unassign one, or buy more."),
    "unpaid_invoices": ProblemType(409, "Invoices are unpaid", "Pay them; cancelling is possible meanwhile."),
    "contract_managed": ProblemType(409, "A contract governs this account", "Ask your contact in our sales team."),
    "account_on_hold": ProblemType(409, "The account is on hold", "Ask our support team."),
    "invoice_not_found": ProblemType(404, "No such invoice in this account", "List the account's invoices."),
    "invoice_collected": ProblemType(409, "Nothing is left to pay of this invoice", "Nothing needs to be done."),
    # devices
    "order_not_found": ProblemType(404, "No such device order in this account", "List the account's device orders."),
    "lease_not_found": ProblemType(404, "No such lease in this account", "List the account's leases."),
    "shipment_not_found": ProblemType(404, "No parcel of this order has that number", "Take one that is in transit."),
    "not_a_device": ProblemType(409, "This product is not a device", "Start or edit a plan with it."),
    "device_twice": ProblemType(422, "A device is in the order twice", "Order each product in one line."),
    "device_ratio": ProblemType(
        409, "The licences do not allow for so many rented devices", "Rent fewer devices, or buy more licences."
    ),
    "order_hold_over": ProblemType(409, "The order has left its hold", "Place another order."),
    "order_amended_already": ProblemType(409, "An order is amended once", "Cancel it and place another one."),
    "order_cancelled": ProblemType(409, "The order is cancelled", "Place another order."),
    "nothing_in_transit": ProblemType(409, "No parcel of this order is on its way", "Nothing needs to be done."),
    "lease_over": ProblemType(409, "The lease is over", "Order another device."),
    "replacement_requested": ProblemType(409, "A replacement is on its way", "Wait until it is there."),
    "return_requested": ProblemType(409, "The device is being returned", "Send it back with the number you have."),
    "return_not_requested": ProblemType(409, "No return was asked for", "Request a return, and send its number along."),
    "rma_unknown": ProblemType(422, "Not the number of this return", "Send the number the return was given."),
    "serial_unknown": ProblemType(422, "This lease has no device with that serial", "Read it from the device again."),
    # quotes
    "quote_forged": ProblemType(400, "This quote token is not one of ours for this request", "Ask for a new quote."),
    "quote_expired": ProblemType(410, "The quote has expired", "Ask for a new quote."),
    "quote_stale": ProblemType(409, "Something moved since the quote", "Look at the fresh quote, then confirm it."),
    # the catalogue and the account
    "account_exists": ProblemType(409, "The account is open already, with other terms", "Currency and zone are fixed."),
    "time_zone_unknown": ProblemType(422, "No such time zone", "Use an IANA name such as Europe/Vienna."),
    "jurisdiction_unknown": ProblemType(
        422, "No rate of tax is known for that jurisdiction", "Use one of the tax table."
    ),
    "comment_not_found": ProblemType(404, "There is no such comment, or it was erased", "Nothing is left to do."),
    "contact_not_found": ProblemType(
        404, "The account has no such contact", "Use bill_to, sold_to or extra_1 to extra_9."
    ),
    "role_not_found": ProblemType(404, "Nobody of that name has a role here", "List the roles of the account."),
    "last_editor": ProblemType(409, "Somebody must be able to edit the account", "Make somebody else an editor first."),
    "price_book_not_found": ProblemType(404, "No such version of the price book", "Check the book and its version."),
    "price_book_in_force": ProblemType(
        409,
        "This version of the price book is in force somewhere already",
        "Publish a higher version that corrects it.",
    ),
    "price_book_exists": ProblemType(409, "This version of the price book is published", "Publish a higher version."),
    "price_book_invalid": ProblemType(422, "The price book contradicts itself", "Mend what errors names."),
    # the clock, where it can be set
    "clock_backwards": ProblemType(409, "The clock never goes back", "Choose an instant that is still to come."),
    "clock_moving": ProblemType(409, "The clock is being moved", "Wait until it has arrived, or make it stand still."),
    "clock_too_far": ProblemType(422, "That is too far away for one move", "Move the clock at most 20 years ahead."),
    # reads of the past
    "as_of_in_the_future": ProblemType(422, "That is still to come", "Ask for an instant or positions up to now."),
    "as_of_before_account": ProblemType(422, "The account was not there yet", "Ask for a later instant or position."),
    "history_too_long": ProblemType(
        422, "More has happened in this account than a read of the past goes through", "Replay its log instead."
    ),
    "of_the_past": ProblemType(409, "This is how it was: nothing can be done in the past", "Go back to now."),
    "log_unavailable": ProblemType(503, "A log could not be asked how far it goes", "Try again shortly."),
    "what_if_too_far": ProblemType(422, "What if looks 24 months ahead at most", "Choose an earlier day."),
    # machines
    "event_position_invalid": ProblemType(422, "Not a position of this log", "Send a position this log gave you."),
    "still_parked": ProblemType(409, "The event still cannot be applied", "Mend what its log line names, then retry."),
    "read_model_behind": ProblemType(503, "The read model has not reached that position yet", "Try again shortly."),
    "read_store_unavailable": ProblemType(503, "The read models cannot be read now", "Try again shortly."),
    "store_unavailable": ProblemType(503, "The event store is unavailable", "Nothing was recorded; try again."),
    "outcome_unknown": ProblemType(
        503, "The event store did not say whether it recorded this", "Send it again with the same Idempotency-Key."
    ),
    "owner_unavailable": ProblemType(
        503, "The service that decides this is unavailable", "Try again with the same Idempotency-Key."
    ),
    "what_if_unfinished": ProblemType(
        503, "What if did not come to its end in time", "Choose an earlier day, or send fewer commands."
    ),
    "overloaded": ProblemType(503, "Too many requests at once", "Try again shortly."),
    "internal_error": ProblemType(500, "We made a mistake", "Report the correlation id."),
}


class Refused(Exception):
    """A rule said no. `code` is a key of PROBLEMS; `facts` become members of the problem document."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


def problem_document(code: str, **facts: Any) -> dict[str, Any]:
    """The RFC 9457 body for a code: type, title, status, detail, code, then `facts` (limits, line ids, a quote…)."""
    kind = PROBLEMS[code]
    return {
        "type": f"/problems/{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}. {kind.next_step}",
        "code": code,
        **facts,
    }
