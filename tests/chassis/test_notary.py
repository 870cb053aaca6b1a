"""The ledger and the signed heads of a log: what is in them, when they come, and that two notaries are harmless."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from contracts.audit import Head
from contracts.canonical import BEGINNING, account_of, link
from contracts.envelope import Record
from contracts.merkle import Growing, leaf_hash
from contracts.topics import Owner
from services.audit.signed_heads import believed
from services.chassis import heads
from services.chassis.auth import Authenticator
from services.chassis.event_store import EventStore
from services.chassis.http import create_app
from services.chassis.ledger import CHUNK, Ledger
from services.chassis.memory_store import MemoryEventStore
from services.chassis.metrics import Metrics
from services.chassis.notary import Disagrees, Notary, notarising, router
from services.chassis.sqlite_store import SqliteEventStore
from tests.doubles.kurrentdb import KurrentDouble

from . import kurrent
from .accounts import happens
from .event_store_contract import everything
from .test_feed import ISSUED_BY, served, token
from .tokens import AUDIENCE, ISSUER

DAY = timedelta(days=1)


class Calendar:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


class Office:
    """What notaries of one log share: key, folder of heads, clock."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.heads, self.key = folder, folder / "heads", folder / "key.pem"
        if not self.key.exists():
            self.key.write_bytes(heads.new_key())
        self.clock = Calendar()

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite3"

    def notary(self, store: EventStore, ledger: Path | None = None) -> Notary:
        return Notary(Owner.PLANS, store, ledger or self.ledger, self.heads, self.key, self.clock)

    @asynccontextmanager
    async def signing(self, store: EventStore, ledger: Path | None = None) -> AsyncIterator[Notary]:
        """One that signs when it is asked to."""
        notary = self.notary(store, ledger)
        try:
            yield notary
        finally:
            await notary.close()

    def signed(self) -> list[Head]:
        return [heads.read(file) for file in heads.files_of(self.heads, "plans")]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture(params=["memory", "sqlite", "kurrentdb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventStore]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryEventStore()
        elif request.param == "sqlite":
            sqlite_store = await SqliteEventStore.open(tmp_path / "plans.sqlite3")
            stack.push_async_callback(sqlite_store.close)
            yield sqlite_store
        else:
            server: KurrentDouble = await stack.enter_async_context(kurrent.running())
            yield await stack.enter_async_context(kurrent.opened(server))


def counted_anew(log: list[Record]) -> tuple[str, dict[str, bytes]]:
    """The root over a log, and every account's last link."""
    tree, links = Growing(), dict[str, bytes]()
    for record in log:
        account = account_of(record)
        links[account] = link(links.get(account, BEGINNING), record)
        tree.add(leaf_hash(links[account]))
    return tree.root().hex(), links


async def test_a_head_says_what_the_log_is_whatever_engine_keeps_it(store: EventStore, office: Office) -> None:
    await happens(store, 150)
    async with office.signing(store) as notary:
        assert (await notary.sign()) == office.signed()[-1]
        await happens(store, 60, seed=2)
        head = await notary.sign()
    log = await everything(store)
    root, links = counted_anew(log)
    assert head is not None
    assert (head.size, head.root, head.position) == (210, root, log[-1].position)
    assert (head.owner, head.signed_at) == ("plans", "2026-05-01T12:00:00.000000Z")
    assert heads.is_signed(head, heads.public_key(office.key))
    assert [each.previous for each in office.signed()] == ["", office.signed()[0].digest()]
    with closing(Ledger.read(office.ledger)) as ledger:
        rows = list(ledger.rows(210))
    assert {row.account: row.link for row in rows} == links
    assert [(row.position, row.stream, row.revision, row.type, row.event_id) for row in rows] == [
        (record.position, record.stream, record.revision, record.type, record.event_id) for record in log
    ]


async def test_a_ledger_is_gone_on_with_and_made_again_when_it_is_lost(office: Office) -> None:
    store = MemoryEventStore()
    await happens(store, CHUNK + 10)
    roots = []
    for kept in (True, True, False):
        if not kept:
            office.ledger.unlink()
        async with office.signing(store) as notary:
            await notary.sign()
        await happens(store, 7, seed=len(roots))
        async with office.signing(store) as notary:
            head = await notary.sign()
        assert head is not None
        assert (head.root, head.size) == (counted_anew(await everything(store))[0], await store.head())


async def test_a_head_comes_with_the_first_events_then_once_a_day_and_not_for_nothing(office: Office) -> None:
    store = MemoryEventStore()
    async with office.signing(store) as notary:
        for events, days, sizes in (
            (0, 0, []),
            (3, 0, [3]),
            (4, 0, [3]),
            (0, 1, [3, 7]),
            (0, 1, [3, 7]),
            (2, 0, [3, 7, 9]),  # none was signed yet that day
            (1, 0, [3, 7, 9]),
            (0, 5, [3, 7, 9, 10]),
        ):
            if events:
                await happens(store, events)
            office.clock.at += days * DAY
            await notary._look()
            assert [head.size for head in office.signed()] == sizes


async def test_a_running_notary_needs_nobody_to_ask(office: Office) -> None:
    store = MemoryEventStore()
    await happens(store, 5)
    async with notarising(office.notary(store)):
        async with asyncio.timeout(20):
            while not office.signed():  # noqa: ASYNC110  a file appears
                await asyncio.sleep(0.01)
    assert office.signed()[0].size == 5


async def test_two_notaries_of_one_log_and_ledger_are_harmless(office: Office) -> None:
    store = MemoryEventStore()
    async with office.signing(store) as one, office.signing(store) as other:
        for seed in range(6):
            await happens(store, 40, seed=seed)
            assert len(set(await asyncio.gather(one.sign(), other.sign()))) == 1
    assert [head.size for head in office.signed()] == [40, 80, 120, 160, 200, 240]
    assert office.signed()[-1].root == counted_anew(await everything(store))[0]
    with closing(Ledger.read(office.ledger)) as ledger:
        assert [row.number for row in ledger.rows(240)] == list(range(240))


async def test_two_notaries_on_two_machines_are_harmless(office: Office) -> None:
    """Each with a ledger of its own; one may sign what the other has not read yet."""
    store = MemoryEventStore()
    async with office.signing(store) as one, office.signing(store, office.folder / "other.sqlite3") as other:
        for seed in range(12):
            await asyncio.gather(one.sign(), happens(store, 30, seed=seed), other.sign())
        await one.sign()
    signed, wrong = believed(office.heads, "plans", heads.public_key(office.key))
    log = await everything(store)
    assert wrong == []
    assert [head.root for head in signed] == [counted_anew(log[: head.size])[0] for head in signed]
    assert signed[-1].size == len(log)


async def test_an_auditor_of_everything_has_a_head_signed_over_http(office: Office) -> None:
    store = MemoryEventStore()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Notary]]:
        async with office.signing(store) as notary:
            yield {"notary": notary}

    authenticator = Authenticator(str(ISSUED_BY.jwks_file(office.folder)), ISSUER, AUDIENCE)
    app = create_app("plans", lifespan, [router], authenticator, {}, Metrics())
    async with served(app) as url, aiohttp.ClientSession(url) as session:

        async def asked(role: str) -> tuple[int, Any]:
            async with session.post("/audit/heads", headers={"Authorization": f"Bearer {token(role)}"}) as answer:
                return answer.status, await answer.json(content_type=None)

        assert await asked("auditor") == (200, {"head": None, "trouble": ""})
        await happens(store, 5)
        status, said = await asked("auditor")
        assert (status, said) == (200, {"head": office.signed()[0].model_dump(), "trouble": ""})
        assert (await asked("editor"))[0] == 403
        office.key.write_bytes(b"no key")
        assert "cannot be read as a private key" in (await asked("auditor"))[1]["trouble"]


async def test_nothing_is_signed_that_contradicts_what_was(office: Office) -> None:
    store, other = MemoryEventStore(), MemoryEventStore()
    await happens(store, 9)
    async with office.signing(store) as notary:
        await notary.sign()
    await happens(other, 12)
    with pytest.raises(Disagrees, match="are not those that were signed at 2026-05-01"):
        async with office.signing(other, office.folder / "anew.sqlite3") as notary:
            await notary.sign()
    shorter = MemoryEventStore()
    await happens(shorter, 4)
    with pytest.raises(Disagrees, match="9 were signed: the log's tail was cut"):
        async with office.signing(shorter, office.folder / "short.sqlite3") as notary:
            await notary.sign()
    with pytest.raises(Disagrees, match="ends at 4, and the ledger at 9"):
        async with office.signing(shorter) as notary:
            await notary.sign()
    assert [head.size for head in office.signed()] == [9]


async def test_a_head_is_never_written_over(office: Office) -> None:
    store = MemoryEventStore()
    await happens(store, 3)
    async with office.signing(store) as notary:
        head = await notary.sign()
    assert head is not None
    with pytest.raises(FileExistsError):
        heads.write(office.heads, head)
    (file,) = heads.files_of(office.heads, "plans")
    assert file.stat().st_mode & 0o222 == 0


def test_a_signature_is_of_everything_a_head_says_and_of_one_key(office: Office) -> None:
    signer = heads.Signer.from_file(office.key)
    said = {"owner": "plans", "size": 1, "root": "0" * 64, "position": 1, "signed_at": "2026-05-01T12:00:00.000000Z"}
    head = signer.sign(Head.model_validate({**said, "previous": "", "key_id": signer.key_id}))
    assert heads.is_signed(head, signer.key.public_key())
    assert not heads.is_signed(head, Ed25519PrivateKey.generate().public_key())
    for name, other in {
        "owner": "devices",
        "size": 2,
        "root": "1" * 64,
        "position": 2,
        "signed_at": "2026-05-02",
        "previous": "0" * 64,
        "key_id": "other",
        "signature": "00",
    }.items():
        assert not heads.is_signed(head.model_copy(update={name: other}), signer.key.public_key()), name


@pytest.mark.parametrize("text", [b"", b"no key", heads.new_key()[:60]])
def test_a_file_that_is_no_key_is_one_sentence(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(text)
    with pytest.raises(heads.WrongKey, match="cannot be read as a private key"):
        heads.Signer.from_file(file)
    with pytest.raises(heads.WrongKey, match="key"):
        heads.public_key(file)
