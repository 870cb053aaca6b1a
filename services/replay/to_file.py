"""A replay into a file, which appears whole or not at all; one that was interrupted goes on where it stopped."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import orjson

from contracts.topics import Owner
from services.chassis.selection import Selection

from .formats import WRITTEN, Format, where
from .replaying import Part, left_of

TAIL_BYTES = 4 * 1024 * 1024  # longer than any event


class CannotReplay(Exception):
    """What stands against it, in words for whoever asked."""


class File:
    """`path` once it is whole; until then `path`.part, with `path`.part.json saying what it is of."""

    def __init__(self, path: Path, selection: Selection, written: Format) -> None:
        self._path, self._written = path, written
        self._part, self._of = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")
        self._selection = dict(selection.members())
        self._file: BinaryIO | None = None

    def begun(self, parts: Sequence[Part]) -> list[Part]:
        """What is to be replayed: all, or what an interrupted replay of the same has left. Raises CannotReplay."""
        if self._path.exists():
            raise CannotReplay(f"{self._path} is there already: choose another name, or remove it.")
        if not self._of.exists():
            self._of.write_bytes(orjson.dumps(self._wish(parts)))
            self._file = self._part.open("wb")
            return list(parts)
        wish = orjson.loads(self._of.read_bytes())
        parts = [Part(Owner(owner), after, until) for owner, after, until in wish["parts"]]
        if wish != self._wish(parts):
            raise CannotReplay(f"{self._part} is of another replay that was interrupted: finish that, or remove both.")
        self._file = self._part.open("r+b") if self._part.exists() else self._part.open("w+b")
        return self._left(parts, self._file)

    async def take(self, owner: Owner, lines: bytes) -> None:
        assert self._file is not None
        self._file.write(WRITTEN[self._written](lines))

    def close(self) -> None:
        """What is written stays, for the same replay to go on."""
        if self._file:
            self._file.close()

    def finish(self) -> None:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.rename(self._path)
        self._of.unlink()

    def _wish(self, parts: Sequence[Part]) -> dict[str, object]:
        listed = [[part.owner, part.after, part.until] for part in parts]
        return {"parts": listed, "selection": self._selection, "format": self._written}

    def _left(self, parts: list[Part], file: BinaryIO) -> list[Part]:
        """After the last whole line; half a line is cut off."""
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        file.seek(size - len(tail) + whole)
        file.truncate()
        if not whole:
            return parts
        last = tail[tail.rfind(b"\n", 0, whole - 1) + 1 : whole]
        return left_of(parts, *where(last, self._written))


class Stream:
    """A replay to standard output, or wherever else bytes go."""

    def __init__(self, out: BinaryIO, written: Format) -> None:
        self._out, self._written = out, written

    async def take(self, owner: Owner, lines: bytes) -> None:
        self._out.write(WRITTEN[self._written](lines))
