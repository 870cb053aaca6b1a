"""What the gateway tells of the events: schemas and the AsyncAPI document for programs, a catalogue for people."""

import re
from collections.abc import AsyncIterator

import pytest

from contracts.asyncapi import FILE
from contracts.codec import VERSIONS
from contracts.json_schemas import FOLDER, stored, versions
from contracts.topics import Owner, topic_of
from tests.gateway.gateway import Gateway, gateway


@pytest.fixture(scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path_factory.mktemp("gateway")) as opened:
        yield opened


async def text_of(opened: Gateway, path: str) -> str:
    """Of a page that is there, for somebody who is not signed in."""
    answer = await opened.client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200
    return answer.text


async def test_the_schema_of_every_version_is_at_its_address_for_everybody(opened: Gateway) -> None:
    for name, version in versions():
        answer = await opened.client.get(f"/events/schemas/{name}/{version}.json")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
        assert answer.json() == stored(name, version)


async def test_so_are_those_of_the_envelope_and_the_asyncapi_document(opened: Gateway) -> None:
    for name in ("headers", "metadata"):
        answer = await opened.client.get(f"/events/schemas/{name}.json")
        assert answer.content == (FOLDER / f"{name}.json").read_bytes()
    answer = await opened.client.get("/events/asyncapi.json")
    assert (answer.content, answer.headers["content-type"]) == (FILE.read_bytes(), "application/json")


@pytest.mark.parametrize(
    "path",
    [
        "plans.PlanStarted/2.json",
        "plans.PlanStarted/0.json",
        "plans.PlanForgotten/1.json",
        "..%2F..%2Fasyncapi.json",
        "..%2F..%2Freleased/1.json",
        "asyncapi.json",
    ],
)
async def test_what_is_no_schema_is_not_found(opened: Gateway, path: str) -> None:
    answer = await opened.client.get(f"/events/schemas/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_catalogue_lists_every_event_under_its_topic(opened: Gateway) -> None:
    text = await text_of(opened, "/events")
    assert set(re.findall(r'href="/events/(\w+\.\w+)">', text)) - {"asyncapi.json"} == set(VERSIONS)
    assert all(f"<code>{topic_of(owner)}</code>" in text for owner in Owner)
    assert "A line will change on the event&#39;s effective date; until then nothing is charged or credited" in text


async def test_every_event_has_a_page_with_its_members_schemas_and_an_example(opened: Gateway) -> None:
    for name, version in VERSIONS.items():
        text = await text_of(opened, f"/events/{name}")
        for member in stored(name, version)["properties"]:
            assert f"<code>{member}</code>" in text
        for each in range(1, version + 1):
            assert f'href="/events/schemas/{name}/{each}.json"' in text
        assert re.search(rf"<code>ce_type</code></th><td><code>{name}</code>", text)
        assert '<pre tabindex="0"' in text
        anchors = set(re.findall(r'href="#(\w+)">', text)) - {"main"}
        assert anchors <= set(re.findall(r'id="(\w+)"', text))
        assert bool(anchors) == ("$defs" in stored(name, version))


async def test_a_member_is_told_in_words(opened: Gateway) -> None:
    text = re.sub(r"<[^>]+>", " ", await text_of(opened, "/events/plans.PriceBookPublished"))
    for told in ("list of Product", "Price by Cycle by Currency", "date or null", "integer, 1 to 1,000,000"):
        assert told in text


async def test_the_catalogue_loads_nothing_from_elsewhere(opened: Gateway) -> None:
    answer = await opened.client.get("/events/plans.PlanStarted")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "http" not in answer.text.replace("https://json-schema.org", "")
    assert " style=" not in answer.text


async def test_an_event_there_is_not_is_a_page_that_says_so(opened: Gateway) -> None:
    answer = await opened.client.get("/events/plans.PlanForgotten")
    assert (answer.status_code, "There is nothing at this address" in answer.text) == (404, True)


async def test_every_page_leads_to_the_catalogue(opened: Gateway) -> None:
    assert '<a href="/events">' in await text_of(opened, "/signed-out")
