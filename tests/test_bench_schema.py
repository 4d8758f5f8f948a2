"""The schema of records and reports, and one stage in it."""

import copy
import json
import math
from typing import Any

import pytest

from babycry_bench.report import Report
from babycry_bench.schema.validate import SCHEMA_FILE, check
from babycry_bench.timing.stage_record import stage_record
from babycry_edge.errors import BabycryError

jsonschema = pytest.importorskip("jsonschema", reason="pip install 'babycry-edge[bench]'")

STATE = {
    "frequency_mhz": None,
    "temperature_c": 41.5,
    "throttled": None,
    "load_average_1min": 0.1,
}


def record(target: str = "this machine") -> dict[str, Any]:
    """The smallest one that the schema allows, with one stage."""
    return {
        "schema_version": 2,
        "kind": "record",
        "target": target,
        "created": "2026-11-21T10:00:00Z",
        "build": {
            "babycry_edge": "0.1.0",
            "git_commit": None,
            "compiler": None,
            "compiler_flags": None,
            "instruction_set": "scalar",
            "instruction_sets": ["scalar"],
            "python": None,
            "packages": {},
        },
        "machine": {
            "kind": "board",
            "emulator": None,
            "cpu": "Cortex-M4F",
            "architecture": "armv7e-m",
            "cores": 1,
            "cores_usable": 1,
            "pinned_core": None,
            "governor": None,
            "clock_hz": 64e6,
            "memory_bytes": 262144,
            "operating_system": None,
            "before": STATE,
            "after": STATE,
        },
        "models": [],
        "stages": [stage_record([1.0, 2.0], clock="cycles", stage="network", clock_hz=64e6)],
        "parity": {},
        "memory": {"ram_bytes": 1000},
        "warnings": [],
    }


def report(*targets: dict[str, Any]) -> dict[str, Any]:
    return record() | {"kind": "report", "targets": list(targets), "gates": [], "passed": True}


def test_the_schema_itself_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA_FILE.read_text()))


def test_a_record_and_a_report_of_several_targets_pass() -> None:
    for document in (record(), report(), report(record("a"), record("b"))):
        assert check(copy.deepcopy(document), "x.json") == document


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("stages", 0, "p50"), -1.0, r"x\.json: stages\[0\]\.p50: -1\.0 does not fit .*minimum 0"),
        (("stages", 0, "p50"), math.nan, r"stages\[0\]\.p50: nan is no number of JSON"),
        (("stages", 0, "stage"), "engine", r"stages\[0\]\.stage: \"engine\" does not fit .*enum"),
        (("stages", 0, "unit"), "ms", r"stages\[0\]\.unit: \"ms\" does not fit .*\"cycles\""),
        (("stages", 0, "stage"), "layer", r"stages\[0\]: 'layer' is a required property"),
        (("machine", "colour"), "red", r"machine: Additional properties .*'colour'"),
        (("build", "python"), 3, r"build\.python: 3 does not fit"),
        (("created",), "yesterday", 'created: "yesterday" does not fit'),
        (("kind",), "recipe", 'kind must be record or report, not "recipe"'),
        (("schema_version",), 1, "schema_version is 1, .* reads 2: measure again"),
        (("schema_version",), 3, "schema_version is 3, .* reads 2: upgrade babycry-edge"),
        (("schema_version",), None, "schema_version is null"),
    ],
)
def test_a_wrong_place_is_named_in_one_line(place: Any, value: Any, message: str) -> None:
    document = copy.deepcopy(record())
    node: Any = document
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    with pytest.raises(BabycryError, match=message) as caught:
        check(document, "x.json")
    assert "\n" not in str(caught.value)


def test_a_missing_field_is_named_with_the_target_that_lacks_it() -> None:
    document = copy.deepcopy(report(record("a"), record("b")))
    del document["targets"][1]["stages"][0]["max"]
    with pytest.raises(BabycryError, match=r"targets\[1\]\.stages\[0\]: 'max' is a required"):
        check(document, "x.json")


def test_two_targets_or_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(BabycryError, match='2 targets are called "this machine"'):
        check(report(record()), "x.json")
    model = {
        "model": "cry.onnx",
        "path": None,
        "format": "onnx",
        "precision": "int8",
        "sha256": "0" * 64,
        "size_bytes": 1,
        "engine": "onnxruntime",
        "engine_version": None,
        "threads": 1,
        "input_dtypes": ["int8"],
        "operators": {},
        "metadata": {},
    }
    document = record() | {"models": [model, model | {"threads": 2}]}
    with pytest.raises(BabycryError, match=r'models: 2 models are called "cry\.onnx"'):
        check(document, "x.json")


@pytest.mark.parametrize("document", [None, [], "report", 2])
def test_what_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(BabycryError, match=r"x\.json: not a report"):
        check(document, "x.json")


def test_milliseconds_become_shares_of_the_audio() -> None:
    found = stage_record(
        [10.0, 20.0, 30.0, 40.0],
        clock="wall",
        stage="pipeline",
        model="cry.onnx",
        audio_s=[1.0, 2.0, 1.0, 4.0],
        warmup=3,
        rounds=[15.0, 35.0],
        p50_interval=(12.0, 38.0),
        cpu_s=0.2,
        cores=2,
    )
    assert (found["unit"], found["count"], found["warmup"]) == ("ms", 4, 3)
    assert (found["p50"], found["max"], found["audio_s"]) == (25.0, 40.0, 1.5)
    assert found["p90"] == pytest.approx(37.0)
    assert found["quantiles"][0] == 10.0
    assert found["quantiles"][10] == 25.0
    assert found["quantiles"][20] == 40.0
    assert found["real_time_factor"]["p50"] == pytest.approx(0.01)
    assert found["real_time_factor"]["max"] == pytest.approx(0.03)
    assert found["duty_cycle"] == pytest.approx(0.1 / 8)
    assert found["cpu_share"] == pytest.approx(0.2 / (8 * 2))
    assert found["rounds"] == [15.0, 35.0]
    assert found["p50_interval"] == [12.0, 38.0]
    check(record() | {"stages": [found]}, "x.json")


def test_cycles_tell_time_only_where_their_rate_is_known() -> None:
    found = stage_record([64e3], clock="cycles", stage="network", audio_s=0.1, clock_hz=64e6)
    assert found["real_time_factor"]["p50"] == pytest.approx(0.01)
    assert stage_record([1.0], clock="cycles", stage="network", audio_s=0.1)["duty_cycle"] is None


def test_emulated_instructions_are_never_time() -> None:
    found = stage_record(
        [1e6],
        clock="instructions (emulated)",
        stage="layer",
        layer="0 conv",
        operator="CONV_2D",
        audio_s=1.0,
        clock_hz=1e9,
        cpu_s=1.0,
        cores=1,
    )
    assert found["unit"] == "instructions"
    assert (found["real_time_factor"], found["duty_cycle"], found["cpu_share"]) == (None,) * 3
    check(record() | {"stages": [found]}, "x.json")


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        ([], {}, "no measured value"),
        ([1.0, math.nan], {}, "negative or not finite"),
        ([-1.0], {}, "negative or not finite"),
        ([1.0], {"clock": "sundial"}, "clock must be one of wall"),
        ([1.0], {"audio_s": [1.0, 2.0]}, "2 audio lengths for 1 values"),
        ([1.0], {"audio_s": -1.0}, "audio length is negative"),
    ],
)
def test_what_cannot_be_a_measurement_is_refused(
    values: list[float], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(BabycryError, match=f"stage network: .*{message}"):
        stage_record(values, **{"clock": "wall", "stage": "network", **settings})


def test_a_report_without_sensor_and_recordings_has_neither_field() -> None:
    document = report()
    found = Report(build=document["build"], machine=document["machine"])
    assert check(found.to_dict(), "x.json") == found.to_dict()
    assert not {"energy", "accuracy"} & found.to_dict().keys()
    found.energy, found.accuracy = {"sensor": "INA219", "joules": 1.0, "seconds": 2.0}, []
    assert {"energy", "accuracy"} <= check(found.to_dict(), "x.json").keys()
