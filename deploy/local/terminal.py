"""What `billing run` shows: progress, and the children's logs with their names in front."""

import json
from typing import Any

from rich.console import Console
from rich.text import Text

COLOURS = {
    "broker": "magenta",
    "issuer": "blue",
    "plans": "green",
    "devices": "red",
    "renewals": "yellow",
    "gateway": "cyan",
}
LEVELS = {"debug": "dim", "info": "", "warning": "yellow", "error": "bold red", "critical": "bold red"}
QUIET = frozenset({"debug", "info"})
QUIETER = QUIET | {"warning"}
SHOWN_FIRST = frozenset({"event", "level", "timestamp", "service", "logger", "exception"})


class Terminal:
    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        # While the parts start or stop, each warns of those that are not there: nobody need read that.
        self.settled = False
        # Progress and logs go to stderr: stdout is for what a person copies or a script reads.
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def tell(self, sentence: str) -> None:
        self._console.print(Text(sentence))

    def log_line(self, name: str, line: str) -> bool:
        """One line of a child, and whether it was shown. Ours are JSON; others' (the broker's, a crash) are shown with
        --verbose only."""
        try:
            members = json.loads(line)
        except ValueError:
            members = None
        if not isinstance(members, dict) or "event" not in members:
            return self._verbose and self._print(name, line, "dim")
        level = str(members.get("level", "info"))
        if self._verbose or level not in (QUIET if self.settled else QUIETER):
            return self._print(name, _readable(members), LEVELS.get(level, ""))
        return False

    def _print(self, name: str, text: str, style: str) -> bool:
        self._console.print(Text.assemble((f"{name:<9}│ ", COLOURS.get(name, "")), (text, style)))
        return True


def _readable(members: dict[str, Any]) -> str:
    facts = " ".join(f"{name}={value}" for name, value in members.items() if name not in SHOWN_FIRST)
    trace = f"\n{members['exception']}" if "exception" in members else ""
    return f"{str(members.get('level', '')).upper():<8}{members['event']}  {facts}{trace}"
