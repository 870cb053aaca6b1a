"""The published JSON Schemas say what the models say, and hold for whatever is written."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from contracts.envelope import Record
from contracts.json_schemas import FOLDER, file_name, sample, stored, text, todays, versions
from tests.contracts.kafka import METADATA, message, samples

every_version = pytest.mark.parametrize(("name", "version"), versions())


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def test_the_files_are_as_the_models_are() -> None:
    """If not: `billing contracts write`, and look at what changed."""
    assert {name: text(schema) for name, schema in todays().items()} == {
        name: (FOLDER / name).read_text() for name in todays()
    }


def test_every_version_there_ever_was_has_one_and_nothing_else_has() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {
        *todays(),
        *(file_name(name, version) for name, version in versions()),
    }


@every_version
def test_it_says_in_a_sentence_what_happened_and_not_under_which_of_our_rules(name: str, version: int) -> None:
    assert re.match(r"[A-Z].*\.$", stored(name, version)["description"])
    assert not re.search(r"DOMAIN|\([MB]\d", (FOLDER / file_name(name, version)).read_text())


@every_version
def test_a_sample_fits_its_schema(name: str, version: int) -> None:
    validator(stored(name, version)).validate(sample(name, version))


@every_version
def test_a_sample_without_one_of_its_members_does_not(name: str, version: int) -> None:
    schema, members = stored(name, version), sample(name, version)
    for missing in members:
        assert not validator(schema).is_valid({key: value for key, value in members.items() if key != missing})


def test_an_older_sample_does_not_fit_the_newer_schema() -> None:
    assert not validator(stored("plans.AddOnCancelled", 2)).is_valid(sample("plans.AddOnCancelled", 1))


@pytest.mark.parametrize("record", samples()[::20], ids=lambda record: record.type)
def test_the_headers_of_a_record_fit_theirs_and_no_other_is_sent(record: Record) -> None:
    schema = json.loads((FOLDER / "headers.json").read_bytes())
    traced = replace(record, metadata=record.metadata.replace(b'"traceparent": ""', b'"traceparent": "00-1-2-01"'))
    for sent in (record, traced):
        headers = {name: value.decode() for name, value in message(sent).headers}
        validator(schema).validate(headers)
        assert set(headers) == {*schema["properties"]} - ({"ce_traceparent"} if sent is record else set())


def test_the_metadata_in_a_line_of_a_feed_fits_its_schema() -> None:
    validator(json.loads((FOLDER / "metadata.json").read_bytes())).validate(METADATA)
