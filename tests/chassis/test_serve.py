"""A service as a process: it says when it cannot listen, and drains when it is asked to end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from services.chassis.serve import listening

PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from fastapi import APIRouter
from services.chassis import serve, settings
from services.chassis.auth import Authenticator
from services.chassis.http import create_app
from services.chassis.metrics import Metrics

given = settings.load(settings.ListenerSettings)
router = APIRouter()

@router.get("/slow")
async def slow() -> str:
    print("asked", flush=True)
    await asyncio.sleep(0.5)
    return "done"

@asynccontextmanager
async def lifespan(app):
    print("opened", flush=True)
    yield
    print("drained", flush=True)

serve.run(create_app("slow", lifespan, [router], Authenticator("absent", "i", "a"), {}, Metrics()), given)
"""


@contextmanager
def served(port: int) -> Iterator[subprocess.Popen[str]]:
    settings = {"PORT": port, "DATA_DIR": ".", "JWKS": "absent", "ISSUER": "i", "AUDIENCE": "a", "LOG_FORMAT": "json"}
    environment = {**os.environ, **{f"BILLING_{name}": str(value) for name, value in settings.items()}}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_port_in_use_is_one_clear_sentence() -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=rf"Cannot listen on 127\.0\.0\.1 port {port}: Address already in use\."):
            listening("127.0.0.1", port)
        with served(port) as process:
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.strip() == f"Cannot listen on 127.0.0.1 port {port}: Address already in use."


def test_an_answer_under_way_is_finished_before_the_process_ends() -> None:
    with listening("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    with served(port) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "opened\n"
        asked = _ask(port)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        answer = asked.makefile("rb").read()
        asked.close()
        assert answer.endswith(b'"done"')
        assert b"server:" not in answer.lower()
        assert process.stdout.readline() == "drained\n"
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)
        logged = [json.loads(line) for line in process.stderr]
    assert {line["level"] for line in logged} <= {"warning"}, "nothing but that the keys are absent"


def _ask(port: int) -> socket.socket:
    deadline = time.monotonic() + 10
    while True:
        try:
            asked = socket.create_connection(("127.0.0.1", port), 10)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
    asked.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return asked


def test_headers_without_end_are_cut_off() -> None:
    with listening("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    with served(port) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "opened\n"
        client = None
        while client is None:
            with suppress(ConnectionRefusedError):
                client = socket.create_connection(("127.0.0.1", port))
        client.settimeout(10)
        with client, pytest.raises(ConnectionError):  # reset or broken pipe, as it comes
            _send_headers_without_end(client)


def _send_headers_without_end(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(400):
        client.sendall(b"a" * 65_536)
