"""`billing secrets`: for the operator alone, and yet what containers can read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import secrets


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_a_folder_that_was_there_becomes_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    secrets.make(folder)
    assert mode(folder) == 0o700


@pytest.mark.usefixtures("strict_umask")
def test_what_is_mounted_can_be_read_by_containers_whatever_the_umask(tmp_path: Path) -> None:
    secrets.make(tmp_path)
    secrets.development_tokens(tmp_path)
    mounted = [tmp_path / name for name in ("authorities", "keys", *(f"tokens/{name}" for name in secrets.SERVICES))]
    assert {mode(folder) for folder in mounted} == {0o755}
    assert {mode(file) & 0o444 for folder in mounted for file in folder.iterdir()} == {0o444}
