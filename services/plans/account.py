"""A billing account: currency and time zone, fixed when it is opened (DOMAIN M2, M3), how it pays, its holds,
its contacts and who may do what (B17). Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.account_actions import EDITORS, PRIVILEGES, AccountAction, BillingRole, why_not
from contracts.money import Currency
from contracts.plan_actions import Hold
from contracts.plans import (
    AccountEvent,
    AccountHoldLifted,
    AccountHoldPlaced,
    AccountOpened,
    BillingContactChanged,
    BillingRoleGranted,
    BillingRoleRevoked,
    PaymentMethodChanged,
)
from contracts.problems import Refused

from .commands import OpenAccount

# Names in the zone table that mean whatever a machine is set to, no place at all, or the same table in other seconds.
NO_PLACES = ("localtime", "posixrules", "Factory", "posix/", "right/")


@dataclass(frozen=True, slots=True)
class Account:
    """holds: the amount by hold and, for an unpaid one, invoice. contacts: the erasable record of each. roles: by
    subject."""

    currency: Currency
    time_zone: str
    payment_token: str | None = None
    holds: Mapping[tuple[Hold, str | None], int | None] = field(default_factory=dict)
    contacts: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, BillingRole] = field(default_factory=dict)

    def held_for(self) -> frozenset[Hold]:
        return frozenset(hold for hold, _ in self.holds)

    def unpaid(self) -> dict[str, Any]:
        """What a refusal tells: the unpaid invoices, and what they come to."""
        due = {invoice_id: minor or 0 for (hold, invoice_id), minor in self.holds.items() if hold is Hold.UNPAID}
        return {"ids": list(due), "amount_minor": sum(due.values()), "currency": self.currency}

    def refused(self, reason: str) -> Refused:
        return Refused(reason, **self.unpaid()) if reason == "unpaid_invoices" else Refused(reason)


def decide(command: OpenAccount, account: Account | None) -> list[AccountEvent]:
    """Raises Refused time_zone_unknown, or account_exists when it is open with other terms. Empty: already so."""
    if not _is_zone(command.time_zone):
        raise Refused("time_zone_unknown")
    if account is None:
        return [AccountOpened(currency=command.currency, time_zone=command.time_zone)]
    if (account.currency, account.time_zone) != (command.currency, command.time_zone):
        raise Refused("account_exists", currency=account.currency, time_zone=account.time_zone)
    return []


def allowed(account: Account | None, action: AccountAction, privileges: Collection[str]) -> Account:
    """The account, if this may be asked of it (DOMAIN B18). Raises Refused."""
    if account is None:
        raise Refused("account_not_found")
    if reason := why_not(action, account.held_for(), privileges):
        raise Refused(reason)
    return account


def change_payment_method(account: Account | None, token: str, privileges: Collection[str]) -> list[AccountEvent]:
    """Empty: it is this one already. Raises Refused account_not_found, or what stands against it."""
    account = allowed(account, AccountAction.CHANGE_PAYMENT_METHOD, privileges)
    return [] if account.payment_token == token else [PaymentMethodChanged(token=token)]


def change_contact(
    account: Account | None, contact: str, record: str | None, privileges: Collection[str]
) -> list[AccountEvent]:
    """record: None removes the contact. Empty: it is so already."""
    account = allowed(account, AccountAction.CHANGE_CONTACT, privileges)
    return [] if account.contacts.get(contact) == record else [BillingContactChanged(contact=contact, record=record)]


def grant_role(
    account: Account | None, subject: str, role: BillingRole, privileges: Collection[str]
) -> list[AccountEvent]:
    """Nobody gives what they do not have: Refused forbidden. The last editor stays one: last_editor (DOMAIN B17)."""
    account = allowed(account, AccountAction.GRANT_ROLE, privileges)
    if not PRIVILEGES[role] <= set(privileges):
        raise Refused("forbidden")
    if account.roles.get(subject) == role:
        return []
    if role not in EDITORS:
        _keep_an_editor(account, subject)
    return [BillingRoleGranted(subject=subject, role=role)]


def revoke_role(account: Account | None, subject: str, privileges: Collection[str]) -> list[AccountEvent]:
    """Raises Refused role_not_found, or last_editor for the only one who may edit (DOMAIN B17)."""
    account = allowed(account, AccountAction.REVOKE_ROLE, privileges)
    if subject not in account.roles:
        raise Refused("role_not_found")
    _keep_an_editor(account, subject)
    return [BillingRoleRevoked(subject=subject, role=account.roles[subject])]


def _keep_an_editor(account: Account, subject: str) -> None:
    editors = {each for each, role in account.roles.items() if role in EDITORS}
    if editors == {subject}:
        raise Refused("last_editor")


def place_hold(
    account: Account | None, hold: Hold, invoice_id: str | None = None, amount_minor: int | None = None
) -> list[AccountEvent]:
    """Empty: it is on hold for that already. Raises Refused account_not_found."""
    if account is None:
        raise Refused("account_not_found")
    if (hold, invoice_id) in account.holds:
        return []
    return [AccountHoldPlaced(hold=hold, invoice_id=invoice_id, amount_minor=amount_minor)]


def lift_hold(account: Account | None, hold: Hold, invoice_id: str | None = None) -> list[AccountEvent]:
    """Empty: there is no such hold."""
    if account is None or (hold, invoice_id) not in account.holds:
        return []
    return [AccountHoldLifted(hold=hold, invoice_id=invoice_id)]


def evolve(account: Account | None, event: AccountEvent, _effective_on: date) -> Account:
    if isinstance(event, AccountOpened):
        return Account(event.currency, event.time_zone)
    if account is None:
        raise ValueError(f"{type(event).__name__} of an account that was never opened")
    match event:
        case PaymentMethodChanged():
            return replace(account, payment_token=event.token)
        case AccountHoldPlaced():
            return replace(account, holds={**account.holds, (event.hold, event.invoice_id): event.amount_minor})
        case AccountHoldLifted():
            lifted = (event.hold, event.invoice_id)
            return replace(account, holds={hold: due for hold, due in account.holds.items() if hold != lifted})
        case BillingContactChanged():
            others = {name: record for name, record in account.contacts.items() if name != event.contact}
            return replace(account, contacts=others | ({event.contact: event.record} if event.record else {}))
        case BillingRoleGranted():
            return replace(account, roles={**account.roles, event.subject: event.role})
        case BillingRoleRevoked():
            return replace(account, roles={each: role for each, role in account.roles.items() if each != event.subject})
        case _:
            assert_never(event)


def _is_zone(name: str) -> bool:
    if not name or name.startswith(NO_PLACES):
        return False
    try:
        return ZoneInfo(name) is not None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
