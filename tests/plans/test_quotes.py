"""A quote is the commit that did not happen, and its token binds what it was computed from (DOMAIN B19)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given as every
from hypothesis import strategies as st

from contracts.money import Currency
from contracts.problems import Refused
from services.plans.commands import PlanCommand
from services.plans.quotes import VALID_FOR, QuoteTokens, Terms, due_now, next_renewal_after, outcome_of, quote
from tests.plans.given import (
    JUNE_11,
    JUNE_15,
    Given,
    assign,
    buy,
    cancel,
    cancel_line,
    discard,
    edit,
    nothing,
    pro_monthly,
    reinstate,
    reinstate_line,
    resize,
    start,
    unassign,
    with_large_meetings,
)

NOW = datetime(2026, 6, 11, 10, tzinfo=UTC)
TOKENS = QuoteTokens(b"0123456789abcdef0123456789abcdef")
TERMS = Terms("plan-b1", 4, "digest", "standard 1", "2026-06-11", "outcome")
TOKEN = TOKENS.issue(TERMS, NOW + VALID_FOR)
EVERY_COMMAND: dict[str, Callable[[], tuple[Given, PlanCommand]]] = {
    "start": lambda: (nothing(), start()),
    "an increase": lambda: (pro_monthly(3), edit(6)),
    "an increase over a reduction": lambda: (pro_monthly(3).after(edit(2)), edit(6)),
    "a reduction": lambda: (pro_monthly(9), edit(6)),
    "a bigger product": lambda: (pro_monthly(9), edit(10, sku="workplace_business")),
    "a capacity": lambda: (pro_monthly(9), buy()),
    "another tier of it": lambda: (pro_monthly(9).after(buy("storage_30")), resize(sku="storage_200")),
    "less of it": lambda: (with_large_meetings(2), resize(quantity=1)),
    "an increase to come": lambda: (pro_monthly(3), edit(6, effective_on=JUNE_15)),
    "a line's end": lambda: (with_large_meetings(), cancel_line()),
    "a line that goes on after all": lambda: (with_large_meetings().after(cancel_line()), reinstate_line()),
    "a discard": lambda: (pro_monthly(9).after(edit(6)), discard()),
    "a cancellation": lambda: (pro_monthly(9), cancel()),
    "a cancellation of everything with a refund": lambda: (with_large_meetings(), cancel(refund=True, cascade=True)),
    "a reinstatement": lambda: (pro_monthly().after(cancel()), reinstate()),
    "an assignment": lambda: (pro_monthly(), assign()),
    "the end of an assignment": lambda: (pro_monthly().after(assign()), unassign()),
}


def refusal(token: str, now: datetime = NOW, tokens: QuoteTokens = TOKENS) -> str:
    with pytest.raises(Refused) as refused:
        tokens.read(token, now)
    return refused.value.code


def quoted(given: Given, command: PlanCommand) -> Any:
    events = given.when(command).events
    before = given.plan.next_renewal() if given.plan else None
    return quote("edit", events, before, None, Currency.USD, (), JUNE_11, TOKEN, NOW + VALID_FOR)


@pytest.mark.parametrize("asked", EVERY_COMMAND.values(), ids=EVERY_COMMAND)
def test_a_quote_tells_what_the_commit_charges_and_what_the_next_term_then_costs(
    asked: Callable[[], tuple[Given, PlanCommand]],
) -> None:
    given, command = asked()
    told, committed = quoted(given, command), given.after(command)
    before = given.plan.charged_minor if given.plan else {}
    charged = sum(committed.known().charged_minor.values()) - sum(before.values())
    assert told.due_now.net_minor == charged == sum(line.amount_minor for line in told.due_now.lines)
    assert told.next_renewal_after == committed.known().next_renewal()
    assert told.next_renewal_before == (given.plan.next_renewal() if given.plan else None)


@pytest.mark.parametrize("asked", EVERY_COMMAND.values(), ids=EVERY_COMMAND)
def test_the_same_question_has_the_same_outcome(asked: Callable[[], tuple[Given, PlanCommand]]) -> None:
    given, command = asked()
    assert outcome_of(given.when(command).events, ()) == outcome_of(given.when(command).events, ())


def test_different_questions_have_different_outcomes() -> None:
    questions = [asked() for asked in EVERY_COMMAND.values()]
    outcomes = [outcome_of(given.when(command).events, ()) for given, command in questions]
    assert len(set(outcomes)) == len(outcomes)


def test_the_id_a_new_bundle_would_get_is_no_part_of_the_outcome() -> None:
    once, again = (nothing().when(start(bundle_id=bundle_id)).events for bundle_id in ("new", "b2"))
    assert outcome_of(once, ()) == outcome_of(again, ())


def test_an_assignment_costs_nothing_and_leaves_the_next_renewal_as_it_is() -> None:
    given = pro_monthly()
    events, before = given.when(assign()).events, given.known().next_renewal()
    assert due_now(events, Currency.USD).lines == ()
    assert next_renewal_after(events, before) == before


def test_a_token_tells_its_terms_until_it_expires() -> None:
    assert TOKENS.read(TOKEN, NOW) == TERMS
    assert TOKENS.read(TOKEN, NOW + VALID_FOR - timedelta(seconds=1)) == TERMS
    assert refusal(TOKEN, NOW + VALID_FOR) == "quote_expired"


def test_every_replica_with_the_secret_reads_a_token_and_nobody_else() -> None:
    assert QuoteTokens(b"0123456789abcdef0123456789abcdef").read(TOKEN, NOW) == TERMS
    assert refusal(TOKEN, tokens=QuoteTokens(b"f" * 32)) == "quote_forged"


def test_a_short_secret_is_none() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        QuoteTokens(b"x" * 31)


PAYLOAD, MARK = TOKEN.split(".")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        PAYLOAD,
        f"{PAYLOAD}.",
        f".{MARK}",
        f"{TOKEN}.",
        f"{MARK}.{PAYLOAD}",
        "ü.ü",
        "e30.e30",
        "\0",
    ],
)
def test_what_is_no_token_is_forged(token: str) -> None:
    assert refusal(token) == "quote_forged"


@every(st.integers(0, len(PAYLOAD) - 1), st.sampled_from("abcABC012_-"))
def test_a_token_with_one_letter_changed_is_forged(place: int, letter: str) -> None:
    changed = f"{PAYLOAD[:place]}{letter}{PAYLOAD[place + 1 :]}.{MARK}"
    if changed != TOKEN:
        assert _refused_or_the_same(changed)


@every(st.text(max_size=50), st.text(max_size=50))
def test_no_text_is_a_token_by_chance(payload: str, mark: str) -> None:
    assert refusal(f"{payload}.{mark}") == "quote_forged"


def test_any_of_its_terms_changes_a_token() -> None:
    one, other = TERMS, Terms("plan-b2", 5, "x", "standard 2", "2026-06-12", "y")
    mixed = [Terms(*members) for members in product(*zip(_members(one), _members(other), strict=True))]
    assert len({TOKENS.issue(terms, NOW) for terms in mixed}) == 2**6


def _members(terms: Terms) -> tuple[Any, ...]:
    return terms.stream, terms.revision, terms.request, terms.book, terms.on, terms.outcome


def _refused_or_the_same(token: str) -> bool:
    """The last letter of base64 has bits that mean nothing; then the terms must be the very same."""
    try:
        return TOKENS.read(token, NOW) == TERMS
    except Refused as refused:
        return refused.code == "quote_forged"
