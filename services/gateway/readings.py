"""Nobody reads an account's audit log unseen: before the first answer of a day, the plans service records who reads it.

While it cannot, nothing is shown. What is recorded is remembered here, so the second reading waits for nothing; after a
restart it is sent once more, and recorded no second time.
"""

from collections import OrderedDict

import orjson
from starlette.requests import Request

from contracts.plans import HistoryWay
from contracts.problems import Refused
from services.chassis import http

from .forwarding import Forwarder
from .inside import Commands
from .reads import Asked

REMEMBERED = 10_000


class Readings:
    """One gateway's."""

    def __init__(self, plans: Forwarder) -> None:
        self._plans = plans
        self._recorded: OrderedDict[tuple[str, str, str, str], None] = OrderedDict()

    async def record(self, request: Request, of: Asked, way: HistoryWay) -> None:
        """Raises Refused, with the owner's code, when it is not recorded."""
        caller = await http.caller(request)
        reading = caller.subject, of.account_id, way, of.reads.clock.now().date().isoformat()
        if reading in self._recorded:
            return
        commands = Commands(request, request.headers["authorization"], of.account_id)
        sent = commands.inner("POST", orjson.dumps({"way": way}), {"content-type": "application/json"}, {})
        answer = await self._plans.forward(sent, f"/api/v1/accounts/{of.account_id}/history-readings")
        if answer.status_code >= 400:
            raise Refused(orjson.loads(bytes(answer.body))["code"])
        self._recorded[reading] = None
        if len(self._recorded) > REMEMBERED:
            self._recorded.popitem(last=False)
