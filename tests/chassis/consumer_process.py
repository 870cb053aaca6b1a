"""A consumer in a process of its own, to be killed: name, ledger file, log file, bootstrap address, partitions."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

from contracts.topics import Owner
from services.chassis.consumer import Consumer
from services.chassis.sqlite_store import SqliteEventStore

from .ledger import StoreFeed
from .shared_ledger import SharedLedger


async def main(name: str, ledger: str, log: str, bootstrap: str, partitions: str) -> None:
    """Its feed is away: what Kafka does not bring, it does not have."""
    feed = StoreFeed(await SqliteEventStore.open(Path(log), read_only=True))
    feed.away = True
    with SharedLedger.open(Path(ledger), name) as sink:
        await Consumer(sink, {Owner.PLANS: feed}, bootstrap, "gateway", int(partitions)).run()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it, and we would too
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
