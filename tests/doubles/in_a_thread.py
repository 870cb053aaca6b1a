"""A KurrentDB double for tests that block: it runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from .kurrentdb import KurrentDouble


class InAThread:
    """Between `with` and its end it serves at `uri`, but for while it is restarted."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kurrentdb-double", daemon=True)

    def __enter__(self) -> "InAThread":
        self._thread.start()
        self.node = KurrentDouble()
        self.node.log.append_as_a_stranger()
        self._done(self.node.start())
        return self

    def __exit__(self, *_: object) -> None:
        self._done(self.node.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def uri(self) -> str:
        return self.node.uri

    def stop(self) -> None:
        self._done(self.node.stop())

    def start(self) -> None:
        self._done(self.node.start())

    def _done(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)
