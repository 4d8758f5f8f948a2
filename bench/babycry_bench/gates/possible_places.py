"""Whether a place can be in a report at all: found out before an hour of measuring, not after."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterator, Mapping
from typing import Any

from babycry_bench.gates.places import Step, parse_place

_SCHEMA_FILE = "report.schema.json"


def is_possible(place: str) -> bool:
    """Whether the report's schema has ``place``; what the schema leaves open may be there."""
    return _allows(_schema()["$defs"]["report"], parse_place(place))


@functools.cache
def _schema() -> dict[str, Any]:
    text = importlib.resources.files("babycry_bench.schema").joinpath(_SCHEMA_FILE).read_text()
    schema: dict[str, Any] = json.loads(text)
    return schema


def _allows(node: Mapping[str, Any], steps: tuple[Step, ...]) -> bool:
    if not steps:
        return True
    return any(
        _allows(child, steps[1:])
        for variant in _variants(node)
        for child in _children(variant, steps[0])
    )


def _variants(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What ``node`` may be, with every reference followed."""
    if "$ref" in node:
        yield from _variants(_schema()["$defs"][node["$ref"].rpartition("/")[2]])
    elif "oneOf" in node:
        for variant in node["oneOf"]:
            yield from _variants(variant)
    else:
        yield node


def _children(node: Mapping[str, Any], step: Step) -> Iterator[Mapping[str, Any]]:
    """The schemas of what ``step`` leads to; an empty one, which allows all, where it is open."""
    types = node.get("type", ["object", "array"])
    if "array" in types and step.key is None:
        yield node.get("items", {})
    if "object" not in types or step.index is not None:
        return
    named, others = node.get("properties", {}), node.get("additionalProperties", True)
    if step.key is None:
        yield from named.values()
    elif step.key in named:
        yield named[step.key]
        return
    if others is not False:
        yield others if isinstance(others, Mapping) else {}
