"""Every log line is one JSON object that says which service and which request it belongs to."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from faststream.kafka import KafkaBroker

from services.chassis import logs


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    written = io.StringIO()
    monkeypatch.setenv("BILLING_LOG_FORMAT", "json")
    monkeypatch.setattr("sys.stderr", written)
    logs.setup("testing", "info")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.basicConfig(force=True, level=logging.WARNING)


def test_a_line_names_its_service_and_its_request(logged: Any) -> None:
    marked = logs.correlation_id.set("request-1")
    structlog.get_logger("a").warning("store_slow", seconds=1.5)
    logs.correlation_id.reset(marked)
    structlog.get_logger("a").info("started")
    slow, started = logged()
    assert (slow["event"], slow["level"], slow["seconds"]) == ("store_slow", "warning", 1.5)
    assert (slow["service"], slow["correlation_id"]) == ("testing", "request-1")
    assert "correlation_id" not in started


def test_other_libraries_speak_the_same_way_and_only_when_it_matters(logged: Any) -> None:
    KafkaBroker(logger=None)
    for name in ("uvicorn.error", "aiokafka.consumer", "faststream"):
        logging.getLogger(name).info("said at every step")
        logging.getLogger(name).warning("said once: %s", name)
    assert [line["event"] for line in logged()] == [
        f"said once: {name}" for name in ("uvicorn.error", "aiokafka.consumer", "faststream")
    ]


def test_what_a_client_sent_cannot_forge_a_line(logged: Any) -> None:
    structlog.get_logger("a").warning("refused", given='x"}\n{"event": "forged\ud800')
    (line,) = logged()
    assert line["event"] == "refused"


def test_a_value_without_a_json_form_does_not_lose_the_line(logged: Any) -> None:
    structlog.get_logger("a").warning("odd", value=object(), raw=b"\xff", more={1: {2}})
    (line,) = logged()
    assert line["event"] == "odd"


def test_an_exception_is_one_line_with_its_traceback(logged: Any) -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        structlog.get_logger("a").error("failed", exc_info=error)
    (line,) = logged()
    assert "ValueError: broken" in line["exception"]
