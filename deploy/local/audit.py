"""`billing audit` in a portal that runs on this machine, or over files that were taken from elsewhere."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from contracts.canonical import record_of
from contracts.envelope import Record
from contracts.topics import Owner
from services.audit import proving
from services.audit.checking import Checker, Findings
from services.audit.reading import from_feed, from_file, from_sqlite
from services.audit.signed_heads import believed
from services.chassis import heads
from services.chassis.event_store import START, StoreError
from services.chassis.feed import FeedClient, FeedUnavailable
from services.chassis.ledger import Ledger, Row

from .folder import Folder
from .issuer import DevelopmentIssuer

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("{task.percentage:.0f} %"),
    TimeRemainingColumn(),
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything is; what is left out is the portal's. log: a file, else the services' feeds. ledgers: a folder
    with one of each owner, or of folders named after them."""

    folder: Folder
    log: Path | None = None
    ledgers: Path | None = None
    heads: Path | None = None
    key: Path | None = None

    def key_file(self) -> Path:
        return self.key or self.folder.audit_public_key

    def heads_folder(self) -> Path:
        return self.heads or self.folder.audit_heads

    def ledger(self, owner: Owner) -> Path | None:
        """None when there is none."""
        root = self.ledgers or self.folder.root
        name = f"{owner}.ledger.sqlite3"
        return next((file for file in (root / owner / name, root / name) if file.exists()), None)


def verify(sources: Sources, owners: Sequence[Owner]) -> int:
    """Prints what was found. Returns 0 when all is as it was signed, else 1. Raises SystemExit if it cannot tell."""
    try:
        key = heads.public_key(sources.key_file())
        with ExitStack() as held:
            checkers, wrong, notes = {}, dict[Owner, list[str]](), dict[Owner, list[str]]()
            for owner in owners:
                # Heads, then the ledger, then the log: what is recorded meanwhile is in the later ones alone.
                signed, wrong[owner] = believed(sources.heads_folder(), owner, key)
                ledger = _opened(sources.ledger(owner), held)
                notes[owner] = [] if ledger else ["There is no ledger: the first event that was changed has no name."]
                checkers[owner] = Checker(owner, ledger, signed)
            with Progress(*COLUMNS, console=Console(stderr=True)) as progress:
                asyncio.run(_read(sources, checkers, progress))
            found = {owner: checker.end() for owner, checker in checkers.items()}
    except (heads.WrongKey, StoreError, sqlite3.Error, OSError) as problem:
        raise SystemExit(f"{problem}") from None
    except FeedUnavailable as problem:
        raise SystemExit(f"The log cannot be read: {problem}.") from None
    for owner, each in found.items():
        _show(each, wrong[owner] + each.wrong, notes[owner] + each.notes)
    return int(any(wrong[owner] or each.wrong for owner, each in found.items()))


def sign(folder: Folder) -> int:
    """Has every owner sign its head now. Returns 1 when one does not."""
    return asyncio.run(_sign(folder))


def prove(sources: Sources, event_id: str, output: Path | None) -> None:
    """Raises SystemExit with what stands against it."""
    try:
        with ExitStack() as held:
            owner, ledger, row = _in_a_ledger(sources, event_id, held)
            signed, _ = believed(sources.heads_folder(), owner, heads.public_key(sources.key_file()))
            head = proving.head_over(row, signed)
            before = ledger.row(row.number - 1)
            record = asyncio.run(_event(sources.folder, owner, before.position if before else START, row.position))
            text = proving.proof(ledger, row, record, head).model_dump_json(indent=2)
    except (heads.WrongKey, proving.CannotProve, FeedUnavailable, sqlite3.Error, OSError) as problem:
        raise SystemExit(f"{problem}") from None
    output.write_text(f"{text}\n") if output else print(text)


def check_proof(file: Path, key: Path) -> None:
    """Says what is proven. Raises SystemExit when nothing is."""
    try:
        proof = proving.checked(file, heads.public_key(key))
    except (heads.WrongKey, proving.CannotProve) as problem:
        raise SystemExit(f"{problem}") from None
    event, head = proof.proven(), proof.head
    print(
        f"Proven: {event.type} {event.event_id} is at position {event.position} of {head.owner}, as event"
        f" {proof.index + 1} of {head.size} that were signed at {head.signed_at} with the key {head.key_id}."
    )


def _show(found: Findings, wrong: Sequence[str], notes: Sequence[str]) -> None:
    print(f"{found.owner}: {'NOT as it was signed' if wrong else 'as it was signed'}, {found.size} events.")
    for sentence in (*wrong, *notes):
        print(f"  {sentence}")


async def _read(sources: Sources, checkers: dict[Owner, Checker], progress: Progress) -> None:
    def telling(name: str) -> partial[None]:
        return partial(_tell, progress, progress.add_task(name, total=None))

    if sources.log is None:
        async with aiohttp.ClientSession() as session:
            for owner, checker in checkers.items():
                await from_feed(_feed(sources.folder, owner, session), checker, telling(owner))
    elif sources.log.suffix == ".sqlite3":
        (checker,) = checkers.values()
        await from_sqlite(sources.log, checker, telling(sources.log.name))
    else:
        from_file(sources.log, checkers, telling(sources.log.name))


def _tell(progress: Progress, task: TaskID, at: int, end: int) -> None:
    progress.update(task, completed=at, total=end)


def _opened(file: Path | None, held: ExitStack) -> Ledger | None:
    return held.enter_context(closing(Ledger.read(file))) if file else None


def _in_a_ledger(sources: Sources, event_id: str, held: ExitStack) -> tuple[Owner, Ledger, Row]:
    for owner in Owner:
        ledger = _opened(sources.ledger(owner), held)
        if ledger and (rows := ledger.rows_of(event_id)):
            return owner, ledger, rows[0]
    raise proving.CannotProve(f"No ledger knows an event {event_id}.")


async def _event(folder: Folder, owner: Owner, after: int, position: int) -> Record:
    """The one event that lies there. Raises CannotProve, FeedUnavailable."""
    async with aiohttp.ClientSession() as session:
        lines = b"".join([lines async for lines in _feed(folder, owner, session).lines(after, position)])
    try:
        return record_of(lines)
    except ValueError as error:
        raise proving.CannotProve(f"At position {position} of {owner} stands no event: {error}.") from error


def _feed(folder: Folder, owner: Owner, session: aiohttp.ClientSession) -> FeedClient:
    issuer = DevelopmentIssuer(folder.issuer)
    url = folder.read_state()["parts"][owner]["url"]
    return FeedClient(url, session, lambda: issuer.service_token("gateway"))


async def _sign(folder: Folder) -> int:
    parts = folder.read_state()["parts"]
    token = DevelopmentIssuer(folder.issuer).service_token("gateway")
    troubled = 0
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        for owner in Owner:
            try:
                async with session.post(f"{parts[owner]['url']}/audit/heads", raise_for_status=True) as answer:
                    said = await answer.json()
            except aiohttp.ClientError as error:
                raise SystemExit(f"{owner} does not sign: {error}.") from None
            head = said["head"]
            signed = f"{head['size']} events up to position {head['position']}, at {head['signed_at']}" if head else ""
            print(f"{owner}: {said['trouble'] or signed or 'nothing was recorded yet'}")
            troubled |= bool(said["trouble"])
    return troubled
