"""A whole portal in processes, over an Apache Kafka, a PostgreSQL and a KurrentDB of the tests."""

import asyncio
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg

from tests.engines.apache_kafka import ApacheKafka
from tests.portal import START_S, Portal


class ClusterPortal(Portal):
    """Its broker is no part of it, but is killed and comes back as if it were: with its log."""

    broker_forgets = False

    def __init__(
        self,
        data_dir: Path,
        kafka: ApacheKafka,
        database: str,
        event_store: str | None,
        *options: str,
        start_s: float = START_S,
    ) -> None:
        """event_store: of KurrentDB; SQLite when left out."""
        engines = ["--kafka", kafka.bootstrap, "--database", database]
        engines += ["--event-store", event_store] if event_store else []
        super().__init__(data_dir, *engines, *options, start_s=start_s)
        self._kafka, self._database = kafka, database

    @property
    def bootstrap(self) -> str:
        return self._kafka.bootstrap

    def parts(self) -> dict[str, dict[str, Any]]:
        return {**super().parts(), "broker": {"url": f"tcp://{self.bootstrap}", "pid": self._kafka.pid}}

    def kill(self, part: str) -> int:
        if part != "broker":
            return super().kill(part)
        pid = self._kafka.pid
        self._kafka.kill()
        # Its own thread: whoever kills it may do so inside an event loop, and goes on while it starts.
        Thread(target=lambda: asyncio.run(self._kafka.start()), daemon=True).start()
        return pid

    def read_models(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._database) as connection:
            schemas = "SELECT string_agg(nspname, ',') FROM pg_namespace WHERE nspname LIKE 'read\\_models\\_%'"
            connection.execute("SELECT set_config('search_path', (" + schemas + "), false)")
            return connection.execute(query.encode()).fetchall()
