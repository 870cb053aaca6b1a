"""What is due when, and which units are rented: an index of the service's own log, in a small SQLite file.

It catches up to the end of the log before it answers, so an answer counts every command acknowledged before.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contracts import codec
from contracts.device_actions import LeaseStatus, OrderStatus
from contracts.devices import ShipmentDelivered
from contracts.envelope import Record
from services.chassis.clock import instant
from services.chassis.command_handler import CommandHandler
from services.chassis.derived_file import open_derived
from services.chassis.event_store import START, EventStore

from .carrier import Carrier
from .lease import Lease
from .order import Order
from .schedule import LeaseStep, OrderStep, next_lease_step, next_order_step, starting
from .shop import rented_units

CATEGORIES = ("deviceorder", "lease")
BATCH_EVENTS = 1_000
DELIVERED = f"devices.{ShipmentDelivered.__name__}"

Row = tuple[str | int | None, ...]

# Raise the version whenever what is written changes: an index of another version is built anew from the log.
VERSION = 1
SCHEMA = f"""
CREATE TABLE due (stream TEXT PRIMARY KEY, account_id TEXT NOT NULL, at TEXT NOT NULL, delivered_by TEXT);
CREATE INDEX due_by_instant ON due (at);
CREATE TABLE rented (stream TEXT, account_id TEXT NOT NULL, family TEXT, units INTEGER NOT NULL,
    PRIMARY KEY (stream, family)) WITHOUT ROWID;
CREATE INDEX rented_by_account ON rented (account_id);
CREATE TABLE followed (position INTEGER NOT NULL);
INSERT INTO followed VALUES ({START});
"""


@dataclass(frozen=True, slots=True)
class Due:
    """Something is due in a stream. delivered_by: of a lease that has not started, `order_id shipment_id`."""

    stream: str
    account_id: str
    at: str
    delivered_by: str | None


class DueIndex:
    """Made by `open`. A stream is in it once: with what is due next."""

    def __init__(
        self,
        db: sqlite3.Connection,
        store: EventStore,
        orders: CommandHandler[Order],
        leases: CommandHandler[Lease],
        carrier: Carrier,
    ) -> None:
        self._db = db
        self._store = store
        self._orders = orders
        self._leases = leases
        self._carrier = carrier
        self._following = asyncio.Lock()

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        store: EventStore,
        orders: CommandHandler[Order],
        leases: CommandHandler[Lease],
        carrier: Carrier,
    ) -> Iterator["DueIndex"]:
        db = open_derived(path, VERSION, SCHEMA)
        try:
            yield cls(db, store, orders, leases, carrier)
        finally:
            db.close()

    async def next_at(self) -> datetime | None:
        await self._catch_up()
        (at,) = self._db.execute("SELECT min(at) FROM due").fetchone()
        return datetime.fromisoformat(at).astimezone(UTC) if at else None

    async def due(self, now: datetime, limit: int) -> list[Due]:
        """What is due by `now`, earliest first; of one instant in a fixed order."""
        await self._catch_up()
        query = "SELECT stream, account_id, at, delivered_by FROM due WHERE at <= ? ORDER BY at, stream LIMIT ?"
        return [Due(*row) for row in self._db.execute(query, (instant(now), limit))]

    async def rented(self, account_id: str) -> dict[str, int]:
        """Units by family that an account has ordered or leased, and not given back."""
        await self._catch_up()
        query = "SELECT family, sum(units) FROM rented WHERE account_id = ? GROUP BY family"
        return dict(self._db.execute(query, (account_id,)).fetchall())

    async def _catch_up(self) -> None:
        async with self._following:
            (after,) = self._db.execute("SELECT position FROM followed").fetchone()
            records: list[Record] = []
            async for record in self._store.read_all(after, CATEGORIES):
                records.append(record)
                if len(records) == BATCH_EVENTS:
                    await self._take_in(records)
                    records.clear()
            await self._take_in(records)

    async def _take_in(self, records: Sequence[Record]) -> None:
        """Rows and position in one transaction. Streams are looked at as they are now: their later events find them so
        already. A delivery comes before what its leases have recorded, which takes the place of its rows."""
        if not records:
            return
        account_of = {record.stream: str(json.loads(record.metadata)["account_id"]) for record in records}
        begun = [row for record in records for row in await self._begun(record, account_of[record.stream])]
        looks = [await self._look(stream, account_id) for stream, account_id in account_of.items()]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO due VALUES (?, ?, ?, ?)", begun)
            for stream in account_of:
                self._db.execute("DELETE FROM due WHERE stream = ?", (stream,))
                self._db.execute("DELETE FROM rented WHERE stream = ?", (stream,))
            for due, rented in looks:
                self._db.executemany("INSERT INTO due VALUES (?, ?, ?, ?)", due)
                self._db.executemany("INSERT INTO rented VALUES (?, ?, ?, ?)", rented)
            self._db.execute("UPDATE followed SET position = ?", (records[-1].position,))

    async def _begun(self, record: Record, account_id: str) -> list[Row]:
        """Leases are due to start the moment their shipment is delivered."""
        if record.type != DELIVERED:
            return []
        delivered = codec.decode(record.type, record.version, record.data)
        assert isinstance(delivered, ShipmentDelivered)
        order = (await self._orders.current(record.stream)).state
        assert order is not None
        shipment = order.shipments[delivered.shipment_id]
        by, at = f"{order.order_id} {shipment.shipment_id}", instant(shipment.moved_at)
        return [(f"lease-{lease.lease_id}", account_id, at, by) for lease in starting(order, shipment)]

    async def _look(self, stream: str, account_id: str) -> tuple[list[Row], list[Row]]:
        """What is due in a stream, and what it adds to the units rented: an order its units, until it is cancelled; a
        lease that is over takes one away."""
        step: OrderStep | LeaseStep | None
        if stream.startswith("deviceorder-"):
            order = (await self._orders.current(stream)).state
            assert order is not None
            step = next_order_step(order, self._carrier)
            units = {} if order.status() is OrderStatus.CANCELLED else rented_units(order.contents.lines)
        else:
            lease = (await self._leases.current(stream)).state
            assert lease is not None
            step = next_lease_step(lease, self._carrier)
            units = {} if lease.status is LeaseStatus.ACTIVE else {lease.started.family: -1}
        due: list[Row] = [(stream, account_id, instant(step.at), None)] if step else []
        return due, [(stream, account_id, family, count) for family, count in units.items()]
