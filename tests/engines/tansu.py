"""The embedded broker, as `billing run` starts it."""

import asyncio
import subprocess
import time

from deploy.local.broker import HOST, broker_command

from .broker import POLL_S, READY_S, answers, free_port


class Tansu:
    """Its topics are gone each time it starts."""

    forgets = True

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: ASYNC220
            broker_command(self.port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + READY_S
        while not await answers(self.bootstrap):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("the broker did not start")
            await asyncio.sleep(POLL_S)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
