"""The commands of Billing Management, forwarded to the plans service."""

from contracts.billing_management import (
    ContactBody,
    ErasePersonalDataBody,
    GrantRoleBody,
    HoldBody,
    RemoveContactBody,
    RevokeRoleBody,
)
from contracts.plan_commands import TaxJurisdictionBody

from .forwarded import ACCOUNT, Example, Forwarded

BILLING = f"{ACCOUNT}/billing"
CONTACT = f"{ACCOUNT}/contacts/{{contact}}"
COMMENT = f"{ACCOUNT}/comments/{{comment}}"
ROLE = f"{ACCOUNT}/roles/{{subject}}"

_HELD = ("contract_managed", "account_on_hold")
CONTACT_EXAMPLE: Example = {
    "name": "Ada Example",
    "company": "Acme Inc.",
    "mail": "billing@acme.example",
    "address": {
        "street": ["1 Main Street"],
        "postal_code": "10001",
        "city": "New York",
        "region": "NY",
        "country": "US",
    },
}

ACCOUNT_COMMANDS: tuple[Forwarded, ...] = (
    Forwarded(
        "change_contact",
        "PUT",
        CONTACT,
        "Say who is billed, who bought, or who else is to be told",
        ContactBody,
        CONTACT_EXAMPLE,
        ("contact_not_found", "revision_stale", *_HELD),
    ),
    Forwarded(
        "remove_contact",
        "POST",
        f"{CONTACT}/remove",
        "Remove a contact and erase its personal data",
        RemoveContactBody,
        {},
        ("contact_not_found", "revision_stale", *_HELD),
    ),
    Forwarded(
        "erase_personal_data",
        "POST",
        f"{ACCOUNT}/erase-personal-data",
        "Erase what is kept of persons: all contacts and comments of the account",
        ErasePersonalDataBody,
        {},
        ("revision_stale", "account_on_hold"),
    ),
    Forwarded(
        "grant_role",
        "PUT",
        ROLE,
        "Give a person a role in the account",
        GrantRoleBody,
        {"role": "viewer"},
        ("role_not_found", "last_editor", "revision_stale"),
    ),
    Forwarded(
        "revoke_role",
        "POST",
        f"{ROLE}/revoke",
        "Take a person's role away",
        RevokeRoleBody,
        {},
        ("role_not_found", "last_editor", "revision_stale"),
    ),
    Forwarded(
        "set_tax_jurisdiction",
        "PUT",
        f"{ACCOUNT}/tax-jurisdiction",
        "Say where an account is taxed, as an operator",
        TaxJurisdictionBody,
        {"jurisdiction": "AT", "exemption": None},
        ("jurisdiction_unknown", "date_out_of_range"),
    ),
    Forwarded(
        "place_hold",
        "POST",
        f"{ACCOUNT}/holds/place",
        "Put an account on hold, as an operator",
        HoldBody,
        {"hold": "contract"},
        ("revision_stale",),
    ),
    Forwarded(
        "lift_hold",
        "POST",
        f"{ACCOUNT}/holds/lift",
        "Lift a hold, as an operator",
        HoldBody,
        {"hold": "contract"},
        ("revision_stale",),
    ),
)
