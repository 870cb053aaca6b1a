"""What an audit hashes is all an event says, and nothing else has the same bytes."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.canonical import BEGINNING, account_of, canonical, link, record_of
from contracts.envelope import Record, feed_line

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NUMBERS = st.integers(0, 2**63 - 1)
BODIES = st.dictionaries(TEXTS, TEXTS | st.integers() | st.none() | st.lists(TEXTS, max_size=2), max_size=3)
JSON = st.builds(
    lambda body, spaced: json.dumps(body, indent=spaced).replace("\n", " ").encode(), BODIES, st.sampled_from([None, 1])
)
RECORDS = st.builds(Record, NUMBERS, TEXTS, NUMBERS, TEXTS, TEXTS, st.integers(1, 99), JSON, JSON)
EVENT = Record(7, "plan-1", 3, "e-1", "plans.PlanEdited", 1, b'{"account_id":"acme"}', b'{"quantity":15}')


@given(RECORDS, RECORDS)
def test_two_events_share_their_bytes_only_if_they_are_the_same(one: Record, other: Record) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@pytest.mark.parametrize("field", [field.name for field in fields(Record)])
def test_every_field_counts(field: str) -> None:
    value = getattr(EVENT, field)
    other = value + 1 if isinstance(value, int) else value + value[:1]
    assert canonical(replace(EVENT, **{field: other})) != canonical(EVENT)


def test_nothing_can_be_moved_from_one_field_into_the_next() -> None:
    moved = replace(EVENT, metadata=EVENT.metadata + EVENT.data[:5], data=EVENT.data[5:])
    assert canonical(moved) != canonical(EVENT)


def test_the_form_is_the_one_that_was_published() -> None:
    """A hash that was signed must be computable for ever: this one was computed by the first version."""
    assert link(BEGINNING, EVENT).hex() == "29c9399d6ec8c629bb679b4120a6d33fc14cc5629816f1052e33ecc442ced640"


@given(RECORDS)
def test_a_feed_line_gives_back_every_byte_of_its_record(record: Record) -> None:
    assert record_of(feed_line(record)) == record


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}\n",
        b"\xff\n",
        feed_line(EVENT)[:-1],
        b" " + feed_line(EVENT),
        feed_line(EVENT).replace(b'"data"', b'"date"'),
        feed_line(EVENT).replace(b'"position":7', b'"position":7,"position":8'),
        feed_line(EVENT).replace(b"15}", b"15"),
        feed_line(replace(EVENT, data=b'{} ,"data":{}')),
        feed_line(replace(EVENT, data=b"[" * 100_000)),
    ],
)
def test_a_line_that_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        record_of(line)


def test_a_link_covers_the_event_and_all_before_it() -> None:
    assert link(BEGINNING, EVENT) != link(link(BEGINNING, EVENT), EVENT)


@pytest.mark.parametrize("metadata", [b"{}", b"[]", b"no", b'{"account_id":7}', b"\xff"])
def test_metadata_without_an_account_are_refused(metadata: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        account_of(replace(EVENT, metadata=metadata))
