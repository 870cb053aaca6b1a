"""An owner of events, asked over HTTP to do what is due (chassis.due)."""

from collections.abc import Callable
from datetime import datetime

import aiohttp
import orjson

from .forwarding import CONNECT_S, POOL_S
from .mover import Settled

SETTLE_S = 30.0  # one that is still at it by then is asked again, and the clock tells meanwhile whom it waits for
TIMEOUT = aiohttp.ClientTimeout(total=SETTLE_S, connect=POOL_S, sock_connect=CONNECT_S)


class Unsettled(OSError):
    """An owner could not be asked, or did not come to an end; the text is one sentence."""


class SettlingOwner:
    """url: the owner's origin. token: called for every request, gives one that may edit clocks."""

    def __init__(self, name: str, url: str, session: aiohttp.ClientSession, token: Callable[[], str]) -> None:
        self.name = name
        self._url, self._session, self._token = url.rstrip("/"), session, token

    async def settle(self) -> Settled:
        """Raises Unsettled; OSError when there is no token."""
        try:
            async with self._session.post(
                f"{self._url}/settle",
                headers={"Authorization": f"Bearer {self._token()}"},
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except TimeoutError as error:
            raise Unsettled(f"{self.name} has not settled within {SETTLE_S:g} s.") from error
        except aiohttp.ClientError as error:
            raise Unsettled(f"{self.name} is away: {error or type(error).__name__}.") from error
        try:
            members = orjson.loads(body)
            if waits_for := members.get("owner"):
                raise Unsettled(f"{self.name} waits for {waits_for}, which is away.")
            if answer.status != 200:
                raise Unsettled(f"{self.name} could not settle: {answer.status} {members['code']}.")
            due = members["next_due_at"]
            return Settled(int(members["head"]), datetime.fromisoformat(due) if due else None)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Unsettled(f"{self.name} answered {answer.status} with something else than where it is.") from error
