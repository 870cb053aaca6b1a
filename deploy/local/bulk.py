"""`billing bulk` in a portal that runs on this machine."""

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .client import RequestFailed
from .folder import Folder
from .issuer import DevelopmentIssuer
from .roles import current_token

MEDIA_TYPES = {".jsonl": "application/x-ndjson", ".ndjson": "application/x-ndjson"}
FILE_WIDTH = 160  # columns, of a table that no terminal shows

Members = dict[str, Any]


def export(folder: Folder, account: str, user: str, output: Path | None) -> None:
    """Raises SystemExit."""
    with _client(folder, user) as client:
        answer = client.get(f"/api/v1/accounts/{account}/bulk-edits")
    if answer.is_error:
        raise SystemExit(_said(answer.json()))
    if output:
        output.write_bytes(answer.content)
    else:
        sys.stdout.write(answer.text)


def edit(folder: Folder, account: str, user: str, file: Path, dry_run: bool, atomic: bool, key: str | None) -> int:
    """Returns 1 when a row was refused. Raises SystemExit when the file was, or the answer is not whole."""
    try:
        body = file.read_bytes()
    except OSError as problem:
        raise SystemExit(f"{file} cannot be read: {problem.strerror}.") from None
    headers = {
        "Content-Type": MEDIA_TYPES.get(file.suffix, "text/csv"),
        "Idempotency-Key": key or f"file-{hashlib.sha256(body).hexdigest()[:32]}",
    }
    flags = {"dry_run": str(dry_run).lower(), "atomic": str(atomic).lower()}
    results: list[Members] = []
    with (
        _client(folder, user) as client,
        Progress(console=Console(stderr=True)) as progress,
        client.stream(
            "POST", f"/api/v1/accounts/{account}/bulk-edits", params=flags, content=body, headers=headers
        ) as answer,
    ):
        if answer.is_error:
            raise SystemExit(_said(json.loads(answer.read())))
        task = progress.add_task("looking" if dry_run else "editing", total=body.count(b"\n"))
        for line in answer.iter_lines():
            results.append(json.loads(line))
            progress.advance(task)
    if not results or not results[-1].get("end"):
        raise SystemExit("The answer broke off: the same command does the rest.")
    _show(results[:-1], results[-1])
    return int(results[-1]["counts"]["refused"] > 0)


@contextmanager
def _client(folder: Folder, user: str) -> Iterator[httpx.Client]:
    url = folder.read_state()["parts"]["gateway"]["url"]
    try:
        token = current_token(folder, DevelopmentIssuer(folder.issuer), user)
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            yield client
    except KeyError:
        raise SystemExit(f"There is no demo user {user!r}.") from None
    except (RequestFailed, httpx.HTTPError, OSError) as problem:
        raise SystemExit(f"{problem or type(problem).__name__}: the same command does the rest.") from None


def _said(problem: Members) -> str:
    reason = f" ({problem['reason']})" if "reason" in problem else ""
    return f"{problem['detail']}{reason}"


def _show(results: list[Members], end: Members) -> None:
    """Rows that changed nothing are counted only."""
    table = Table("row", "plan", "outcome", "costs now", "")
    for row in results:
        if row["outcome"] != "unchanged":
            told = row["message"] or ", ".join(row["events"])
            table.add_row(str(row["row"]), row["bundle_id"], row["outcome"], str(row["net_minor"]), told)
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    console.print(table)
    counts = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in end["counts"].items() if count)
    console.print(f"{end['rows']:,} rows: {counts}; {end['net_minor']:,} in minor units now.")
