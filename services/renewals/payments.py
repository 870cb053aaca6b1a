"""The payment port, and the embedded provider: deterministic, so that what it does can be foreseen."""

from dataclasses import dataclass
from typing import Protocol

from contracts.money import Currency


@dataclass(frozen=True, slots=True)
class Charge:
    """attempt_id: the provider carries it out once, however often it is asked to. attempt: counts from 1."""

    attempt_id: str
    account_id: str
    token: str | None
    amount_minor: int
    currency: Currency
    attempt: int


class Declined(Exception):
    """The provider says no; the text is its reason."""


class Payments(Protocol):
    """Anything but Declined is a failure of the machine, and is tried again with the same id."""

    async def charge(self, charge: Charge) -> str:
        """The provider's reference. Raises Declined."""
        ...

    async def refund(self, charge: Charge) -> str:
        """Pays `amount_minor` back. The provider's reference."""
        ...


class EmbeddedPayments:
    """A token ending in -declined always fails, one in -flaky fails twice; all others, and none at all, succeed."""

    async def charge(self, charge: Charge) -> str:
        token = charge.token or ""
        if token.endswith("-declined"):
            raise Declined("card_declined")
        if token.endswith("-flaky") and charge.attempt <= 2:
            raise Declined("insufficient_funds")
        return f"embedded-{charge.attempt_id}"

    async def refund(self, charge: Charge) -> str:
        return f"embedded-refund-{charge.attempt_id}"
