"""POST /read-models/rebuild: an operator has the read models built anew, and is told how that goes on."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import orjson
import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from contracts.plan_actions import Privilege
from services.chassis import http
from services.chassis.auth import EVERYWHERE, Caller
from services.chassis.feed import MEDIA_TYPE, FeedUnavailable

from .read_store import ReadStoreUnavailable
from .rebuilding import News

router = APIRouter(tags=["read models"])
log = structlog.get_logger(__name__)


@router.post(
    "/read-models/rebuild",
    summary="Build the read models anew beside those in use, compare them, and put them into their place",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}}},
)
async def rebuild_read_models(
    request: Request, caller: Annotated[Caller, Depends(http.caller)], compare_only: bool = False
) -> StreamingResponse:
    """A line of JSON per step; the last one is {"replaced":true}, with compare_only how many rows are different, or
    {"failed":…}, and then all is as it was. Ends with whoever asked."""
    caller.require(EVERYWHERE, Privilege.AUDIT_READ)
    log.info("rebuild", by=caller.subject, compare_only=compare_only)
    news: AsyncGenerator[News, None] = request.state.rebuild(compare_only)
    return StreamingResponse(_lines(news), media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})


async def _lines(news: AsyncGenerator[News, None]) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(news):
            async for each in news:
                yield orjson.dumps(each) + b"\n"
    except (ReadStoreUnavailable, FeedUnavailable) as reason:
        yield orjson.dumps({"failed": str(reason)}) + b"\n"
