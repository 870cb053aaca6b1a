"""Clients that go on issuing commands whatever happens, each command again with its key until it is answered."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from threading import Event, Thread
from typing import Any

import httpx2 as httpx

from tests.portal import Portal
from tests.system.customer import Customer, bundle_of

Members = dict[str, Any]

CLIENTS = 5
THINK_S = 0.01
ANSWER_S = 60.0  # in which every command is answered, however often its way is cut


@dataclass(frozen=True, slots=True)
class Answered:
    """A command with the answer it got in the end. path: below the account's address."""

    customer: Customer
    path: str
    body: Members
    key: str
    status: int
    content: bytes
    tries: int

    @property
    def acknowledged(self) -> bool:
        return self.status in (200, 201)


@dataclass
class Client:
    """One of several at work; two of them may share an account and a plan. trouble: what it met and must not."""

    customer: Customer
    plan: str
    number: int
    answered: list[Answered] = field(default_factory=list)
    trouble: BaseException | None = None

    def work(self, stop: Event) -> None:
        random = Random(self.number)
        try:
            while not stop.is_set():
                path, body = _wish(random, self.plan)
                self.answered.append(self._until_answered(path, body, f"key-{self.number}-{len(self.answered)}"))
                stop.wait(THINK_S)
        except BaseException as trouble:
            self.trouble = trouble

    def _until_answered(self, path: str, body: Members, key: str) -> Answered:
        deadline, tries = time.monotonic() + ANSWER_S, 0
        while time.monotonic() < deadline:
            tries += 1
            try:
                answer = self.customer.post(path, body, "*", key)
            except httpx.TransportError:
                time.sleep(0.05)  # whether it was recorded is not known: the same key again
                continue
            if answer.status_code == 503 or _in_flight(answer):
                time.sleep(0.05)
                continue
            assert answer.status_code < 500, answer.text
            return Answered(self.customer, path, body, key, answer.status_code, answer.content, tries)
        raise AssertionError(f"{path} was not answered within {ANSWER_S:g} s")


class Load:
    """Runs the clients meanwhile. After it, `answered` holds every command there was."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._stop = Event()
        self.clients = [_client(portal, number) for number in range(CLIENTS - 1)]
        first = self.clients[0]
        shared = Customer(portal, first.customer.account_id, http=httpx.Client(timeout=20))
        self.clients.append(Client(shared, first.plan, CLIENTS - 1))
        self._threads = [Thread(target=client.work, args=(self._stop,), daemon=True) for client in self.clients]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * ANSWER_S)
        for client in self.clients:
            if client.trouble:
                raise client.trouble

    @property
    def answered(self) -> list[Answered]:
        return [answered for client in self.clients for answered in client.answered]

    def until_more(self, acknowledged: int) -> None:
        """Waits for that many more commands to be acknowledged."""
        wanted = self._acknowledged() + acknowledged
        self._portal.until(lambda: self._acknowledged() >= wanted)

    def _acknowledged(self) -> int:
        return sum(each.acknowledged for each in self.answered)


def _client(portal: Portal, number: int) -> Client:
    customer = Customer.with_account(portal, httpx.Client(timeout=20))
    started = customer.answered(customer.start("workplace_business", 10, key="plan"))
    return Client(customer, bundle_of(started), number)


def _wish(random: Random, plan: str) -> tuple[str, Members]:
    """Something that is mostly possible. The plan is cancelled now and then, and soon reinstated."""
    person = {"assignee": f"person-{random.randrange(12)}"}
    wishes: list[tuple[str, Callable[[], Members], float]] = [
        ("edit", lambda: {"quantity": random.randrange(12, 60)}, 6),
        ("assign-licence", lambda: person, 6),
        ("unassign-licence", lambda: person, 4),
        ("discard-pending-change", dict, 2),
        ("capacities", lambda: {"sku": random.choice(("storage_200", "storage_30")), "quantity": 1}, 0.5),
        ("cancel", lambda: {"reason": "other", "cascade": True}, 0.5),
        ("reinstate", dict, 2),
    ]
    if random.random() < 0.05:
        return "/plans", {"sku": "rooms", "quantity": random.randrange(1, 9), "cycle": "annual"}
    name, body, _ = random.choices(wishes, [weight for *_, weight in wishes])[0]
    return f"/plans/{plan}/{name}", body()


def _in_flight(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and answer.json()["code"] == "command_in_flight"
