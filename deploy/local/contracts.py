"""`billing contracts`: what other teams read is written from the models, compared with what was released, released."""

from contracts import json_schemas


def write() -> list[str]:
    """Writes what is generated, where it is not so already; the files' names. Older versions stay as they are."""
    documents = {json_schemas.FOLDER / name: schema for name, schema in json_schemas.todays().items()}
    changed = []
    for file, document in documents.items():
        text = json_schemas.text(document)
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            changed.append(file.name)
    return changed
