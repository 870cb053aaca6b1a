"""The log over HTTP: an account's for its auditors, all of it for auditors of everything; the same as everywhere."""

import json
import subprocess
import sys

import httpx2 as httpx
import pytest

from contracts.topics import Owner
from tests.portal import Portal
from tests.system import logs

OF_ACME, ALL = "/api/v1/accounts/acme/events", "/api/v1/events"


def asked(portal: Portal, path: str, user: str | None = None, **parameters: str | int) -> httpx.Response:
    """user: of the demo; an auditor of everything when left out."""
    token = portal.token(user) if user else portal.auditor()
    return portal.http.get(portal.url() + path, params=parameters, headers={"Authorization": f"Bearer {token}"})


def lines(answer: httpx.Response) -> tuple[list[bytes], dict[str, int]]:
    """The events, and up to which positions they are whole."""
    assert answer.status_code == 200, answer.text
    *events, end = answer.content.splitlines()
    last = json.loads(end)
    assert last["end"] is True
    return events, last["positions"]


def test_an_auditor_of_an_account_reads_all_that_happened_to_it_and_nothing_else(portal: Portal) -> None:
    events, positions = lines(asked(portal, OF_ACME, "aude"))
    whole = [each for owner in Owner for each in logs.feed(portal, owner) if each["position"] <= positions[owner]]
    assert [json.loads(event) for event in events] == [each for each in whole if of(each) == "acme"]
    assert {json.loads(event)["type"].partition(".")[0] for event in events} == set(Owner)


def test_who_read_it_is_among_the_events_themselves(portal: Portal) -> None:
    asked(portal, OF_ACME, "aude")  # recorded before it was answered
    events = [json.loads(event) for event in lines(asked(portal, OF_ACME, "aude"))[0]]
    readings = [each for each in events if each["type"] == "plans.HistoryRead" and each["data"]["way"] == "events"]
    assert [each["metadata"]["actor"]["id"] for each in readings] == ["user-aude"]


def of(event: dict[str, dict[str, str]]) -> str:
    return event["metadata"]["account_id"]


def test_what_broke_off_is_read_on_and_asked_again_it_is_the_same(portal: Portal) -> None:
    whole, positions = lines(asked(portal, ALL, owner="plans"))
    until = positions["plans"]
    middle = json.loads(whole[len(whole) // 2])["position"]
    first, _ = lines(asked(portal, ALL, owner="plans", until=middle))
    rest, _ = lines(asked(portal, ALL, owner="plans", after=middle, until=until))
    assert first + rest == whole
    assert (
        asked(portal, ALL, owner="plans", until=until).content == asked(portal, ALL, owner="plans", until=until).content
    )


def test_a_stream_a_time_and_an_owner_are_asked_for(portal: Portal) -> None:
    asked(portal, OF_ACME, "aude")  # from now on reading it adds nothing to it
    events = [json.loads(event) for event in lines(asked(portal, OF_ACME, "aude"))[0]]
    stream = events[5]["stream"]
    at = sorted(each["metadata"]["recorded_at"] for each in events)[len(events) // 2]
    for parameters, wanted in (
        ({"stream": stream}, lambda each: each["stream"] == stream),
        ({"owner": "devices"}, lambda each: each["type"].startswith("devices.")),
        ({"since": at}, lambda each: each["metadata"]["recorded_at"] >= at),
        ({"before": at}, lambda each: each["metadata"]["recorded_at"] < at),
    ):
        found = [json.loads(event) for event in lines(asked(portal, OF_ACME, "aude", **parameters))[0]]
        assert found == [each for each in events if wanted(each)]
        assert 0 < len(found) < len(events)


def test_as_cloud_events_it_is_what_the_command_writes(portal: Portal) -> None:
    command = [sys.executable, "-m", "services.cli", "replay", "--account", "acme", "--format", "cloudevents"]
    command += ["--data-dir", str(portal.data_dir)]
    written = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    events, _ = lines(asked(portal, OF_ACME, "aude", format="cloudevents"))
    assert events == written.splitlines()
    assert json.loads(events[0])["specversion"] == "1.0"


@pytest.mark.parametrize(
    ("path", "user", "refusal"),
    [
        (OF_ACME, "victor", (403, "forbidden")),
        (OF_ACME, "nora", (404, "account_not_found")),
        (ALL, "aude", (404, "account_not_found")),
    ],
)
def test_nobody_else_reads_it(portal: Portal, path: str, user: str, refusal: tuple[int, str]) -> None:
    answer = asked(portal, path, user)
    assert (answer.status_code, answer.json()["code"]) == refusal


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("owner", {"owner": "gateway"}),
        ("owner", {"after": "5"}),
        ("after", {"owner": "plans", "after": "-1"}),
        ("until", {"owner": "plans", "until": "9" * 30}),
        ("since", {"since": "yesterday"}),
        ("before", {"before": "2026-02-30"}),
        ("stream", {"stream": "x" * 201}),
        ("format", {"format": "xml"}),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(portal: Portal, name: str, parameters: dict[str, str]) -> None:
    answer = asked(portal, OF_ACME, "aude", **parameters)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert name in answer.text
