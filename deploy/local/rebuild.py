"""`billing rebuild` in a portal that runs on this machine."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from .folder import Folder
from .issuer import DevelopmentIssuer

TIMEOUT_S = 60.0  # without news

News = dict[str, Any]


def command(folder: Folder, compare_only: bool) -> int:
    """Shows how it goes on and what differs. Returns 1 when only compared and something differs, else 0. Raises
    SystemExit, in one sentence, when it did not come to its end: then all is as it was."""
    url = f"{folder.read_state()['parts']['gateway']['url']}/read-models/rebuild?compare_only={compare_only}"
    token = DevelopmentIssuer(folder.issuer).service_token("gateway")
    request = urllib.request.Request(url, b"", {"Authorization": f"Bearer {token}"}, method="POST")
    try:
        last = _followed(_news(request))
    except (OSError, ValueError) as error:
        raise SystemExit(f"The rebuild was cut off: {error}. All is as it was: run it again.") from None
    if "failed" in last:
        raise SystemExit(f"The rebuild failed: {last['failed']}. All is as it was.")
    return int(compare_only and last["different"] > 0)


def _news(request: urllib.request.Request) -> Iterator[News]:
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        for line in answer:
            yield json.loads(line)


def _followed(news: Iterator[News]) -> News:
    """Raises ValueError when there is no last word."""
    console, each, rows = Console(), News(), 0
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %")
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars: dict[str, TaskID] = {}
        for each in news:
            for owner, (position, head) in each.get("filled", {}).items():
                if owner not in bars:
                    bars[owner] = progress.add_task(owner)
                progress.update(bars[owner], completed=position, total=head or 1)
            rows += each.get("rows", 0)
            if "different" in each:
                _tell(console, rows, each)
            if "replaced" in each:
                console.print("The new rows are in place.")
    if not each.keys() & {"different", "replaced", "failed"}:
        raise ValueError("the gateway stopped")
    return each


def _tell(console: Console, rows: int, found: News) -> None:
    if not found["different"]:
        console.print(f"{rows:,} rows compared: every one is as it was.")
        return
    console.print(f"{rows:,} rows compared; {found['different']:,} differ:")
    table = Table("table", "key", "as it was", "built anew")
    for each in found["first"]:
        same = each["position"] == each["anew"]
        states = ("says something else", "") if same else map(_state, (each["position"], each["anew"]))
        table.add_row(each["table"], each["key"], *states)
    console.print(table)


def _state(position: int | None) -> str:
    return "not there" if position is None else f"as of position {position:,}"
