"""The whole life of an account in EUR, in JPY and in KWD, beside each other in one portal: every amount worked by hand.

Five Pro from June 1, seven from June 11; renewed on July 1, paid at the third try, and on August 1; cancelled on August
11 with a refund from the next day on; three more from September 1, never paid, cut on September 22 to 21 of 30 days.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.plan_actions import Privilege
from deploy.local.launcher import TAX_RATES
from tests.portal import Portal

from .customer import EDITOR, Customer, Members

BOOK = Path(TAX_RATES).with_name("price_book_v1.json")
PRIVILEGES = (*EDITOR, Privilege.INFORMATION_READ, Privilege.INFORMATION_EDIT)


@dataclass(frozen=True)
class Life:
    """nets, taxes: of its invoices. first, renewed: what the summary says before and after the edit. shown: the total
    of the first invoice and of the refund. owed: what is left of the last invoice, and of that the tax."""

    currency: str
    zone: str
    jurisdiction: str
    nets: tuple[int, ...]
    taxes: tuple[int, ...]
    renewed: tuple[int, int]
    shown: tuple[str, str]
    owed: tuple[int, int]


LIVES = [
    Life(  # 15.99 a licence, 20 % in Austria
        "EUR",
        "Europe/Vienna",
        "AT",
        nets=(7995, 2132, 11193, 11193, -7221, 4797),
        taxes=(1599, 426, 2239, 2239, -1444, 959),
        renewed=(7995, 11193),
        shown=("95.94 EUR", "(86.65 EUR)"),
        owed=(3358 + 672, 672),
    ),
    Life(  # 2,400 a licence, 10 % in Japan, no minor units
        "JPY",
        "Asia/Tokyo",
        "JP",
        nets=(12000, 3200, 16800, 16800, -10839, 7200),
        taxes=(1200, 320, 1680, 1680, -1084, 720),
        renewed=(12000, 16800),
        shown=("13,200 JPY", "(11,923 JPY)"),
        owed=(5040 + 504, 504),
    ),
    Life(  # 5.200 a licence, billed in dinars and taxed at 19 % in Germany
        "KWD",
        "Asia/Kuwait",
        "DE",
        nets=(26000, 6933, 36400, 36400, -23484, 15600),
        taxes=(4940, 1317, 6916, 6916, -4462, 2964),
        renewed=(26000, 36400),
        shown=("30.940 KWD", "(27.946 KWD)"),
        owed=(10920 + 2075, 2075),
    ),
]


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with Portal(tmp_path_factory.mktemp("currencies") / "data", "--no-demo") as running:
        yield running


class Account(Customer):
    """Somebody who lives such a life."""

    def __init__(self, portal: Portal, life: Life) -> None:
        super().__init__(portal, life.currency.lower(), PRIVILEGES)
        self.life = life

    def open(self) -> None:
        terms = {"currency": self.life.currency, "time_zone": self.life.zone}
        self.answered(self.put("", {**terms, "tax_jurisdiction": self.life.jurisdiction}))
        self.bundle = self.started("workplace_pro", 5)

    def pays_with(self, token: str) -> None:
        self.answered(self.put("/payment-method", {"token": token}))

    def shown(self, what: str) -> Members:
        """Once all that is recorded is shown."""
        self.read("/product-cards", f"plans:{self._head('plans')}")
        return self.read(what, f"renewals:{self._head('renewals')}")

    def invoices(self) -> list[Members]:
        """The oldest first, each with all it says."""
        found = self.shown("/invoices")["invoices"][::-1]
        return [self.read(f"/invoices/{each['invoice_id']}") for each in found]

    def next_monthly(self) -> int:
        summary = self.read("/plan-summary", f"plans:{self._head('plans')}")
        return int(summary["monthly"]["next"]["amount_minor"])

    def _head(self, owner: str) -> int:
        feed = {"Authorization": f"Bearer {self.portal.auditor()}"}
        position: int = self.http.get(f"{self.portal.url(owner)}/events/head", headers=feed).json()["position"]
        return position


def go_on(portal: Portal, to: str) -> None:
    """To noon in UTC of a day of 2030; everything due by then has happened."""
    headers = {"Authorization": f"Bearer {portal.token('otto')}"}
    clock = f"{portal.url()}/api/v1/clock"
    wish = {"to": f"2030-{to}T12:00:00Z", "stand_still": True}
    portal.http.post(clock, json=wish, headers=headers).raise_for_status()
    portal.until(lambda: not portal.http.get(clock, headers=headers).raise_for_status().json()["moving_to"])


@pytest.fixture(scope="module")
def lived(portal: Portal) -> list[Account]:
    go_on(portal, "06-01")
    seller = {"Authorization": f"Bearer {portal.token('seller')}"}
    book = f"{portal.url()}/api/v1/catalogue/standard/versions/1"
    portal.http.put(book, content=BOOK.read_bytes(), headers=seller).raise_for_status()
    accounts = [Account(portal, life) for life in LIVES]
    for account in accounts:
        account.open()
        assert account.next_monthly() == account.life.renewed[0]
    go_on(portal, "06-11")
    for account in accounts:
        account.changed(account.bundle, "edit", {"quantity": 7})
        assert account.next_monthly() == account.life.renewed[1]
        account.pays_with("card-flaky")
    go_on(portal, "07-10")
    for account in accounts:
        account.pays_with("card")
    go_on(portal, "08-11")
    for account in accounts:
        wish = {"reason": "not_needed_now", "refund": True}
        quote = account.answered(account.post(f"/plans/{account.bundle}/quotes/cancel", wish))
        assert (quote["due_now"]["net_minor"], quote["total_minor"]) == (
            account.life.nets[4],
            account.life.nets[4] + account.life.taxes[4],
        )
        account.changed(account.bundle, "cancel", {**wish, "quote_token": quote["token"]})
    go_on(portal, "09-01")
    for account in accounts:
        account.pays_with("card-declined")
        account.started("workplace_pro", 3)
    go_on(portal, "10-05")
    return accounts


@pytest.fixture(params=range(len(LIVES)), ids=[life.currency for life in LIVES])
def account(request: pytest.FixtureRequest, lived: list[Account]) -> Account:
    return lived[request.param]


def test_every_invoice_says_net_tax_and_total_to_the_minor_unit(account: Account) -> None:
    life, invoices = account.life, account.invoices()
    assert tuple(each["net_minor"] for each in invoices) == life.nets
    assert tuple(tax["tax_minor"] for each in invoices for tax in each["taxes"]) == life.taxes
    totals = [net + tax for net, tax in zip(life.nets, life.taxes, strict=True)]
    assert [each["total_minor"] for each in invoices] == totals
    assert (invoices[0]["shown"], invoices[4]["shown"]) == life.shown
    assert [each["number"] for each in invoices] == [1, 2, 3, 4, 5, 6]
    issued = ["06-01", "06-11", "07-01", "08-01", "08-11", "09-01"]
    assert [each["issued_on"] for each in invoices] == [f"2030-{day}" for day in issued]


def test_a_renewal_is_paid_at_the_third_try_and_a_refund_is_paid_back(account: Account) -> None:
    renewal, refund = account.invoices()[2], account.invoices()[4]
    tries = [(each["on"], each["outcome"], each["amount_minor"]) for each in renewal["payments"]]
    total = account.life.nets[2] + account.life.taxes[2]
    days = [("2030-07-01", "failed"), ("2030-07-03", "failed"), ("2030-07-08", "succeeded")]
    assert tries == [(*day, total) for day in days]
    assert (refund["status"], refund["remains_minor"]) == ("collected", 0)


def test_what_was_never_paid_is_cut_to_the_days_served_with_their_tax(account: Account) -> None:
    last = account.invoices()[5]
    owed, _ = account.life.owed
    assert (last["status"], last["remains_minor"]) == ("uncollectible", owed)
    assert last["cut_minor"] == account.life.nets[5] + account.life.taxes[5] - owed
    assert len(last["payments"]) == 5


def test_nothing_renews_any_more(account: Account) -> None:
    assert account.shown("/plan-summary")["monthly"]["next"] is None
    assert {card["status"] for card in account.shown("/product-cards")["cards"]} == {"ended"}
