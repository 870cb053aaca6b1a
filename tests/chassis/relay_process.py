"""A relay in a process of its own, to be killed: store file, bootstrap address, frontier file, partitions, forgets."""

import asyncio
import sys
from pathlib import Path

from contracts.topics import Owner
from services.chassis.relay import Relay
from services.chassis.sqlite_store import SqliteEventStore


async def main(store: str, bootstrap: str, frontier: str, partitions: str, forgets: str = "False") -> None:
    log = await SqliteEventStore.open(Path(store), read_only=True)
    await Relay(Owner.PLANS, log, bootstrap, Path(frontier), int(partitions), forgets == "True").run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
