"""A proof that one event was signed: short, checked with the key alone, and of no use for anything else."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.audit import Head, Proof
from contracts.envelope import Record
from services.audit.proving import CannotProve, head_over, proof
from services.audit.signed_heads import believed
from services.chassis import heads
from services.chassis.ledger import Ledger
from services.chassis.memory_store import MemoryEventStore
from services.cli import app
from tests.chassis.accounts import happens
from tests.chassis.event_store_contract import everything
from tests.chassis.test_notary import Office

SIGNED, SIZE = (37, 100), 110


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
async def log(office: Office) -> list[Record]:
    store = MemoryEventStore()
    async with office.signing(store) as notary:
        for size, since in zip(SIGNED, (0, *SIGNED), strict=False):
            await happens(store, size - since, seed=size)
            await notary.sign()
        await happens(store, SIZE - SIGNED[-1])
        await notary._catch_up()
    return await everything(store)


@pytest.fixture
def ledger(office: Office, log: list[Record]) -> Iterator[Ledger]:
    with closing(Ledger.read(office.ledger)) as ledger:
        yield ledger


@pytest.fixture
def signed(office: Office, log: list[Record]) -> list[Head]:
    return believed(office.heads, "plans", heads.public_key(office.key))[0]


def proof_of(record: Record, ledger: Ledger, signed: list[Head]) -> Proof:
    (row,) = ledger.rows_of(record.event_id)
    return proof(ledger, row, record, head_over(row, signed))


def checked(office: Office, found: object) -> tuple[int, str]:
    """What `billing audit check-proof` answers."""
    file, key = office.folder / "proof.json", office.folder / "audit.pem"
    file.write_text(found if isinstance(found, str) else json.dumps(found))
    key.write_bytes(heads.public_text(office.key))
    answer = CliRunner().invoke(app, ["audit", "check-proof", str(file), "--key", str(key)])
    return answer.exit_code, answer.output


def test_every_event_that_was_signed_is_proven_by_few_hashes(
    office: Office, log: list[Record], ledger: Ledger, signed: list[Head]
) -> None:
    for number, record in enumerate(log[: SIGNED[-1]]):
        made = proof_of(record, ledger, signed)
        assert made.head.size == (SIGNED[0] if number < SIGNED[0] else SIGNED[1])
        assert made.proven() == record
        assert len(made.path) <= 7
    code, said = checked(office, made.model_dump_json())
    assert code == 0
    assert said.replace("\n", " ").strip() == (
        f"Proven: {record.type} {record.event_id} is at position 100 of plans, as event 100 of 100 that were signed at"
        f" 2026-05-01T12:00:00.000000Z with the key {made.head.key_id}."
    )


def test_an_event_that_is_younger_than_every_head_is_not_proven(
    log: list[Record], ledger: Ledger, signed: list[Head]
) -> None:
    with pytest.raises(CannotProve, match="younger than every signed head"):
        proof_of(log[-1], ledger, signed)


def test_an_event_that_was_edited_is_not_proven(log: list[Record], ledger: Ledger, signed: list[Head]) -> None:
    (row,) = ledger.rows_of(log[5].event_id)
    edited = Record(*(getattr(log[5], name) for name in Record.__slots__[:-1]), b'{"bundle_id":"2"}')
    with pytest.raises(CannotProve, match="is not as it was signed"):
        proof(ledger, row, edited, signed[0])


@pytest.mark.parametrize("member", ["event", "before", "index", "path", "head", "signature"])
def test_a_proof_in_which_anything_was_changed_is_none(
    office: Office, log: list[Record], ledger: Ledger, signed: list[Head], member: str
) -> None:
    one: dict[str, Any] = proof_of(log[60], ledger, signed).model_dump()
    other: dict[str, Any] = proof_of(log[10], ledger, signed).model_dump()
    assert checked(office, one)[0] == 0
    if member == "signature":
        one["head"]["size"] += 1
    else:
        one[member] = other[member]
    code, said = checked(office, one)
    assert (code, "proves nothing" in said) == (1, True)


@pytest.mark.parametrize("text", ["", "{}", "[]", "no", "\x00"])
def test_a_file_that_is_no_proof_is_one_sentence(office: Office, text: str) -> None:
    code, said = checked(office, text)
    assert (code, "cannot be read as a proof" in said) == (1, True)


def test_another_key_proves_nothing(office: Office, log: list[Record], ledger: Ledger, signed: list[Head]) -> None:
    made = proof_of(log[3], ledger, signed).model_dump_json()
    office.key.write_bytes(heads.new_key())
    code, said = checked(office, made)
    assert (code, "its head is not signed with the key" in said.replace("\n", " ")) == (1, True)
