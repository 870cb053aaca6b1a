"""tests/DOMAIN.md is complete, and names tests that are there."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.codec import EVENTS
from contracts.problems import PROBLEMS
from services.gateway.commands import COMMANDS

ROOT = Path(__file__).parent.parent
TABLE = (ROOT / "tests/DOMAIN.md").read_text()
RULES = [*(f"M{number}" for number in range(1, 13)), *(f"B{number}" for number in range(1, 20))]
NOT_BUILT = "not there yet"
MOST_TESTS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """of: all cells but the last, which holds the tests."""

    section: str
    of: str
    tests: str

    @property
    def names(self) -> list[str]:
        """What is written as code before the tests."""
        return re.findall(r"`([^`]+)`", self.of)


def rows() -> Iterator[Row]:
    for section in TABLE.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        for line in text.splitlines():
            if line.startswith("| ") and not line.startswith(("| ---", "| :-")):
                *of, tests = line.strip("| ").split(" | ")
                if tests != "Tests":
                    yield Row(title, " | ".join(of), tests)


def named(section: str) -> set[str]:
    return {name for row in rows() if row.section == section for name in row.names}


def paths_in(text: str) -> list[str]:
    return re.findall(r"`(tests/[^`]+::[^`]+)`", text)


def defined_in(file: Path) -> set[str]:
    """Functions, and state machines that are given to pytest by a name, at the top of a file."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in found if name.lower().startswith("test")}


def test_every_test_that_is_named_is_there() -> None:
    there: dict[str, set[str]] = {}
    for name in set(paths_in(TABLE)):
        file, _, test = name.partition("::")
        if file not in there:
            there[file] = defined_in(ROOT / file) if (ROOT / file).is_file() else set()
        assert test in there[file], name


def test_every_row_names_one_to_three_tests_or_says_what_is_missing() -> None:
    for row in rows():
        few_enough = 1 <= len(set(paths_in(row.tests))) <= MOST_TESTS
        assert few_enough or (not paths_in(row.tests) and NOT_BUILT in row.tests), row


def test_every_command_has_its_row() -> None:
    assert {command.name for command in COMMANDS} - named("Commands") == set()


def test_every_event_has_its_row_and_no_other() -> None:
    assert set(EVENTS) == named("Events")


def test_every_rule_has_its_row_and_no_other() -> None:
    first = {row.names[0] for row in rows() if row.section in ("Money", "Rules") and row.names}
    assert set(RULES) == first


def test_every_problem_has_its_row_with_a_test() -> None:
    told = {
        name
        for row in rows()
        if row.section in ("Bad input", "Other problems") and paths_in(row.tests)
        for name in row.names
    }
    assert set(PROBLEMS) - told == set()
    assert named("Other problems") - set(PROBLEMS) == set()
