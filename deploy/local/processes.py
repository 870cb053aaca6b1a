"""Child processes of the launcher: started, watched, restarted with back-off, stopped, never left behind."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

RESTARTS = 5
STEADY_S = 60.0  # a child that ran this long has earned its restarts back
STOP_S = 8.0
KILLED_S = 5.0
LINE_BYTES = 1024 * 1024
PR_SET_PDEATHSIG = 1

Say = Callable[[str, str], None]  # (child's name, one line of its output)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `ready_url` answers 200 once it can work."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class Child:
    """One program, kept running. on_event: told in one sentence when it died, is restarted or given up."""

    def __init__(self, program: Program, show: Say, tell: Callable[[str], None]) -> None:
        self.program = program
        self.given_up = asyncio.Event()
        self.pid: int | None = None
        self._show, self._tell = show, tell
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._last_lines: deque[str] = deque(maxlen=15)
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._spawn()
        self._watch = asyncio.create_task(self._keep_running())
