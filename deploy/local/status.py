"""How each part of a running portal is doing, as a table."""

import json
import socket
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

PROBE_S = 3.0
NO_ANSWER = "it does not answer"


def not_ready(name: str, url: str) -> str:
    """Why a part cannot work now; empty when it can. The broker speaks Kafka: its open port is all it shows."""
    try:
        if name == "broker":
            address = urlsplit(url)
            socket.create_connection((address.hostname, address.port), PROBE_S).close()
        else:
            urllib.request.urlopen(f"{url}/health/ready", timeout=PROBE_S).close()
    except urllib.error.HTTPError as answer:
        return _reasons(answer)
    except OSError:
        return NO_ANSWER
    return ""


def show(state: dict[str, Any]) -> int:
    """Prints the table. state: as Folder.write_state wrote it. Returns 0 when every part is well, else 1."""
    table = Table("part", "state", "process", "address", "reason")
    reasons = {name: not_ready(name, part["url"]) for name, part in state["parts"].items()}
    for name, part in state["parts"].items():
        reason = reasons[name]
        table.add_row(name, "[red]not ready[/]" if reason else "[green]ready[/]", str(part["pid"]), part["url"], reason)
    Console().print(table)
    return int(any(reasons.values()))


def _reasons(answer: urllib.error.HTTPError) -> str:
    try:
        checks = json.load(answer)["checks"]
        return "; ".join(f"{check['name']}: {check['reason']}" for check in checks if not check["ok"])
    except (ValueError, LookupError, TypeError, OSError):
        return f"it answers with status {answer.code}"
