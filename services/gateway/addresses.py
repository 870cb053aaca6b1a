"""The ids in addresses."""

import re

from contracts.problems import Refused

# The contracts' Id. Dots alone would mean another path to whoever takes them for one.
_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.:-]{1,128}")
_UNKNOWN = {
    "account_id": "account_not_found",
    "bundle_id": "plan_not_found",
    "invoice_id": "invoice_not_found",
    "order_id": "order_not_found",
    "lease_id": "lease_not_found",
    "contact": "contact_not_found",
    "subject": "role_not_found",
    "version": "price_book_not_found",
    "sku": "product_not_found",
}


def checked(name: str, text: str) -> str:
    """An id of the address. Raises Refused as for one that does not exist, which it cannot: no other form is given."""
    if not _ID.fullmatch(text):
        raise Refused(_UNKNOWN.get(name, "not_found"))
    return text
