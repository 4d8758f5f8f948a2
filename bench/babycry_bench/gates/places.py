"""Places in a report: ``targets?[*].parity.feature_hashes.profiles[*].mismatches``.

Names are joined by dots. In brackets after a name stand

- ``[*]``: every item of a list, or every value of an object,
- ``[0]``, ``[-1]``: one item of a list,
- ``["hungry baby"]``: one value of an object whose name has more than letters, digits and ``_-``,
- ``[stage=pipeline,model=cry.onnx]``: the items whose fields have these values (``!=``: have not);
  a field may be a place of its own (``machine.kind=board``), a value with a comma or a bracket
  stands in double quotes.

A name with ``?`` may be absent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from babycry_edge.errors import BabycryError

ABSENT = "the report has nothing there"

_NAME = re.compile(r"(?P<name>[\w-]+)(?P<optional>\?)?")
_SELECTOR = re.compile(
    r'\[(?:(?P<every>\*)|(?P<index>-?\d+)|"(?P<key>[^"]*)"|(?P<filters>[^\]="]+=(?:[^\]"]|"[^"]*")*))\]'
)
_FILTER = re.compile(r'(?P<field>[\w.-]+)(?P<negated>!)?=(?:"(?P<quoted>[^"]*)"|(?P<bare>[^,"]*))')

_NAMING_FIELDS = ("target", "model", "name", "profile")
_STAGE_FIELDS = ("stage", "layer")


@dataclass(frozen=True)
class Filter:
    """A field of an item and the value that it must have, or must not have."""

    field: str
    value: str
    negated: bool

    def admits(self, item: Any) -> bool:
        """Whether ``item`` passes; numbers, booleans and null compare as JSON writes them."""
        for name in self.field.split("."):
            item = item.get(name) if isinstance(item, Mapping) else None
        return (_as_text(item) == self.value) != self.negated


@dataclass(frozen=True)
class Step:
    """One step of a place: a key of an object, an item by its number, or the items that pass."""

    key: str | None = None
    index: int | None = None
    filters: tuple[Filter, ...] | None = None
    optional: bool = False

    @property
    def fixed_stage(self) -> set[str]:
        """Those of the fields ``stage`` and ``layer`` that the place itself names."""
        fixed = {item.field for item in self.filters or () if not item.negated}
        return fixed.intersection(_STAGE_FIELDS)


@dataclass(frozen=True)
class Found:
    """What one way along a place led to.

    Attributes:
        label: names the items on the way, so that a reader tells one value from another.
        identity: the same for the same thing in another report, whatever the order there.
        value: what lies there; None where nothing does.
        skipped: why nothing was measured there.
        absent: nothing lies there, and the place does not allow for that.
        clock: of the stage that the way led through.
        is_time: the value is a time (or an energy) and means something on its machine alone.
        machine: of the record that the way led through.
    """

    label: str
    identity: tuple[str, ...] = ()
    value: Any = None
    skipped: str | None = None
    absent: bool = False
    clock: str | None = None
    is_time: bool = False
    machine: Mapping[str, Any] | None = None


def parse_place(place: str) -> tuple[Step, ...]:
    """The steps of ``place``.

    Raises:
        BabycryError: the place cannot be read.
    """
    steps: list[Step] = []
    position = 0
    while True:
        name = _NAME.match(place, position)
        if name is None:
            raise _misspelt(place)
        optional = name["optional"] is not None
        steps.append(Step(key=name["name"], optional=optional))
        position = name.end()
        while selector := _SELECTOR.match(place, position):
            steps.append(_selector_step(selector, optional, place))
            position = selector.end()
        if position == len(place):
            return tuple(steps)
        if place[position] != ".":
            raise _misspelt(place)
        position += 1


def look_up(report: Mapping[str, Any], place: str, *, optional: bool = False) -> list[Found]:
    """Every value at ``place``, at least one; where there is none, ``absent`` or ``skipped``.

    A part of the report with a ``skipped`` reason ends the way. ``optional`` allows every name of
    the place to be absent, as ``?`` does for one.

    Raises:
        BabycryError: the place cannot be read.
    """
    steps = parse_place(place)
    if optional:
        steps = tuple(replace(step, optional=True) for step in steps)
    return _tell_apart(list(_walk(report, steps, Found("", machine=report.get("machine")))))


def _misspelt(place: str) -> BabycryError:
    return BabycryError(f"place '{place}': write it like 'stages[stage=pipeline].p95'")


def _selector_step(selector: re.Match[str], optional: bool, place: str) -> Step:
    if selector["every"]:
        return Step(filters=(), optional=optional)
    if selector["index"]:
        return Step(index=int(selector["index"]), optional=optional)
    if selector["key"] is not None:
        return Step(key=selector["key"], optional=optional)
    return Step(filters=tuple(_filters(selector["filters"], place)), optional=optional)


def _filters(text: str, place: str) -> Iterator[Filter]:
    position = 0
    while True:
        found = _FILTER.match(text, position)
        if found is None:
            raise _misspelt(place)
        value = found["bare"].strip() if found["quoted"] is None else found["quoted"]
        yield Filter(found["field"], value, found["negated"] is not None)
        position = found.end()
        if position == len(text):
            return
        if text[position] != ",":
            raise _misspelt(place)
        position += 1
        position += len(text[position:]) - len(text[position:].lstrip())


def _walk(node: Any, steps: tuple[Step, ...], way: Found) -> Iterator[Found]:
    if isinstance(node, Mapping) and isinstance(node.get("skipped"), str):
        yield replace(way, skipped=node["skipped"])
        return
    if not steps:
        yield replace(way, value=node)
        return
    step, rest = steps[0], steps[1:]
    ways = list(_choose(node, step, way))
    for item, next_way in ways:
        if item is None and (rest or step.optional):
            yield _nothing(step, next_way)
        else:
            yield from _walk(item, rest, next_way)
    if not ways:
        yield _nothing(step, way)


def _nothing(step: Step, way: Found) -> Found:
    return replace(way, skipped=ABSENT) if step.optional else replace(way, absent=True)


def _choose(node: Any, step: Step, way: Found) -> Iterator[tuple[Any, Found]]:
    """The children of ``node`` that ``step`` leads to, each with the way to it."""
    if step.key is not None:
        if isinstance(node, Mapping) and step.key in node:
            yield node[step.key], _past_key(way, step.key)
    elif step.index is not None:
        if isinstance(node, list) and -len(node) <= step.index < len(node):
            item = node[step.index]
            yield item, _past_item(way, item, step, str(step.index))
    elif isinstance(node, Mapping):
        for key, item in node.items():
            if all(test.admits(item) for test in step.filters or ()):
                yield item, _named(way, key, key)
    elif isinstance(node, list):
        for number, item in enumerate(node):
            if all(test.admits(item) for test in step.filters or ()):
                yield item, _past_item(way, item, step, str(number))


def _past_key(way: Found, key: str) -> Found:
    in_stage = way.clock is not None and key not in ("count", "warmup", "audio_s")
    return replace(way, is_time=way.is_time or in_stage or key.endswith("_ms") or key == "energy")


def _past_item(way: Found, item: Any, step: Step, number: str) -> Found:
    if not isinstance(item, Mapping):
        return _named(way, number if step.index is None else "", number)
    naming = [name for name in _NAMING_FIELDS if isinstance(item.get(name), str)]
    # A divergence's stage is what was found, and not its name.
    named_by_stage = "detail" not in item
    more = [name for name in _STAGE_FIELDS if named_by_stage and isinstance(item.get(name), str)]
    words = [item[name] for name in (*naming[:1], *more) if name not in step.fixed_stage]
    identity = " ".join(f"{name}={item[name]}" for name in (*naming, *more))
    way = _named(way, " ".join(words), identity or number)
    if isinstance(item.get("clock"), str):
        identity = f"{way.identity[-1]} clock={item['clock']}"
        way = replace(way, clock=item["clock"], identity=(*way.identity[:-1], identity))
    return replace(way, machine=item["machine"]) if "machine" in item else way


def _named(way: Found, word: str, identity: str) -> Found:
    label = f"{way.label}: {word}" if way.label and word else way.label or word
    return replace(way, label=label, identity=(*way.identity, identity))


def _tell_apart(found: list[Found]) -> list[Found]:
    """Numbers behind what would otherwise bear one name twice."""
    labels, identities = Counter(item.label for item in found), Counter[tuple[str, ...]]()
    seen: Counter[str] = Counter()
    apart = []
    for item in found:
        seen[item.label] += 1
        identities[item.identity] += 1
        label = item.label
        if labels[label] > 1:
            label = f"{label} #{seen[label]}".strip()
        apart.append(
            replace(item, label=label, identity=(*item.identity, str(identities[item.identity])))
        )
    return apart


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
