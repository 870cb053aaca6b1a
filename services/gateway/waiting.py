"""Read your writes: a read may name a position, and waits until the read models have reached it."""

import re
from time import monotonic
from typing import Protocol

import aiohttp
import orjson
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from contracts.problems import Refused
from contracts.topics import Owner

HEADER, PARAMETER = "billing-min-position", "min_position"
LAST = 2**63 - 1  # no log has a later position
HOP_S = 0.5  # what asking renewals may take beyond its own waiting

_POSITION = re.compile(r"(plans|devices|renewals):(0|[1-9][0-9]{0,18})")


def wanted(request: Request) -> tuple[Owner, int] | None:
    """The position a read asks for, in the query or a header. Raises RequestValidationError when it is none."""
    place, text = "query", request.query_params.get(PARAMETER)
    if text is None:
        place, text = "header", request.headers.get(HEADER)
    if text is None:
        return None
    if (found := _POSITION.fullmatch(text)) and int(found[2]) <= LAST:
        return Owner(found[1]), int(found[2])
    name = PARAMETER if place == "query" else HEADER
    message = "a position looks like plans:42, as commands answer it"
    raise RequestValidationError([{"type": "position_malformed", "loc": (place, name), "msg": message}])


class Following(Protocol):
    """What chassis.consumer.Consumer offers."""

    async def wait_for(self, owner: Owner, account_id: str, position: int, timeout_s: float) -> bool: ...


class Waiter:
    """renewals_url: of the service that follows plans and says how far it is. wait_s: the longest a read waits."""

    def __init__(self, following: Following, session: aiohttp.ClientSession, renewals_url: str, wait_s: float) -> None:
        self._following = following
        self._session = session
        self._renewals_url = renewals_url.rstrip("/")
        self._wait_s = wait_s

    async def reached(self, owner: Owner, account_id: str, position: int) -> None:
        """Returns when this account's events up to `position` are in the read models. Raises read_model_behind."""
        await self._reached(owner, account_id, position, self._wait_s)

    async def effects_reached(self, account_id: str, position: int, authorization: str) -> None:
        """As `reached` for an event of plans, and for what renewals made of it."""
        deadline = monotonic() + self._wait_s
        head = await self._followed(account_id, position, authorization)
        # Plans too: whose account it is, is known from there, and renewals may be further than we are.
        for owner, wanted_position in ((Owner.RENEWALS, head), (Owner.PLANS, position)):
            await self._reached(owner, account_id, wanted_position, max(0.0, deadline - monotonic()))

    async def _reached(self, owner: Owner, account_id: str, position: int, wait_s: float) -> None:
        if not await self._following.wait_for(owner, account_id, position, wait_s):
            raise Refused("read_model_behind", wanted=f"{owner}:{position}")

    async def _followed(self, account_id: str, position: int, authorization: str) -> int:
        """The position of renewals by which it has dealt with the event of plans at `position`."""
        asked = {"owner": Owner.PLANS.value, "position": str(position), "account_id": account_id}
        try:
            async with self._session.get(
                f"{self._renewals_url}/consumed",
                params=asked,
                headers={"Authorization": authorization},
                timeout=aiohttp.ClientTimeout(total=self._wait_s + HOP_S),
                allow_redirects=False,
            ) as answer:
                if answer.status == 200:
                    return int(orjson.loads(await answer.read())["position"])
        except (aiohttp.ClientError, TimeoutError):
            pass  # whatever keeps it from telling, what we have is not known to be new enough
        raise Refused("read_model_behind", wanted=f"{Owner.PLANS}:{position}")
