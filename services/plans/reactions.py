"""Events of renewals become commands here: a due renewal begins the next term of its bundles, an unpaid invoice puts
the account on hold, and at the end of all reminders its bundles lapse."""

from collections.abc import Callable, Sequence

from pydantic import BaseModel

from contracts.envelope import Envelope
from contracts.plan_actions import Hold
from contracts.renewals import InvoiceCollected, PaymentFailed, RenewalDue, RenewalFailed
from services.chassis.clock import Clock
from services.chassis.command_handler import Command, CommandHandler
from services.chassis.policies import caused_by

from . import term_end
from .account import Account, lift_hold, place_hold
from .calendar import SERVICE, Edits
from .catalogue import Catalogue
from .plan import Plan

HOLD_AFTER = 2  # attempts to pay an invoice: one that failed may be a bank's bad day, and is tried again first


class RenewalReactions:
    """stream: of the price book that is sold from."""

    def __init__(
        self,
        plans: CommandHandler[Plan],
        accounts: CommandHandler[Account],
        books: CommandHandler[Catalogue],
        stream: str,
        edits: Edits,
        clock: Clock,
    ) -> None:
        self._plans, self._accounts, self._books = plans, accounts, books
        self._stream, self._edits, self._clock = stream, edits, clock

    async def react(self, event: Envelope) -> None:
        match event.type:
            case "renewals.RenewalDue":
                await self._advance(event, RenewalDue.model_validate(event.data, strict=False))
            case "renewals.RenewalFailed":
                await self._lapse(event, RenewalFailed.model_validate(event.data, strict=False))
            case "renewals.PaymentFailed":
                failed = PaymentFailed.model_validate(event.data, strict=False)
                if failed.attempt >= HOLD_AFTER:
                    await self._hold(event, failed)
            case "renewals.InvoiceCollected":
                await self._release(event, InvoiceCollected.model_validate(event.data, strict=False))

    async def _advance(self, event: Envelope, renewal: RenewalDue) -> None:
        catalogue = (await self._books.current(self._stream)).state or Catalogue()

        def decide(plan: Plan | None, _: int) -> Sequence[BaseModel]:
            return term_end.advance(plan, renewal.due_on, catalogue)

        for bundle_id in renewal.bundle_ids:
            await self._edits.before(bundle_id, event.account_id, renewal.due_on)
            metadata = caused_by(event, SERVICE, self._clock, bundle_id, renewal.due_on.isoformat())
            await self._plans.handle(f"plan-{bundle_id}", Command(metadata), decide)

    async def _hold(self, event: Envelope, failed: PaymentFailed) -> None:
        def decide(account: Account | None, _: int) -> Sequence[BaseModel]:
            return place_hold(account, Hold.UNPAID, failed.invoice_id, failed.amount_minor)

        await self._of_account(event, decide)

    async def _release(self, event: Envelope, collected: InvoiceCollected) -> None:
        def decide(account: Account | None, _: int) -> Sequence[BaseModel]:
            return lift_hold(account, Hold.UNPAID, collected.invoice_id)

        await self._of_account(event, decide)

    async def _of_account(self, event: Envelope, decide: Callable[[Account | None, int], Sequence[BaseModel]]) -> None:
        command = Command(caused_by(event, SERVICE, self._clock))
        await self._accounts.handle(f"billingaccount-{event.account_id}", command, decide)

    async def _lapse(self, event: Envelope, failed: RenewalFailed) -> None:
        def decide(plan: Plan | None, _: int) -> Sequence[BaseModel]:
            return term_end.lapse(plan, failed.invoice_id, failed.failed_on)

        for bundle_id in failed.bundle_ids:
            metadata = caused_by(event, SERVICE, self._clock, bundle_id)
            await self._plans.handle(f"plan-{bundle_id}", Command(metadata), decide)
