"""What an audit hashes: one unambiguous run of bytes per stored event, and the chain of an account over them.

Every field is preceded by its length, so no two events share their bytes; body and metadata are hashed as they were
recorded, never decoded. A chain's link covers everything before it, so whoever knows the last one knows all.
"""

import hashlib
import json

from .envelope import Record, feed_line

FORM = b"billing event 1\n"  # another one if a field is ever added
BEGINNING = bytes(32)  # the link before an account's first event
LENGTH_BYTES = 8

_members = json.JSONDecoder().raw_decode


def canonical(record: Record) -> bytes:
    numbers = (str(each).encode() for each in (record.position, record.revision, record.version))
    names = (each.encode() for each in (record.stream, record.event_id, record.type))
    fields = (*numbers, *names, record.metadata, record.data)
    return FORM + b"".join(len(field).to_bytes(LENGTH_BYTES) + field for field in fields)


def link(before: bytes, record: Record) -> bytes:
    """The account's chain with one event more: SHA-256 of the link before it and the event."""
    return hashlib.sha256(before + canonical(record)).digest()


def account_of(record: Record) -> str:
    """Whose chain it is in. Raises ValueError for metadata that name none."""
    metadata = json.loads(record.metadata)
    if not isinstance(metadata, dict) or not isinstance(account_id := metadata.get("account_id"), str):
        raise ValueError("its metadata name no account")
    return account_id


def record_of(line: bytes) -> Record:
    """The record of a feed line, its metadata and body byte by byte. Raises ValueError for anything else."""
    try:
        text = line.decode()
        head = text.index('"metadata":') + len('"metadata":')
        _, metadata_end = _members(text, head)
        body = metadata_end + len(',"data":')
        _, body_end = _members(text, body)
        of = json.loads(f"{text[:head]}null}}")
        names = of["position"], of["stream"], of["revision"], of["event_id"], of["type"], of["version"]
        record = Record(*names, text[head:metadata_end].encode(), text[body:body_end].encode())
        if feed_line(record) != line:  # or what we hash would not be all that it says
            raise ValueError("it is written in another way")
    except (LookupError, TypeError, RecursionError) as error:
        raise ValueError("it has not the members of an event") from error
    return record
