"""Whether the schemas of today keep what was released: readers with released schemas read what is written today, and
the models of today read what was written since. Pure: schemas in, breaches out."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .json_schemas import Schema, file_name
from .schema_changes import Breaks, changes


@dataclass(frozen=True, slots=True)
class Breach:
    """of: an event and its version, or a part of the envelope. field: as in lines[].price.model; empty: all of it."""

    of: str
    field: str
    breaks: Breaks
    reason: str

    def __str__(self) -> str:
        return f"{self.of}{self.field and ': '}{self.field}: {self.reason} (breaks {self.breaks})"


class Missing(StrEnum):
    EVENT = "the event is gone; keep its class, and stop recording it"
    VERSION = "the version is gone; versions are never taken back"
    REWRITTEN = "an older version was rewritten; it stays as it was written (`billing contracts write` puts it back)"
    UPCASTER = "there is no upcaster from this version to the next"
    ENVELOPE = "it is gone"


def breaches(
    released: Mapping[str, Schema],
    present: Mapping[str, Schema],
    versions: Mapping[str, int],
    upcast: Collection[tuple[str, int]],
) -> list[Breach]:
    """released, present: by file name, every version. versions: today's. upcast: versions with a step to the next."""
    return list(_breaches(released, present, versions, upcast))


def _breaches(
    released: Mapping[str, Schema],
    present: Mapping[str, Schema],
    versions: Mapping[str, int],
    upcast: Collection[tuple[str, int]],
) -> Iterator[Breach]:
    newest: dict[str, int] = {}
    for file in released:
        name, version = _named(file)
        if not version:
            yield from (
                _compared(name, released[file], present[file])
                if file in present
                else [Breach(name, "", Breaks.CONSUMERS, Missing.ENVELOPE)]
            )
            continue
        newest[name] = max(version, newest.get(name, 0))
        if name not in versions:
            yield Breach(name, "", Breaks.BOTH, Missing.EVENT)
        elif version > versions[name] or file not in present:
            yield Breach(f"{name} v{version}", "", Breaks.BOTH, Missing.VERSION)
        elif version < versions[name] and present[file] != released[file]:
            yield Breach(f"{name} v{version}", "", Breaks.CONSUMERS, Missing.REWRITTEN)
    for name, version in newest.items():
        if version <= versions.get(name, 0):
            now = versions[name]
            found = _compared(f"{name} v{now}", released[file_name(name, version)], present[file_name(name, now)])
            # A new version is brought up to from the older ones, but who reads it may know those only.
            yield from (breach for breach in found if now == version or breach.breaks is not Breaks.REPLAY)
    for name, version in versions.items():
        for step in range(1, version):
            if (name, step) not in upcast:
                yield Breach(f"{name} v{step}", "", Breaks.REPLAY, Missing.UPCASTER)


def _compared(of: str, old: Schema, new: Schema) -> list[Breach]:
    found = [Breach(of, change.field, change.breaks, change.reason) for change in changes(old, new)]
    return list(dict.fromkeys(found))


def _named(file: str) -> tuple[str, int]:
    """The event and version of a schema's file; version 0: a part of the envelope."""
    stem = file.removesuffix(".json")
    name, dot, version = stem.rpartition(".v")
    return (name, int(version)) if dot else (stem, 0)
