"""The AsyncAPI document is one, says what the models say, and its examples are what is sent."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, FormatChecker

from contracts.asyncapi import FILE, document, message_name
from contracts.json_schemas import sample, text, versions
from contracts.topics import Owner, topic_of

# Of the npm package @asyncapi/specs 6.11.1 (Apache License 2.0, beside it): its schemas/3.0.0-without-$id.json, with
# no blanks between the tokens.
SCHEMA = json.loads(Path(__file__).with_name("asyncapi").joinpath("schema-3.0.0.json").read_bytes())
DOCUMENT = json.loads(FILE.read_bytes())
MESSAGES: dict[str, dict[str, Any]] = DOCUMENT["components"]["messages"]


def fits(instance: object, schema: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError. Its references begin at the document."""
    whole = {"components": DOCUMENT["components"], "allOf": [schema]}
    Draft7Validator(whole, format_checker=FormatChecker()).validate(instance)


def test_the_file_is_as_the_models_are() -> None:
    """If not: `billing contracts write`."""
    assert FILE.read_text() == text(document())


def test_it_is_an_asyncapi_3_document() -> None:
    Draft7Validator(SCHEMA).validate(DOCUMENT)


def test_the_validator_would_tell() -> None:
    assert not Draft7Validator(SCHEMA).is_valid({**DOCUMENT, "channels": {"plans": {"topic": "billing.plans.v1"}}})


def test_every_topic_is_a_channel_with_the_messages_of_its_owner() -> None:
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == {topic_of(owner) for owner in Owner}
    for owner in Owner:
        own = {message_name(*of) for of in versions() if of[0].startswith(f"{owner}.")}
        assert set(DOCUMENT["channels"][owner]["messages"]) == own
        assert DOCUMENT["operations"][f"publish_{owner}"]["channel"] == {"$ref": f"#/channels/{owner}"}


@pytest.mark.parametrize(("name", "version"), versions())
def test_a_message_holds_its_example_which_is_a_stored_sample_with_the_headers_sent(name: str, version: int) -> None:
    message = MESSAGES[message_name(name, version)]
    (example,) = message["examples"]
    assert example["payload"] == sample(name, version)
    assert (example["headers"]["ce_type"], example["headers"]["ce_dataversion"]) == (name, str(version))
    fits(example["payload"], message["payload"])
    fits(example["headers"], message["headers"])


def test_a_message_does_not_hold_another_ones_body_or_headers() -> None:
    one, other = MESSAGES["plans.LicenceAssigned.v1"], MESSAGES["plans.AccountOpened.v1"]
    for part in ("payload", "headers"):
        with pytest.raises(Exception, match=r"required property|was expected"):
            fits(one["examples"][0][part], other[part])


def test_every_reference_leads_somewhere() -> None:
    for reference in set(_references(DOCUMENT)):
        found: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def _references(value: object) -> list[str]:
    if isinstance(value, list):
        return [found for each in value for found in _references(each)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [found for each in value.values() for found in _references(each)]
