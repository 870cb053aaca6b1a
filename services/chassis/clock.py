"""The time, as an argument: rules never ask a machine's clock themselves."""

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware and in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Setting:
    """It was `at` when the system's clock said `since`; since then time goes by. It stands still if `since` is None.

    until: where it is being moved to, when somebody moves it. stand_still: whether it stays there then.
    """

    at: datetime
    since: datetime | None
    until: datetime | None = None
    stand_still: bool = False

    @classmethod
    def running(cls, at: datetime) -> "Setting":
        """It is `at`, and time goes by from here on."""
        return cls(at, since=datetime.now(UTC))

    def now(self) -> datetime:
        return self.at + (datetime.now(UTC) - self.since) if self.since else self.at


class SetClock:
    """A clock that can be set, for development: every process that reads the same file lives at the same time.

    The system's time until it is set for the first time.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version: tuple[int, int] | None = None
        self._setting: Setting | None = None

    def now(self) -> datetime:
        setting = self.setting()
        return setting.now() if setting else datetime.now(UTC)

    def setting(self) -> Setting | None:
        """None before it was ever set."""
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            return None
        version = stat.st_mtime_ns, stat.st_ino
        if version != self._version:
            self._setting = _read(self._file.read_text())
            self._version = version
        return self._setting

    def set(self, setting: Setting) -> None:
        """For every process, from its next look on. Raises OSError."""
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps({**_texts(setting), "stand_still": setting.stand_still}))
        # The kernel's own stamps are some milliseconds coarse, and inodes are used again: readers would miss a setting.
        now_ns = time.time_ns()
        os.utime(draft, ns=(now_ns, now_ns))
        os.replace(draft, self._file)


def clock_of(file: Path | None) -> Clock:
    return SetClock(file) if file else SystemClock()


def today(clock: Clock, zone: str) -> date:
    """The date it is now in an IANA time zone. Raises zoneinfo.ZoneInfoNotFoundError or ValueError for another name."""
    return clock.now().astimezone(ZoneInfo(zone)).date()


def midnight(on: date, zone: str) -> datetime:
    """The instant, in UTC, at which a day begins in an IANA time zone."""
    return datetime(on.year, on.month, on.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def instant(at: datetime) -> str:
    """An aware datetime as `2026-11-22T10:00:00.000000Z`: always six decimals, so text order is time order."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


_INSTANTS = ("at", "since", "until")


def _read(text: str) -> Setting:
    members = json.loads(text)
    at, since, until = (members[name] and datetime.fromisoformat(members[name]) for name in _INSTANTS)
    return Setting(at, since, until, members.get("stand_still", False))


def _texts(setting: Setting) -> dict[str, str | None]:
    instants = {name: getattr(setting, name) for name in _INSTANTS}
    return {name: at and at.isoformat() for name, at in instants.items()}
