"""The frame of every service over HTTP: whatever is sent, the answer is a problem document with a stable code."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.responses import StreamingResponse

from contracts.plan_commands import EditPlanBody, PublishPriceBookBody, StartPlanBody
from contracts.problems import Refused
from services.chassis import logs
from services.chassis.auth import Authenticator, Caller
from services.chassis.event_store import OutcomeUnknown, StoreUnavailable, TooLarge
from services.chassis.health import Check
from services.chassis.http import MAX_BODY_BYTES, caller, create_app, json_body
from services.chassis.metrics import Metrics

from .tokens import AUDIENCE, ISSUER, Issuer

issuer = Issuer()
RAISED: dict[str, Exception] = {
    "unavailable": StoreUnavailable("disk full"),
    "unknown": OutcomeUnknown("timeout"),
    "large": TooLarge("300 KiB"),
    "refused": Refused("licences_assigned", assigned=9, requested=5),
    "surrogate": Refused("product_not_found", sku="\ud800"),
    "bug": ZeroDivisionError("a secret of ours"),
}


def _routes() -> APIRouter:
    router = APIRouter(prefix="/api/v1")

    @router.post("/plans")
    async def start(body: Annotated[StartPlanBody, Depends(json_body(StartPlanBody))]) -> dict[str, Any]:
        return {"sku": body.sku, "quantity": body.quantity}

    @router.post("/edits")
    async def edit(body: Annotated[EditPlanBody, Depends(json_body(EditPlanBody))]) -> dict[str, Any]:
        return {"quantity": body.quantity}

    @router.put("/books")
    async def book(body: Annotated[PublishPriceBookBody, Depends(json_body(PublishPriceBookBody))]) -> dict[str, Any]:
        return {"effective_from": body.effective_from.isoformat()}

    @router.get("/whoami")
    async def whoami(asking: Annotated[Caller, Depends(caller)]) -> dict[str, str]:
        return {"subject": asking.subject}

    @router.get("/raises/{what}")
    async def raises(what: str) -> None:
        raise RAISED[what]

    @router.get("/numbers/{number}")
    async def numbers(number: int) -> dict[str, int]:
        return {"number": number}

    @router.get("/context")
    async def context() -> Response:
        return Response(f"{logs.correlation_id.get()} {logs.traceparent.get()}")

    @router.get("/half")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half of it"
            raise ZeroDivisionError

        return StreamingResponse(parts())

    return router


@pytest.fixture(autouse=True)
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What was logged so far, as services log it."""
    written = io.StringIO()
    monkeypatch.setenv("BILLING_LOG_FORMAT", "json")
    monkeypatch.setattr("sys.stderr", written)
    logs.setup("testing")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.basicConfig(force=True, level=logging.WARNING)


@pytest.fixture
def checks() -> dict[str, Check]:
    return {}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def client(
    tmp_path_factory: pytest.TempPathFactory, checks: dict[str, Check], metrics: Metrics
) -> AsyncIterator[httpx2.AsyncClient]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    jwks = issuer.jwks_file(tmp_path_factory.mktemp("issuer"))
    app = create_app("testing", lifespan, [_routes()], Authenticator(str(jwks), ISSUER, AUDIENCE), checks, metrics)
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://testing")
    async with app.router.lifespan_context(app), http as client:
        yield client


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code, having checked that it is a whole problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["type"] == f"/problems/{document['code']}"
    assert document["title"]
    assert document["detail"]
    assert answer.headers["x-correlation-id"]
    return answer.status_code, document["code"]


BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "malformed_json"),
    "not JSON": (b"quantity=3", 400, "malformed_json"),
    "cut short": (b'{"sku": "workplace_pro"', 400, "malformed_json"),
    "two documents": (b"{} {}", 400, "malformed_json"),
    "not UTF-8": (b'{"sku": "\xff\xfe"}', 400, "malformed_json"),
    "UTF-16": ('{"sku": "a"}'.encode("utf-16"), 400, "malformed_json"),
    "a lone surrogate": (b'{"sku": "\\ud800"}', 400, "malformed_json"),
    "nested deeper than any stack": (b"[" * 200_000, 400, "malformed_json"),
    "nested deeply in a member": (b'{"sku": ' + b'{"a":' * 50_000 + b"}" * 50_001, 400, "malformed_json"),
    "a list": (b"[]", 422, "invalid_request"),
    "null": (b"null", 422, "invalid_request"),
    "an empty object": (b"{}", 422, "invalid_request"),
    "an unknown member": (b'{"sku": "a", "quantity": 1, "cycle": "monthly", "x": 1}', 422, "invalid_request"),
    "a quantity as text": (b'{"sku": "a", "quantity": "5", "cycle": "monthly"}', 422, "invalid_request"),
    "a quantity as fraction": (b'{"sku": "a", "quantity": 2.0, "cycle": "monthly"}', 422, "invalid_request"),
    "a quantity as truth": (b'{"sku": "a", "quantity": true, "cycle": "monthly"}', 422, "invalid_request"),
    "a quantity as null": (b'{"sku": "a", "quantity": null, "cycle": "monthly"}', 422, "invalid_request"),
    "a quantity of NaN": (b'{"sku": "a", "quantity": NaN, "cycle": "monthly"}', 422, "invalid_request"),
    "a quantity of infinity": (b'{"sku": "a", "quantity": -Infinity, "cycle": "monthly"}', 422, "invalid_request"),
    "a quantity of 1e400": (b'{"sku": "a", "quantity": 1e400, "cycle": "monthly"}', 422, "invalid_request"),
    "a quantity of 5000 digits": (b'{"sku": "a", "quantity": ' + b"9" * 5000 + b"}", 400, "malformed_json"),
    "a quantity of 0": (b'{"sku": "a", "quantity": 0, "cycle": "monthly"}', 422, "invalid_request"),
    "a cycle nobody has": (b'{"sku": "a", "quantity": 1, "cycle": "weekly"}', 422, "invalid_request"),
    "a sku with a line end": (b'{"sku": "a\\n", "quantity": 1, "cycle": "monthly"}', 422, "invalid_request"),
}


@pytest.mark.parametrize(("body", "status", "code"), BODIES.values(), ids=BODIES)
async def test_a_body_that_is_not_a_command_is_refused(
    client: httpx2.AsyncClient, body: bytes, status: int, code: str
) -> None:
    assert problem(await client.post("/api/v1/plans", content=body)) == (status, code)


async def test_a_sound_body_is_taken_whatever_its_content_type(client: httpx2.AsyncClient) -> None:
    body = b'{"sku": "workplace_pro", "quantity": 3, "cycle": "monthly"}'
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        answer = await client.post("/api/v1/plans", content=body, headers={"Content-Type": content_type})
        assert answer.json() == {"sku": "workplace_pro", "quantity": 3}


@pytest.mark.parametrize("on", ["2026-02-30", "2026-13-01", "20260101", "tomorrow", "2026-01-01T00:00:01", 20260101])
async def test_an_impossible_date_is_refused(client: httpx2.AsyncClient, on: object) -> None:
    answer = await client.put("/api/v1/books", json={"effective_from": on, "products": []})
    assert problem(answer) == (422, "invalid_request")
    assert ["body", "effective_from"] in [error["loc"] for error in answer.json()["errors"]]


async def test_an_answer_to_a_bad_body_tells_the_places_and_repeats_nothing_that_was_sent(
    client: httpx2.AsyncClient,
) -> None:
    sent = {"sku": "no such/secret-in-sku", "quantity": "secret-quantity", "cycle": "secret-cycle"}
    answer = await client.post("/api/v1/plans", json=sent)
    assert [error["loc"] for error in answer.json()["errors"]] == [["body", name] for name in sent]
    assert all(set(error) == {"loc", "message", "kind"} for error in answer.json()["errors"])
    assert "secret" not in answer.text


async def test_an_answer_to_a_thousand_unknown_members_stays_small(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/plans", json={f"{number}{'x' * 500}": 1 for number in range(1000)})
    assert problem(answer) == (422, "invalid_request")
    assert len(answer.content) < 8192


async def test_a_body_that_announces_too_much_is_refused_before_it_is_read(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/plans", content=b" " * (MAX_BODY_BYTES + 1))
    assert problem(answer) == (413, "body_too_large")
    assert answer.json()["limit_bytes"] == MAX_BODY_BYTES


async def test_a_chunked_body_is_cut_off_at_the_limit(client: httpx2.AsyncClient) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 65536
            yield b" " * 65536

    assert problem(await client.post("/api/v1/plans", content=chunks())) == (413, "body_too_large")


async def test_a_body_of_exactly_the_limit_is_read(client: httpx2.AsyncClient) -> None:
    body = b'{"sku": "a", "quantity": 1, "cycle": "monthly"}'
    answer = await client.post("/api/v1/plans", content=body + b" " * (MAX_BODY_BYTES - len(body)))
    assert answer.status_code == 200


async def test_an_address_that_is_not_there_and_a_method_it_does_not_take_are_problems(
    client: httpx2.AsyncClient,
) -> None:
    assert problem(await client.get("/api/v1/nothing")) == (404, "not_found")
    assert problem(await client.get("/api/v1/plans/")) == (404, "not_found")  # no redirect: it would repeat our Host
    wrong_method = await client.delete("/api/v1/plans")
    assert problem(wrong_method) == (405, "method_not_allowed")
    assert wrong_method.headers["allow"] == "POST"
    for page in ("/docs", "/redoc", "/openapi.json"):
        assert problem(await client.get(page)) == (404, "not_found")


async def test_a_parameter_of_another_kind_is_a_problem_without_an_echo(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/numbers/secret")
    assert problem(answer) == (422, "invalid_request")
    assert "secret" not in answer.text


FAILURES = {
    "unavailable": (503, "store_unavailable"),
    "unknown": (503, "outcome_unknown"),
    "large": (413, "body_too_large"),
    "refused": (409, "licences_assigned"),
    "surrogate": (404, "product_not_found"),
    "bug": (500, "internal_error"),
}


@pytest.mark.parametrize(("what", "expected"), FAILURES.items())
async def test_every_failure_is_a_problem(client: httpx2.AsyncClient, what: str, expected: tuple[int, str]) -> None:
    answer = await client.get(f"/api/v1/raises/{what}")
    assert problem(answer) == expected
    assert ("retry-after" in answer.headers) == (expected[0] == 503)


async def test_a_refusal_tells_its_facts(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/api/v1/raises/refused")).json()
    assert (document["assigned"], document["requested"]) == (9, 5)


async def test_our_own_mistake_is_logged_with_its_traceback_and_told_by_its_correlation_id_only(
    client: httpx2.AsyncClient, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    answer = await client.get("/api/v1/raises/bug", headers={"X-Correlation-Id": "asked-1"})
    assert "secret" not in answer.text
    assert answer.json()["correlation_id"] == "asked-1"
    (line,) = (line for line in logged() if line["event"] == "internal_error")
    assert (line["correlation_id"], line["service"], line["level"]) == ("asked-1", "testing", "error")
    assert "ZeroDivisionError: a secret of ours" in line["exception"]


async def test_an_answer_that_breaks_off_half_way_does_not_look_whole(client: httpx2.AsyncClient) -> None:
    with pytest.raises(ZeroDivisionError):  # the server, told so, cuts the connection
        await client.get("/api/v1/half")


@pytest.mark.parametrize("sent", ["a", "Order-66_x.y", "x" * 64])
async def test_a_sound_correlation_id_is_kept(client: httpx2.AsyncClient, sent: str) -> None:
    answer = await client.get("/api/v1/context", headers={"X-Correlation-Id": sent})
    assert answer.headers["x-correlation-id"] == sent == answer.text.split(" ")[0]


@pytest.mark.parametrize(
    "sent", ["", "x" * 65, "two words", 'x"}{"level":"error', "x\tlog", "<script>", "ünser", "../x"]
)
async def test_any_other_correlation_id_is_replaced(client: httpx2.AsyncClient, sent: str) -> None:
    answer = await client.get("/api/v1/context", headers={b"X-Correlation-Id": sent.encode()})
    made = answer.headers["x-correlation-id"]
    assert made != sent
    assert len(made) == 32
    assert answer.text == f"{made} "


async def test_a_sound_traceparent_is_kept_and_any_other_dropped(client: httpx2.AsyncClient) -> None:
    sound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (await client.get("/api/v1/context", headers={"traceparent": sound})).text.endswith(f" {sound}")
    for other in ("", sound.upper(), sound + "-x", f"00-{'0' * 32}-00f067aa0ba902b7-01", "ff" + sound[2:]):
        assert (await client.get("/api/v1/context", headers={"traceparent": other})).text.endswith(" ")


async def test_requests_at_once_do_not_mix_their_correlation_ids(client: httpx2.AsyncClient) -> None:
    async def ask(number: int) -> bool:
        sent = f"request-{number}"
        answer = await client.get("/api/v1/context", headers={"X-Correlation-Id": sent})
        return answer.text == f"{sent} " and answer.headers["x-correlation-id"] == sent

    assert all(await asyncio.gather(*(ask(number) for number in range(50))))


async def test_a_caller_is_asked_for_a_token(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/whoami")
    assert problem(answer) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    answer = await client.get("/api/v1/whoami", headers={"Authorization": f"Bearer {issuer.token()}"})
    assert answer.json() == {"subject": "user-1"}


async def test_readiness_names_every_check_and_its_reason(client: httpx2.AsyncClient, checks: dict[str, Check]) -> None:
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)

    async def well() -> None: ...

    async def away() -> None:
        raise StoreUnavailable("disk full")

    checks.update(store=well, kafka=away)
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert {check["name"]: (check["ok"], check["reason"]) for check in answer.json()["checks"]} == {
        "store": (True, ""),
        "kafka": (False, "disk full"),
        "token_keys": (True, ""),
    }
    assert (await client.get("/health/live")).status_code == 200


async def test_a_check_that_hangs_is_a_reason_too(
    client: httpx2.AsyncClient, checks: dict[str, Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.chassis.health.CHECK_TIMEOUT_S", 0.01)
    checks["kafka"] = asyncio.Event().wait  # type: ignore[assignment]
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert "no answer within" in answer.text


async def test_a_check_that_is_slow_to_give_up_is_not_waited_for(
    client: httpx2.AsyncClient, checks: dict[str, Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.chassis.health.CHECK_TIMEOUT_S", 0.01)
    answered, gave_up = asyncio.Event(), asyncio.Event()

    async def stuck() -> None:
        try:
            await asyncio.Event().wait()
        finally:  # as psycopg does, which asks a server that stands still to undo the query
            await answered.wait()
            gave_up.set()

    checks["database"] = stuck
    async with asyncio.timeout(5):
        answer = await client.get("/health/ready")
    assert "no answer within" in answer.text
    answered.set()
    await gave_up.wait()


async def test_requests_are_counted_by_route_and_status_and_gauges_read_when_asked(
    client: httpx2.AsyncClient, metrics: Metrics
) -> None:
    lag = {"plans": 3}
    metrics.gauge("billing_lag_events", "Events behind", lambda: {(name,): n for name, n in lag.items()}, ("owner",))
    metrics.gauge("billing_lag_seconds", "Seconds behind", lambda: 0.5)
    for path in ("/api/v1/numbers/1", "/api/v1/numbers/2", "/api/v1/numbers/x", "/nothing/a", "/nothing/b"):
        await client.get(path)
    lag["plans"] = 4
    text = (await client.get("/metrics")).text
    counted = 'billing_http_request_seconds_count{method="GET",route='
    assert counted + '"/api/v1/numbers/{number}",status="200"} 2.0' in text
    assert counted + '"/api/v1/numbers/{number}",status="422"} 1.0' in text
    assert counted + '"none",status="404"} 2.0' in text
    assert 'billing_lag_events{owner="plans"} 4.0' in text
    assert "billing_lag_seconds 0.5" in text
