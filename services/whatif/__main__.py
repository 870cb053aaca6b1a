"""One fork in a process of its own, for `gateway.what_if.forks`: a question on standard input, an answer on standard
output. Ends with 1, and why on standard error, after a mistake of ours.

question: {account_id, now, wish (a WhatIfBody), feeds: {owner: url}, token, tax_rates, device_ratio, most_s}. Who asks
waits for most_s; twice that, and it ends by itself: who asked may have been killed.
answer: {answer: WhatIfAnswer} or {refused: code, facts}
"""

import asyncio
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis import logs
from services.chassis.feed import FeedClient, FeedUnavailable
from services.gateway.what_if.wish import WhatIfBody

from .comparison import what_if
from .fork import World
from .history import NeverStill, history_of


async def answered(question: dict[str, Any]) -> dict[str, Any]:
    wish = WhatIfBody.model_validate_json(orjson.dumps(question["wish"]))
    account_id, tax_rates = question["account_id"], question["tax_rates"]
    world = World(tax_rates and Path(tax_rates), question["device_ratio"])
    try:
        async with aiohttp.ClientSession() as session:
            feeds = {
                Owner(owner): FeedClient(url, session, lambda: question["token"])
                for owner, url in question["feeds"].items()
            }
            past = await history_of(account_id, feeds)
        answer = await what_if(account_id, past, datetime.fromisoformat(question["now"]), wish, world)
    except Refused as refused:
        return {"refused": refused.code, "facts": refused.facts}
    except FeedUnavailable as away:
        return {"refused": "owner_unavailable", "facts": {"reason": str(away)}}
    except NeverStill:
        return {"refused": "overloaded", "facts": {}}
    return {"answer": answer.model_dump(mode="json")}


def main() -> None:
    logs.setup("what-if", "error")
    question = orjson.loads(sys.stdin.buffer.read())
    signal.setitimer(signal.ITIMER_REAL, 2 * question["most_s"])
    answer = asyncio.run(answered(question))
    sys.stdout.buffer.write(orjson.dumps(answer))


if __name__ == "__main__":
    main()
