"""The raw limits to compare with: bare FastAPI routes on the same server, one durable SQLite append or fixed bytes."""

import sqlite3
import sys
from pathlib import Path

from fastapi import FastAPI, Response
from pydantic import BaseModel

from services.chassis.serve import run
from services.chassis.settings import ServiceSettings, load


class Body(BaseModel):
    quantity: int


def bare_app(settings: ServiceSettings) -> FastAPI:
    """POST /append: one row of the size of an event, committed with synchronous=FULL. GET /bytes: a file's bytes."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(settings.data_dir / "bare.sqlite3", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS log(position INTEGER PRIMARY KEY, data BLOB)")
    event = Path(settings.data_dir / "event.json").read_bytes()
    answer = Path(settings.data_dir / "answer.json").read_bytes()
    app = FastAPI(title="bare")

    @app.post("/append")
    async def append(body: Body) -> dict[str, int]:
        position = database.execute("INSERT INTO log(data) VALUES (?)", (event,)).lastrowid
        return {"position": position or 0, "quantity": body.quantity}

    @app.get("/bytes")
    async def fixed() -> Response:
        return Response(answer, media_type="application/json")

    return app


if __name__ == "__main__":
    settings = load(ServiceSettings)
    sys.exit(run(bare_app(settings), settings))
