"""What of a change between two JSON Schemas breaks whom. It knows the keywords that pydantic writes for our models, and
refuses a change of any other."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .json_schemas import Schema


class Breaks(StrEnum):
    """CONSUMERS: who has the old schema cannot read what is written now. REPLAY: the new one cannot read what was."""

    CONSUMERS = "consumers"
    REPLAY = "replay"
    BOTH = "consumers and replay"


@dataclass(frozen=True, slots=True)
class Change:
    field: str
    breaks: Breaks
    reason: str


LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems")
HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
FORMS = ("pattern", "format")
NO_RULE = ("title", "description", "examples", "default", "$schema", "$defs", "$ref", "type")
WALKED = ("anyOf", "enum", "const", "properties", "required", "additionalProperties", "propertyNames", "items")
NEEDS_VERSION = "; give the event a new version with an upcaster"


def changes(old: Schema, new: Schema) -> Iterator[Change]:
    """Those that break something. Schemas that contain themselves are not followed (we have none)."""
    return _Comparison(old, new).of(old, new, "")


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old.get("$defs", {}), new.get("$defs", {})

    def of(self, old: Schema, new: Schema, field: str) -> Iterator[Change]:
        before, after = _by_type(old, self._old), _by_type(new, self._new)
        gained, lost = sorted(after.keys() - before), sorted(before.keys() - after)
        if gained and lost:
            reason = f"was {', '.join(lost)}, is {', '.join(gained)}"
            yield Change(field, Breaks.BOTH, reason)
        elif gained:
            yield Change(field, Breaks.CONSUMERS, f"may be {', '.join(gained)} now, which it never was")
        elif lost:
            yield Change(field, Breaks.REPLAY, f"may no longer be {', '.join(lost)}, as it was{NEEDS_VERSION}")
        for kind in before.keys() & after:
            if len(before[kind]) != len(after[kind]):
                yield Change(field, Breaks.BOTH, "has other alternatives")
                continue
            for one, other in zip(before[kind], after[kind], strict=True):
                yield from self._of_one_type(one, other, field)

    def _of_one_type(self, old: Schema, new: Schema, field: str) -> Iterator[Change]:
        yield from _values(old, new, field)
        yield from _bounds(old, new, field)
        yield from self._members(old, new, field)
        yield from self._inside(old, new, field)
        known = {*LOWEST, *HIGHEST, *FORMS, *NO_RULE, *WALKED}
        for word in sorted((old.keys() | new.keys()) - known):
            if old.get(word) != new.get(word):
                yield Change(field, Breaks.BOTH, f"{word} was {old.get(word)}, is {new.get(word)}")

    def _members(self, old: Schema, new: Schema, field: str) -> Iterator[Change]:
        had, has = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in had:
            at = f"{field}.{name}".lstrip(".")
            if name not in has:
                yield Change(at, Breaks.CONSUMERS, "is gone; go on writing it")
                continue
            if name in needed - needs:
                yield Change(at, Breaks.CONSUMERS, "may be left out now")
            if name in needs - needed:
                yield Change(at, Breaks.REPLAY, f"may no longer be left out, as it was{NEEDS_VERSION}")
            if "default" in had[name] and "default" in has[name] and had[name]["default"] != has[name]["default"]:
                told = f"meant {had[name]['default']!r} where it was left out, means {has[name]['default']!r}"
                yield Change(at, Breaks.BOTH, f"{told}; a new meaning is a new event")
            yield from self.of(had[name], has[name], at)
        for name in has.keys() - had:
            at = f"{field}.{name}".lstrip(".")
            if name in needs:
                yield Change(at, Breaks.REPLAY, f"is new, and stored events have none{NEEDS_VERSION}, or a default")
            if old.get("additionalProperties") is False:
                yield Change(at, Breaks.CONSUMERS, "is new where readers let nothing new in")

    def _inside(self, old: Schema, new: Schema, field: str) -> Iterator[Change]:
        """Of arrays, and of objects whose members are not named one by one."""
        for word, at in (("items", f"{field}[]"), ("propertyNames", f"{field}{{name}}")):
            if word in old or word in new:
                yield from self.of(old.get(word, {}), new.get(word, {}), at)
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self.of(before, after, f"{field}{{}}")
        elif before != after:
            breaks = Breaks.CONSUMERS if after is True else Breaks.REPLAY if after is False else Breaks.BOTH
            yield Change(field, breaks, f"additionalProperties was {_short(before)}, is {_short(after)}")


def _values(old: Schema, new: Schema, field: str) -> Iterator[Change]:
    had, has = _allowed(old), _allowed(new)
    if had is None and has is not None:
        yield Change(field, Breaks.REPLAY, f"was any, is one of {', '.join(map(str, has))}{NEEDS_VERSION}")
    elif had is not None and has is None:
        yield Change(field, Breaks.CONSUMERS, f"was one of {', '.join(map(str, had))}, is any")
    elif had is not None and has is not None:
        for value in (value for value in has if value not in had):
            yield Change(field, Breaks.CONSUMERS, f"has the new value {value!r}, which readers refuse")
        for value in (value for value in had if value not in has):
            yield Change(field, Breaks.REPLAY, f"has no value {value!r} any more, and stored events do{NEEDS_VERSION}")


def _bounds(old: Schema, new: Schema, field: str) -> Iterator[Change]:
    for word in (*LOWEST, *HIGHEST, *FORMS):
        had, has = old.get(word), new.get(word)
        if had == has:
            continue
        told = f"{word} was {had}, is {has}".replace("None", "none")
        if has is None or (had is not None and word not in FORMS and (has < had) == (word in LOWEST)):
            yield Change(field, Breaks.CONSUMERS, f"{told}: wider than readers know")
        elif had is None or word not in FORMS:
            yield Change(field, Breaks.REPLAY, f"{told}: narrower than what is stored{NEEDS_VERSION}")
        else:
            yield Change(field, Breaks.BOTH, told)


def _allowed(schema: Schema) -> list[Any] | None:
    """The values there may be; None when there may be any."""
    allowed: list[Any] | None = [schema["const"]] if "const" in schema else schema.get("enum")
    return allowed


def _by_type(schema: Schema, definitions: dict[str, Schema]) -> dict[str, list[Schema]]:
    """The alternatives of a schema, references followed, by their JSON type; any where it says none."""
    while reference := schema.get("$ref"):
        schema = definitions[reference.rpartition("/")[2]]
    if "anyOf" not in schema:
        return {schema.get("type") or _type_of_const(schema): [schema]}
    found: dict[str, list[Schema]] = {}
    for alternative in schema["anyOf"]:
        for kind, schemas in _by_type(alternative, definitions).items():
            found.setdefault(kind, []).extend(schemas)
    return found


def _type_of_const(schema: Schema) -> str:
    return "string" if isinstance(schema.get("const"), str) else "any"


def _short(value: object) -> object:
    return value if isinstance(value, bool) else "a schema"
