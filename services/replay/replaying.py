"""Replays the logs of owners, one after the other, to whoever takes them in.

What is replayed is fixed when it begins: everything up to where each log ended then. So a replay that is interrupted
and goes on later gives the bytes it would have given in one go.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from contracts.topics import Owner
from services.chassis.event_store import START
from services.chassis.feed import FeedClient
from services.chassis.selection import Selection

Told = Callable[[Owner, int], None]


@dataclass(frozen=True, slots=True)
class Part:
    """Of one owner's log: the events after a position, up to and with another."""

    owner: Owner
    after: int
    until: int


class Sink(Protocol):
    async def take(self, owner: Owner, lines: bytes) -> None:
        """Feed lines of an owner, in the log's order."""
        ...


async def parts_of(
    feeds: Mapping[Owner, FeedClient], owners: Sequence[Owner], after: int = START, until: int | None = None
) -> list[Part]:
    """after, until: positions in the log of an only owner; whole logs, as they are now, when left out."""
    heads = {owner: await feeds[owner].head() for owner in owners}
    return [Part(owner, after, head if until is None else min(until, head)) for owner, head in heads.items()]


async def replay(
    feeds: Mapping[Owner, FeedClient], parts: Sequence[Part], selection: Selection, sink: Sink, told: Told
) -> None:
    """told: how far it is, in positions of an owner. Raises FeedUnavailable."""
    for part in parts:
        async with aclosing(lines_of(feeds, [part], selection)) as blocks:
            async for owner, lines in blocks:
                await sink.take(owner, lines)
                told(owner, _last_position(lines))
        told(part.owner, part.until)


async def lines_of(
    feeds: Mapping[Owner, FeedClient], parts: Sequence[Part], selection: Selection
) -> AsyncGenerator[tuple[Owner, bytes], None]:
    """Feed lines, many at a time, in order. Raises FeedUnavailable."""
    for part in parts:
        if part.after < part.until:
            async with aclosing(feeds[part.owner].lines(part.after, part.until, selection)) as blocks:
                async for lines in blocks:
                    yield part.owner, lines


def _last_position(lines: bytes) -> int:
    """Each line begins with its position, as `contracts.envelope.feed_line` writes it."""
    last = lines[lines.rfind(b"\n", 0, -1) + 1 :]
    return int(last[len(b'{"position":') : last.index(b",")])


def left_of(parts: Sequence[Part], owner: Owner, position: int) -> list[Part]:
    """What is still to come after an event of one of the owners."""
    names = [part.owner for part in parts]
    at = names.index(owner)
    return [Part(owner, position, parts[at].until), *parts[at + 1 :]]
