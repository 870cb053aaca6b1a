"""`billing contracts`: what other teams read is written from the models, compared with what was released, released."""

from pathlib import Path
from typing import Any

from contracts import asyncapi, json_schemas


def write() -> list[str]:
    """Writes what is generated, where it is not so already; the files' names. Older versions stay as they are."""
    schemas = {json_schemas.FOLDER / name: schema for name, schema in json_schemas.todays().items()}
    changed = [file.name for file, schema in schemas.items() if _written(file, schema)]
    return [*changed, *([asyncapi.FILE.name] if _written(asyncapi.FILE, asyncapi.document()) else [])]


def _written(file: Path, document: dict[str, Any]) -> bool:
    """False when it was so already."""
    text = json_schemas.text(document)
    if file.exists() and file.read_text() == text:
        return False
    file.write_text(text)
    return True
