"""What may be appended: the names and sizes every engine holds its callers to before it touches anything."""

import re
from collections.abc import Sequence

from .event_store import MAX_BATCH_BYTES, MAX_EVENT_BYTES, NO_STREAM, NewEvent, TooLarge

_STREAM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[!-~]{1,200}")


def checked(stream: str, events: Sequence[NewEvent], expected: int) -> tuple[NewEvent, ...]:
    """The events, if any engine would take them.

    Raises ValueError (a stream name that is not `category-id` in visible ASCII, no event, an expectation below
    NO_STREAM) and TooLarge (an event above MAX_EVENT_BYTES, a batch above MAX_BATCH_BYTES, metadata included).
    """
    if not _STREAM_NAME.fullmatch(stream):
        raise ValueError(f"{stream!r} is not a stream name: category-id in ASCII, no dash in the category")
    if not events:
        raise ValueError("there is no event to append")
    if expected < NO_STREAM:
        raise ValueError(f"{expected} is not a revision to expect")
    sizes = [len(event.metadata) + len(event.data) for event in events]
    if max(sizes) > MAX_EVENT_BYTES:
        raise TooLarge(f"an event of {max(sizes)} bytes; the limit is {MAX_EVENT_BYTES}")
    if sum(sizes) > MAX_BATCH_BYTES:
        raise TooLarge(f"a batch of {sum(sizes)} bytes; the limit is {MAX_BATCH_BYTES}")
    return tuple(events)


def category_of(stream: str) -> str:
    return stream.partition("-")[0]
