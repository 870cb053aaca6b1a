"""What renewals do when something has happened: to a plan, or to an invoice of their own."""

from collections.abc import Awaitable, Callable
from datetime import date

from contracts.envelope import Envelope
from contracts.renewals import InvoiceDrafted, InvoiceIssued, PaymentFailed
from contracts.topics import Owner
from services.chassis.policies import caused_by

from . import billing
from . import invoice as invoices
from .ledger import SERVICE, Ledger
from .policy import steps_for


class Reactions:
    """To plans: the forecast, the answers of a renewal's bundles, and the invoice of what changes in mid-term. To
    devices: the invoice of what they say is to be paid.

    follow_plans: takes in now all that plans have recorded. Devices may be heard of before their account, which plans
    open. Raises FeedUnavailable.
    """

    def __init__(self, ledger: Ledger, follow_plans: Callable[[], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._follow_plans = follow_plans

    async def react(self, event: Envelope) -> None:
        """Raises ValueError or KeyError for an event that nothing can be made of."""
        steps = steps_for(event, self._ledger.rates)
        if steps and event.type.startswith(f"{Owner.DEVICES}."):
            await self._until_known(event)
        if steps:
            await self._ledger.on_account(caused_by(event, SERVICE, self._ledger.clock), *steps)

    async def _until_known(self, event: Envelope) -> None:
        """Raises FeedUnavailable while plans are away: an invoice must not be lost to an account not heard of yet."""
        account = (await self._ledger.accounts.current(f"renewal-{event.account_id}")).state
        if account is None or account.terms is None:
            await self._follow_plans()


class OwnReactions:
    """Of renewals themselves: a drafted invoice is issued, an issued one is paid, a paid one is told to its account."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def react(self, event: Envelope) -> None:
        match event.type:
            case "renewals.InvoiceDrafted":
                await self._issue(event, InvoiceDrafted.model_validate(event.data, strict=False))
            case "renewals.InvoiceIssued":
                await self._settle(event, InvoiceIssued.model_validate(event.data, strict=False))
            case "renewals.PaymentFailed":
                await self._remind(event, PaymentFailed.model_validate(event.data, strict=False))
            case "renewals.InvoiceCollected":
                metadata = caused_by(event, SERVICE, self._ledger.clock)
                invoice_id = event.data["invoice_id"]
                await self._ledger.on_account(metadata, lambda account: billing.collected(account, invoice_id))

    async def _issue(self, event: Envelope, drafted: InvoiceDrafted) -> None:
        invoice = drafted.invoice
        metadata = caused_by(event, SERVICE, self._ledger.clock)
        await self._ledger.on_invoice(metadata, invoice.invoice_id, lambda state: invoices.issue(state, invoice))

    async def _settle(self, event: Envelope, issued: InvoiceIssued) -> None:
        invoice = issued.invoice
        if invoice.due_minor:
            on = invoice.issued_on.isoformat()
            await self._ledger.try_payment(event.account_id, invoice.invoice_id, 1, on)
        elif invoice.refund:
            await self._ledger.refund(event.account_id, invoice)

    async def _remind(self, event: Envelope, failed: PaymentFailed) -> None:
        state = (await self._ledger.invoices.current(f"invoice-{failed.invoice_id}")).state
        if state is None:
            raise ValueError("a payment of an invoice that was never issued")
        of, on, lines = failed.invoice_id, date.fromisoformat(event.metadata["effective_on"]), state.issued.lines
        metadata = caused_by(event, SERVICE, self._ledger.clock)
        if failed.next_try_on is None and state.given_up_on == on:
            await self._ledger.on_account(metadata, lambda _: billing.fail(of, on, lines))
        elif failed.attempt >= invoices.SUSPEND_AFTER:
            await self._ledger.on_account(metadata, lambda account: billing.suspend(account, of))
