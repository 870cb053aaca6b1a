"""Child processes of the launcher: started, watched, restarted with back-off, stopped, never left behind."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

RESTARTS = 5
RESTARTS_AT_FIRST = 1  # before it was ever ready: a wrong setting does not heal
PAUSE_S = 0.25  # before the first restart, doubled for every further one
STEADY_S = 60.0  # a child that ran this long has earned its restarts back
STOP_S = 8.0
LINE_BYTES = 1024 * 1024
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Program:
    """ends_by: SIGTERM, or SIGKILL for what has nothing to finish."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ends_by: signal.Signals = signal.SIGTERM


class Child:
    """One program, kept running. show: told every line of its output, answers whether anybody saw it; what nobody saw
    is repeated when the program is given up. tell: told, in one sentence, when it died. changed: called whenever `pid`
    is another one."""

    def __init__(
        self,
        program: Program,
        show: Callable[[str, str], bool],
        tell: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.program = program
        self.pid: int | None = None
        self.was_ready = False  # set by whoever waited for it
        self.given_up = asyncio.Event()
        self._show, self._tell, self._changed = show, tell, changed
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False
        self._unseen: deque[str] = deque(maxlen=15)

    async def start(self) -> None:
        """Raises OSError when the program cannot be started at all."""
        process = await self._spawn()
        self._watch = asyncio.create_task(self._keep_running(process))

    def expect_to_end(self) -> None:
        """From now on its end is nothing to tell, and nothing to mend."""
        self._stopping = True

    async def stop(self) -> None:
        """Asks it to end, and kills its whole process group after STOP_S. Returns when it has ended."""
        self.expect_to_end()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        if self._process is not None:
            self._signal(self.program.ends_by)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_S)
            except TimeoutError:
                self._tell(f"{self.program.name} did not stop within {STOP_S:g} s and was killed.")
            self._signal(signal.SIGKILL)
            await self._process.wait()

    def kill(self) -> None:
        """At once, without a last word."""
        self.expect_to_end()
        self._signal(signal.SIGKILL)

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *self.program.command,
            env={**os.environ, **self.program.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_BYTES,
            start_new_session=True,  # Ctrl-C in a terminal reaches the launcher alone, which stops all in order
            preexec_fn=_dies_with_its_parent(),
        )
        self.pid = self._process.pid
        self._unseen.clear()
        with suppress(OSError):  # a full disk: whoever looks for it finds it late, but it is watched
            self._changed()
        return self._process

    async def _keep_running(self, process: asyncio.subprocess.Process) -> None:
        died = 0
        while True:
            begun = time.monotonic()
            reading = asyncio.create_task(self._read(process))
            code = await process.wait()
            await asyncio.wait([reading], timeout=1.0)
            reading.cancel()
            if self._stopping:
                return
            died = 1 if time.monotonic() - begun > STEADY_S else died + 1
            if died > (RESTARTS if self.was_ready else RESTARTS_AT_FIRST):
                last_words = [f"    {line[:500]}" for line in self._unseen]
                self._tell("\n".join((f"{self.program.name} {_ending(code)} and is given up.", *last_words)))
                self.given_up.set()
                return
            pause_s = min(PAUSE_S * 2**died, 8.0)
            self._tell(f"{self.program.name} {_ending(code)}; restarting it in {pause_s:g} s.")
            await asyncio.sleep(pause_s)
            if self._stopping:
                return
            process = await self._spawn()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than LINE_BYTES: the reader has dropped it and goes on
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            shown = False
            with suppress(OSError):  # where we write to is full: reading goes on, or the child would stand still
                shown = self._show(self.program.name, text)
            if not shown:
                self._unseen.append(text)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            # The group may outlive its leader, so it is told whether or not the leader still runs.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _dies_with_its_parent() -> Callable[[], None] | None:
    """What a forked child runs first: it asks Linux for SIGKILL when the launcher dies, even by kill -9."""
    if sys.platform != "linux":
        return None
    libc, launcher = ctypes.CDLL(None, use_errno=True), os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != launcher:  # it died before we asked
            os._exit(1)

    return ask
