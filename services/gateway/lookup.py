"""Look-ups of many readers at once as one query: what is asked for while a query is under way is asked for together in
the next one. It begins after all of them have asked, so nobody gets a row older than one of his own would have been."""

import asyncio
from collections.abc import Awaitable, Callable

Find = Callable[[list[str]], Awaitable[dict[str, bytes | None]]]


class Lookup:
    """find: the rows there are, by key."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._asked: dict[str, asyncio.Future[bytes | None]] = {}
        self._finding: asyncio.Task[None] | None = None

    async def row(self, key: str) -> bytes | None:
        """Raises what `find` raises."""
        wanted = self._asked.get(key)
        if wanted is None:
            wanted = self._asked[key] = asyncio.get_running_loop().create_future()
        if self._finding is None:
            self._finding = asyncio.create_task(self._find_all())
        return await asyncio.shield(wanted)  # others may want it too

    async def _find_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            try:
                found = await self._find(list(asked))
            except Exception as error:
                for wanted in asked.values():
                    wanted.set_exception(error)
            else:
                for key, wanted in asked.items():
                    wanted.set_result(found.get(key))
        self._finding = None
