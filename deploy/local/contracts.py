"""`billing contracts`: what other teams read is written from the models, compared with what was released, released."""

import json
from pathlib import Path
from typing import Any

from contracts import __version__, asyncapi, codec, json_schemas
from contracts.compatibility import breaches
from contracts.json_schemas import Schema

FOLDER = Path(asyncapi.__file__).parent
RELEASED = FOLDER / "released.json"
CHANGELOG = FOLDER / "CHANGELOG.md"


class NotReleased(Exception):
    """One sentence says why."""


def write() -> list[str]:
    """Writes what is generated, where it is not so already; the files' names. Older versions are as they were
    released."""
    wanted = {**_older(_released()["schemas"]), **json_schemas.todays()}
    changed = [name for name, schema in wanted.items() if _written(json_schemas.FOLDER / name, schema)]
    return [*changed, *([asyncapi.FILE.name] if _written(asyncapi.FILE, asyncapi.document()) else [])]


def check() -> list[str]:
    """What stands against a release, one sentence each."""
    found = breaches(_released()["schemas"], _present(), codec.VERSIONS, codec.UPCASTERS)
    return [*map(str, found), *_unreadable()]


def news() -> list[str]:
    """The schemas that are not as they were released, or are new."""
    released = _released()["schemas"]
    return [name.removesuffix(".json") for name, schema in _present().items() if released.get(name) != schema]


def release() -> str:
    """Today's schemas are what is compared with from now on; the version's number. Raises NotReleased."""
    if found := check():
        raise NotReleased("\n".join(found))
    if news() and __version__ == _released()["version"]:
        raise NotReleased(f"{__version__} is released, and not with these: raise __version__ in contracts/__init__.py")
    if f"\n## {__version__} " not in CHANGELOG.read_text():
        raise NotReleased(f"{CHANGELOG.name} has no section '## {__version__} …'")
    write()
    _written(RELEASED, {"version": __version__, "schemas": _present()})
    return __version__


def _released() -> dict[str, Any]:
    """version, schemas: by file name."""
    if not RELEASED.exists():
        return {"version": "", "schemas": {}}
    released: dict[str, Any] = json.loads(RELEASED.read_bytes())
    return released


def _present() -> dict[str, Schema]:
    """Today's as the models are, the older ones as they stand in their files."""
    files = {file.name: json_schemas.read(file) for file in sorted(json_schemas.FOLDER.iterdir())}
    return {**_older(files), **json_schemas.todays()}


def _older(schemas: dict[str, Schema]) -> dict[str, Schema]:
    names = {json_schemas.file_name(*of) for of in json_schemas.versions() if codec.VERSIONS[of[0]] != of[1]}
    return {name: schema for name, schema in schemas.items() if name in names}


def _unreadable() -> list[str]:
    """Samples the models do not read, or that are not there."""
    found = []
    for name, version in json_schemas.versions():
        try:
            codec.decode(name, version, json_schemas.sample(name, version))
        except FileNotFoundError:
            found.append(f"{name} v{version}: history has no sample of it")
        except (ValueError, LookupError, TypeError) as failed:  # whatever an upcaster stumbles over
            found.append(f"{name} v{version}: its sample cannot be read any more: {str(failed).splitlines()[0]}")
    return found


def _written(file: Path, document: dict[str, Any]) -> bool:
    """False when it was so already."""
    text = json_schemas.text(document)
    if file.exists() and file.read_text() == text:
        return False
    file.write_text(text)
    return True
