"""A load generator that costs little beside what it measures: raw HTTP/1.1 over kept connections."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ANSWER_TIMEOUT_S = 30.0

Messages = Callable[[int], Iterator[bytes]]  # by client


@dataclass(frozen=True, slots=True)
class Load:
    """answers: how many, in how many seconds, and a body of those that were not 2xx, by status."""

    answers: int
    seconds: float
    failures: dict[int, bytes]
    latencies_s: list[float]

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole HTTP/1.1 request. headers: `If_Match="*"` becomes `If-Match: *`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def run(host: str, port: int, clients: int, seconds: float, next_request: Messages) -> Load:
    """`clients` connections, each sending the next request of its own iterator when the last one is answered."""
    failures: dict[int, bytes] = {}
    latencies: list[float] = []
    begun = time.perf_counter()
    deadline = begun + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            for message in next_request(number):
                sent = time.perf_counter()
                if sent >= deadline:
                    return
                writer.write(message)
                status, body = await asyncio.wait_for(answer(reader), ANSWER_TIMEOUT_S)
                latencies.append(time.perf_counter() - sent)
                if not 200 <= status < 300:
                    failures[status] = body
        finally:
            writer.close()

    await asyncio.gather(*map(client, range(clients)))
    return Load(len(latencies), time.perf_counter() - begun, failures, latencies)


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of one answer with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            length = int(line[15:])
    return int(head[9:12]), await reader.readexactly(length)
