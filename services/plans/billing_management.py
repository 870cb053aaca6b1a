"""Billing Management: an account's contacts, roles and holds, and the page that shows them (DOMAIN 1, B5, B17).

What a person is called and where they live is put into an erasable record first; the event then names the record.
"""

import hashlib
import hmac
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pydantic import BaseModel

from contracts.account_actions import AccountAction, BillingRole, why_not
from contracts.billing_management import (
    CONTACTS,
    AccountPermission,
    BillingContact,
    BillingHold,
    BillingManagement,
    ContactBody,
    RoleHolder,
)
from contracts.plan_actions import Hold
from contracts.plans import TaxTerms
from contracts.problems import PROBLEMS, Refused
from contracts.tax import terms_on
from services.chassis.asked import Asked
from services.chassis.clock import Clock, today
from services.chassis.command_handler import Command, CommandHandler, Recorded

from . import account as accounts
from .account import Account
from .personal import PersonalRecords

# The same command, sent twice at once: the other one may be about to name the record.
UNDER_WAY = ("command_in_flight", "overloaded")

Decide = Callable[[Account | None, int], Sequence[BaseModel]]


class _Named(BaseModel):
    """A contact as its event will name it: what a repetition is recognised by, without a word of personal data."""

    record: str


@dataclass(frozen=True, slots=True)
class BillingAccounts:
    """secret: makes names of records, so that nobody can guess from a name what is in the record."""

    accounts: CommandHandler[Account]
    records: PersonalRecords
    clock: Clock
    secret: bytes

    async def change_contact(self, asked: Asked, contact: str, body: ContactBody) -> Recorded:
        """The same again records nothing. What was there before is erased. Raises Refused, StoreError."""
        command_id = str(asked.command_id(f"contact {contact}"))
        said = body.model_dump_json()
        name = hmac.new(self.secret, f"{command_id} {said}".encode(), hashlib.sha256).hexdigest()[:32]
        account = accounts.allowed(
            await self._account(asked.account_id), AccountAction.CHANGE_CONTACT, asked.privileges
        )
        there = account.contacts.get(contact)
        same = there and (await self.records.of(asked.account_id)).get(there) == said
        await self.records.put(name, asked.account_id, said, self.clock.now())

        def decide(account: Account | None, _: int) -> Sequence[BaseModel]:
            unchanged = same and account and account.contacts.get(contact) == there
            return accounts.change_contact(account, contact, there if unchanged else name, asked.privileges)

        try:
            recorded = await self._carry_out(replace(asked, body=_Named(record=name)), command_id, decide)
        except Refused as refused:
            if refused.code not in UNDER_WAY:
                await self._forget(asked.account_id, name)
            raise
        await self._forget(asked.account_id, name, there)
        return recorded

    async def remove_contact(self, asked: Asked, contact: str) -> Recorded:
        """Erases the record. Raises Refused contact_not_found when there is none."""
        there: list[str] = []

        def decide(account: Account | None, _: int) -> Sequence[BaseModel]:
            known = accounts.allowed(account, AccountAction.CHANGE_CONTACT, asked.privileges)
            if contact not in known.contacts:
                raise Refused("contact_not_found")
            there.append(known.contacts[contact])
            return accounts.change_contact(known, contact, None, asked.privileges)

        recorded = await self._carry_out(asked, str(asked.command_id(f"contact {contact}")), decide)
        await self._forget(asked.account_id, *there)
        return recorded

    async def erase_personal_data(self, asked: Asked) -> Recorded:
        """All contacts and comments. The same again records nothing, and erases what came meanwhile. Raises Refused."""
        kept = await self.records.holds_any(asked.account_id)
        recorded = await self._carry_out(
            asked,
            str(asked.command_id("erase personal data")),
            lambda account, _: accounts.erase_personal_data(account, kept, asked.privileges),
        )
        await self.records.erase_all(asked.account_id)
        return recorded

    async def grant_role(self, asked: Asked, subject: str, role: BillingRole) -> Recorded:
        return await self._carry_out(
            asked,
            str(asked.command_id(f"role {subject}")),
            lambda account, _: accounts.grant_role(account, subject, role, asked.privileges),
        )

    async def revoke_role(self, asked: Asked, subject: str) -> Recorded:
        return await self._carry_out(
            asked,
            str(asked.command_id(f"role {subject}")),
            lambda account, _: accounts.revoke_role(account, subject, asked.privileges),
        )

    async def place_hold(self, asked: Asked, hold: Hold) -> Recorded:
        return await self._carry_out(
            asked, str(asked.command_id("hold")), lambda account, _: accounts.place_hold(account, hold)
        )

    async def lift_hold(self, asked: Asked, hold: Hold) -> Recorded:
        return await self._carry_out(
            asked, str(asked.command_id("hold")), lambda account, _: accounts.lift_hold(account, hold)
        )

    async def read(
        self, account_id: str, privileges: frozenset[str], position: int | None = None, on: date | None = None
    ) -> BillingManagement:
        """As of every command acknowledged so far, or as it was at a position of the log, on a day. Of contacts that
        were there then, those that are not erased by now. Raises Refused account_not_found."""
        stream = _stream(account_id)
        loaded = await (self.accounts.current(stream) if position is None else self.accounts.at(stream, position))
        account = loaded.state
        if account is None:
            raise Refused("account_not_found")
        said = await self.records.of(account_id)
        held = account.held_for()
        return BillingManagement(
            account_id=account_id,
            currency=account.currency,
            time_zone=account.time_zone,
            payment_token=account.payment_token,
            tax=_in_force(account, on or today(self.clock, account.time_zone)),
            contacts=[
                BillingContact(contact=name, **ContactBody.model_validate_json(said[record]).model_dump())
                for name in CONTACTS
                if (record := account.contacts.get(name)) and record in said
            ],
            roles=[RoleHolder(subject=subject, role=role) for subject, role in sorted(account.roles.items())],
            holds=[
                BillingHold(hold=hold, invoice_id=invoice_id, amount_minor=minor)
                for (hold, invoice_id), minor in account.holds.items()
            ],
            allowed_actions={action: _permission(why_not(action, held, privileges)) for action in AccountAction},
            revision=loaded.revision,
        )

    async def _carry_out(self, asked: Asked, command_id: str, decide: Decide) -> Recorded:
        now = self.clock.now()
        metadata = asked.metadata(uuid.UUID(command_id), now, now.date())
        return await self.accounts.handle(_stream(asked.account_id), Command(metadata, asked.expected_revision), decide)

    async def _account(self, account_id: str) -> Account | None:
        return (await self.accounts.current(_stream(account_id))).state

    async def _forget(self, account_id: str, *records: str | None) -> None:
        """Erases these, unless the account names them now, and what earlier commands left behind."""
        account = await self._account(account_id)
        kept = set(account.contacts.values()) if account else set()
        for record in records:
            if record and record not in kept:
                await self.records.erase(account_id, record)
        await self.records.sweep(account_id, kept, self.clock.now())


def _in_force(account: Account, on: date) -> list[TaxTerms]:
    """Today's terms of tax, then those to come."""
    days = sorted({on, *(terms.effective_from for terms in account.tax if terms.effective_from > on)})
    found = (terms_on(account.tax, day) for day in days)
    return [TaxTerms(**dict(terms)) for terms in found if terms]


def _stream(account_id: str) -> str:
    return f"billingaccount-{account_id}"


def _permission(code: str | None) -> AccountPermission:
    return AccountPermission(allowed=code is None, reason=code, message=PROBLEMS[code].title if code else None)
