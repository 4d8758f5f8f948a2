"""The report on paper and on the screen."""

import io
import json
from typing import Any

import pytest

from babycry_bench.report import Report

pytest.importorskip("rich", reason="pip install 'babycry-edge[bench]'")

COLD_START = {
    "to_first_features_ms": 51.0,
    "load_ms": 60.0,
    "first_inference_ms": 0.4,
    "total_ms": 112.0,
    "self_check_ms": 2.0,
    "peak_rss_bytes": 66_000_000,
    "frontend_rss_bytes": 28_000_000,
}


def report_with(names: list[str], milliseconds: float, gate: dict[str, Any]) -> Report:
    stages = ("frontend_window", "frontend_clip", "network", "pipeline")
    times = dict.fromkeys(("p50", "p95", "p99", "max"), milliseconds)
    return Report(
        build={
            "babycry_edge": "0.1.0",
            "instruction_set": "neon",
            "instruction_sets": ["neon"],
            "python": "3.11.7",
        },
        machine={
            "cpu": "A Processor With A Name As Long As Vendors Like Them (R) (TM) @ 1.80GHz",
            "cores": 4,
            "governor": "powersave",
            "architecture": "aarch64",
            "operating_system": "Linux 6.1.0-rpi7-rpi-v8-with-a-long-suffix",
        },
        models=[
            {
                "model": name,
                "engine": "onnxruntime",
                "engine_version": "1.31.1",
                "size_bytes": 90_000,
                "cold_start": COLD_START,
            }
            for name in names
        ],
        stages=[
            {
                "model": name,
                "stage": stage,
                "audio_s": 7.0,
                "count": 4000,
                "real_time_factor": {"p50": milliseconds / 7000, "p95": milliseconds / 7000},
                **times,
            }
            for name in names
            for stage in stages
        ],
        gates=[{**gate, "name": f"{gate['gate']} ({name})", "of": name} for name in names],
        warnings=["CPU governor is 'powersave': " + "words " * 30],
        passed=gate["passed"] is not False,
    )


GATE = {
    "gate": "int8 vs float, largest error of a clip score",
    "operator": "<=",
    "value": 0.2,
    "bound": 0.1,
    "unit": "",
    "passed": False,
}


def printed(report: Report) -> str:
    from babycry_bench.report_terminal import print_report

    file = io.StringIO()
    print_report(report, file)
    return file.getvalue()


@pytest.mark.parametrize(
    "names", [["cry.onnx", "cry.tflite"], ["n" * 70 + ".onnx", "m" * 70], ["a", "b", "c", "d"]]
)
@pytest.mark.parametrize("milliseconds", [0.001, 12345.678])
def test_the_table_fits_100_columns(names: list[str], milliseconds: float) -> None:
    text = printed(report_with(names, milliseconds, GATE))
    assert max(map(len, text.splitlines())) <= 100


def test_numbers_stay_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babycry_bench.report_terminal.MAX_COLUMNS", 72)
    text = printed(report_with(["cry.onnx", "cry.tflite"], 123.456, GATE))
    assert max(map(len, text.splitlines())) <= 72
    assert text.count("123.456") == 8 * 4


def test_every_failed_gate_is_named_with_value_and_bound_before_the_verdict() -> None:
    *_, failed, verdict = printed(report_with(["cry.onnx"], 1.0, GATE)).splitlines()
    assert "failed: int8 vs float, largest error of a clip score (cry.onnx): 0.2, " in failed
    assert failed.endswith("bound <= 0.1")
    assert verdict == " FAILED  0 checks passed, 1 failed, 0 skipped"


def test_the_worst_value_of_a_gate_is_shown() -> None:
    report = report_with(["a", "b"], 1.0, {**GATE, "passed": True})
    report.gates[0]["value"], report.gates[1]["value"] = 0.0125, 0.0375
    text = printed(report)
    assert "0.0375" in text
    assert "0.0125" not in text


def test_a_skipped_gate_is_shown_with_its_reason() -> None:
    skipped = {**GATE, "value": None, "passed": None, "skipped": "librosa not installed"}
    text = printed(report_with(["cry.onnx"], 1.0, skipped))
    assert "skipped: librosa not installed" in text
    assert "PASSED  0 checks passed, 0 failed, 1 skipped" in text


def test_no_line_ends_in_blanks_and_none_has_colour_codes_in_a_file() -> None:
    text = printed(report_with(["cry.onnx"], 1.0, GATE))
    assert all(line == line.rstrip() for line in text.splitlines())
    assert "\x1b" not in text


def test_numbers_that_json_lacks_become_null() -> None:
    report = report_with(["a"], 1.0, {**GATE, "value": float("nan")})
    report.parity = {"golden": [{"max_score_error": float("inf")}]}
    content = json.loads(report.to_json())
    assert content["gates"][0]["value"] is None
    assert content["parity"]["golden"][0]["max_score_error"] is None
