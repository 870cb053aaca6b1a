"""Catalogue, one row per price book: its versions, and the day from which each retired product is sold no longer.

Which version is in force is a question of the day it is asked.
"""

from typing import Any

from contracts.envelope import Envelope

from .streams import check_next, id_in

TABLE = "catalogue_v2"
CATEGORY = "catalogue"


def key(envelope: Envelope) -> str | None:
    return id_in(CATEGORY, envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: dict[str, Any] | None, envelope: Envelope) -> dict[str, Any] | None:
    check_next(row, envelope)
    versions: list[dict[str, Any]] = row["versions"] if row else []
    retired: dict[str, str] = row["retired"] if row else {}
    if envelope.type == "plans.PriceBookPublished":
        versions = [*versions, envelope.data]
    if envelope.type == "plans.PriceBookWithdrawn":
        versions = [each for each in versions if each["book_version"] != envelope.data["book_version"]]
    if envelope.type == "plans.ProductRetired":
        retired = {**retired, envelope.data["sku"]: envelope.data["retired_on"]}
    return {"book_id": key(envelope), "versions": versions, "retired": retired, "revision": envelope.revision}
