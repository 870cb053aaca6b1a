"""What is asked with "What if", and what is answered."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from contracts.money import Currency, Minor
from contracts.plan_commands import Request
from contracts.problems import Refused
from contracts.renewals import InvoiceKind, InvoiceLine
from contracts.tax import TaxLine
from contracts.terms import Cycle
from services.gateway.answers import Answer, InvoiceStatus, ProductCard
from services.gateway.clock import NOON

MOST_COMMANDS = 50
FARTHEST = timedelta(days=732)  # 24 months, whichever they are, and the noon of the day after

When = AwareDatetime | date


class Hypothetical(Request):
    """A command that is not given. at: when it would be; now if left out.

    Either path (below the account, as in `/plans/{bundle_id}/edit`, or whole) with a method where the address has two,
    or plan (its bundle_id) with command (`edit`, `cancel`, … as its address ends). body: as the command takes it.
    """

    at: When | None = None
    method: Literal["POST", "PUT"] | None = None
    path: Annotated[str, Field(max_length=500, pattern=r"^/")] | None = None
    plan: Annotated[str, Field(max_length=128)] | None = None
    command: Annotated[str, Field(max_length=40, pattern=r"^[a-z-]+$")] | None = None
    body: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if (self.path is None) == (self.plan is None) or (self.plan is None) != (self.command is None):
            raise ValueError("either path, or plan and command are needed")
        return self

    def address(self, account: str) -> str:
        """account: the path of the account."""
        below = f"/plans/{self.plan}/{self.command}" if self.path is None else self.path
        return below if below == account or below.startswith(f"{account}/") else f"{account}{below.rstrip('/')}"


class WhatIfBody(Request):
    """until: how far the clock is rolled. A day means its noon in UTC, also in a command's `at`."""

    until: When
    commands: Annotated[tuple[Hypothetical, ...], Field(max_length=MOST_COMMANDS)] = ()

    def checked(self, now: datetime) -> Self:
        """Raises Refused what_if_too_far, or date_out_of_range for what is over, or beyond `until`."""
        until = instant_of(self.until)
        if until > now + FARTHEST:
            raise Refused("what_if_too_far", farthest=(now + FARTHEST).date().isoformat())
        if until < now:
            raise Refused("date_out_of_range", earliest=now.isoformat())
        for number, command in enumerate(self.commands, 1):
            if command.at is not None and not now <= instant_of(command.at) <= until:
                raise Refused("date_out_of_range", command=number, earliest=now.isoformat(), latest=until.isoformat())
        return self


def instant_of(when: When) -> datetime:
    return when.astimezone(UTC) if isinstance(when, datetime) else datetime.combine(when, NOON)


class Outcome(Answer):
    """Of one command, counted from 1 as they were sent. events: what it would record; empty where it is already so.
    problem: what it would be refused with."""

    number: int
    at: AwareDatetime
    method: str
    path: str
    outcome: Literal["done", "refused"]
    events: list[str]
    problem: dict[str, Any] | None


class WhatIfInvoice(Answer):
    """An invoice that would come out; status and remains_minor are as at the end."""

    invoice_id: str
    number: int
    kind: InvoiceKind
    cadence: Cycle | None
    issued_on: date
    lines: list[InvoiceLine]
    net_minor: Minor
    taxes: list[TaxLine]
    total_minor: Minor
    credit_minor: Minor
    due_minor: Minor
    status: InvoiceStatus
    remains_minor: Minor
    shown: str


class ComparedInvoice(Answer):
    """One invoice as it comes without the commands, and as it would with them; None where there is none."""

    without: WhatIfInvoice | None
    with_commands: WhatIfInvoice | None
    difference_minor: Minor


class Totals(Answer):
    """Of the invoices' totals, taxes included. shown: the difference, as people read it."""

    without_minor: Minor
    with_minor: Minor
    difference_minor: Minor
    shown: str


class WhatIfAnswer(Answer):
    """invoices: by the day they are issued on. cards: the plans as they would be at the end."""

    account_id: str
    currency: Currency
    now: AwareDatetime
    until: AwareDatetime
    commands: list[Outcome]
    invoices: list[ComparedInvoice]
    totals: Totals
    cards: list[ProductCard]
