"""Every version of every event ever written can be read for ever: one stored sample each in contracts/history."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from contracts import codec
from contracts.codec import EVENTS, VERSIONS, Data, current, decode, encode, version_of
from contracts.plans import LicenceAssigned

HISTORY = Path(codec.__file__).parent / "history"
SAMPLES = sorted(HISTORY.iterdir())
ASSIGNED = "plans.LicenceAssigned"


def named(sample: Path) -> tuple[str, int]:
    name, _, version = sample.name.removesuffix(".json").rpartition(".v")
    return name, int(version)


def test_every_version_of_every_event_has_a_stored_sample_and_nothing_else_has() -> None:
    written = {(name, version) for name, newest in VERSIONS.items() for version in range(1, newest + 1)}
    assert {named(sample) for sample in SAMPLES} == written


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_stored_sample_can_be_read(sample: Path) -> None:
    name, version = named(sample)
    from_bytes = decode(name, version, sample.read_bytes())
    assert type(from_bytes) is EVENTS[name]
    assert decode(name, version, json.loads(sample.read_bytes())) == from_bytes


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_is_written_today_reads_back_without_losing_a_member(sample: Path) -> None:
    name, version = named(sample)
    written_as, written_version, data = encode(decode(name, version, sample.read_bytes()))
    assert (written_as, written_version) == (name, VERSIONS[name])
    assert json.loads(data) == current(name, version, json.loads(sample.read_bytes()))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_members_nobody_knows_are_ignored(sample: Path) -> None:
    name, version = named(sample)
    more = {**json.loads(sample.read_bytes()), "colour": "blue"}
    assert decode(name, version, more) == decode(name, version, sample.read_bytes())
    if version == VERSIONS[name]:  # one of a version not known yet is read as the newest
        assert decode(name, version + 1, json.dumps(more).encode()) == decode(name, version, sample.read_bytes())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_without_one_of_its_members_is_no_event(sample: Path) -> None:
    name, version = named(sample)
    members = json.loads(sample.read_bytes())
    for missing in members:
        with pytest.raises(ValidationError):
            decode(name, version, {key: value for key, value in members.items() if key != missing})


def test_no_two_classes_share_a_name() -> None:
    assert len(set(EVENTS.values())) == len(EVENTS)


def test_a_name_is_its_owner_and_the_business_word() -> None:
    for name, model in EVENTS.items():
        assert name == f"{model.__module__.rpartition('.')[2]}.{model.__name__}"  # may part once a class moves


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        decode("plans.PlanForgotten", 1, b"{}")


def test_a_class_without_a_name_is_a_key_error() -> None:
    class Nameless(BaseModel):
        pass

    with pytest.raises(KeyError):
        encode(Nameless())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b'{"bundle_id": 7, "assignee": "a"}', b'{"bundle_id": "b"}'])
def test_a_body_of_another_form_is_a_validation_error(data: bytes) -> None:
    with pytest.raises(ValidationError):
        decode(ASSIGNED, 1, data)


def _renamed(data: Data) -> Data:
    """v1 → v2: `user` became `assignee`."""
    return {**{key: value for key, value in data.items() if key != "user"}, "assignee": data["user"]}


def _prefixed(data: Data) -> Data:
    """v2 → v3: an assignee is told with its kind."""
    return {**data, "assignee": f"person:{data['assignee']}"}


UPCASTERS = {(ASSIGNED, 1): _renamed, (ASSIGNED, 2): _prefixed}


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, {"bundle_id": "b1", "user": "ann"}),
        (2, {"bundle_id": "b1", "assignee": "ann"}),
        (3, {"bundle_id": "b1", "assignee": "person:ann"}),
        (4, {"bundle_id": "b1", "assignee": "person:ann"}),
    ],
)
def test_an_old_version_is_brought_up_one_step_at_a_time(version: int, data: dict[str, Any]) -> None:
    stored = dict(data)
    upcast = current(ASSIGNED, version, data, UPCASTERS)
    assert LicenceAssigned.model_validate(upcast).assignee == "person:ann"
    assert data == stored  # what was read stays as it was written


def test_the_version_written_today_is_one_above_the_last_step() -> None:
    assert (version_of(ASSIGNED, UPCASTERS), version_of("plans.PlanStarted", UPCASTERS)) == (3, 1)


def test_an_event_of_another_name_takes_no_step_of_this_one() -> None:
    data = {"bundle_id": "b1", "user": "ann"}
    assert current("plans.LicenceUnassigned", 1, data, UPCASTERS) == data
