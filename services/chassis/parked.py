"""What a consumer has set aside: to be looked at, and taken in again once what stood against it is mended."""

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request

from contracts.plan_actions import Privilege
from contracts.problems import Refused
from contracts.topics import Owner

from . import http
from .auth import EVERYWHERE, Caller
from .consumer import Consumer
from .sink import CannotApply

log = structlog.get_logger(__name__)


async def _consumer(request: Request, caller: Annotated[Caller, Depends(http.caller)]) -> Consumer:
    caller.require(EVERYWHERE, Privilege.AUDIT_READ)
    consumer: Consumer = request.state.consumer  # opened by the lifespan
    return consumer


Consuming = Annotated[Consumer, Depends(_consumer)]

router = APIRouter(tags=["parked"])


@router.get("/parked", summary="Streams that wait for an event to be mended")
async def read_parked(consumer: Consuming) -> list[dict[str, Any]]:
    return [
        {"owner": owner, "stream": stream}
        for owner, follower in consumer.followers.items()
        for stream in sorted(follower.parked_streams)
    ]


@router.post("/parked/{owner}/{stream}/replay", summary="Take in a parked stream, from its first parked event on")
async def replay_parked(consumer: Consuming, owner: Owner, stream: str) -> dict[str, int]:
    """How many events were taken in. 409 still_parked when the first of them still cannot be."""
    if owner not in consumer.followers or stream not in consumer.followers[owner].parked_streams:
        raise Refused("not_found")
    try:
        return {"replayed": await consumer.replay_parked(owner, stream)}
    except CannotApply as poison:
        log.warning("still_parked", owner=owner, stream=stream, exc_info=poison)
        raise Refused("still_parked", event=str(poison)) from poison
