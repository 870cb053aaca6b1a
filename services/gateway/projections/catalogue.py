"""Catalogue, one row per price book: its versions. Which one is in force is a question of the day it is asked."""

from typing import Any

from contracts.envelope import Envelope

from .streams import check_next, id_in

TABLE = "catalogue_v1"
CATEGORY = "catalogue"


def key(envelope: Envelope) -> str | None:
    return id_in(CATEGORY, envelope)


def account(envelope: Envelope) -> str:
    return envelope.account_id


def apply(row: dict[str, Any] | None, envelope: Envelope) -> dict[str, Any] | None:
    check_next(row, envelope)
    versions: list[dict[str, Any]] = row["versions"] if row else []
    if envelope.type == "plans.PriceBookPublished":
        versions = [*versions, envelope.data]
    return {"book_id": key(envelope), "versions": versions, "revision": envelope.revision}
