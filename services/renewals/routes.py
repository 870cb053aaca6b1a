"""How far renewals have followed plans: lets a reader wait for the effects of its own command."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request

from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis import http
from services.chassis.auth import Caller
from services.chassis.consumer import Consumer
from services.chassis.event_store import EventStore

WAIT_S = 2.0


router = APIRouter()


@router.get("/consumed", summary="Wait until an event of another owner has had its effects here")
async def consumed(
    request: Request,
    caller: Annotated[Caller, Depends(http.caller)],
    owner: Literal[Owner.PLANS],  # the only one followed
    account_id: str,
    position: Annotated[int, Query(ge=0, le=2**62)],
) -> dict[str, int]:
    """The position of this log by which the effects of the owner's event at `position` are recorded.

    503 read_model_behind when that takes longer than WAIT_S.
    """
    caller.privileges_in(account_id)
    consumer: Consumer = request.state.consumer
    store: EventStore = request.state.store
    if not await consumer.wait_for(owner, account_id, position, WAIT_S):
        raise Refused("read_model_behind")
    return {"position": await store.head()}
