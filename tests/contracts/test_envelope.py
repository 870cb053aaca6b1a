"""An event reads the same from a store, from Kafka and from a feed."""

import json

from cloudevents.v1.kafka import KafkaMessage, from_binary
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Actor, Metadata, Record, feed_line, from_feed_line, from_kafka, kafka_headers, opened

text = st.text(max_size=20)
names = st.text("abcdefghij-0123456789", min_size=1, max_size=20)


@st.composite
def records(draw: st.DrawFn) -> Record:
    metadata = Metadata(
        account_id=draw(names),
        actor=Actor(id=draw(text), role=draw(text), via="api"),
        recorded_at="2026-06-11T10:00:00.000000Z",
        effective_on="2026-06-11",
        causation_id=draw(text),
        correlation_id=draw(text),
        command_id=draw(text),
        request_digest=draw(text),
        traceparent=draw(st.sampled_from(["", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])),
    )
    data = draw(st.dictionaries(text, text | st.integers() | st.none() | st.lists(st.booleans()), max_size=4))
    return Record(
        position=draw(st.integers(1, 2**62)),
        stream=f"plan-{draw(names)}",
        revision=draw(st.integers(0, 2**31)),
        event_id=draw(names),
        type="plans.PlanStarted",
        version=draw(st.integers(1, 9)),
        metadata=metadata.model_dump_json().encode(),
        data=json.dumps(data).encode(),
    )


@given(records())
def test_a_feed_line_is_one_line_of_json_and_reads_back_as_the_stored_event(record: Record) -> None:
    line = feed_line(record)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    json.loads(line)
    assert from_feed_line(line) == opened(record)


@given(records(), st.integers(0, 2**62))
def test_kafka_headers_and_value_read_back_as_the_stored_event(record: Record, prevposition: int) -> None:
    headers = kafka_headers(record, "plans", prevposition)
    assert from_kafka(headers, record.data) == (opened(record), prevposition)


@given(records())
def test_the_headers_are_cloudevents_in_kafka_binary_mode(record: Record) -> None:
    headers = dict(kafka_headers(record, "plans", 0))
    message = KafkaMessage(headers=headers, key=opened(record).account_id.encode(), value=record.data)
    event = from_binary(message, data_unmarshaller=lambda value: value)
    assert (event["id"], event["type"], event["source"]) == (record.event_id, record.type, "/billing/plans")
    assert event["subject"] == record.stream
    assert event["position"] == str(record.position)
    assert all(name.isalnum() and name.islower() for name in event.get_attributes())
