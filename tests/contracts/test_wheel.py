"""The wheel of contracts, as another team installs it: beside pydantic and nothing else, without a network."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from contracts import __version__
from contracts.json_schemas import FOLDER, HISTORY
from tests.contracts.kafka import message, samples
from tests.contracts.wheel import built

# Reads samples from a file, as (headers, value) pairs; answers the class of each body.
READER = """
import json, sys
from types import SimpleNamespace
from billing_contracts.reading import decode
for headers, value in json.load(sys.stdin):
    record = SimpleNamespace(headers=[(name, text.encode()) for name, text in headers], value=value.encode())
    print(type(decode(record).body).__qualname__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a new environment that has pydantic, what pydantic needs, and the wheel."""
    folder = tmp_path_factory.mktemp("other-team")
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", str(folder)), check=True, timeout=120)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in _with_what_it_needs("pydantic"):
        _copy(name, packages)
    # --no-index: what the wheel asks for must be there already.
    options = ("--quiet", "--no-index", "--python", str(folder / "bin/python"))
    subprocess.run((sys.executable, "-m", "pip", *options[2:], "install", *options[:2], wheel), check=True, timeout=120)
    yield folder / "bin/python"
    shutil.rmtree(folder)


def test_it_holds_models_schemas_samples_and_types_and_nothing_of_ours(wheel: Path) -> None:
    names = {Path(name) for name in zipfile.ZipFile(wheel).namelist()}
    inside = {name.relative_to("billing_contracts") for name in names if name.parts[0] == "billing_contracts"}
    assert {Path("py.typed"), Path("reading.py"), Path("codec.py"), Path("asyncapi.json")} <= inside
    assert {Path("schemas", file.name) for file in FOLDER.iterdir()} <= inside
    assert {Path("history", file.name) for file in HISTORY.iterdir()} <= inside
    assert {name.parts[0] for name in names} == {"billing_contracts", f"billing_contracts-{__version__}.dist-info"}


def test_with_pydantic_alone_it_decodes_every_sample(python: Path) -> None:
    sent = [message(record) for record in samples()]
    records = [([(name, value.decode()) for name, value in each.headers], each.value.decode()) for each in sent]
    told = subprocess.run(
        (python, "-I", "-c", READER), input=json.dumps(records), capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.split() == [record.type.rpartition(".")[2] for record in samples()]


def _with_what_it_needs(name: str) -> set[str]:
    needs = map(Requirement, distribution(name).requires or ())
    wanted = [need.name for need in needs if not need.marker or need.marker.evaluate({"extra": ""})]
    return {name}.union(*map(_with_what_it_needs, wanted))


def _copy(name: str, packages: Path) -> None:
    """An installed distribution into another environment: what its own list of files names."""
    for file in distribution(name).files or ():
        if ".." not in file.parts:
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), packages / file)
