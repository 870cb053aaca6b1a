"""From a request to a decision: gathers what the decider needs, lets it decide on the stream, binds quotes (B19)."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import BaseModel

from contracts.plan_commands import (
    Confirmable,
    OpenAccountBody,
    PaymentMethodBody,
    PublishPriceBookBody,
    Quote,
    StartPlanBody,
    TaxJurisdictionBody,
)
from contracts.plans import AccountEvent, CatalogueEvent, MoneyLine, PlanEvent
from contracts.problems import Refused
from contracts.tax import TaxLine, TaxRates, taxes
from services.chassis.asked import Asked
from services.chassis.clock import Clock, today
from services.chassis.command_handler import Command, CommandHandler, Recorded
from services.chassis.event_store import NO_STREAM

from . import account as accounts
from . import catalogue as catalogues
from . import decider, quotes
from .account import Account
from .catalogue import Catalogue
from .commands import OpenAccount, PublishPriceBook, SetTaxJurisdiction
from .comments import Comments
from .plan import Plan
from .requests import plan_command
from .scheduled import due_later

SELLER = "seller"  # the account of facts that belong to no customer
BOOK = "standard"
FIRST_TO_HAVE_A_DAY = timedelta(hours=14)  # Kiritimati
MAX_AGE_S = 1.0  # accounts and price books change seldom and never retroactively


@dataclass(frozen=True, slots=True)
class Application:
    """account_bases: the skus of the bases an account has on a day, as of every append already acknowledged."""

    plans: CommandHandler[Plan]
    accounts: CommandHandler[Account]
    catalogue: CommandHandler[Catalogue]
    tokens: quotes.QuoteTokens
    rates: TaxRates
    clock: Clock
    comments: Comments
    account_bases: Callable[[str, date], Awaitable[frozenset[str]]]

    async def start(self, asked: Asked) -> Recorded:
        """Starts a bundle whose id derives from the command's, so that a repetition finds the same stream."""
        command_id = asked.command_id("start")
        return await self._carry_out(asked, command_id, _bundle_id(command_id))

    async def change(self, asked: Asked, bundle_id: str) -> Recorded:
        """Carries out a command on a bundle. Raises Refused plan_not_found for one that is not the account's."""
        command_id = asked.command_id(f"plan-{bundle_id}")
        recorded = await self._carry_out(self.comments.named(asked, bundle_id), command_id, bundle_id)
        await self.comments.keep(asked, recorded)
        return recorded

    async def _carry_out(self, asked: Asked, command_id: uuid.UUID, bundle_id: str) -> Recorded:
        decision = await self._decision(asked, bundle_id)
        command = Command(asked.metadata(command_id, self.clock.now(), decision.on), asked.expected_revision)

        def decide(plan: Plan | None, revision: int) -> Sequence[BaseModel]:
            events = decision.events(plan, revision)
            self._hold_to_quote(decision, plan, revision, events)
            return events

        return await self.plans.handle(f"plan-{bundle_id}", command, decide)

    async def quote(self, asked: Asked, bundle_id: str | None) -> Quote:
        """What `start` (no bundle_id) or `change` would do now, by the same decision; raises what they would raise."""
        asked = self.comments.named(asked, bundle_id or "new")
        decision = await self._decision(asked, bundle_id or "new")
        if bundle_id is None:
            return self._quote(decision, None, NO_STREAM, decision.events(None, NO_STREAM))
        loaded = await self.plans.current(f"plan-{bundle_id}")
        if loaded.state is None or loaded.account_id != asked.account_id:
            raise Refused("plan_not_found")
        if asked.expected_revision not in (None, loaded.revision):
            raise Refused("revision_stale", revision=loaded.revision)
        return self._quote(decision, loaded.state, loaded.revision, decision.events(loaded.state, loaded.revision))

    async def open_account(self, asked: Asked, body: OpenAccountBody) -> Recorded:
        now = self.clock.now()
        command = OpenAccount(body.currency, body.time_zone, now, body.tax_jurisdiction)

        def decide(account: Account | None, _: int) -> Sequence[AccountEvent]:
            return accounts.decide(command, account, self.rates)

        metadata = asked.metadata(asked.command_id("account"), now, now.date())
        return await self.accounts.handle(f"billingaccount-{asked.account_id}", Command(metadata), decide)

    async def set_tax_jurisdiction(self, asked: Asked, body: TaxJurisdictionBody) -> Recorded:
        """From tomorrow on at the earliest. Raises Refused."""
        account = (await self.accounts.current(f"billingaccount-{asked.account_id}")).state
        now = self.clock.now()
        on = today(self.clock, account.time_zone) if account else now.date()
        command = SetTaxJurisdiction(body.jurisdiction, body.exemption, body.effective_from, on, asked.privileges)

        def decide(account: Account | None, _: int) -> Sequence[AccountEvent]:
            return accounts.set_tax_jurisdiction(command, account, self.rates)

        metadata = asked.metadata(asked.command_id("tax jurisdiction"), now, on)
        return await self.accounts.handle(f"billingaccount-{asked.account_id}", Command(metadata), decide)

    async def change_payment_method(self, asked: Asked, body: PaymentMethodBody) -> Recorded:
        """Raises Refused account_not_found for one that was never opened."""

        def decide(account: Account | None, _: int) -> Sequence[AccountEvent]:
            return accounts.change_payment_method(account, body.token, asked.privileges)

        now = self.clock.now()
        metadata = asked.metadata(asked.command_id("payment method"), now, now.date())
        return await self.accounts.handle(f"billingaccount-{asked.account_id}", Command(metadata), decide)

    async def publish(self, asked: Asked, book_id: str, version: int, body: PublishPriceBookBody) -> Recorded:
        on = self.clock.now().date()
        command = PublishPriceBook(
            book_id=book_id,
            book_version=version,
            effective_from=body.effective_from,
            applies_to_existing_from=body.applies_to_existing_from,
            products=body.products,
            on=on,
        )

        def decide(catalogue: Catalogue | None, _: int) -> Sequence[CatalogueEvent]:
            return catalogues.decide(command, catalogue)

        return await self._sell(asked, book_id, decide)

    async def withdraw(self, asked: Asked, book_id: str, version: int) -> Recorded:
        """A book that is not yet in force anywhere on earth: somewhere the day begins 14 hours before it does here."""
        latest = (self.clock.now() + FIRST_TO_HAVE_A_DAY).date()
        return await self._sell(asked, book_id, lambda books, _: catalogues.withdraw(books, book_id, version, latest))

    async def retire(self, asked: Asked, book_id: str, sku: str) -> Recorded:
        on = self.clock.now().date()
        return await self._sell(asked, book_id, lambda books, _: catalogues.retire(books, book_id, sku, on))

    async def _sell(
        self, asked: Asked, book_id: str, decide: Callable[[Catalogue | None, int], Sequence[CatalogueEvent]]
    ) -> Recorded:
        now = self.clock.now()
        metadata = asked.metadata(asked.command_id(f"catalogue-{book_id}"), now, now.date())
        return await self.catalogue.handle(f"catalogue-{book_id}", Command(metadata), decide)

    async def _decision(self, asked: Asked, bundle_id: str) -> "Decision":
        account = (await self.accounts.current(f"billingaccount-{asked.account_id}", MAX_AGE_S)).state
        catalogue = (await self.catalogue.current(f"catalogue-{BOOK}", MAX_AGE_S)).state
        if account is None:
            raise Refused("account_not_found")
        catalogue = catalogue or Catalogue()
        on = today(self.clock, account.time_zone)
        bases: frozenset[str] = frozenset()
        with suppress(Refused):  # not sold today: the decider says so, unless this repeats a start of when it was
            if isinstance(asked.body, StartPlanBody) and catalogue.product(asked.body.sku, on).requires:
                bases = await self.account_bases(asked.account_id, on)
        return Decision(asked, bundle_id, account, catalogue, on, bases, self.rates)

    def _hold_to_quote(
        self, decision: "Decision", plan: Plan | None, revision: int, events: Sequence[PlanEvent]
    ) -> None:
        body = decision.asked.body
        if not isinstance(body, Confirmable) or body.quote_token is None:
            return
        quoted = self.tokens.read(body.quote_token, self.clock.now())
        terms = decision.terms(revision, events)
        if (quoted.stream, quoted.request) != (terms.stream, terms.request):
            raise Refused("quote_forged")
        if quoted != terms:
            fresh = self._quote(decision, plan, revision, events)
            raise Refused("quote_stale", quote=fresh.model_dump(mode="json"))

    def _quote(self, decision: "Decision", plan: Plan | None, revision: int, events: Sequence[PlanEvent]) -> Quote:
        expires_at = self.clock.now() + quotes.VALID_FOR
        token = self.tokens.issue(decision.terms(revision, events), expires_at)
        before = plan.told if plan else None
        currency = decision.account.currency
        later, taxed = due_later(plan, events, decision.tax), decision.taxes(events)
        return quotes.quote(decision.asked.name, events, before, later, currency, taxed, decision.on, token, expires_at)


@dataclass(frozen=True, slots=True)
class Decision:
    """A command with everything it is decided on but the stream's state."""

    asked: Asked
    bundle_id: str
    account: Account
    catalogue: Catalogue
    on: date
    account_bases: frozenset[str]
    rates: TaxRates

    def taxes(self, events: Sequence[PlanEvent]) -> tuple[TaxLine, ...]:
        """What the invoices of these events will carry, as renewals will compute it: one for each that has money."""
        every: tuple[TaxLine, ...] = ()
        for event in events:
            every += self.tax(quotes.due_now([event], self.account.currency).lines)
        return every

    def tax(self, lines: Sequence[MoneyLine]) -> tuple[TaxLine, ...]:
        return taxes(lines, self.account.tax, self.rates)

    def events(self, plan: Plan | None, revision: int) -> list[PlanEvent]:
        starting = isinstance(self.asked.body, StartPlanBody)
        if plan is None and not starting:
            raise Refused("plan_not_found")
        command = plan_command(
            self.asked.body,
            bundle_id=self.bundle_id,
            on=self.on,
            change_id=f"change-{revision + 1}",  # unique in the stream, and the same in a quote and its commit
            privileges=self.asked.privileges,
            account_bases=self.account_bases,
        )
        return decider.decide(command, plan, self.account, self.catalogue)

    def terms(self, revision: int, events: Sequence[PlanEvent]) -> quotes.Terms:
        starting = isinstance(self.asked.body, StartPlanBody)
        book = self.catalogue.book_on(self.on)
        return quotes.Terms(
            stream=f"account {self.asked.account_id}" if starting else f"plan-{self.bundle_id}",
            revision=revision,
            request=self.asked.digest(),
            book=f"{book.book_id} {book.book_version}" if book else "",
            on=self.on.isoformat(),
            outcome=quotes.outcome_of(events, self.taxes(events)),
        )


def _bundle_id(command_id: uuid.UUID) -> str:
    return command_id.hex[:20]
