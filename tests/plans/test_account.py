"""A billing account has one currency and one time zone for good (DOMAIN M2, M3)."""

from datetime import date

import pytest

from contracts.money import Currency
from contracts.plans import AccountOpened
from contracts.problems import Refused
from services.plans.account import Account, decide, evolve
from services.plans.commands import OpenAccount

VIENNA = OpenAccount(Currency.EUR, "Europe/Vienna")


def opened() -> Account:
    (event,) = decide(VIENNA, None)
    return evolve(None, event, date(2026, 6, 1))


def test_an_account_is_opened_in_a_currency_and_a_time_zone() -> None:
    assert decide(VIENNA, None) == [AccountOpened(currency=Currency.EUR, time_zone="Europe/Vienna")]
    assert opened() == Account(Currency.EUR, "Europe/Vienna")


def test_opening_it_again_on_the_same_terms_changes_nothing() -> None:
    assert decide(VIENNA, opened()) == []


@pytest.mark.parametrize(
    "other", [OpenAccount(Currency.USD, "Europe/Vienna"), OpenAccount(Currency.EUR, "Europe/Berlin")]
)
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
        decide(OpenAccount(Currency.EUR, zone), None)
    assert refused.value.code == "time_zone_unknown"


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "posix/Europe/Vienna", "right/Europe/Vienna"])
def test_a_time_zone_means_the_same_on_every_machine(zone: str) -> None:
    with pytest.raises(Refused) as refused:
        decide(OpenAccount(Currency.EUR, zone), None)
    assert refused.value.code == "time_zone_unknown"
