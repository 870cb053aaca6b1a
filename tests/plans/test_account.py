"""A billing account has one currency and one time zone for good (DOMAIN M2, M3), and is taxed somewhere (M10)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from contracts.money import Currency
from contracts.plan_actions import Privilege
from contracts.plans import AccountEvent, AccountOpened, TaxJurisdictionSet
from contracts.problems import Refused
from contracts.tax import TaxTable, terms_on
from services.plans import account as accounts
from services.plans.account import Account, evolve, set_tax_jurisdiction
from services.plans.commands import OpenAccount, SetTaxJurisdiction
from tests.tax import HERE, table

JUNE_1 = date(2026, 6, 1)
RATES = TaxTable(jurisdictions={**table(825).jurisdictions, "THERE": table(1000).jurisdictions[HERE]})


def to_open(currency: Currency, zone: str, jurisdiction: str | None = None) -> OpenAccount:
    return OpenAccount(currency, zone, datetime(2026, 6, 1, 12, tzinfo=UTC), jurisdiction)


def decide(command: OpenAccount, account: Account | None) -> list[AccountEvent]:
    return accounts.decide(command, account, RATES)


VIENNA = to_open(Currency.EUR, "Europe/Vienna")


def opened() -> Account:
    (event,) = decide(VIENNA, None)
    return evolve(None, event, date(2026, 6, 1))


def test_an_account_is_opened_in_a_currency_and_a_time_zone() -> None:
    assert decide(VIENNA, None) == [AccountOpened(currency=Currency.EUR, time_zone="Europe/Vienna")]
    assert opened() == Account(Currency.EUR, "Europe/Vienna")


def test_opening_it_again_on_the_same_terms_changes_nothing() -> None:
    assert decide(VIENNA, opened()) == []


@pytest.mark.parametrize("other", [to_open(Currency.USD, "Europe/Vienna"), to_open(Currency.EUR, "Europe/Berlin")])
def test_its_terms_are_fixed(other: OpenAccount) -> None:
    with pytest.raises(Refused) as refused:
        decide(other, opened())
    assert refused.value.code == "account_exists"
    assert refused.value.facts == {"currency": "EUR", "time_zone": "Europe/Vienna"}


@pytest.mark.parametrize(
    "zone",
    ["", "Atlantis/Capital", "Europe", "../Europe/Vienna", "/etc/passwd", "Europe/Vienna\0", "\ud800", "x" * 300],
)
def test_a_time_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(Refused) as refused:
        decide(to_open(Currency.EUR, zone), None)
    assert refused.value.code == "time_zone_unknown"


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "posix/Europe/Vienna", "right/Europe/Vienna"])
def test_a_time_zone_means_the_same_on_every_machine(zone: str) -> None:
    with pytest.raises(Refused) as refused:
        decide(to_open(Currency.EUR, zone), None)
    assert refused.value.code == "time_zone_unknown"


# Tax


def to_set(jurisdiction: str | None = "THERE", **said: Any) -> SetTaxJurisdiction:
    given = {"exemption": None, "effective_from": None, "on": JUNE_1, "privileges": frozenset({Privilege.TAX_EDIT})}
    return SetTaxJurisdiction(jurisdiction, **{**given, **said})


def after(*events: AccountEvent) -> Account:
    account = None
    for event in events:
        account = evolve(account, event, JUNE_1)
    assert account is not None
    return account


def refusal(command: SetTaxJurisdiction, account: Account | None) -> str:
    with pytest.raises(Refused) as refused:
        set_tax_jurisdiction(command, account, RATES)
    return refused.value.code


def test_an_account_may_say_where_it_is_taxed_when_it_is_opened() -> None:
    """From today in its own zone on: at noon in UTC it is June 2 on Kiritimati."""
    opened, taxed = decide(to_open(Currency.USD, "Pacific/Kiritimati", HERE), None)
    assert isinstance(opened, AccountOpened)
    assert taxed == TaxJurisdictionSet(jurisdiction=HERE, exemption=None, effective_from=date(2026, 6, 2))
    again = after(opened, taxed)
    assert decide(to_open(Currency.USD, "Pacific/Kiritimati", HERE), again) == []
    assert decide(to_open(Currency.USD, "Pacific/Kiritimati"), again) == []
    with pytest.raises(Refused, match="account_exists"):
        decide(to_open(Currency.USD, "Pacific/Kiritimati", "THERE"), again)


def test_where_it_is_taxed_changes_tomorrow_at_the_earliest() -> None:
    """So that what was quoted today is charged today (DOMAIN B19)."""
    account = after(*decide(to_open(Currency.EUR, "Europe/Vienna", HERE), None))
    (told,) = set_tax_jurisdiction(to_set(), account, RATES)
    account = after(*decide(to_open(Currency.EUR, "Europe/Vienna", HERE), None), told)
    assert [terms_on(account.tax, JUNE_1 + timedelta(days=n)).jurisdiction for n in (0, 1)] == [HERE, "THERE"]  # type: ignore[union-attr]
    assert set_tax_jurisdiction(to_set(), account, RATES) == []
    assert refusal(to_set(effective_from=JUNE_1), account) == "date_out_of_range"
    (later,) = set_tax_jurisdiction(to_set(None, effective_from=date(2027, 1, 1)), account, RATES)
    assert later == TaxJurisdictionSet(jurisdiction=None, exemption=None, effective_from=date(2027, 1, 1))


def test_a_certificate_frees_of_tax_and_is_only_named() -> None:
    (told,) = set_tax_jurisdiction(to_set(HERE, exemption="certificate-7"), opened(), RATES)
    assert isinstance(told, TaxJurisdictionSet)
    assert told.exemption == "certificate-7"


def test_a_place_without_rates_is_refused() -> None:
    assert refusal(to_set("ATLANTIS"), opened()) == "jurisdiction_unknown"
    with pytest.raises(Refused, match="jurisdiction_unknown"):
        decide(to_open(Currency.EUR, "Europe/Vienna", "ATLANTIS"), None)


def test_where_an_account_is_taxed_is_said_by_operators() -> None:
    """DOMAIN B18: whoever could say it themselves could free themselves of tax."""
    assert refusal(to_set(privileges=frozenset({Privilege.INFORMATION_EDIT})), opened()) == "forbidden"
    assert refusal(to_set(), None) == "account_not_found"
