"""What if over HTTP: POST, because it takes commands, though nothing comes of them."""

from starlette.requests import Request
from starlette.responses import Response

from contracts.plan_actions import Privilege
from contracts.problems import Refused
from services.chassis import http
from services.gateway.forwarded import ACCOUNT
from services.gateway.reads import admitted

from .forks import Forks
from .wish import WhatIfBody

WHAT_IF = f"{ACCOUNT}/what-if"

_body = http.json_body(WhatIfBody)


async def ask_what_if(request: Request) -> Response:
    """For who may see plans and invoices: the answer shows both, as they would be, and nothing else of the history.
    What the commands themselves would need is not asked for, since nothing is done.

    Raises Refused as a read, as WhatIfBody.checked, and as Forks.ask.
    """
    of = await admitted(request, privilege=Privilege.SUBSCRIPTION_READ)
    if Privilege.INFORMATION_READ not in of.privileges:
        raise Refused("forbidden", privilege=Privilege.INFORMATION_READ)
    wish = await _body(request)
    forks: Forks = request.state.forks
    now = of.reads.clock.now()
    answer = await forks.ask(of.account_id, now, wish.checked(now))
    return Response(answer, headers={"Cache-Control": "private, no-store"}, media_type="application/json")
