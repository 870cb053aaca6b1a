"""Forks of accounts, each in a process of its own: `python -m services.whatif`, which knows nothing of this one but
what it is told. So reads and commands are answered meanwhile, however much is rolled on, and what takes too long is
ended.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import structlog

from contracts.problems import Refused
from contracts.topics import Owner

from .wish import WhatIfBody

AT_ONCE = 2  # per gateway: each takes a core
MOST_S = 60.0  # 24 months of the demo account take 5, on a machine that does nothing else

log = structlog.get_logger(__name__)


class Forks:
    """urls: of the owners, whose feeds are read. token: called for every fork, gives one of an auditor of everything.

    tax_rates, device_ratio: as the owners have them.
    """

    def __init__(
        self, urls: Mapping[Owner, str], token: Callable[[], str], tax_rates: Path | None, device_ratio: int
    ) -> None:
        self._urls = urls
        self._token = token
        self._world = {"tax_rates": tax_rates and str(tax_rates.absolute()), "device_ratio": device_ratio}
        self._going_on = 0

    async def ask(self, account_id: str, now: datetime, wish: WhatIfBody) -> bytes:
        """The JSON of a WhatIfAnswer. Raises Refused: overloaded while AT_ONCE others are being answered,
        what_if_unfinished after MOST_S, owner_unavailable; RuntimeError for a mistake of ours."""
        if self._going_on >= AT_ONCE:
            raise Refused("overloaded")
        self._going_on += 1
        try:
            return await self._asked(
                {
                    "account_id": account_id,
                    "now": now,
                    "wish": wish.model_dump(mode="json"),
                    "feeds": {owner.value: url for owner, url in self._urls.items()},
                    "token": self._token(),
                    "most_s": MOST_S,
                    **self._world,
                }
            )
        finally:
            self._going_on -= 1

    async def _asked(self, question: Mapping[str, Any]) -> bytes:
        # Without our settings: where the real engines are is nothing it could know.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.whatif", stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        try:
            async with asyncio.timeout(MOST_S):
                answer, said = await process.communicate(orjson.dumps(question))
        except TimeoutError:
            raise Refused("what_if_unfinished", limit_s=MOST_S) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise RuntimeError(f"what if ended with {process.returncode}: {said.decode(errors='replace')[-2000:]}")
        members = orjson.loads(answer)
        if refused := members.get("refused"):
            raise Refused(refused, **members["facts"])
        return orjson.dumps(members["answer"])
