"""The words pages use for what the API says in names."""

STATUS = {
    "active": ("Active", "good"),
    "cancel_scheduled": ("Cancels at term end", "warn"),
    "ended": ("Ended", "quiet"),
    "change_pending": ("Change pending", "info"),
    "hold": ("On hold", "info"),
    "submitted": ("Submitted", "info"),
    "part_shipped": ("Partly shipped", "info"),
    "shipped": ("Shipped", "info"),
    "delivered": ("Delivered", "good"),
    "cancelled": ("Cancelled", "quiet"),
    "in_transit": ("In transit", "info"),
    "lost": ("Lost", "bad"),
    "return_due": ("Return due", "warn"),
    "returned": ("Returned", "quiet"),
    "overdue": ("Overdue", "bad"),
    "open": ("Open", "info"),
    "past_due": ("Past due", "bad"),
    "collected": ("Paid", "good"),
    "uncollectible": ("Uncollectible", "bad"),
    "succeeded": ("Succeeded", "good"),
    "failed": ("Failed", "bad"),
    "started": ("New", "good"),
    "changed": ("Changed", "info"),
}
CYCLE = {"monthly": "Monthly", "annual": "Annual", "one_month": "One month", "once": "Once"}
PER = {"monthly": "month", "annual": "year", "one_month": "one month", "once": "once"}
CONTACTS = {"bill_to": "Bill to", "sold_to": "Sold to", "extra_1": "Also told"}
HOLDS = {
    "unpaid": "An invoice is unpaid: pay it to buy and change plans again.",
    "contract": "This account is managed by contract: ask your account manager for changes.",
    "legal": "This account is on hold: ask support.",
}
REASONS = {
    "too_expensive": "It is too expensive",
    "features_in_free_plan_enough": "The free plan is enough for us",
    "support_problems": "Support did not help us",
    "wrong_product": "It is the wrong product",
    "not_needed_now": "We do not need it now",
    "switched_service": "We switched to another service",
    "missing_features": "Features are missing",
    "other": "Another reason",
}
REPLACE = {
    "defect": "It does not work",
    "damaged_in_transit": "It came damaged",
    "wrong_device": "It is another device than I ordered",
}
FAMILIES = {
    "workplace": "Workplace",
    "phone": "Phone",
    "rooms": "Rooms",
    "webinar": "Webinars",
    "webinar_one_month": "One-month webinars",
}
DONE = {
    "edit_plan": "Your order is placed. The plan below shows it.",
    "change_cycle": "Your order is placed. A new term begins today.",
    "resize_capacity": "Your order is placed. The plan below shows it.",
    "cancel_line": "The line is cancelled. It is served to the end of the term, and you can keep it until then.",
    "reinstate_line": "The line goes on as before.",
    "start_plan": "Your order is placed. The new plan is below.",
    "buy_capacity": "Your order is placed. The capacity is part of the plan now.",
    "buy_add_on": "Your order is placed. The add-on is part of the plan now.",
    "cancel_plan": "The plan is cancelled. You can reinstate it until it ends, unless its rest was refunded.",
    "reinstate_plan": "The plan is reinstated and renews as before.",
    "discard_pending_change": "The scheduled change is discarded.",
    "assign_licence": "The licence is assigned.",
    "unassign_licence": "The licence is free again.",
    "pay_invoice": "The payment was tried: see below how it went.",
    "change_payment_method": "The payment method is changed.",
    "change_contact": "The contact is changed.",
    "remove_contact": "The contact is removed, and what was kept of it erased.",
    "erase_personal_data": "What was kept of persons is erased.",
    "grant_role": "The role is given. It counts from the person's next sign-in on.",
    "revoke_role": "The role is taken away. It ends with the person's present sign-in.",
    "place_device_order": "Your order is placed. You can change it once while it is on hold.",
    "amend_device_order": "The order is changed.",
    "submit_device_order": "The order is submitted.",
    "cancel_device_order": "The order is cancelled.",
    "report_lost_parcel": "The parcel is reported lost. Its devices are sent anew.",
    "request_replacement": "A replacement is on its way to you soon.",
    "request_return": "The return is registered. Send the device back under the number below.",
}
# Old address: where it leads, and what the page says.
OLD = {
    "current-plans": "plan-management",
    "pending-plans": "plan-management",
    "shipments": "device-management",
    "billing-information": "billing-management",
    "invoice-history": "payment-history",
}
MOVED = {
    "current-plans": "Current Plans is called Plan Management now.",
    "pending-plans": "Pending Plans is part of Plan Management now: pending changes are on the product cards.",
    "shipments": "Shipments is called Device Management now.",
    "billing-information": "Billing Information is called Billing Management now.",
    "invoice-history": "Invoice History is called Payment History now.",
}
PAGES = (
    ("plan-management", "Plan Management"),
    ("device-management", "Device Management"),
    ("billing-management", "Billing Management"),
    ("payment-history", "Payment History"),
    ("history", "History"),
)
