"""A small SQLite file of what can be made again: one of another version, or one a crash has torn, is thrown away."""

import sqlite3
from pathlib import Path

import structlog

IN_MEMORY = Path(":memory:")  # a folder whose files are in memory, each gone with its connection

log = structlog.get_logger(__name__)


def within(folder: Path, name: str) -> Path:
    return IN_MEMORY if folder == IN_MEMORY else folder / name


def open_derived(path: Path, version: int, schema: str, *with_it: Path, synchronous: str = "OFF") -> sqlite3.Connection:
    """The file, or a new one with `schema`. with_it: files that mean nothing without this one, and go with it.

    synchronous: OFF is enough for what is checked when it is opened, and made again when it is lost.
    """
    db = sqlite3.connect(path)
    if path == IN_MEMORY:
        db.executescript(schema)
    elif not _is_whole(db, version):
        db.close()
        if path.stat().st_size:
            log.warning("derived_file_begun_anew", path=str(path))
        for file in (path, path.with_name(f"{path.name}-journal"), *with_it):
            file.unlink(missing_ok=True)
        db = sqlite3.connect(path)
        db.executescript(f"BEGIN; {schema}; PRAGMA user_version = {version}; COMMIT;")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    return db


def _is_whole(db: sqlite3.Connection, version: int) -> bool:
    try:
        found = db.execute("PRAGMA user_version").fetchone()[0]
        return bool(found == version and db.execute("PRAGMA quick_check").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False
