"""What breaks consumers of the released schemas, or the replay of what is stored, is refused with its field and
reason; what breaks nobody is not. Each change is made to real schemas, as if they were released before it."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from contracts.codec import UPCASTERS, VERSIONS
from contracts.compatibility import Breach, breaches
from contracts.json_schemas import FOLDER, Schema, read, todays
from contracts.schema_changes import Breaks

CONSUMERS, REPLAY, BOTH = Breaks.CONSUMERS, Breaks.REPLAY, Breaks.BOTH
SCHEMAS = {**{file.name: read(file) for file in FOLDER.iterdir()}, **todays()}
STARTED = "plans.PlanStarted"
FILE = f"{STARTED}.v1.json"
Changed = Callable[[Schema], object]


def found(new: dict[str, Schema], versions: dict[str, int] | None = None, upcast: tuple[str, ...] = ()) -> list[Breach]:
    return breaches(SCHEMAS, new, versions or VERSIONS, {*UPCASTERS, *((name, 1) for name in upcast)})


def changed(change: Changed, file: str = FILE) -> dict[str, Schema]:
    new = deepcopy(SCHEMAS)
    change(new[file])
    return new


def gone(name: str) -> Changed:
    return lambda s: (s["properties"].pop(name), s["required"].remove(name))


def new_member(name: str, required: bool) -> Changed:
    return lambda s: (s["properties"].update({name: {"type": "string"}}), required and s["required"].append(name))


def member(name: str, **words: object) -> Changed:
    """A member says something else; None: no longer says it."""

    def change(schema: Schema) -> None:
        schema["properties"][name].update(words)
        schema["properties"][name] = {
            key: value for key, value in schema["properties"][name].items() if value is not None
        }

    return change


def inside(definition: str, change: Changed) -> Changed:
    return lambda s: change(s["$defs"][definition])


LINE, TIER = "line", "line.price.tiers[]"
REFUSED: dict[str, tuple[Changed, set[tuple[str, Breaks]]]] = {
    "a member is gone": (gone("anchor_on"), {("anchor_on", CONSUMERS)}),
    "a member that could be left out is gone": (
        inside("PlanLine", lambda s: s["properties"].pop("tax_code")),
        {("line.tax_code", CONSUMERS)},
    ),
    "a member was renamed": (
        lambda s: (gone("family")(s), new_member("product_family", True)(s)),
        {("family", CONSUMERS), ("product_family", REPLAY)},
    ),
    "a member may be left out": (lambda s: s["required"].remove("family"), {("family", CONSUMERS)}),
    "a member may not be left out": (
        inside("PlanLine", lambda s: s["required"].append("tax_code")),
        {("line.tax_code", REPLAY)},
    ),
    "a new member stored events have not": (new_member("colour", True), {("colour", REPLAY)}),
    "a new member where readers let none in": (inside("Tier", new_member("tax", False)), {(f"{TIER}.tax", CONSUMERS)}),
    "another type": (member("time_zone", type="integer"), {("time_zone", BOTH)}),
    "a wider type": (
        lambda s: s["properties"].update(time_zone={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        {("time_zone", CONSUMERS)},
    ),
    "a narrower type": (
        inside("Tier", lambda s: s["properties"].update(up_to={"type": "integer", "minimum": 1})),
        {(f"{TIER}.up_to", REPLAY)},
    ),
    "one alternative more": (
        inside("Tier", lambda s: s["properties"]["up_to"]["anyOf"].append({"type": "integer", "maximum": -9})),
        {(f"{TIER}.up_to", BOTH)},
    ),
    "an alternative is another one": (
        inside("Tier", lambda s: s["properties"]["up_to"]["anyOf"][0].update(minimum=2)),
        {(f"{TIER}.up_to", REPLAY)},
    ),
    "a value more": (
        inside("Currency", lambda s: s["enum"].append("GBP")),
        {("money.currency", CONSUMERS), ("next_renewal.currency", CONSUMERS)},
    ),
    "a value less": (
        inside("ProductKind", lambda s: s["enum"].remove("shipping")),
        {("line.kind", REPLAY)},
    ),
    "any value": (inside("ProductKind", lambda s: s.pop("enum")), {("line.kind", CONSUMERS)}),
    "some values": (member("time_zone", enum=["UTC"]), {("time_zone", REPLAY)}),
    "one value": (member("time_zone", const="UTC"), {("time_zone", REPLAY)}),
    "a lower lowest": (inside("Tier", member("unit_minor", minimum=-5)), {(f"{TIER}.unit_minor", CONSUMERS)}),
    "a higher lowest": (inside("Tier", member("unit_minor", minimum=5)), {(f"{TIER}.unit_minor", REPLAY)}),
    "no highest": (inside("Tier", member("unit_minor", maximum=None)), {(f"{TIER}.unit_minor", CONSUMERS)}),
    "a lower highest": (inside("Tier", member("unit_minor", maximum=9)), {(f"{TIER}.unit_minor", REPLAY)}),
    "a higher highest": (inside("Tier", member("unit_minor", maximum=10**13)), {(f"{TIER}.unit_minor", CONSUMERS)}),
    "a first bound": (member("time_zone", maxLength=9), {("time_zone", REPLAY)}),
    "longer texts": (member("family", maxLength=999), {("family", CONSUMERS)}),
    "shorter lists": (inside("Price", member("tiers", maxItems=2)), {("line.price.tiers", REPLAY)}),
    "another form": (member("family", pattern="^[a-z]+$"), {("family", BOTH)}),
    "a first form": (member("time_zone", format="date"), {("time_zone", REPLAY)}),
    "no form": (member("term_start", format=None), {("term_start", CONSUMERS)}),
    "another default": (
        inside("PlanLine", member("tax_code", default="reduced")),
        {("line.tax_code", BOTH)},
    ),
    "another kind of items": (
        inside("Money", member("lines", items={"type": "string"})),
        {("money.lines[]", BOTH)},
    ),
    "readers' open object is closed": (lambda s: s.update(additionalProperties=False), {("", REPLAY)}),
    "a closed object is open": (inside("Tier", lambda s: s.pop("additionalProperties")), {(TIER, CONSUMERS)}),
    "named members become a table": (lambda s: s.update(additionalProperties={"type": "string"}), {("", BOTH)}),
    "a word nobody here knows": (member("family", contentEncoding="base64"), {("family", BOTH)}),
}


@pytest.mark.parametrize(("change", "refused"), REFUSED.values(), ids=REFUSED)
def test_what_breaks_somebody_is_refused_with_its_field(change: Changed, refused: set[tuple[str, Breaks]]) -> None:
    told = found(changed(change))
    assert {(breach.field, breach.breaks) for breach in told} == refused
    assert {breach.of for breach in told} == {f"{STARTED} v1"}
    assert all(breach.reason for breach in told)


ACCEPTED: dict[str, Changed] = {
    "nothing": lambda _: None,
    "a new member that may be left out": new_member("colour", False),
    "one of a kind of our own": lambda s: (
        s["$defs"].update(Gift={"type": "object", "properties": {"from": {"type": "string"}}}),
        s["properties"].update(gift={"$ref": "#/$defs/Gift"}),
    ),
    "other words": lambda s: s.update(description="Said better.", title="Begun"),
    "the same in a definition of its own": lambda s: (
        s["$defs"].update(Zone=s["properties"]["time_zone"]),
        s["properties"].update(time_zone={"$ref": "#/$defs/Zone"}),
    ),
    "values in another order": inside("Currency", lambda s: s["enum"].reverse()),
}


@pytest.mark.parametrize("change", ACCEPTED.values(), ids=ACCEPTED)
def test_what_breaks_nobody_is_accepted(change: Changed) -> None:
    assert found(changed(change)) == []


def test_a_table_by_names_is_compared_inside_too() -> None:
    book = "plans.PriceBookPublished.v2.json"
    told = found(changed(inside("Currency", lambda s: s["enum"].append("GBP")), book))
    assert {(each.field, each.breaks) for each in told} == {("products[].prices{name}", CONSUMERS)}
    told = found(changed(inside("Tier", gone("unit_minor")), book))
    assert {each.field for each in told} == {"products[].prices{}{}.tiers[].unit_minor"}


def test_a_new_event_is_accepted() -> None:
    new = {**SCHEMAS, "plans.PlanGifted.v1.json": SCHEMAS[FILE]}
    assert found(new, {**VERSIONS, "plans.PlanGifted": 1}) == []


def test_an_event_that_is_gone_is_refused() -> None:
    new = {name: schema for name, schema in SCHEMAS.items() if name != FILE}
    (breach,) = found(new, {name: version for name, version in VERSIONS.items() if name != STARTED})
    assert (breach.of, breach.breaks) == (STARTED, BOTH)


def test_a_version_that_is_gone_is_refused() -> None:
    older = {**VERSIONS, "plans.AddOnCancelled": 1}
    (breach,) = (each for each in found(SCHEMAS, older) if each.of == "plans.AddOnCancelled v2")
    assert (breach.reason.partition(";")[0], breach.breaks) == ("the version is gone", BOTH)
    without = {name: schema for name, schema in SCHEMAS.items() if name != "plans.AddOnCancelled.v1.json"}
    assert [breach.of for breach in found(without)] == ["plans.AddOnCancelled v1"]


def with_second_version(change: Changed) -> dict[str, Schema]:
    second = deepcopy(SCHEMAS[FILE])
    change(second)
    return {**SCHEMAS, f"{STARTED}.v2.json": second}


SECOND = {**VERSIONS, STARTED: 2}


def test_a_new_version_with_an_upcaster_may_ask_for_more_than_is_stored() -> None:
    new = with_second_version(new_member("colour", True))
    assert found(new, SECOND, upcast=(STARTED,)) == []


def test_a_new_version_without_an_upcaster_is_refused() -> None:
    (breach,) = found(with_second_version(new_member("colour", True)), SECOND)
    assert (breach.of, breach.breaks) == (f"{STARTED} v1", REPLAY)


def test_a_new_version_that_readers_of_the_old_one_cannot_read_is_refused() -> None:
    (breach,) = found(with_second_version(gone("family")), SECOND, upcast=(STARTED,))
    assert (breach.of, breach.field, breach.breaks) == (f"{STARTED} v2", "family", CONSUMERS)


def test_an_older_version_that_was_rewritten_is_refused() -> None:
    new = changed(new_member("colour", False), "plans.AddOnCancelled.v1.json")
    assert [(each.of, each.field, each.breaks) for each in found(new)] == [("plans.AddOnCancelled v1", "", CONSUMERS)]


def test_the_envelope_is_held_to_the_same() -> None:
    (breach,) = found(changed(gone("ce_position"), "headers.json"))
    assert str(breach) == "headers: ce_position: is gone; go on writing it (breaks consumers)"
    without = {name: schema for name, schema in SCHEMAS.items() if name != "metadata.json"}
    assert [(each.of, each.breaks) for each in found(without)] == [("metadata", CONSUMERS)]


def test_one_word_reads_as_a_sentence() -> None:
    (breach,) = found(changed(new_member("colour", True)))
    assert str(breach) == (
        "plans.PlanStarted v1: colour: is new, and stored events have none; give the event a new version with an"
        " upcaster, or a default (breaks replay)"
    )
