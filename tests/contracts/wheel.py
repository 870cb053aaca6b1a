"""The wheel of contracts, made as another team would make it."""

import subprocess
import sys
from pathlib import Path

CONTRACTS = Path(__file__).parents[2] / "contracts"
OFFLINE = ("--quiet", "--no-deps", "--no-index")


def built(folder: Path) -> Path:
    _pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(CONTRACTS))
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpacked(wheel: Path, folder: Path) -> Path:
    """A folder for PYTHONPATH."""
    _pip("install", "--target", str(folder), str(wheel))
    return folder


def _pip(command: str, *arguments: str) -> None:
    subprocess.run((sys.executable, "-m", "pip", command, *OFFLINE, *arguments), check=True, timeout=120)
