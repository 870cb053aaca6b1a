"""Which heads of an owner can be believed, and what their files say against somebody."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.audit import Head
from services.chassis import heads


def believed(folder: Path, owner: str, key: Ed25519PublicKey) -> tuple[list[Head], list[str]]:
    """Heads whose signature is sound, the shortest log first, and what is wrong with the files."""
    sound: list[Head] = []
    wrong: list[str] = []
    digests = {""}
    for file in heads.files_of(folder, owner):
        try:
            head = heads.read(file)
        except (ValueError, OSError):
            wrong.append(f"{file} cannot be read as a head.")
            continue
        if head.owner != owner or not heads.is_signed(head, key):
            by = "" if head.key_id == heads.key_id(key) else f" (it names the key {head.key_id})"
            wrong.append(f"{file} is not signed with the key {heads.key_id(key)}{by}.")
            continue
        # Two notaries may have signed after the same one, so the head before it need not be the one next to it.
        if head.previous not in digests or (not head.previous and sound):
            wrong.append(f"A head before {file} was removed or changed: it was signed after one that is not there.")
        sound.append(head)
        digests.add(head.digest())
    return sound, wrong
