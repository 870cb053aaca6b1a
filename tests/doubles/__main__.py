"""`python -m tests.doubles`: a KurrentDB double as a process of its own; says its address, and ends with its stdin."""

import asyncio
import sys

from .kurrentdb import KurrentDouble


async def main() -> None:
    double = KurrentDouble()
    await double.start()
    print(double.uri, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await double.stop()


if __name__ == "__main__":
    asyncio.run(main())
