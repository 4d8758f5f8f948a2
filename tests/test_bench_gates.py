"""Gates: where they look, when they pass, and what the verdict says."""

import sys
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.gates.places import look_up
from babycry_bench.gates.table import Gate, read_gates
from babycry_bench.gates.verdict import all_passed, judge
from babycry_edge.errors import BabycryError

REPORT: dict[str, Any] = {
    "stages": [
        {"model": "a.onnx", "stage": "engine", "p95_ms": 1.0},
        {"model": "a.onnx", "stage": "pipeline", "p95_ms": 2.0},
        {"model": "b.tflite", "stage": "pipeline", "p95_ms": 3.0},
    ],
    "parity": {
        "librosa": {"skipped": "librosa not installed"},
        "golden": [{"model": "a.onnx", "passed": True}, {"model": "b.tflite", "skipped": "none"}],
    },
}


def test_a_place_names_items_by_the_value_of_a_field() -> None:
    found = look_up(REPORT, "stages[stage=pipeline].p95_ms")
    assert [(item.label, item.value) for item in found] == [("a.onnx", 2.0), ("b.tflite", 3.0)]


def test_a_field_value_with_a_dot_is_no_separator() -> None:
    (found,) = look_up(REPORT, "stages[model=b.tflite].p95_ms")
    assert found.value == 3.0


def test_a_skipped_part_gives_its_reason() -> None:
    (found,) = look_up(REPORT, "parity.librosa.profiles[*].min_snr_db")
    assert found.skipped == "librosa not installed"
    found = look_up(REPORT, "parity.golden[*].passed")[1]
    assert (found.label, found.skipped) == ("b.tflite", "none")


@pytest.mark.parametrize("place", ["stages[stage=smoothing].p95_ms", "parity.nothing", "latency"])
def test_a_place_without_a_value_is_an_error_that_names_it(place: str) -> None:
    with pytest.raises(BabycryError, match="the report has nothing there"):
        look_up(REPORT, place)


@pytest.mark.parametrize("place", ["", "a..b", "a[", "a[x=]y", "a b"])
def test_a_misspelt_place_is_an_error(place: str) -> None:
    with pytest.raises(BabycryError, match="gate place"):
        look_up(REPORT, place)


@pytest.mark.parametrize(
    ("operator", "bound", "passing", "failing"),
    [
        ("<=", 1.0, 1.0, 1.1),
        ("<", 1.0, 0.9, 1.0),
        (">=", 1.0, 1.0, 0.9),
        (">", 1.0, 1.1, 1.0),
        ("==", True, True, False),
        ("<=", 1.0, -5, float("nan")),
        (">=", 120.0, float("inf"), None),
    ],
)
def test_operators(operator: str, bound: float, passing: Any, failing: Any) -> None:
    gate = Gate("g", "p", operator, bound)
    assert gate.holds(passing)
    assert not gate.holds(failing)


def test_one_value_beyond_the_bound_fails_the_verdict() -> None:
    records = judge(REPORT, [Gate("pipeline", "stages[stage=pipeline].p95_ms", "<=", 2.5)])
    assert [record["passed"] for record in records] == [True, False]
    assert not all_passed(records)


def test_a_record_carries_name_value_bound_and_verdict() -> None:
    (record,) = judge(REPORT, [Gate("engine", "stages[stage=engine].p95_ms", "<=", 2.5, "ms")])
    assert record["name"] == "engine (a.onnx)"
    assert (record["value"], record["bound"], record["passed"]) == (1.0, 2.5, True)


def test_a_skipped_gate_neither_passes_nor_fails() -> None:
    records = judge(REPORT, [Gate("librosa", "parity.librosa.max_error_db", "<=", 0.01)])
    assert records[0]["passed"] is None
    assert records[0]["skipped"] == "librosa not installed"
    assert all_passed(records)


def test_the_default_table_states_the_published_tolerances() -> None:
    bounds = {(gate.path.rpartition(".")[2], gate.operator): gate.bound for gate in read_gates()}
    assert bounds["min_snr_db", ">="] == 120.0
    assert bounds["max_error_db", "<="] == 0.01
    assert bounds["mean_error_db", "<="] == 1e-4
    assert bounds["frame_count_mismatches", "=="] == 0


def test_gate_names_are_unique() -> None:
    names = [gate.name for gate in read_gates()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no"),
        ("gate = 3", "holds no"),
        ("[[gate]]\nname = 'x'", "gate number 1 must have name, path, operator, bound"),
        ("[[gate]]\nname='x'\npath='p'\noperator='<='\nbound=1\ncolour=2", "gate number 1"),
        ("[[gate]]\nname='x'\npath='p'\noperator='~'\nbound=1", "operator must be one of"),
        ("[[gate]]\nname='x'\npath='p'\noperator='<='\nbound='1'", "bound must be a number"),
        ("[[gate", "not TOML"),
    ],
)
def test_a_wrong_table_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "gates.toml"
    table.write_text(text)
    with pytest.raises(BabycryError, match=message) as caught:
        read_gates(table)
    assert "\n" not in str(caught.value)


def test_before_python_3_11_tomli_reads_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tomli", reason="pip install tomli")
    gates = read_gates()
    monkeypatch.setitem(sys.modules, "tomllib", None)
    assert read_gates() == gates
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(BabycryError, match="tomli is not installed: pip install"):
        read_gates()


def test_an_absent_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match=r"none\.toml: cannot be read"):
        read_gates(tmp_path / "none.toml")
