"""DOMAIN M10: tax after netting, per code, half up; in every currency, for charges and credits alike."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.codec import decode, encode
from contracts.money import MAX_MINOR, AmountTooLarge, Currency
from contracts.plans import Money, MoneyLine, TaxTerms
from contracts.tax import TaxRate, TaxTable, table_in, tax_minor, taxes, terms_on
from tests.tax import HERE, TAXED_HERE, table

JUNE_1 = date(2026, 6, 1)
CODES = {"standard": 825, "hardware": 1000, "telephony": 1363, "books": 0}


def line(amount: int, code: str = "standard", since: date = JUNE_1) -> MoneyLine:
    return MoneyLine(
        line_id="line-1",
        sku="sku",
        name="Name",
        part="credit" if amount < 0 else "charge",
        quantity=1,
        full_minor=abs(amount),
        days_served=0,
        days=30,
        period_start=since,
        period_end=since + timedelta(days=30),
        amount_minor=amount,
        tax_code=code,
    )


@pytest.mark.parametrize(
    ("net", "rate_bp", "tax"),
    [
        (3277, 825, 270),  # USD 32.77 at 8.25 %: 2.703525
        (75308, 825, 6213),  # USD 753.08: 62.1291
        (4466, 2000, 893),  # EUR 44.66 at 20 %: 8.932
        (9000, 1000, 900),  # JPY 9000 at 10 %
        (9005, 1000, 901),  # JPY 9005: 900.5
        (5200, 500, 260),  # KWD 5.200 at 5 %
        (5210, 500, 261),  # KWD 5.210: 0.2605
        (-9005, 1000, -901),  # what the charge of the same took
        (6, 825, 0),
        (7, 825, 1),  # 0.5775
        (12345, 0, 0),
        (1, 10_000, 1),
    ],
)
def test_a_rate_of_a_net_is_half_up_away_from_nothing(net: int, rate_bp: int, tax: int) -> None:
    assert tax_minor(net, rate_bp) == tax


def test_there_is_one_line_per_code_of_what_is_left_after_netting() -> None:
    lines = [line(10_000), line(-4_000), line(5_990, "hardware"), line(1_500, "telephony"), line(700, "books")]
    found = taxes(lines, [TAXED_HERE], table(**CODES))
    assert [(tax.code, tax.net_minor, tax.rate_bp, tax.tax_minor) for tax in found] == [
        ("books", 700, 0, 0),
        ("hardware", 5_990, 1000, 599),
        ("standard", 6_000, 825, 495),
        ("telephony", 1_500, 1363, 204),
    ]


def test_rounding_is_per_invoice_and_code_and_not_per_line() -> None:
    (together,) = taxes([line(6)] * 100, [TAXED_HERE], table(825))
    assert together.tax_minor == 50  # one by one it would be 0


def test_what_comes_to_nothing_has_no_tax_line() -> None:
    assert taxes([line(500), line(-500)], [TAXED_HERE], table(825)) == ()
    assert taxes([], [TAXED_HERE], table(825)) == ()


def test_a_code_the_place_does_not_name_is_taxed_as_the_standard_one() -> None:
    (tax,) = taxes([line(1_000, "unheard_of")], [TAXED_HERE], table(825))
    assert (tax.code, tax.rate_bp) == ("unheard_of", 825)


def test_who_is_taxed_nowhere_has_no_tax_and_who_is_exempt_has_a_line_that_says_why() -> None:
    nowhere = TaxTerms(jurisdiction=None, exemption=None, effective_from=JUNE_1)
    exempt = TaxTerms(jurisdiction=HERE, exemption="certificate-7", effective_from=JUNE_1)
    assert taxes([line(1_000)], [], table(825)) == ()
    assert taxes([line(1_000)], [TAXED_HERE, nowhere], table(825)) == ()
    (tax,) = taxes([line(1_000)], [TAXED_HERE, exempt], table(825))
    assert (tax.rate_bp, tax.net_minor, tax.tax_minor, tax.exemption) == (0, 1_000, 0, "certificate-7")


def test_a_jurisdiction_without_rates_is_an_error_and_not_untaxed() -> None:
    elsewhere = TaxTerms(jurisdiction="ELSEWHERE", exemption=None, effective_from=JUNE_1)
    with pytest.raises(ValueError, match="ELSEWHERE"):
        taxes([line(1_000)], [elsewhere], table(825))


def rising() -> TaxTable:
    rates = (TaxRate(valid_from=date(2026, 1, 1), rate_bp=1900), TaxRate(valid_from=date(2026, 7, 1), rate_bp=2000))
    return TaxTable(jurisdictions={HERE: {"standard": rates}})


@pytest.mark.parametrize(
    ("on", "rate_bp"),
    [(date(2025, 12, 31), 0), (date(2026, 1, 1), 1900), (date(2026, 6, 30), 1900), (date(2026, 7, 1), 2000)],
)
def test_a_rate_is_valid_from_its_day_on(on: date, rate_bp: int) -> None:
    assert rising().rate_bp(HERE, "standard", on) == rate_bp


def test_a_term_is_taxed_as_on_its_first_day_so_a_refund_gives_back_the_tax_that_was_charged() -> None:
    """Charged in June at 19 %, refunded in July, when the rate is 20 %."""
    (charged,) = taxes([line(10_000, since=date(2026, 6, 15))], [TAXED_HERE], rising())
    (refunded,) = taxes([line(-10_000, since=date(2026, 6, 15))], [TAXED_HERE], rising())
    assert (charged.tax_minor, refunded.tax_minor) == (1900, -1900)


def test_of_two_terms_on_one_invoice_the_newer_one_counts() -> None:
    """A change of cycle: the rest of the old term is netted against the whole new one."""
    (tax,) = taxes([line(-400, since=date(2026, 6, 15)), line(1_000, since=date(2026, 7, 3))], [TAXED_HERE], rising())
    assert (tax.net_minor, tax.rate_bp, tax.tax_minor) == (600, 2000, 120)


def test_of_terms_of_tax_the_newest_that_has_begun_counts_and_of_two_from_one_day_the_later_one() -> None:
    first, second, third = (
        TaxTerms(jurisdiction=name, exemption=None, effective_from=on)
        for name, on in (("A", JUNE_1), ("B", date(2026, 7, 1)), ("C", date(2026, 7, 1)))
    )
    terms = [second, first, third]
    assert terms_on(terms, date(2026, 5, 31)) is None
    assert terms_on(terms, date(2026, 6, 30)) == first
    assert terms_on(terms, date(2026, 7, 1)) == third


@pytest.mark.parametrize(
    "codes",
    [
        {"hardware": [("2026-01-01", 100)]},
        {"standard": []},
        {"standard": [("2026-01-01", 100), ("2026-01-01", 200)]},
        {"standard": [("2026-01-02", 100), ("2026-01-01", 200)]},
        {"standard": [("2026-01-01", 10_001)]},
        {"standard": [("2026-01-01", -1)]},
    ],
)
def test_a_table_that_contradicts_itself_is_refused(codes: dict[str, list[tuple[str, int]]]) -> None:
    rates = {code: [{"valid_from": on, "rate_bp": bp} for on, bp in each] for code, each in codes.items()}
    with pytest.raises(ValidationError):
        TaxTable.model_validate_json(json.dumps({"jurisdictions": {HERE: rates}}))


def test_the_demo_comes_with_a_table_and_without_a_file_nobody_is_taxed() -> None:
    from deploy.local.launcher import TAX_RATES

    demo = table_in(TAX_RATES)
    assert demo.rate_bp("US-TX", "hardware", JUNE_1) == 825
    assert demo.rate_bp("DE", "standard", date(2020, 8, 1)) == 1600
    assert not table_in(None).knows("US-TX")


def test_a_code_is_told_in_events_unless_it_is_the_standard_one() -> None:
    """So what was written before there were codes reads as what is written now."""
    assert "tax_code" not in json.loads(line(100).model_dump_json())
    assert json.loads(line(100, "hardware").model_dump_json())["tax_code"] == "hardware"
    name, version, body = encode(
        decode(
            "plans.CapacityPurchased",
            1,
            _with_code("plans.CapacityPurchased", "hardware"),
        )
    )
    assert decode(name, version, body).model_dump()["line"]["tax_code"] == "hardware"


def _with_code(name: str, code: str) -> dict[str, object]:
    from tests.contracts.test_codec import HISTORY

    body: dict[str, object] = json.loads((HISTORY / f"{name}.v1.json").read_bytes())
    assert isinstance(body["line"], dict)
    body["line"]["tax_code"] = code
    return body


amounts = st.integers(-MAX_MINOR // 200, MAX_MINOR // 200)
coded = st.lists(st.tuples(amounts, st.sampled_from(list(CODES))), max_size=20)


@given(coded, st.sampled_from(list(Currency)))
def test_each_tax_is_within_half_a_minor_unit_of_its_rate_and_nets_add_up(
    charges: list[tuple[int, str]], currency: Currency
) -> None:
    lines = tuple(line(amount, code) for amount, code in charges)
    money = Money(currency=currency, net_minor=sum(amount for amount, _ in charges), lines=lines)
    found = taxes(money.lines, [TAXED_HERE], table(**CODES))
    assert sum(tax.net_minor for tax in found) == money.net_minor
    assert len({tax.code for tax in found}) == len(found)
    for tax in found:
        assert 2 * abs(tax.tax_minor * 10_000 - tax.net_minor * tax.rate_bp) <= 10_000


@given(coded, st.randoms())
def test_a_credit_of_everything_gives_back_every_tax_whatever_the_order(
    charges: list[tuple[int, str]], random: Any
) -> None:
    charged = taxes([line(amount, code) for amount, code in charges], [TAXED_HERE], table(**CODES))
    random.shuffle(charges)
    given_back = taxes([line(-amount, code) for amount, code in charges], [TAXED_HERE], table(**CODES))
    assert [(tax.code, tax.tax_minor) for tax in charged] == [(tax.code, -tax.tax_minor) for tax in given_back]


def test_a_tax_beyond_what_can_be_billed_is_refused() -> None:
    with pytest.raises(AmountTooLarge):
        taxes([line(MAX_MINOR), line(MAX_MINOR)], [TAXED_HERE], table(825))
