"""A read model that remembers which events it was given, in which order: what is applied twice, or never, shows."""

from types import SimpleNamespace
from typing import Any

import orjson

from contracts.envelope import Envelope
from services.gateway.read_store import ReadStore

TABLE = "counted_v1"


def _apply(row: dict[str, Any] | None, event: Envelope) -> dict[str, Any]:
    if event.data.get("poison"):
        raise ValueError("no such licence")
    return {"positions": [*(row["positions"] if row else []), event.position]}


counted: Any = SimpleNamespace(
    TABLE=TABLE, CATEGORY="plan", key=lambda event: event.stream, account=lambda event: event.account_id, apply=_apply
)


async def positions(store: ReadStore, stream: str) -> list[int]:
    """Of the events a stream's row was made of."""
    row = await store.row(TABLE, stream)
    return orjson.loads(row)["positions"] if row else []


async def every_position(store: ReadStore) -> dict[str, list[int]]:
    return {key: orjson.loads(row or b"")["positions"] for key, _, _, row in await store.every_row(TABLE)}
