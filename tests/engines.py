"""Real engines for tests: a Kafka broker that can be killed, on a port of its own."""

import asyncio
import socket
import subprocess
import time
from contextlib import suppress

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.broker import HOST, broker_command

READY_S = 20.0


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        return int(bound.getsockname()[1])


class Broker:
    """An embedded broker; it has lost everything each time it starts."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        self._process = subprocess.Popen(
            broker_command(self.port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + READY_S
        while not await self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("the broker did not start")

    def kill(self) -> None:
        """As `kill -9` does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _answers(self) -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=500)
        try:
            async with asyncio.timeout(2):
                await admin.start()
                await admin.list_topics()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            with suppress(KafkaError, OSError):
                await admin.close()
        return True
