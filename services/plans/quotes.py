"""Quotes: what a command would do, and a token that lets it be done only so (DOMAIN B19)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from contracts.money import Currency, within_range
from contracts.plan_commands import DueLater, Quote
from contracts.plans import Money, MoneyLine, NextRenewal
from contracts.problems import Refused
from contracts.tax import TaxLine

VALID_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a token binds: the request, the state it was computed on, and what came out.

    request: digest of command and body. book: the price books known then. outcome: digest of events, money and tax.
    """

    stream: str
    revision: int
    request: str
    book: str
    on: str
    outcome: str


class QuoteTokens:
    """Signs and checks tokens with HMAC-SHA256 under a secret that every replica shares."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the quote secret needs at least 32 bytes")
        self._secret = secret

    def issue(self, terms: Terms, expires_at: datetime) -> str:
        payload = json.dumps({**asdict(terms), "expires_at": expires_at.timestamp()}).encode()
        return f"{_text(payload)}.{_text(self._mark(payload))}"

    def read(self, token: str, now: datetime) -> Terms:
        """The terms in a token of ours. Raises Refused quote_forged or quote_expired."""
        try:
            payload, mark = (_bytes(part) for part in token.split("."))
        except ValueError:
            raise Refused("quote_forged") from None
        if not hmac.compare_digest(mark, self._mark(payload)):
            raise Refused("quote_forged")
        members: dict[str, Any] = json.loads(payload)
        if now.timestamp() >= members.pop("expires_at"):
            raise Refused("quote_expired")
        return Terms(**members)

    def _mark(self, payload: bytes) -> bytes:
        return hmac.digest(self._secret, payload, "sha256")


def outcome_of(events: Sequence[BaseModel], taxed: Sequence[TaxLine]) -> str:
    """A digest of what a command would record and what tax it would cost, but for the id a new bundle would get: the
    rest holds no random part."""
    told = [f"{type(event).__name__} {event.model_dump_json(exclude={'bundle_id'})}" for event in events]
    text = "\n".join([*told, *(line.model_dump_json() for line in taxed)])
    return hashlib.sha256(text.encode()).hexdigest()


def due_now(events: Sequence[BaseModel], currency: Currency) -> Money:
    """The money of all events of one command as one net amount that opens into its parts."""
    lines: tuple[MoneyLine, ...] = ()
    for event in events:
        money: Money | None = getattr(event, "money", None)
        lines += money.lines if money else ()
    return Money(currency=currency, net_minor=sum(line.amount_minor for line in lines), lines=lines)


def next_renewal_after(events: Sequence[BaseModel], before: NextRenewal | None) -> NextRenewal | None:
    told: list[NextRenewal | None] = [getattr(event, "next_renewal", None) for event in events]
    found = [each for each in told if each]
    return found[-1] if found else before


def quote(
    command: str,
    events: Sequence[BaseModel],
    before: NextRenewal | None,
    later: DueLater | None,
    currency: Currency,
    taxed: tuple[TaxLine, ...],
    on: date,
    token: str,
    expires_at: datetime,
) -> Quote:
    due = due_now(events, currency)
    return Quote(
        command=command,
        effective_on=on,
        due_now=due,
        due_later=later,
        taxes=taxed,
        total_minor=within_range(due.net_minor + sum(line.tax_minor for line in taxed)),
        next_renewal_before=before,
        next_renewal_after=next_renewal_after(events, before),
        events=[type(event).__name__ for event in events],
        token=token,
        expires_at=expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    )


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
