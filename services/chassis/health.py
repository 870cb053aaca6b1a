"""Liveness and readiness: whether the process runs, and whether it can do its work, with a reason when it cannot."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

Check = Callable[[], Awaitable[None]]  # raises when it is not well; the exception's text is the reason

CHECK_TIMEOUT_S = 2.0


def health_router(service: str, checks: Mapping[str, Check]) -> APIRouter:
    """GET /health/live, and GET /health/ready with every check: {name, ok, reason}; 503 if one fails.

    `checks` is looked at anew for every request, so a lifespan may add to it.
    """
    router = APIRouter(tags=["health"])

    @router.get("/health/live", summary="The process runs")
    async def live() -> dict[str, str]:
        return {"service": service, "status": "live"}

    @router.get("/health/ready", summary="Every part it needs is well", responses={503: {"description": "Not ready"}})
    async def ready() -> JSONResponse:
        results = await asyncio.gather(*(_result(name, check) for name, check in list(checks.items())))
        well = all(result["ok"] for result in results)
        body = {"service": service, "ready": well, "checks": results}
        return JSONResponse(body, 200 if well else 503, {"Cache-Control": "no-store"})

    return router


async def _result(name: str, check: Check) -> dict[str, Any]:
    checking = asyncio.ensure_future(check())
    # Not `asyncio.timeout`: it waits until the check has given up, which takes psycopg 10 s with a frozen server.
    if not (await asyncio.wait((checking,), timeout=CHECK_TIMEOUT_S))[0]:
        checking.cancel()
        checking.add_done_callback(lambda done: done.cancelled() or done.exception())  # so that nobody warns of it
        return {"name": name, "ok": False, "reason": f"no answer within {CHECK_TIMEOUT_S:g} s"}
    try:
        checking.result()
    except Exception as error:  # whatever a check raises is its reason, never a broken readiness page
        return {"name": name, "ok": False, "reason": str(error) or type(error).__name__}
    return {"name": name, "ok": True, "reason": ""}
