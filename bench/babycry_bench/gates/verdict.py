"""The verdict: every gate held against the report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from babycry_bench.facts.same_machine import machine_difference
from babycry_bench.gates.places import ABSENT, Found, look_up
from babycry_bench.gates.table import Gate

NO_BASELINE = "no baseline report to compare with: give one with --baseline FILE"


def judge(
    report: Mapping[str, Any],
    gates: Iterable[Gate],
    baseline: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """One record for every value of every gate: ``name, value, bound, passed`` and more.

    ``passed`` is true or false; it is null, with the reason in ``skipped``, where nothing was
    measured or nothing in ``baseline`` can be compared with. A value that is absent, and that the
    gate does not call optional, fails, with the reason in ``reason``. Values in the baseline are
    found by the names of what they belong to, not by their order.

    Raises:
        BabycryError: a gate's path cannot be read.
    """
    records = []
    for gate in gates:
        if gate.relative is not None and baseline is None:
            records.append(_record(gate, Found("", skipped=NO_BASELINE)))
            continue
        before = {}
        if baseline is not None and gate.relative is not None:
            there = look_up(baseline, gate.path, optional=True)
            before = {found.identity: found for found in there}
        for found in look_up(report, gate.path, optional=gate.optional):
            records.append(_record(gate, found, before.get(found.identity)))
    return records


def all_passed(records: Iterable[Mapping[str, Any]]) -> bool:
    """Whether no gate failed. A skipped gate decides nothing."""
    return all(record["passed"] is not False for record in records)


def _record(gate: Gate, found: Found, before: Found | None = None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": f"{gate.name} ({found.label})" if found.label else gate.name,
        "gate": gate.name,
        "of": found.label,
        "path": gate.path,
        "operator": gate.operator,
        "value": found.value if isinstance(found.value, (bool, int, float, str)) else None,
        "bound": gate.bound,
        "unit": gate.unit,
        "passed": None,
    }
    if gate.relative is not None:
        record["baseline"] = None
    if found.skipped is not None:
        return {**record, "skipped": found.skipped}
    reason = _no_value(found)
    if reason:
        return {**record, "value": None, "passed": False, "reason": reason}
    if gate.relative is None:
        return {**record, "passed": gate.holds(found.value)}
    return _relative(gate, found, before, record)


def _no_value(found: Found) -> str:
    """Why nothing there can be held against a bound."""
    if found.absent:
        return ABSENT
    if found.value is None:
        return "the value there is null"
    if isinstance(found.value, (list, dict)):
        kind = "a list" if isinstance(found.value, list) else "an object"
        return f"the path leads to {kind}, not to a value"
    if isinstance(found.value, float) and not math.isfinite(found.value):
        return f"the value there is {found.value}"
    return ""


def _relative(
    gate: Gate, found: Found, before: Found | None, record: dict[str, Any]
) -> dict[str, Any]:
    """The record of a gate whose bound is a multiple of the baseline's value."""
    reason = _not_comparable(found, before)
    if reason or before is None or gate.relative is None:
        return {**record, "skipped": reason}
    record["baseline"] = before.value
    bound = before.value
    if isinstance(bound, (int, float)) and not isinstance(bound, bool):
        bound = gate.relative * bound
    elif gate.operator != "==" or gate.relative != 1:
        reason = f"the baseline's value {bound!r} has no multiple"
        return {**record, "passed": False, "reason": reason}
    return {**record, "bound": bound, "passed": gate.holds(found.value, bound)}


def _not_comparable(found: Found, before: Found | None) -> str:
    if before is None or before.absent or before.skipped is not None or before.value is None:
        return "the baseline has nothing there (another model, stage or clock)"
    if isinstance(before.value, (list, dict)):
        return "the path leads to no single value in the baseline"
    if not found.is_time or found.clock == "instructions (emulated)":
        return ""
    difference = machine_difference(before.machine, found.machine)
    return f"times of another machine: {difference}" if difference else ""
