"""`billing replay` in a portal that runs on this machine."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from contracts.topics import Owner, topic_of
from services.chassis import kafka
from services.chassis.event_store import START
from services.chassis.feed import FeedClient, FeedUnavailable
from services.chassis.selection import Selection
from services.replay import to_topic
from services.replay.formats import Format
from services.replay.replaying import Part, Sink, parts_of, replay
from services.replay.to_file import CannotReplay, File, Stream

from .folder import Folder
from .issuer import DevelopmentIssuer

PARTITIONS = 4
OURS = frozenset(map(topic_of, Owner))


@dataclass(frozen=True, slots=True)
class Wish:
    """after, until: positions, of an only owner. output, topic: where to; standard output when neither is said."""

    owners: Sequence[Owner]
    selection: Selection
    after: int = START
    until: int | None = None
    written: Format = Format.JSONL
    output: Path | None = None
    topic: str | None = None

    def check(self) -> None:
        """Raises CannotReplay."""
        if len(self.owners) > 1 and (self.topic or self.after or self.until is not None):
            raise CannotReplay("Positions and topics are of one owner: say which with --owner.")
        if self.topic in OURS:
            raise CannotReplay(f"{self.topic} is ours: choose a topic of your own.")
        if self.topic and self.output:
            raise CannotReplay("Say --output or --topic, not both.")


def command(folder: Folder, wish: Wish) -> None:
    """Raises SystemExit with what stands against it."""
    try:
        wish.check()
        asyncio.run(_replay(folder, wish))
    except (CannotReplay, kafka.WrongPartitions, kafka.SendFailed, KafkaError, OSError) as problem:
        raise SystemExit(f"{problem}") from None
    except FeedUnavailable as problem:
        raise SystemExit(f"The log cannot be read: {problem}. The same command goes on where it stopped.") from None


async def _replay(folder: Folder, wish: Wish) -> None:
    parts = folder.read_state()["parts"]
    issuer = DevelopmentIssuer(folder.issuer)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        feeds = {
            owner: FeedClient(parts[owner]["url"], session, lambda: issuer.service_token("gateway")) for owner in Owner
        }
        planned = await parts_of(feeds, wish.owners, wish.after, wish.until)
        sink: Sink
        if wish.output:
            file = File(wish.output, wish.selection, wish.written)
            planned, sink = file.begun(planned), file
            stack.callback(file.close)
        elif wish.topic:
            address = parts["broker"]["url"].partition("://")[2]
            sink = await stack.enter_async_context(to_topic.opened(address, wish.topic, PARTITIONS, forgets=True))
        else:
            sink = Stream(sys.stdout.buffer, wish.written)
        await _with_progress(feeds, planned, wish.selection, sink)
        if wish.output:
            file.finish()


async def _with_progress(
    feeds: dict[Owner, FeedClient], parts: Sequence[Part], selection: Selection, sink: Sink
) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {
            part.owner: progress.add_task(part.owner, total=part.until, completed=min(part.after, part.until))
            for part in parts
        }
        await replay(feeds, parts, selection, sink, lambda owner, at: progress.update(tasks[owner], completed=at))
