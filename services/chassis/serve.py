"""Runs an app in this process until SIGTERM or SIGINT, then drains it."""

import gc
import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import logs
from .settings import ListenerSettings

GRACEFUL_SHUTDOWN_S = 5
KEEP_ALIVE_S = 75
MAX_HEAD_BYTES = 64 * 1024


class _Bounded(HttpToolsProtocol):
    """Cuts off whoever sends a request line and headers without end: httptools keeps all of it, and copies it anew with
    every piece, before anybody is asked for a token."""

    _head_bytes: int | None = 0  # of an unfinished head; None while a body is read

    def data_received(self, data: bytes) -> None:
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request line and headers are too long.")

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._head_bytes = None

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes = 0


def run(app: FastAPI, settings: ListenerSettings) -> None:
    """Serves `app` on settings.host:port. Ends the process with one sentence when it cannot listen there."""
    logs.setup(app.title, settings.log_level)
    listener = listening(settings.host, settings.port)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=_Bounded,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
    )
    spare_the_collector()
    uvicorn.Server(config).run(sockets=[listener])


def spare_the_collector() -> None:
    """What was imported stays for ever, and decoding makes many short-lived objects: with the default thresholds the
    garbage collector takes a third of the time of reading a feed."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to host:port. Raises SystemExit with one sentence when that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise SystemExit(f"Cannot listen on {host} port {port}: {error.strerror or error}.") from None
    return listener
