"""What is signed about a log, and what proves that an event is in it: checked with the public key and nothing else.

A log's tree (`merkle`) has one leaf per event, in the log's order: the link that the event's account had come to with
it (`canonical.link`). So one root stands for the whole log, and for every account's chain in it.
"""

import hashlib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from .canonical import link, record_of
from .envelope import Record, feed_line
from .merkle import leaf_hash, root_by

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FORM = "billing head 1"


class Head(BaseModel):
    """An owner's log up to an event, when it was signed.

    size: how many events. root: of their tree. position: the last one's. signed_at: an instant as in events. previous:
    SHA-256 of the file with the head before it; empty in the first. key_id: the first 16 digits of SHA-256 of the
    public key. signature: Ed25519 over `statement`, as 128 hexadecimal digits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    owner: str
    size: Annotated[int, Field(gt=0)]
    root: Hash
    position: int
    signed_at: str
    previous: Hash | Annotated[str, Field(max_length=0)]
    key_id: str
    signature: str = ""

    def statement(self) -> bytes:
        said = (FORM, self.owner, self.size, self.root, self.position, self.signed_at, self.previous, self.key_id)
        return "".join(f"{each}\n" for each in said).encode()

    def written(self) -> bytes:
        """The file of it."""
        return self.model_dump_json().encode() + b"\n"

    def digest(self) -> str:
        """What the next one says as `previous`."""
        return hashlib.sha256(self.written()).hexdigest()


class Proof(BaseModel):
    """That an event is in the log a head was signed of.

    event: its feed line without the end of line. before: its account's link before it. index: its number in the log,
    from 0. path: as RFC 9162 has it, hashes from the leaf up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    event: str
    before: Hash
    index: int
    path: list[Hash]
    head: Head

    @classmethod
    def of(cls, record: Record, before: bytes, index: int, path: list[bytes], head: Head) -> "Proof":
        event = feed_line(record).decode().removesuffix("\n")
        return cls(event=event, before=before.hex(), index=index, path=[each.hex() for each in path], head=head)

    def proven(self) -> Record:
        """The event, if the head is to be believed: its signature is not checked here. Raises ValueError."""
        record = record_of(f"{self.event}\n".encode())
        leaf = leaf_hash(link(bytes.fromhex(self.before), record))
        root = root_by(leaf, self.index, self.head.size, [bytes.fromhex(each) for each in self.path])
        if root.hex() != self.head.root:
            raise ValueError("this event is not what was signed")
        return record
