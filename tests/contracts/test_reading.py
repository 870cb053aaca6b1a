"""What other teams read: one call from a record or a line to an event."""

import json
from dataclasses import replace

import pytest

from contracts import codec
from contracts.envelope import Record, feed_line
from contracts.plans import LicenceAssigned
from contracts.reading import decode
from tests.contracts.kafka import message, samples

ONE = next(record for record in samples() if record.type == "plans.LicenceAssigned")
ids = [f"{record.type}.v{record.version}" for record in samples()]


@pytest.mark.parametrize("record", samples(), ids=ids)
def test_a_record_of_any_version_is_read_as_the_event_of_today(record: Record) -> None:
    event = decode(message(record, 7))
    assert event.body == codec.decode(record.type, record.version, record.data)
    assert (event.type, event.version, event.position, event.prevposition) == (
        *(record.type, record.version),
        *(record.position, 7),
    )
    assert event.account_id == "acme"


@pytest.mark.parametrize("as_text", [False, True])
def test_a_line_of_a_feed_is_the_same_event(as_text: bool) -> None:
    line = feed_line(replace(ONE, data=ONE.data.replace(b"\n", b"")))
    assert decode(line.decode() if as_text else line) == replace(decode(message(ONE)), prevposition=None)


def test_an_event_younger_than_this_package_is_none_of_its_classes_and_no_error() -> None:
    event = decode(message(replace(ONE, type="plans.PlanGifted")))
    assert (event.type, event.body, event.data) == ("plans.PlanGifted", None, json.loads(ONE.data))


def test_a_younger_version_is_read_as_the_newest_one_known() -> None:
    assert isinstance(decode(message(replace(ONE, version=9))).body, LicenceAssigned)


@pytest.mark.parametrize("line", ['{"end":true,"position":3}', "", "[]"])
def test_what_is_no_event_is_an_error(line: str) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        decode(line)
