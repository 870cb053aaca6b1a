"""Structured logs: one JSON object a line, each with its service and the correlation id of its request."""

import logging
import os
import sys
from contextvars import ContextVar
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

# Set once per request by chassis.http, and by whoever acts for an event; read by logs, problems and commands.
correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
traceparent: ContextVar[str] = ContextVar("traceparent", default="")


def setup(service: str, level: str = "info") -> None:
    """Sends structlog and the standard library's loggers (uvicorn, aiokafka) to stderr in one form.

    JSON lines, unless stderr is a terminal or BILLING_LOG_FORMAT says console (json forces JSON).
    """

    def add_context(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        if correlation := correlation_id.get():
            event["correlation_id"] = correlation
        return event

    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_context,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered()],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    _quieten()


def _rendered() -> list[Processor]:
    form = os.environ.get("BILLING_LOG_FORMAT") or ("console" if sys.stderr.isatty() else "json")
    if form == "console":
        # Plain tracebacks: the colourful ones show local variables, tokens among them, and take seconds to render.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def _quieten() -> None:
    """Libraries that say every ordinary step at `info`; their warnings still come through, in our form."""
    faststream = logging.getLogger("faststream")  # prints by itself what it does not pass on
    faststream.handlers.clear()
    faststream.propagate = True
    logging.getLogger("faststream.kafka").setLevel(logging.ERROR)  # warns that nobody makes topics by asking for them
    for name in ("uvicorn.error", "aiokafka", "faststream", "asyncio", "psycopg.pool"):
        if logging.getLogger().level <= logging.INFO:
            logging.getLogger(name).setLevel(logging.WARNING)
