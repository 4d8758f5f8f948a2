"""The verdict as a CI server reads it."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from babycry_bench.reports.junit import SUITE, junit_xml
from sample_report import gate, report

# What Jenkins' schema of JUnit reports (xunit plugin, junit-10.xsd) allows: attributes, children.
ALLOWED = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "time", "classname"}, {"skipped", "failure", "error", "system-out"}),
    "skipped": ({"type", "message"}, set()),
    "failure": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}
REQUIRED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def parsed(document: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(junit_xml(document).encode())


def with_gates(*gates: dict[str, Any]) -> dict[str, Any]:
    return {**report(), "gates": list(gates)}


def cases(root: ElementTree.Element) -> list[ElementTree.Element]:
    return list(root.iter("testcase"))


def test_elements_and_attributes_are_those_of_the_schema() -> None:
    for element in parsed(report()).iter():
        attributes, children = ALLOWED[element.tag]
        assert element.attrib.keys() <= attributes
        assert element.attrib.keys() >= REQUIRED.get(element.tag, set())
        assert {child.tag for child in element} <= children
        assert TIME.fullmatch(element.get("time", "0"))


def test_every_gate_is_a_case_and_the_counts_are_right() -> None:
    root = parsed(report())
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.get("name") == SUITE == "babycry-edge bench"
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "0", "skipped": "1"}
    assert [(case.get("classname"), case.get("name")) for case in cases(root)] == [
        ("first divergence", "cry.onnx"),
        ("first divergence", "cry.tflite"),
        ("pipeline, real-time factor p95", "cry.onnx"),
        ("front-end vs librosa, SNR", "front-end vs librosa, SNR"),
    ]


def test_a_failure_says_value_bound_and_path() -> None:
    root = parsed(with_gates(gate("pipeline", "cry.onnx", 0.7, "<=", 0.5, False)))
    (failure,) = root.iter("failure")
    assert failure.get("message") == "0.7, bound <= 0.5"
    assert failure.text is not None
    assert failure.text.startswith("pipeline (cry.onnx): 0.7, bound <= 0.5\npath: stages[")


def test_a_failed_divergence_names_the_layer() -> None:
    entry = {
        **gate("no stage diverges", "cry.tflite", "layer", "==", "none", False),
        "path": "parity.divergence?[*].stage",
    }
    (failure,) = parsed(with_gates(entry)).iter("failure")
    assert failure.text is not None
    assert "cry.tflite diverges at layer blocks.3.pointwise: " in failure.text


def test_a_relative_gate_says_its_baseline_and_an_absent_value_its_reason() -> None:
    relative = {**gate("p50", "m", 1.5, "<=", 1.1, False), "baseline": 1.0}
    absent = {**gate("p50", "m", None, "<=", 1.1, False), "reason": "the report has nothing there"}
    first, second = parsed(with_gates(relative, absent)).iter("failure")
    assert first.get("message") == "1.5, bound <= 1.1, baseline 1"
    assert second.get("message") == "the report has nothing there"


def test_a_skipped_gate_says_why() -> None:
    (skipped,) = parsed(report()).iter("skipped")
    assert skipped.get("message") == "librosa not installed"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a < b & \"c\" > 'd'", "a < b & \"c\" > 'd'"),
        ("bell \x07, null \x00, escape \x1b[31m", "bell \\x07, null \\x00, escape \\x1b[31m"),
        ("half a pair \ud800, \ufffe, \uffff", "half a pair \\ud800, \\ufffe, \\uffff"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("schrei é 哭 \U0001f476", "schrei é 哭 \U0001f476"),
        ("]]> --> <!-- <![CDATA[", "]]> --> <!-- <![CDATA["),
    ],
)
def test_any_text_survives(name: str, read: str) -> None:
    skipped = {**gate(name, name, None, "<=", 1, None), "skipped": name}
    root = parsed(with_gates(gate(name, name, name, "==", "x", False), skipped))
    first, second = cases(root)
    assert (first.get("classname"), first.get("name")) == (read, read)
    assert next(second.iter("skipped")).get("message") == read
    assert repr(read)[1:-1].split("\\")[0][:4] in str(next(first.iter("failure")).get("message"))


def test_a_report_without_a_date_or_a_gate_is_still_a_suite() -> None:
    root = parsed({**with_gates(), "created": None})
    (suite,) = root
    assert suite.get("tests") == "0"
    assert suite.get("timestamp") is None
    assert cases(root) == []
