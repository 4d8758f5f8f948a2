"""The verdict: every gate held against the report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from babycry_bench.gates.places import Found, look_up
from babycry_bench.gates.table import Gate


def judge(report: dict[str, Any], gates: Iterable[Gate]) -> list[dict[str, Any]]:
    """One record for every value of every gate: ``name, value, bound, passed`` and more.

    ``passed`` is true or false; it is null, with the reason in ``skipped``, where nothing was
    measured.
    """
    return [_record(gate, found) for gate in gates for found in look_up(report, gate.path)]


def all_passed(records: Iterable[dict[str, Any]]) -> bool:
    """Whether no gate failed. A skipped gate decides nothing."""
    return all(record["passed"] is not False for record in records)


def _record(gate: Gate, found: Found) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": f"{gate.name} ({found.label})" if found.label else gate.name,
        "gate": gate.name,
        "of": found.label,
        "path": gate.path,
        "operator": gate.operator,
        "value": found.value,
        "bound": gate.bound,
        "unit": gate.unit,
        "passed": None if found.skipped is not None else gate.holds(found.value),
    }
    if found.skipped is not None:
        record["skipped"] = found.skipped
    return record
