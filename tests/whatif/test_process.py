"""A fork's process ends by itself when nobody is left who would end it."""

import asyncio
import signal
import socket
import sys

import orjson


async def test_whoever_asked_may_be_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an owner that never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        question = {
            "account_id": "acme",
            "now": "2026-06-01T12:00:00+00:00",
            "wish": {"until": "2026-06-02"},
            "feeds": {"plans": url, "devices": url, "renewals": url},
            "token": "token",
            "tax_rates": None,
            "device_ratio": 1,
            "most_s": 0.2,
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.whatif", stdin=pipe, stdout=pipe)
        await process.communicate(orjson.dumps(question))
    assert process.returncode == -signal.SIGALRM
