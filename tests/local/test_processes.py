"""Children of the launcher: watched, restarted a few times, stopped, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.local import processes
from deploy.local.processes import Child, Program

WAIT_S = 20.0
ENDLESS = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


class Watcher:
    """Starts children and keeps what was said of them."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.told: list[str] = []
        self.children: list[Child] = []

    async def start(self, program: str, ready: bool = False) -> Child:
        command = (sys.executable, "-c", program)
        child = Child(Program("part", command, {}), self._show, self.told.append, lambda: None)
        child.was_ready = ready
        self.children.append(child)
        await child.start()
        return child

    def _show(self, _: str, line: str) -> bool:
        self.shown.append(line)
        return False


@pytest.fixture
async def watcher(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watcher]:
    monkeypatch.setattr(processes, "PAUSE_S", 0.01)
    watching = Watcher()
    yield watching
    for child in watching.children:
        await child.stop()


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_child_that_is_killed_is_said_to_be_and_started_again(watcher: Watcher) -> None:
    child = await watcher.start(ENDLESS, ready=True)
    await until(lambda: watcher.shown == ["up"])
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: watcher.shown == ["up", "up"])
    assert child.pid != first
    assert watcher.told == ["part was killed by SIGKILL; restarting it in 0.02 s."]


async def test_a_child_that_keeps_dying_is_given_up_with_its_last_words(watcher: Watcher) -> None:
    child = await watcher.start("raise SystemExit('BILLING_PORT is missing')", ready=True)
    await asyncio.wait_for(child.given_up.wait(), WAIT_S)
    assert len(watcher.told) == processes.RESTARTS + 1
    assert watcher.told[-1] == "part ended with exit code 1 and is given up.\n    BILLING_PORT is missing"


async def test_a_child_that_was_never_ready_is_given_up_sooner(watcher: Watcher) -> None:
    child = await watcher.start("raise SystemExit(3)")
    await asyncio.wait_for(child.given_up.wait(), WAIT_S)
    assert len(watcher.told) == processes.RESTARTS_AT_FIRST + 1


async def test_a_child_is_stopped_with_what_it_started(watcher: Watcher) -> None:
    starts_another = (
        f"import subprocess, sys; other = subprocess.Popen([sys.executable, '-c', {ENDLESS!r}]);"
        "print(other.pid, flush=True); other.wait()"
    )
    child = await watcher.start(starts_another)
    await until(lambda: len(watcher.shown) == 2)
    pids = [child.pid or 0, int(next(line for line in watcher.shown if line != "up"))]
    await child.stop()
    await until(lambda: not any(map(is_alive, pids)))
    assert watcher.told == []


async def test_a_child_that_does_not_listen_is_killed(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_S", 0.2)
    child = await watcher.start(STUBBORN)
    await until(lambda: watcher.shown == ["up"])
    await child.stop()
    assert not is_alive(child.pid or 0)
    assert watcher.told == ["part did not stop within 0.2 s and was killed."]


async def test_a_line_without_end_is_dropped_and_the_next_one_shown(watcher: Watcher) -> None:
    await watcher.start("print('x' * 3_000_000, flush=True); print('next', flush=True)", ready=True)
    await until(lambda: "next" in watcher.shown)


async def test_a_stopped_child_that_waits_to_be_restarted_is_not_started(watcher: Watcher) -> None:
    child = await watcher.start("pass", ready=True)
    await until(lambda: len(watcher.told) == 1)
    await child.stop()
    told = len(watcher.told)
    assert child.pid is None or not is_alive(child.pid)
    assert len(watcher.told) == told


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_a_launcher_that_is_killed_leaves_no_child() -> None:
    launcher = f"""
import asyncio
from deploy.local.processes import Child, Program
async def main():
    def show(name, line):
        print(child.pid, flush=True)
        return True
    child = Child(Program("part", ({sys.executable!r}, "-c", {STUBBORN!r}), {{}}), show, print, lambda: None)
    await child.start()
    await asyncio.sleep(600)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", launcher], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    asyncio.run(until(lambda: not is_alive(pid)))


def full(*_: object) -> bool:
    raise OSError(28, "No space left on device")


async def test_a_child_goes_on_although_nobody_can_be_shown_what_it_says(watcher: Watcher, tmp_path: Path) -> None:
    watcher._show = full  # type: ignore[method-assign]
    done = tmp_path / "done"
    await watcher.start(f"[print('x' * 100) for _ in range(60_000)]; open({str(done)!r}, 'w'); {ENDLESS}")
    await until(done.exists)


async def test_a_child_is_watched_although_its_pid_cannot_be_written_down(watcher: Watcher) -> None:
    child = await watcher.start(ENDLESS, ready=True)
    child._changed = full  # type: ignore[assignment]
    for _ in range(2):
        before = child.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await until(lambda before=before: child.pid != before)  # type: ignore[misc]
