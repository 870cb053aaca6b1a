"""Engines a test session asked for: those it used, and those it could not have."""

import os
from typing import NoReturn

import pytest

NAMES = ("kafka", "kurrentdb", "postgres")

used: dict[str, str] = {}
missing: dict[str, str] = {}


class Missing(Exception):
    """An engine cannot be had here; one sentence says why."""


def required() -> set[str]:
    """The engines REQUIRE_ENGINES names. Raises UsageError when one of them is none."""
    names = set(os.environ.get("REQUIRE_ENGINES", "").replace(",", " ").split())
    if unknown := names - {*NAMES}:
        raise pytest.UsageError(f"REQUIRE_ENGINES names {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return names


def go_without(name: str, reason: str) -> NoReturn:
    """Ends the test as skipped, or as failed when the engine is required."""
    missing[name] = reason
    if name in required():
        pytest.fail(f"REQUIRE_ENGINES names {name}, which cannot be had: {reason}", pytrace=False)
    pytest.skip(f"no {name}: {reason}")


def report() -> list[str]:
    """For the end of the session, a line per engine that was asked for."""
    lines = [f"{name}: {what}" for name, what in sorted(used.items())]
    return lines + [f"{name}: NOT TESTED, {reason}" for name, reason in sorted(missing.items()) if name not in used]
