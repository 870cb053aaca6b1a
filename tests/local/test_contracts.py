"""`billing contracts` in a copy of the tree in which a developer changed an event."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts import __version__

ROOT = Path(__file__).parents[2]
NEEDED = ("contracts", "deploy/__init__.py", "deploy/local", "services/__init__.py", "services/cli.py")
ASSIGNED = "    assignee: Id\n\n\nclass LicenceUnassigned"
UPCASTERS = "UPCASTERS: dict[tuple[str, int], Upcaster] = {"


class Tree:
    """A copy of what the command needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in NEEDED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)

    def change(self, file: str, old: str, new: str) -> None:
        path = self.folder / "contracts" / file
        assert path.read_text().count(old) == 1
        path.write_text(path.read_text().replace(old, new))

    def contracts(self, command: str) -> tuple[int, str]:
        """Its exit code, and what it says."""
        asked = (sys.executable, "-m", "services.cli", "contracts", command)
        told = subprocess.run(asked, cwd=self.folder, capture_output=True, text=True, timeout=60)
        return told.returncode, (told.stdout + told.stderr).strip()


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    yield Tree(tmp_path / "tree")
    shutil.rmtree(tmp_path / "tree")


def test_what_is_there_now_is_compatible_with_what_was_released(tree: Tree) -> None:
    code, told = tree.contracts("check")
    assert (code, told.splitlines()[0]) == (0, "Nothing breaks.")
    assert tree.contracts("write") == (0, "")


def test_a_member_stored_events_do_not_have_needs_a_version_and_an_upcaster(tree: Tree) -> None:
    tree.change("plans.py", ASSIGNED, ASSIGNED.replace("Id\n", "Id\n    seat: int\n", 1))
    code, told = tree.contracts("check")
    assert code == 1
    assert "plans.LicenceAssigned v1: seat: is new, and stored events have none" in told
    assert "plans.LicenceAssigned v1: its sample cannot be read any more" in told
    assert tree.contracts("release") == (1, told)
    tree.change("codec.py", UPCASTERS, f'{UPCASTERS}\n    ("plans.LicenceAssigned", 1): lambda d: {{**d, "seat": 1}},')
    assert tree.contracts("check") == (1, "plans.LicenceAssigned v2: history has no sample of it")
    history = tree.folder / "contracts/history"
    text = (history / "plans.LicenceAssigned.v1.json").read_text().replace("{", '{"seat": 3,', 1)
    (history / "plans.LicenceAssigned.v2.json").write_text(text)
    tree.contracts("write")
    code, told = tree.contracts("check")
    assert code == 0
    assert told.startswith("Nothing breaks.")
    assert "new or compatible: plans.LicenceAssigned.v2" in told


def test_a_release_has_a_new_number_and_a_word_in_the_changelog_and_is_held_to_from_then_on(tree: Tree) -> None:
    seat = ASSIGNED.replace("Id\n", "Id\n    seat: int | None = None\n", 1)
    tree.change("plans.py", ASSIGNED, seat)
    assert tree.contracts("check")[0] == 0
    code, told = tree.contracts("release")
    assert (code, "raise __version__" in told) == (1, True)
    tree.change("__init__.py", '__version__ = "', '__version__ = "9.')
    code, told = tree.contracts("release")
    assert (code, "CHANGELOG.md has no section" in told) == (1, True)
    tree.change(
        "CHANGELOG.md", f"\n## {__version__} ", f"\n## 9.{__version__} (today)\n\n- A seat.\n\n## {__version__} "
    )
    assert tree.contracts("release") == (0, f"Released 9.{__version__}.")
    tree.change("plans.py", seat, ASSIGNED)
    assert tree.contracts("check") == (
        1,
        "plans.LicenceAssigned v1: seat: is gone; go on writing it (breaks consumers)",
    )


def test_an_older_version_that_was_edited_is_refused_and_put_back(tree: Tree) -> None:
    file = "schemas/plans.AddOnCancelled.v1.json"
    tree.change(file, '"ends_on": {', '"ended_on": {')
    assert "plans.AddOnCancelled v1: an older version was rewritten" in tree.contracts("check")[1]
    assert "plans.AddOnCancelled.v1.json" in tree.contracts("write")[1]
    assert tree.contracts("check")[0] == 0
