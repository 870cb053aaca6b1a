"""The sums of an invoice, worked out anew in fractions: on purpose not by the functions that made the invoice."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from math import floor
from typing import Any

Doc = Mapping[str, Any]  # an invoice or a line of it, as it is recorded
STANDARD = "standard"


def wrong_sum(doc: Doc) -> str:
    """Which sum of an invoice is not that of its parts; empty when all are (DOMAIN M10)."""
    if doc["net_minor"] != sum(line["amount_minor"] for line in doc["lines"]):
        return "its net is not the sum of its lines"
    nets = {code: net for code, net in _by_code(doc).items() if net}
    if doc["taxes"] and [(each["code"], each["net_minor"]) for each in doc["taxes"]] != sorted(nets.items()):
        return "what is taxed is not its net, code by code"
    if any(each["tax_minor"] != tax(each["net_minor"], each["rate_bp"]) for each in doc["taxes"]):
        return "a tax is not its rate of its net, half up"
    if doc["total_minor"] != doc["net_minor"] + sum(each["tax_minor"] for each in doc["taxes"]):
        return "its total is not net and taxes"
    if doc["due_minor"] != max(0, doc["total_minor"] - doc["credit_minor"]):
        return "what is due is not its total less credit"
    return ""


def owed_when_cut(doc: Doc, until: str) -> int:
    """What the days served until a day are worth, with tax, less the credit that was applied (DOMAIN B16)."""
    served: Counter[str] = Counter()
    for line in doc["lines"]:
        served[line.get("tax_code", STANDARD)] += _served(line, date.fromisoformat(until))
    rates = {each["code"]: each["rate_bp"] for each in doc["taxes"]}
    owed = -int(doc["credit_minor"])
    for code, net in _by_code(doc).items():
        worth = max(min(0, net), min(served[code], max(0, net)))
        owed += worth + tax(worth, rates.get(code, 0))
    return max(0, owed)


def taxed_as_on(doc: Doc) -> str:
    """The first day of the newest term on an invoice: it is taxed as on that day."""
    return max((line["period_start"] for line in doc["lines"]), default="")


def tax(net_minor: int, rate_bp: int) -> int:
    return half_up(Fraction(net_minor * rate_bp, 10_000))


def half_up(amount: Fraction) -> int:
    """To a whole unit, halves away from zero."""
    return floor(abs(amount) + Fraction(1, 2)) * (-1 if amount < 0 else 1)


def _by_code(doc: Doc) -> Counter[str]:
    nets: Counter[str] = Counter()
    for line in doc["lines"]:
        nets[line.get("tax_code", STANDARD)] += line["amount_minor"]
    return nets


def _served(line: Doc, until: date) -> int:
    begun, days, given = int(line["days_served"]), int(line["days"]), -int(line["amount_minor"])
    gone = max(begun, min(days, (until - date.fromisoformat(line["period_start"])).days))
    worth = half_up(Fraction(line["full_minor"] * gone, days)) - half_up(Fraction(line["full_minor"] * begun, days))
    return worth if line["part"] == "charge" else -min(worth, given)
