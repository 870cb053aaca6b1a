"""Carries out what renewals decide: the account's stream, the invoices' streams, and the payments between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from contracts.envelope import Metadata
from contracts.renewals import Invoice, InvoiceEvent, RenewalEvent
from contracts.tax import TaxRates
from services.chassis.asked import Asked
from services.chassis.clock import Clock, today
from services.chassis.command_handler import Command, CommandHandler, Recorded
from services.chassis.policies import due

from . import invoice as invoices
from .account import AccountRenewals
from .invoice import InvoiceState
from .payments import Charge, Declined, Payments
from .policy import Step, decided

SERVICE = "renewals"

OnInvoice = Callable[[InvoiceState | None], Sequence[InvoiceEvent]]


@dataclass(frozen=True, slots=True)
class Ledger:
    accounts: CommandHandler[AccountRenewals]
    invoices: CommandHandler[InvoiceState]
    payments: Payments
    rates: TaxRates
    clock: Clock

    async def on_account(self, metadata: Metadata, *steps: Step) -> None:
        """One append of what every step decides, each on the state the one before it leaves."""

        def decide(account: AccountRenewals | None, _: int) -> Sequence[RenewalEvent]:
            return decided(steps, account, date.fromisoformat(metadata.effective_on))

        await self.accounts.handle(f"renewal-{metadata.account_id}", Command(metadata), decide)

    async def on_invoice(self, metadata: Metadata, invoice_id: str, decide: OnInvoice) -> None:
        await self.invoices.handle(f"invoice-{invoice_id}", Command(metadata), lambda state, _: decide(state))

    async def try_payment(self, account_id: str, invoice_id: str, attempt: int, on: str) -> None:
        """Asks the provider for what is left to pay, once per attempt however often this is called. on: the day the
        attempt belongs to."""
        state = (await self.invoices.current(f"invoice-{invoice_id}")).state
        if state is None or state.collected or state.attempts >= attempt:
            return
        metadata = due(SERVICE, account_id, f"invoice {invoice_id} attempt {attempt}", on, self.clock)
        decide = await self._paid(account_id, state, attempt, on)
        await self.on_invoice(metadata, invoice_id, decide)

    async def pay(self, asked: Asked, invoice_id: str) -> Recorded:
        """Another try, because somebody asked for it. Raises Refused invoice_not_found or invoice_collected."""
        loaded = await self.invoices.current(f"invoice-{invoice_id}")
        state = loaded.state if loaded.account_id == asked.account_id else None
        now = self.clock.now()
        command = Command(asked.metadata(asked.command_id(f"invoice-{invoice_id}"), now, now.date()))
        if command.metadata.command_id in loaded.receipts:  # a repetition is answered, not paid again
            return await self.invoices.handle(f"invoice-{invoice_id}", command, lambda *_: [])
        attempt = invoices.payable(state)
        assert state is not None
        on = today(self.clock, await self._zone(asked))
        decide = await self._paid(asked.account_id, state, attempt, on.isoformat())
        return await self.invoices.handle(f"invoice-{invoice_id}", command, lambda state, _: decide(state))

    async def _zone(self, asked: Asked) -> str:
        account = (await self.accounts.current(f"renewal-{asked.account_id}")).state
        return account.terms.time_zone if account and account.terms else "UTC"

    async def refund(self, account_id: str, invoice: Invoice) -> None:
        on = invoice.issued_on.isoformat()
        metadata = due(SERVICE, account_id, f"invoice {invoice.invoice_id} refund", on, self.clock)
        charge = await self._charge(account_id, invoice, -invoice.total_minor, attempt=1)
        reference = await self.payments.refund(charge)
        await self.on_invoice(metadata, invoice.invoice_id, lambda state: invoices.refunded(state, reference))

    async def _paid(self, account_id: str, state: InvoiceState, attempt: int, on: str) -> OnInvoice:
        charge = await self._charge(account_id, state.issued, state.remains_minor, attempt)
        try:
            reference = await self.payments.charge(charge)
        except Declined as declined:
            reason, day = str(declined), date.fromisoformat(on)
            return lambda state: invoices.declined(state, attempt, reason, day)
        return lambda state: invoices.paid(state, attempt, reference)

    async def _charge(self, account_id: str, invoice: Invoice, amount_minor: int, attempt: int) -> Charge:
        account = (await self.accounts.current(f"renewal-{account_id}")).state
        token = account.terms.payment_token if account and account.terms else None
        return Charge(
            attempt_id=f"{invoice.invoice_id}-{attempt}",
            account_id=account_id,
            token=token,
            amount_minor=amount_minor,
            currency=invoice.currency,
            attempt=attempt,
        )
