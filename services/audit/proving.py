"""Proofs that one event is in a log that was signed: made from the ledger, checked with the public key alone."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from contracts.audit import Head, Proof
from contracts.canonical import link
from contracts.envelope import Record
from contracts.merkle import inclusion_path
from services.chassis import heads
from services.chassis.ledger import Ledger, Row


class CannotProve(Exception):
    """What stands against it, in one sentence."""


def head_over(row: Row, signed: Sequence[Head]) -> Head:
    """The first that was signed with this event in the log. Raises CannotProve."""
    for head in signed:
        if head.size > row.number:
            return head
    raise CannotProve(f"{row.event_id} is younger than every signed head: `billing audit sign` signs one now.")


def proof(ledger: Ledger, row: Row, record: Record, head: Head) -> Proof:
    """Raises CannotProve when the event, or the ledger, is not what was signed."""
    made = Proof.of(record, row.before, row.number, inclusion_path(row.number, head.size, ledger.node), head)
    if link(row.before, record) != row.link or not is_proven(made):
        raise CannotProve(f"{row.event_id} is not as it was signed: `billing audit verify` says more.")
    return made


def is_proven(made: Proof) -> bool:
    try:
        made.proven()
    except ValueError:
        return False
    return True


def checked(file: Path, key: Ed25519PublicKey) -> Proof:
    """The proof in a file, which holds. Raises CannotProve."""
    try:
        found = Proof.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise CannotProve(f"{file} cannot be read as a proof.") from error
    if not heads.is_signed(found.head, key):
        raise CannotProve(f"{file} proves nothing: its head is not signed with the key {heads.key_id(key)}.")
    if not is_proven(found):
        raise CannotProve(f"{file} proves nothing: this event is not what was signed.")
    return found
