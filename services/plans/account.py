"""A billing account: currency and time zone, fixed when it is opened (DOMAIN M2, M3), how it pays, its holds,
its contacts and who may do what (B17). Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
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
    PersonalDataErased,
    TaxJurisdictionSet,
)
from contracts.problems import Refused
from contracts.tax import TaxRates, terms_on

from .commands import OpenAccount, SetTaxJurisdiction

# Names in the zone table that mean whatever a machine is set to, no place at all, or the same table in other seconds.
NO_PLACES = ("localtime", "posixrules", "Factory", "posix/", "right/")


@dataclass(frozen=True, slots=True)
class Account:
    """tax: where it is taxed, as it was recorded. holds: the amount by hold and, for an unpaid one, invoice. contacts:
    the erasable record of each. roles: by subject."""

    currency: Currency
    time_zone: str
    payment_token: str | None = None
    tax: tuple[TaxJurisdictionSet, ...] = ()
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


def decide(command: OpenAccount, account: Account | None, rates: TaxRates) -> list[AccountEvent]:
    """Raises Refused time_zone_unknown, jurisdiction_unknown, or account_exists when it is open with other terms.
    Empty: already so."""
    if not _is_zone(command.time_zone):
        raise Refused("time_zone_unknown")
    if account is None:
        opened = AccountOpened(currency=command.currency, time_zone=command.time_zone)
        if command.jurisdiction is None:
            return [opened]
        on = command.at.astimezone(ZoneInfo(command.time_zone)).date()
        return [opened, _taxed(command.jurisdiction, None, on, rates)]
    if (account.currency, account.time_zone) != (command.currency, command.time_zone):
        raise Refused("account_exists", currency=account.currency, time_zone=account.time_zone)
    first = account.tax[0].jurisdiction if account.tax else None
    if command.jurisdiction not in (None, first):
        raise Refused("account_exists", tax_jurisdiction=first)
    return []


def set_tax_jurisdiction(command: SetTaxJurisdiction, account: Account | None, rates: TaxRates) -> list[AccountEvent]:
    """Empty: it is so from that day on already. Raises Refused account_not_found, jurisdiction_unknown or
    date_out_of_range: a day that has begun is taxed as it was quoted."""
    account = allowed(account, AccountAction.SET_TAX_JURISDICTION, command.privileges)
    tomorrow = command.on + timedelta(days=1)
    effective_from = command.effective_from or tomorrow
    if effective_from < tomorrow:
        raise Refused("date_out_of_range", earliest=tomorrow.isoformat())
    told = _taxed(command.jurisdiction, command.exemption, effective_from, rates)
    known = terms_on(account.tax, effective_from)
    same = known and (known.jurisdiction, known.exemption) == (told.jurisdiction, told.exemption)
    return [] if same else [told]


def _taxed(jurisdiction: str | None, exemption: str | None, on: date, rates: TaxRates) -> TaxJurisdictionSet:
    if jurisdiction is not None and not rates.knows(jurisdiction):
        raise Refused("jurisdiction_unknown", jurisdiction=jurisdiction)
    return TaxJurisdictionSet(jurisdiction=jurisdiction, exemption=exemption, effective_from=on)


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


def erase_personal_data(account: Account | None, kept: bool, privileges: Collection[str]) -> list[AccountEvent]:
    """kept: whether there is any beside the log. Empty: there is nothing to erase."""
    account = allowed(account, AccountAction.ERASE_PERSONAL_DATA, privileges)
    return [PersonalDataErased(contacts=tuple(account.contacts))] if kept or account.contacts else []


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
        case TaxJurisdictionSet():
            return replace(account, tax=(*account.tax, event))
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
        case PersonalDataErased():
            return replace(account, contacts={})
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
