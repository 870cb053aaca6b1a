"""For consumers of other teams: one call from a Kafka record, or a line of a feed, to an event."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from . import codec
from .envelope import Metadata, from_feed_line, from_kafka


class Message(Protocol):
    """A Kafka record, as aiokafka's ConsumerRecord is one; FastStream has it as `message.raw_message`."""

    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...
    @property
    def value(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Event:
    """body: one of the classes in `codec.EVENTS`, whichever version was stored; None for an event younger than this
    package. data: as it was stored. position: in its owner's log, strictly increasing in a partition.
    prevposition: of the record before it in the partition; None in a feed, which leaves nothing out."""

    position: int
    prevposition: int | None
    stream: str
    revision: int
    event_id: str
    type: str
    version: int
    metadata: Metadata
    body: BaseModel | None
    data: dict[str, Any]

    @property
    def account_id(self) -> str:
        return self.metadata.account_id


def decode(record: Message | bytes | str) -> Event:
    """The event in a Kafka record or in a line of a feed.

    Raises KeyError, TypeError or ValueError (as pydantic.ValidationError is) on anything else, a feed's last line too.
    """
    if isinstance(record, bytes | str):
        envelope, prevposition = from_feed_line(record if isinstance(record, bytes) else record.encode()), None
    else:
        envelope, prevposition = from_kafka(record.headers, record.value or b"")
    known = envelope.type in codec.EVENTS
    return Event(
        position=envelope.position,
        prevposition=prevposition,
        stream=envelope.stream,
        revision=envelope.revision,
        event_id=envelope.event_id,
        type=envelope.type,
        version=envelope.version,
        metadata=Metadata.model_validate(envelope.metadata),
        body=codec.decode(envelope.type, envelope.version, envelope.data) if known else None,
        data=envelope.data,
    )
