"""Pictures as numbers: how long each bar is, and the table that says the same in words. Templates draw them."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from contracts.terms import Cycle

from .api import Members
from .formats import Formats

MONTHS = 12
WIDE = 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """share, part: of the longest bar, 0 to 100. part: what is told apart within it. row: of the table."""

    label: str
    share: float
    part: float
    row: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """kind: columns or rows. head: of the table. alt: the whole in one sentence."""

    name: str
    kind: str
    title: str
    alt: str
    head: tuple[str, ...]
    bars: tuple[Bar, ...]
    legend: tuple[str, str] | None = None


def forecast(renewals: list[Members], today: date, f: Formats) -> Chart:
    """What renews in each of twelve months from the next renewal on, if nothing changes."""
    due = [date.fromisoformat(renewal["due_on"]) for each in renewals for renewal in each["renewals"]]
    months = [_months_on(min(due, default=today).replace(day=1), number) for number in range(MONTHS)]
    amounts: dict[tuple[date, str], int] = defaultdict(int)
    currency = "USD"
    for of_cadence in renewals:
        monthly = of_cadence["cadence"] == Cycle.MONTHLY
        for renewal in of_cadence["renewals"]:
            currency = renewal["currency"]
            first = date.fromisoformat(renewal["due_on"]).replace(day=1)
            for month in months:
                if month == first or (monthly and month > first):
                    amounts[month, of_cadence["cadence"]] += renewal["amount_minor"]
    totals = [amounts[month, "monthly"] + amounts[month, "annual"] for month in months]
    most = max(totals) or 1
    bars = tuple(
        Bar(
            f.month(month),
            WIDE * total / most,
            WIDE * amounts[month, "annual"] / most,
            (
                f"{f.month(month)} {month.year}",
                *(f.money(amounts[month, each], currency) for each in ("monthly", "annual")),
                f.money(total, currency),
            ),
        )
        for month, total in zip(months, totals, strict=True)
    )
    alt = f"Renewals of the next twelve months: {f.money(sum(totals), currency)} in all before tax, if nothing changes."
    head = ("Month", "Monthly plans", "Annual plans", "Total")
    return Chart("forecast", "columns", "Renewal forecast", alt, head, bars, ("Monthly", "Annual"))


def spend(renewals: list[Members], f: Formats) -> Chart:
    """What each product costs in a year before tax, if nothing changes."""
    yearly: dict[str, int] = defaultdict(int)
    currency = "USD"
    for of_cadence in renewals:
        times = 12 if of_cadence["cadence"] == Cycle.MONTHLY else 1
        for renewal in of_cadence["renewals"]:
            currency = renewal["currency"]
            for line in renewal["lines"]:
                yearly[line["product"]] += line["amount_minor"] * times
    total, most = sum(yearly.values()), max(yearly.values(), default=0) or 1
    bars = tuple(
        Bar(name, WIDE * amount / most, 0, (name, f.money(amount, currency)))
        for name, amount in sorted(yearly.items(), key=lambda item: -item[1])
    )
    alt = f"Spend by product: {f.money(total, currency)} a year before tax, if nothing changes."
    return Chart("spend", "rows", "Spend by product, a year", alt, ("Product", "A year"), bars)


def usage(cards: list[Members], f: Formats) -> Chart:
    """How many of the bought licences are given to somebody."""
    live = [card for card in cards if card["status"] != "ended"]
    bars = tuple(
        Bar(
            card["name"],
            WIDE,
            WIDE * card["licences"]["assigned"] / card["licences"]["total"],
            (card["name"], f"{f.number(card['licences']['assigned'])} of {f.number(card['licences']['total'])}"),
        )
        for card in live
    )
    used, bought = (sum(card["licences"][name] for card in live) for name in ("assigned", "total"))
    alt = f"Licences: {f.number(used)} of {f.number(bought)} are assigned."
    return Chart("usage", "rows", "Licences used of bought", alt, ("Product", "Assigned"), bars, ("Bought", "Used"))


def _months_on(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    return first.replace(year=first.year + years, month=month + 1)
