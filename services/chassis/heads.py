"""Signed heads: files that are written once, in a folder outside the store, and the key they are signed with."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from contracts.audit import Head

KEY_ID_DIGITS = 16


class WrongKey(Exception):
    """What stands against a key, in one sentence."""


@dataclass(frozen=True, slots=True)
class Signer:
    key: Ed25519PrivateKey
    key_id: str

    @classmethod
    def from_file(cls, file: Path) -> "Signer":
        """file: PEM (PKCS 8) of an Ed25519 key. Raises WrongKey."""
        try:
            key = serialization.load_pem_private_key(file.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise WrongKey(f"{file} cannot be read as a private key: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise WrongKey(f"{file} is no Ed25519 key")
        return cls(key, key_id(key.public_key()))

    def sign(self, head: Head) -> Head:
        return head.model_copy(update={"signature": self.key.sign(head.statement()).hex()})


def public_key(file: Path) -> Ed25519PublicKey:
    """From PEM of the public key, or of the private one. Raises WrongKey."""
    try:
        text = file.read_bytes()
        if b"PRIVATE" in text:
            return Signer.from_file(file).key.public_key()
        key = serialization.load_pem_public_key(text)
    except (OSError, ValueError) as error:
        raise WrongKey(f"{file} cannot be read as a public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise WrongKey(f"{file} is no Ed25519 key")
    return key


def new_key() -> bytes:
    """PEM of a new private key."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Ed25519PrivateKey.generate().private_bytes(*form)


def public_text(file: Path) -> bytes:
    """PEM of the public key that belongs to a private one. Raises WrongKey."""
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return public_key(file).public_bytes(*form)


def key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:KEY_ID_DIGITS]


def is_signed(head: Head, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(bytes.fromhex(head.signature), head.statement())
    except (InvalidSignature, ValueError):
        return False
    return True


def files_of(folder: Path, owner: str) -> list[Path]:
    """An owner's heads, the shortest log first."""
    return sorted(folder.glob(f"{owner}-*.json"))


def read(file: Path) -> Head:
    """Raises ValueError for a file that is no head; OSError."""
    try:
        return Head.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{file} is not a signed head") from error


def write(folder: Path, head: Head) -> Path:
    """Once: a file that is there is never written again, nor does anything else have to be possible in the folder.
    Raises FileExistsError when there is a head of that size already; OSError."""
    file = folder / f"{head.owner}-{head.size:012}.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    try:
        os.write(descriptor, head.written())  # a few hundred bytes: at once
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return file
