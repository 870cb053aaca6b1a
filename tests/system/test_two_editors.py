"""Two editors at once: of two changes to one revision one wins, and one command sent twice is one fact."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import httpx2 as httpx
import pytest

from tests.portal import Portal
from tests.system import logs
from tests.system.customer import Customer

ROUNDS = 40
SENDERS = 6

Request = Callable[[], httpx.Response]
Together = Callable[[Sequence[Request]], list[httpx.Response]]
Send = Callable[[Customer, str, int], httpx.Response]


@pytest.fixture(scope="module")
def together() -> Iterator[Together]:
    """Sends requests at the same moment, each from a thread of its own."""
    with ThreadPoolExecutor(SENDERS) as threads:

        def at_once(start: Barrier, request: Request) -> httpx.Response:
            start.wait(10)
            return request()

        yield lambda requests: list(threads.map(partial(at_once, Barrier(len(requests))), requests))


def test_of_two_editors_with_one_etag_one_is_told_that_it_is_stale(portal: Portal, together: Together) -> None:
    olive = Customer.with_account(portal)
    bundle_id = olive.started("workplace_business", 10)
    editors = [olive, Customer(portal, olive.account_id, http=httpx.Client(timeout=30))]
    tag = '"0"'
    for number in range(ROUNDS):
        wishes = [{"quantity": 11 + 2 * number + which} for which in range(2)]
        requests = [
            partial(who.change, bundle_id, "edit", wish, tag) for who, wish in zip(editors, wishes, strict=True)
        ]
        answers = together(requests)
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        winner = 0 if answers[0].status_code == 200 else 1
        stale = answers[1 - winner].json()
        assert (stale["code"], stale["revision"]) == ("revision_stale", number + 1)
        card = olive.card(bundle_id, answers[winner].headers["billing-position"])
        assert card["licences"]["total"] == wishes[winner]["quantity"]
        tag = answers[winner].headers["etag"]
        assert tag == f'"{card["revision"]}"'
    revisions = [event["revision"] for event in logs.feed(portal) if event["stream"] == f"plan-{bundle_id}"]
    assert revisions == list(range(ROUNDS + 1))


def _start(client: Customer, _plan: str, number: int) -> httpx.Response:
    return client.start("rooms", 1, key=f"key-{number}")


def _assign(client: Customer, plan: str, number: int) -> httpx.Response:
    return client.change(plan, "assign-licence", {"assignee": f"person-{number}"}, key=f"key-{number}")


def _edit(client: Customer, plan: str, number: int) -> httpx.Response:
    """With a definite If-Match: a repetition gets the original answer although the revision has moved."""
    return client.change(plan, "edit", {"quantity": 11 + number}, f'"{number}"', f"key-{number}")


@pytest.mark.parametrize("send", [_start, _assign, _edit])
def test_one_command_sent_many_times_at_once_is_one_fact(portal: Portal, together: Together, send: Send) -> None:
    customer = Customer.with_account(portal)
    plan = customer.started("workplace_business", 10)
    clients = [Customer(portal, customer.account_id, http=httpx.Client(timeout=30)) for _ in range(SENDERS)]
    rounds = 10
    for number in range(rounds):
        answers = together([partial(send, client, plan, number) for client in clients])
        done = [answer for answer in answers if answer.status_code in (200, 201)]
        again = send(customer, plan, number)
        assert done
        assert {(each.status_code, each.content) for each in done} == {(again.status_code, again.content)}
        assert {each.json()["code"] for each in answers if each not in done} <= {"command_in_flight"}
    recorded = [event for event in logs.feed(portal) if event["metadata"]["account_id"] == customer.account_id]
    assert len(recorded) == 2 + rounds
