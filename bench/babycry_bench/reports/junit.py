"""The verdict as JUnit XML, which CI servers read: a test case for every gate and value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from babycry_bench.reports.quantity_text import gate_value
from babycry_bench.reports.target_summary import divergence_lines

SUITE = "babycry-edge bench"

# What XML 1.0 cannot hold, even escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def junit_xml(report: Mapping[str, Any]) -> str:
    """One ``testsuite`` with a ``testcase`` for every gate of ``report``, class the gate's name.

    Elements and attributes are those that Jenkins' schema of JUnit reports has.
    """
    gates = report["gates"]
    counts = {
        "tests": str(len(gates)),
        "failures": str(sum(gate["passed"] is False for gate in gates)),
        "errors": "0",
    }
    root = ElementTree.Element("testsuites", {"name": SUITE, **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": SUITE, **counts})
    suite.set("skipped", str(sum(gate["passed"] is None for gate in gates)))
    suite.set("time", "0")
    if report.get("created"):
        suite.set("timestamp", str(report["created"]).rstrip("Z"))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(report):
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    for gate in gates:
        _add_case(suite, gate, report)
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _properties(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was measured, and on what."""
    build, machine = report["build"], report["machine"]
    facts = [
        ("babycry_edge", build["babycry_edge"]),
        ("git_commit", build["git_commit"]),
        ("cpu", machine["cpu"]),
        ("targets", ", ".join(record["target"] for record in report["targets"])),
    ]
    return [(name, str(value)) for name, value in facts if value]


def _add_case(
    suite: ElementTree.Element, gate: Mapping[str, Any], report: Mapping[str, Any]
) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_clean(gate["gate"]),
        name=_clean(gate["of"] or gate["gate"]),
        time="0",
    )
    if gate["passed"] is None:
        ElementTree.SubElement(case, "skipped", message=_clean(gate.get("skipped", "")))
        return
    line = verdict_line(gate)
    if gate["passed"]:
        ElementTree.SubElement(case, "system-out").text = _clean(line)
        return
    failure = ElementTree.SubElement(case, "failure", type="gate", message=_clean(line))
    details = [f"{gate['name']}: {line}", f"path: {gate['path']}", *_divergences(gate, report)]
    failure.text = _clean("\n".join(details))


def verdict_line(gate: Mapping[str, Any]) -> str:
    """``0.2, bound <= 0.1``: the value of a gate that was checked, and its bound."""
    if "reason" in gate:
        return str(gate["reason"])
    unit = gate["unit"]
    bound = f"bound {gate['operator']} {gate_value(gate['bound'], unit)}"
    if gate.get("baseline") is not None:
        bound += f", baseline {gate_value(gate['baseline'], unit)}"
    return f"{gate_value(gate['value'], unit)}, {bound}"


def _divergences(gate: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    """Where the answer leaves the reference's, said of a gate that looks there."""
    if "parity.divergence" not in gate["path"]:
        return []
    return [line for line in divergence_lines(report) if line.startswith(f"{gate['of']} ")]


def _clean(text: str) -> str:
    """``text`` with what XML cannot hold written as its code: ``\\x1b``."""
    return _FORBIDDEN.sub(lambda found: ascii(found[0])[1:-1], str(text))
