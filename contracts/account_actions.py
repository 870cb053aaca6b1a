"""What may be done with a billing account right now, and why not (DOMAIN B5, B17, B18): asked by the decider before
every command, and by the read that shows the buttons."""

from collections.abc import Collection
from enum import StrEnum

from .plan_actions import Hold, Privilege, why_held


class BillingRole(StrEnum):
    """What a person may be in an account. The identity provider turns it into the privileges of a token."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"
    AUDITOR = "auditor"


_READ = frozenset({Privilege.SUBSCRIPTION_READ, Privilege.INFORMATION_READ})
_EDIT = _READ | {Privilege.SUBSCRIPTION_EDIT, Privilege.INFORMATION_EDIT}
PRIVILEGES: dict[BillingRole, frozenset[Privilege]] = {
    BillingRole.OWNER: _EDIT | {Privilege.AUDIT_READ},
    BillingRole.EDITOR: _EDIT,
    BillingRole.VIEWER: _READ,
    BillingRole.AUDITOR: _READ | {Privilege.AUDIT_READ},
}
EDITORS = frozenset(role for role, held in PRIVILEGES.items() if Privilege.INFORMATION_EDIT in held)


class AccountAction(StrEnum):
    CHANGE_CONTACT = "change_contact"
    ERASE_PERSONAL_DATA = "erase_personal_data"
    CHANGE_PAYMENT_METHOD = "change_payment_method"
    GRANT_ROLE = "grant_role"
    REVOKE_ROLE = "revoke_role"
    PLACE_HOLD = "place_hold"
    LIFT_HOLD = "lift_hold"
    SET_TAX_JURISDICTION = "set_tax_jurisdiction"


# Of operators: who could free themselves of tax by saying where they are would.
_NEEDED = {
    AccountAction.PLACE_HOLD: Privilege.HOLD_EDIT,
    AccountAction.LIFT_HOLD: Privilege.HOLD_EDIT,
    AccountAction.SET_TAX_JURISDICTION: Privilege.TAX_EDIT,
}
_SELF_SERVICE = (AccountAction.CHANGE_CONTACT, AccountAction.CHANGE_PAYMENT_METHOD)


def why_not(action: AccountAction, holds: Collection[Hold], privileges: Collection[str]) -> str | None:
    """The problem code that stands against `action`, or None. An unpaid account may change how it pays; who may do what
    can be changed under every hold: access must be possible to take away at any time. So must personal data, but for
    what a legal hold keeps."""
    if _NEEDED.get(action, Privilege.INFORMATION_EDIT) not in privileges:
        return "forbidden"
    if action is AccountAction.LIFT_HOLD:
        return None if {Hold.CONTRACT, Hold.LEGAL} & set(holds) else "no_change"
    if action is AccountAction.ERASE_PERSONAL_DATA:
        return "account_on_hold" if Hold.LEGAL in holds else None
    return why_held(holds, cancelling=True) if action in _SELF_SERVICE else None
