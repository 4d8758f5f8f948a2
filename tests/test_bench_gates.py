"""Gates: where they look, when they pass, and what the verdict says."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.gates.places import look_up
from babycry_bench.gates.possible_places import is_possible
from babycry_bench.gates.table import Gate, read_gates
from babycry_bench.gates.verdict import all_passed, judge
from babycry_bench.schema.validate import check
from babycry_edge.errors import BabycryError
from sample_report import report as sample_report

pytest.importorskip("jsonschema", reason="pip install 'babycry-edge[bench]'")

GATE = "[[gate]]\nname='x'\npath='passed'\noperator='<='\n"

REPORT: dict[str, Any] = {
    "stages": [
        {"model": "a.onnx", "stage": "network", "clock": "wall", "p95": 1.0},
        {"model": "a.onnx", "stage": "pipeline", "clock": "wall", "p95": 2.0},
        {"model": "b.tflite", "stage": "pipeline", "clock": "wall", "p95": 3.0},
    ],
    "parity": {
        "librosa": {"skipped": "librosa not installed"},
        "golden": [{"model": "a.onnx", "passed": True}, {"model": "b.tflite", "skipped": "none"}],
    },
}


def test_a_place_names_items_by_the_value_of_a_field() -> None:
    found = look_up(REPORT, "stages[stage=pipeline].p95")
    assert [(item.label, item.value) for item in found] == [("a.onnx", 2.0), ("b.tflite", 3.0)]


def test_a_field_value_with_a_dot_is_no_separator() -> None:
    (found,) = look_up(REPORT, "stages[model=b.tflite].p95")
    assert found.value == 3.0


def test_a_skipped_part_gives_its_reason() -> None:
    (found,) = look_up(REPORT, "parity.librosa.profiles[*].min_snr_db")
    assert found.skipped == "librosa not installed"
    found = look_up(REPORT, "parity.golden[*].passed")[1]
    assert (found.label, found.skipped) == ("b.tflite", "none")


@pytest.mark.parametrize("place", ["stages[stage=smoothing].p95", "parity.nothing", "latency"])
def test_a_place_without_a_value_is_absent_and_fails(place: str) -> None:
    (found,) = look_up(REPORT, place)
    assert found.absent
    (record,) = judge(REPORT, [Gate("g", place, "<=", 1.0)])
    assert (record["passed"], record["value"]) == (False, None)
    assert record["reason"] == "the report has nothing there"


@pytest.mark.parametrize(
    "place", ["stages?[stage=smoothing].p95", "parity.nothing?", "latency?.p50"]
)
def test_a_name_with_a_question_mark_may_be_absent(place: str) -> None:
    (record,) = judge(REPORT, [Gate("g", place, "<=", 1.0)])
    assert (record["passed"], record["skipped"]) == (None, "the report has nothing there")


def test_an_optional_gate_allows_all_of_its_place_to_be_absent() -> None:
    (record,) = judge(REPORT, [Gate("g", "accuracy[*].drift.mean", "<=", 1.0, optional=True)])
    assert record["passed"] is None


def test_optional_does_not_excuse_a_value_that_is_there() -> None:
    gate = Gate("g", "stages[stage=pipeline].p95", "<=", 2.5, optional=True)
    assert [record["passed"] for record in judge(REPORT, [gate])] == [True, False]


# Places.

TREE: dict[str, Any] = {
    "targets": [
        {"target": name, "machine": {"kind": kind}, "parity": {"hashes": {"profiles": profiles}}}
        for name, kind, profiles in (
            ("aarch64-a53", "emulated process", [{"profile": "babycry", "n": 0}]),
            ("cortex-m4f", "emulated board", [{"profile": p, "n": i} for i, p in enumerate("xy")]),
        )
    ],
    "recall": {"hungry": {"value": 0.9}, "belly pain": {"value": 0.8}},
    "rounds": [1.0, 2.0, 3.0],
    "models": [
        {"model": "cry.onnx", "threads": 1, "float": False},
        {"model": "cry.onnx, 2", "threads": 2, "float": True},
    ],
}


@pytest.mark.parametrize(
    ("place", "labels", "values"),
    [
        (
            "targets[*].parity.hashes.profiles[*].n",
            ["aarch64-a53: babycry", "cortex-m4f: x", "cortex-m4f: y"],
            [0, 0, 1],
        ),
        ("targets[machine.kind=emulated board].machine.kind", ["cortex-m4f"], ["emulated board"]),
        ("targets[1].parity.hashes.profiles[profile=y].n", ["cortex-m4f: y"], [1]),
        ("targets[target!=cortex-m4f].parity.hashes.profiles[0].n", ["aarch64-a53: babycry"], [0]),
        ("targets[-1].parity.hashes.profiles[-1].n", ["cortex-m4f: y"], [1]),
        ("recall[*].value", ["hungry", "belly pain"], [0.9, 0.8]),
        ('recall["belly pain"].value', [""], [0.8]),
        ("recall.hungry.value", [""], [0.9]),
        ("rounds[1]", [""], [2.0]),
        ("rounds[*]", ["0", "1", "2"], [1.0, 2.0, 3.0]),
        ("models[threads=2,float=true].threads", ["cry.onnx, 2"], [2]),
        ('models[model="cry.onnx, 2", float=true].threads', ["cry.onnx, 2"], [2]),
        ("models[float=false].threads", ["cry.onnx"], [1]),
    ],
)  # fmt: skip
def test_places(place: str, labels: list[str], values: list[Any]) -> None:
    found = look_up(TREE, place)
    assert [item.label for item in found] == labels
    assert [item.value for item in found] == values


@pytest.mark.parametrize(
    "place", ["rounds[3]", "rounds[-4]", "models[threads=3].threads", "recall.x"]
)
def test_what_a_place_asks_for_and_a_list_lacks_is_absent(place: str) -> None:
    (found,) = look_up(TREE, place)
    assert found.absent


def test_one_target_of_several_that_lacks_a_part_fails_by_its_name() -> None:
    tree = {"targets": [TREE["targets"][0], {"target": "riscv64", "parity": {}}]}
    gate = Gate("g", "targets[*].parity.hashes.profiles[*].n", "==", 0)
    records = judge(tree, [gate])
    assert [(record["of"], record["passed"]) for record in records] == [
        ("aarch64-a53: babycry", True),
        ("riscv64", False),
    ]


def test_two_values_never_bear_one_name() -> None:
    stages = [
        {"model": "m", "stage": "pipeline", "clock": c, "p50": 1.0} for c in ("wall", "cycles")
    ]
    found = look_up({"stages": stages}, "stages[stage=pipeline].p50")
    assert [item.label for item in found] == ["m #1", "m #2"]


def test_memory_of_stages_is_told_apart_by_stage_and_profile() -> None:
    stages = [
        {"stage": stage, "profile": profile, "stack_bytes": 1}
        for stage in ("frontend_clip", "frontend_hop")
        for profile in ("babycry", "librosa")
    ]
    found = look_up({"memory": {"stages": stages}}, "memory.stages[*].stack_bytes")
    assert [item.label for item in found] == [
        "babycry frontend_clip", "librosa frontend_clip", "babycry frontend_hop",
        "librosa frontend_hop",
    ]  # fmt: skip


def test_a_target_that_only_brings_times_is_skipped_with_its_reason() -> None:
    report = sample_report()
    report["parity"]["divergence"].pop()
    report["targets"][0]["parity"] = {"feature_hashes": {"skipped": "tells times alone"}}
    records = judge(report, read_gates())
    assert all_passed(records)
    assert "tells times alone" in {record.get("skipped") for record in records}


def test_stages_that_the_place_does_not_name_are_in_the_label() -> None:
    assert [item.label for item in look_up(REPORT, "stages[model=a.onnx].p95")] == [
        "a.onnx network",
        "a.onnx pipeline",
    ]


@pytest.mark.parametrize(
    "place", ["", "a..b", "a[", "a[x=1]y", "a b", "a[x]", "a[x=1,]", "a[]", "a.", "?", "a[1.5]"]
)
def test_a_misspelt_place_is_an_error(place: str) -> None:
    with pytest.raises(BabycryError, match="place"):
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
    records = judge(REPORT, [Gate("pipeline", "stages[stage=pipeline].p95", "<=", 2.5)])
    assert [record["passed"] for record in records] == [True, False]
    assert not all_passed(records)


def test_a_record_carries_name_value_bound_and_verdict() -> None:
    (record,) = judge(REPORT, [Gate("network", "stages[stage=network].p95", "<=", 2.5, "ms")])
    assert record["name"] == "network (a.onnx)"
    assert (record["value"], record["bound"], record["passed"]) == (1.0, 2.5, True)


def test_a_skipped_gate_neither_passes_nor_fails() -> None:
    records = judge(REPORT, [Gate("librosa", "parity.librosa.max_error_db", "<=", 0.01)])
    assert records[0]["passed"] is None
    assert records[0]["skipped"] == "librosa not installed"
    assert all_passed(records)


@pytest.mark.parametrize("value", [None, float("nan"), {}, [1.0], "1.0", True])
def test_what_is_no_number_never_passes_a_number(value: Any) -> None:
    (record,) = judge({"x": value}, [Gate("g", "x", "<=", 1.0)])
    assert record["passed"] is False
    json.dumps(record, allow_nan=False)
    assert not Gate("g", "x", "==", 1).holds(True)
    assert not Gate("g", "x", "==", 0).holds(False)


def test_strings_and_booleans_can_be_asked_for() -> None:
    gate = Gate("g", "parity.divergence[*].stage", "==", "none")
    records = judge(sample_report(), [gate])
    assert [(r["of"], r["value"], r["passed"]) for r in records] == [
        ("cry.onnx", "none", True),
        ("cry.tflite", "layer", False),
    ]


# Against a baseline.

SLOWER = Gate("pipeline", "stages[stage=pipeline].p50", "<=", relative=1.1, unit="ms")
HOP = Gate("hop", "targets[*].stages[stage=frontend_hop].p50", "<=", relative=1.05)


def test_without_a_baseline_a_relative_gate_is_skipped_once() -> None:
    (record,) = judge(sample_report(), [SLOWER])
    assert record["passed"] is None
    assert "--baseline" in record["skipped"]


def test_a_relative_bound_is_a_multiple_of_the_same_thing_in_the_baseline() -> None:
    baseline = sample_report()
    baseline["stages"].reverse()
    report = sample_report()
    for stage in report["stages"]:
        if (stage["model"], stage["stage"]) == ("cry.tflite", "pipeline"):
            stage["p50"] *= 1.11
    fast, slow = judge(report, [SLOWER], baseline)
    assert (fast["of"], fast["passed"]) == ("cry.onnx", True)
    assert (slow["of"], slow["passed"]) == ("cry.tflite", False)
    assert slow["bound"] == pytest.approx(1.1 * slow["baseline"])
    assert slow["value"] == pytest.approx(1.11 * slow["baseline"])


def test_what_the_baseline_lacks_is_skipped() -> None:
    baseline = sample_report()
    baseline["stages"] = [s for s in baseline["stages"] if s["model"] != "cry.tflite"]
    known, new = judge(sample_report(), [SLOWER], baseline)
    assert (known["passed"], new["passed"]) == (True, None)
    assert "the baseline has nothing there" in new["skipped"]


@pytest.mark.parametrize(
    ("fact", "value"), [("cpu", "Cortex-A76"), ("cpu", None), ("cores", 4), ("architecture", "arm")]
)
def test_times_of_another_machine_are_not_compared(fact: str, value: Any) -> None:
    baseline = sample_report()
    baseline["machine"][fact] = value
    records = judge(sample_report(), [SLOWER], baseline)
    assert {record["passed"] for record in records} == {None}
    assert records[0]["skipped"].startswith(f"times of another machine: {fact} '{value}', now ")


def test_an_unknown_processor_is_not_known_to_be_the_same() -> None:
    baseline, report = sample_report(), sample_report()
    baseline["machine"]["cpu"] = report["machine"]["cpu"] = None
    assert {record["passed"] for record in judge(report, [SLOWER], baseline)} == {None}


def test_times_by_another_clock_are_not_compared() -> None:
    baseline = sample_report()
    for stage in baseline["stages"]:
        stage["clock"] = "cycles"
    records = judge(sample_report(), [SLOWER], baseline)
    assert {record["passed"] for record in records} == {None}


def test_counts_and_sizes_of_another_machine_are_compared() -> None:
    baseline, report = sample_report(), sample_report()
    for record in (baseline, *baseline["targets"]):
        record["machine"]["cpu"] = "another"
    gates = [HOP, Gate("file", "models[*].size_bytes", "<=", relative=1.0, unit="bytes")]
    assert {record["passed"] for record in judge(report, gates, baseline)} == {True}
    report["targets"][1]["stages"][0]["p50"] *= 1.06
    failed = [record["name"] for record in judge(report, gates, baseline) if not record["passed"]]
    assert failed == ["hop (cortex-m4f: babycry)"]


@pytest.mark.parametrize("place", ["models[*].cold_start.total_ms", "energy.joules"])
def test_cold_starts_and_energy_belong_to_their_machine(place: str) -> None:
    baseline = sample_report()
    baseline["machine"]["cpu"] = "another"
    records = judge(sample_report(), [Gate("g", place, "<=", relative=1.1)], baseline)
    assert {record["passed"] for record in records} == {None}


def test_a_text_can_be_asked_to_stay_as_it_was() -> None:
    gate = Gate("same file", "models[*].sha256", "==", relative=1)
    report = sample_report()
    report["models"][0]["sha256"] = "00" * 32
    changed, same = judge(report, [gate], sample_report())
    assert (changed["passed"], same["passed"]) == (False, True)
    (multiple, _) = judge(report, [Gate("g", gate.path, "==", relative=1.1)], sample_report())
    assert (multiple["passed"], "has no multiple" in multiple["reason"]) == (False, True)


# The table.


def test_every_record_of_the_verdict_fits_the_schema() -> None:
    report = sample_report()
    del report["targets"][0]["parity"]["feature_hashes"]
    for baseline in (None, sample_report()):
        report["gates"] = judge(report, read_gates(), baseline)
        check(report, "the verdict")


def test_the_default_table_fails_the_sample_for_its_damaged_layer_alone() -> None:
    records = judge(sample_report(), read_gates(), sample_report())
    failed = [(r["gate"], r["of"]) for r in records if r["passed"] is False]
    assert failed == [("no stage diverges", "cry.tflite")]


def damage_features(report: dict[str, Any]) -> None:
    report["targets"][1]["parity"]["feature_hashes"]["profiles"][0]["mismatches"] = 1


def damage_streaming(report: dict[str, Any]) -> None:
    report["targets"][1]["parity"]["streaming"]["profiles"][1]["mismatches"] = 1


def damage_scores(report: dict[str, Any]) -> None:
    report["targets"][0]["parity"]["scores"][0]["mismatches"] = 1


def damage_golden(report: dict[str, Any]) -> None:
    report["targets"][0]["parity"]["golden"][1]["passed"] = False


def forget_features(report: dict[str, Any]) -> None:
    del report["targets"][0]["parity"]["feature_hashes"]


def lower_agreement(report: dict[str, Any]) -> None:
    report["accuracy"][0]["agreement"]["value"] = 0.979


def lose_agreement(report: dict[str, Any]) -> None:
    report["accuracy"][0]["agreement"]["value"] = None


def raise_drift(report: dict[str, Any]) -> None:
    report["accuracy"][0]["drift"]["mean"] = 0.021


@pytest.mark.parametrize(
    ("damage", "gate", "of"),
    [
        (damage_features, "target: features equal the published hashes", "cortex-m4f: babycry"),
        (damage_streaming, "target: streaming equals whole clip", "cortex-m4f: librosa"),
        (damage_scores, "target: scores equal this machine's", "aarch64-a53: cry.onnx"),
        (damage_golden, "target: golden check of the model file", "aarch64-a53: cry.tflite"),
        (forget_features, "target: features equal the published hashes", "aarch64-a53"),
        (lower_agreement, "same top answer as the float pipeline", "cry.tflite"),
        (lose_agreement, "same top answer as the float pipeline", "cry.tflite"),
        (raise_drift, "score drift, mean", "cry.tflite"),
    ],
)
def test_the_default_table_names_the_target_and_what_is_wrong(
    damage: Callable[[dict[str, Any]], None], gate: str, of: str
) -> None:
    report = sample_report()
    report["parity"]["divergence"].pop()
    assert all_passed(judge(report, read_gates()))
    damage(report)
    failed = [r for r in judge(report, read_gates()) if r["passed"] is False]
    assert [(r["gate"], r["of"]) for r in failed] == [(gate, of)]


def test_without_targets_and_recordings_their_gates_are_skipped() -> None:
    report = sample_report()
    report["parity"]["divergence"].pop()
    report["targets"] = []
    del report["accuracy"]
    records = judge(report, read_gates())
    assert all_passed(records)
    skipped = {record["gate"] for record in records if record["passed"] is None}
    assert "target: features equal the published hashes" in skipped
    assert "score drift, mean" in skipped


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
        ("[[gate]]\nname = 'x'", r"gate number 1 \('x'\) must have name, path, operator, bound"),
        (f"{GATE}bound=1\ncolour=2", "gate number 1"),
        (f"{GATE}bound=1\n{GATE}bound=2", "gate 'x' is there twice"),
        (f"{GATE}bound=1\n[[gates]]\nname='y'", "holds 'gates', but gates are written"),
        ("[[gate]]\nname='x'\npath='passed'\noperator='~'\nbound=1", "operator must be one of"),
        ("[[gate]]\nname='x'\npath='passed'\noperator=['<=']\nbound=1", "operator must be text"),
        ("[[gate]]\nname=3\npath='passed'\noperator='<='\nbound=1", "name must be text"),
        ("[[gate]]\nname='x'\npath='a..b'\noperator='<='\nbound=1", "gate 'x': place 'a..b'"),
        (f"{GATE}bound='1'", "operator must be == for the bound '1'"),
        (f"{GATE}bound=[1]", "bound must be a number"),
        (f"{GATE}bound=nan", "bound must be finite"),
        (f"{GATE}bound=1\nrelative=1.1", "either bound or relative"),
        (f"{GATE}relative=0", "relative must be a number above 0"),
        (f"{GATE}relative=true", "relative must be a number above 0"),
        (f"{GATE}relative=nan", "relative must be a number above 0"),
        (f"{GATE}bound=1\noptional='yes'", "optional must be true or false"),
        (f"{GATE}bound=1".replace("'passed'", "'stages[*].p95_ms'"), "no report has a place"),
        (f"{GATE}bound=1".replace("'passed'", "'targets[*].gates'"), "no report has a place"),
        ("[[gate", "not TOML"),
    ],
)
def test_a_wrong_table_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "gates.toml"
    table.write_text(text)
    with pytest.raises(BabycryError, match=message) as caught:
        read_gates(table)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{table}: ")


def test_a_table_that_is_no_text_is_one_clear_line(tmp_path: Path) -> None:
    table = tmp_path / "gates.toml"
    table.write_bytes(b"\xff\xfe")
    with pytest.raises(BabycryError, match="not TOML"):
        read_gates(table)


@pytest.mark.parametrize(
    "place",
    [
        "stages[3].rounds[0]",
        "accuracy[*].device.recall[*].low",
        'accuracy[*].device.recall["belly pain"].low',
        "accuracy[0].events.at_recall.false_alarms_per_hour",
        "parity.onnx_tflite[*].anything",
        "parity.frontend_librosa.profiles[*].min_snr_db",
        "build.packages.numpy",
        "targets[*].memory.stages[stage=frontend_hop].stack_bytes",
    ],
)
def test_every_place_of_the_schema_can_be_asked_for(place: str) -> None:
    assert is_possible(place)


@pytest.mark.parametrize("place", ["stage[*].p50", "stages.p50", "memory.rom_bytes", "passed[0]"])
def test_a_misspelt_name_is_found_before_the_run(place: str) -> None:
    assert not is_possible(place)


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
