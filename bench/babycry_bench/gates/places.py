"""Places in a report: ``stages[stage=pipeline].real_time_factor.p95``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from babycry_edge.errors import BabycryError

_PART = re.compile(r"(?P<name>\w+)(?:\[(?:\*|(?P<key>\w+)=(?P<value>[^\]]*))\])?")
_NAMING_FIELDS = ("model", "name", "profile")


@dataclass(frozen=True)
class Found:
    """One value that a place led to; ``skipped`` says why there is none."""

    label: str
    value: Any = None
    skipped: str | None = None


def look_up(report: dict[str, Any], place: str) -> list[Found]:
    """Every value at ``place``; a part of the report with a ``skipped`` reason ends the way.

    Raises:
        BabycryError: the place cannot be read, or the report has nothing there.
    """
    found = list(_walk(report, _parts(place), ""))
    if not found:
        raise BabycryError(f"gate place '{place}': the report has nothing there")
    return found


def _parts(place: str) -> list[re.Match[str]]:
    parts = [_PART.fullmatch(text) for text in re.split(r"\.(?![^\[]*\])", place)]
    if not all(parts):
        raise BabycryError(f"gate place '{place}': write it like 'stages[stage=pipeline].p95_ms'")
    return [part for part in parts if part]


def _walk(node: Any, parts: list[re.Match[str]], label: str) -> Iterator[Found]:
    if isinstance(node, dict) and "skipped" in node:
        yield Found(label, skipped=str(node["skipped"]))
        return
    if not parts:
        yield Found(label, node)
        return
    part, rest = parts[0], parts[1:]
    if not isinstance(node, dict) or part["name"] not in node:
        return
    child = node[part["name"]]
    if not part[0].endswith("]"):
        yield from _walk(child, rest, label)
        return
    if isinstance(child, dict) and "skipped" in child:
        yield Found(label, skipped=str(child["skipped"]))
        return
    for item in child if isinstance(child, list) else []:
        if part["key"] is None or str(item.get(part["key"])) == part["value"]:
            yield from _walk(item, rest, _label_of(item) or label)


def _label_of(item: Any) -> str:
    for name in _NAMING_FIELDS:
        if isinstance(item, dict) and isinstance(item.get(name), str):
            return str(item[name])
    return ""
