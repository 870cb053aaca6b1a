"""The HTTP bodies of a billing account's contacts, roles and holds, and the answer of the page Billing Management."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from .account_actions import AccountAction, BillingRole
from .money import Currency, Minor
from .plan_actions import Hold
from .plan_commands import Request
from .plans import TaxTerms

# Whatever looks like a script is text here, and stays it: who shows it escapes it. Control characters are no text.
_NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_NO_CONTROLS)]
MaybeText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=_NO_CONTROLS)]
# Something, an at sign, labels with a dot: whether it is read by anybody only a mail to it can tell.
Mail = Annotated[
    str,
    StringConstraints(
        max_length=254, pattern=r"^[^\s@<>\x00-\x1f\x7f-\x9f]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}$"
    ),
]
EXTRA_CONTACTS = 9
CONTACTS = ("bill_to", "sold_to", *(f"extra_{number}" for number in range(1, EXTRA_CONTACTS + 1)))


class Address(Request):
    """country: two letters of ISO 3166."""

    street: Annotated[tuple[Text, ...], Field(min_length=1, max_length=3)]
    postal_code: MaybeText
    city: Text
    region: MaybeText
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]


class ContactBody(Request):
    """Personal data: it is kept in an erasable record and never in an event."""

    name: Text
    company: MaybeText = ""
    mail: Mail
    address: Address


class RemoveContactBody(Request):
    """Nothing to say: the contact is removed, and its record erased."""


class ErasePersonalDataBody(Request):
    """Nothing to say: all contacts and comments of the account are erased."""


class Comment(BaseModel):
    """What was said with a command. comment: the name its event has for it."""

    comment: str
    text: str


class GrantRoleBody(Request):
    role: BillingRole


class RevokeRoleBody(Request):
    """Nothing to say: whatever role the subject has is revoked."""


class HoldBody(Request):
    """An unpaid hold comes and goes with its invoice, and not by command."""

    hold: Literal[Hold.CONTRACT, Hold.LEGAL]


class AccountPermission(BaseModel):
    """Whether something may be done now. reason: the problem code the command would be refused with."""

    allowed: bool
    reason: str | None
    message: str | None


class BillingContact(ContactBody):
    contact: str


class BillingHold(BaseModel):
    """invoice_id, amount_minor: of an unpaid hold."""

    hold: Hold
    invoice_id: str | None
    amount_minor: Minor | None


class RoleHolder(BaseModel):
    subject: str
    role: BillingRole


class BillingManagement(BaseModel):
    """A billing account as it is now, its contacts with their personal data. payment_token: None until it has one.

    tax: where it is taxed now and what has been agreed for later, the earliest first; empty: nowhere.

    contacts: those there are, bill_to, sold_to and extra_1 to extra_9 in this order. revision: of the account.
    """

    account_id: str
    currency: Currency
    time_zone: str
    payment_token: str | None
    tax: list[TaxTerms]
    contacts: list[BillingContact]
    roles: list[RoleHolder]
    holds: list[BillingHold]
    allowed_actions: dict[AccountAction, AccountPermission]
    revision: int


class RecordedRoles(BaseModel):
    """What the identity provider asks before it makes a token: by account; None where a role was revoked."""

    subject: str
    roles: dict[str, BillingRole | None]
