"""The stages' work: what each of them calls, and that every way of timing calls the same."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_bench.bench_model import BenchModel, configurations
from babycry_bench.clips import Clip
from babycry_bench.facts.other_work import OtherWork
from babycry_bench.models import FLOAT_ONNX, FLOAT_TFLITE
from babycry_bench.run import Plan, run_bench
from babycry_bench.timing.benchmark_json import stage_records
from babycry_bench.timing.layer_profile import layer_records
from babycry_bench.timing.measure import FULL, Effort, Workload, measure
from babycry_bench.timing.stages import MICROPHONE_RATES, STAGES, network_windows, stage_workloads
from babycry_edge import Detector, Frontend, Model
from babycry_edge.detector import DetectorStream
from babycry_edge.engines import engines_for
from babycry_edge.errors import BabycryError
from babycry_edge.models import bundled

for _module, _extra in (
    ("onnxruntime", "onnx"),
    ("ai_edge_litert", "tflite"),
    ("pytest_benchmark", "bench"),
    ("jsonschema", "bench"),
):
    pytest.importorskip(_module, reason=f"pip install 'babycry-edge[{_extra}]'")

SUITE = Path(__file__).resolve().parents[1] / "bench" / "suites" / "test_stages.py"
BUNDLED = [Path(bundled("cry.onnx")), Path(bundled("cry.tflite"))]


def opened(*paths: Path, engines: tuple[str, ...] = ()) -> list[BenchModel]:
    return [BenchModel.open(found) for found in configurations(paths, engines, (1,))]


def by_stage(workloads: list[Workload], model: str) -> dict[str, Workload]:
    return {
        workload.stage: workload
        for workload in workloads
        if model in (workload.model, *workload.also)
    }


@pytest.fixture(scope="module")
def cry(clips: list[Clip]) -> dict[str, Workload]:
    """The stages of the bundled ONNX file over three clips, one of them of 8 kHz."""
    return by_stage(stage_workloads(opened(BUNDLED[0]), [*clips[:2], clips[3]]), "cry.onnx")


def results(workload: Workload) -> list[Any]:
    return [item.call() for item in workload.items]


def test_every_stage_does_its_part_of_what_a_detector_does(
    cry: dict[str, Workload], clips: list[Clip]
) -> None:
    assert tuple(cry) == STAGES
    model = Model.load(BUNDLED[0])
    config = model.metadata.frontend
    np.testing.assert_array_equal(results(cry["capture"])[0][0], clips[0].samples)
    np.testing.assert_array_equal(
        results(cry["frontend_clip"])[0], Frontend(config)(clips[0].samples, config.sample_rate)
    )
    window = results(cry["frontend_window"])[0]
    assert window.shape == model.metadata.window_shape
    scores = results(cry["network"])
    assert [score.shape for score in scores] == [(1, 2)] * 3
    found = results(cry["pipeline"])[0]
    expected = Detector(model).detect(clips[0].samples, config.sample_rate)
    assert found.score == expected.score
    np.testing.assert_array_equal(found.window_scores, expected.window_scores)


def test_a_hop_gives_a_frame_and_a_second_gives_a_second(cry: dict[str, Workload]) -> None:
    frames = [features.shape[0] for features in results(cry["frontend_hop"])]
    assert set(frames[3:]) == {1}
    assert {item.audio_s for item in cry["frontend_hop"].items} == {0.02}
    lengths = [len(samples) for samples in results(cry["resample"])]
    assert np.mean(lengths) == pytest.approx(16000, rel=0.02)
    assert len(lengths) == 3 * len(MICROPHONE_RATES) * 2


def test_smoothing_sees_events_begin_and_end(cry: dict[str, Workload]) -> None:
    found = [event for events in results(cry["smoothing"]) for event in events]
    assert any(event.end_s is None for event in found)
    assert any(event.end_s is not None for event in found)


def test_scores_taken_alone_give_the_events_of_the_whole_detector(clips: list[Clip]) -> None:
    model = Model.load(BUNDLED[0])
    detection = Detector(model).detect(clips[0].samples, 16000)
    assert detection.events
    stream = DetectorStream(Detector(model), keep_history=False)
    scores = np.zeros((len(detection.window_scores), 2), np.float32)
    scores[:, model.metadata.target_index] = detection.window_scores
    began = [event for event in stream.take_scores(scores) if event.end_s is None]
    assert [event.start_s for event in began] == [event.start_s for event in detection.events]


def test_what_two_models_share_is_measured_once_and_told_of_both(clips: list[Clip]) -> None:
    workloads = stage_workloads(opened(*BUNDLED, FLOAT_ONNX), clips[:1])
    shared = {workload.stage for workload in workloads if workload.also}
    assert shared == set(STAGES) - {"network", "pipeline"}
    assert len(workloads) == len(shared) + 3 * 2
    timings = measure(workloads, Effort(1, 1, 0.0, 1, warmup_s=0.0, precision=None))
    records = [record for timing in timings for record in timing.records(2)]
    pairs = {(record["model"], record["stage"]) for record in records}
    assert len(pairs) == len(records) == 3 * len(STAGES)


def test_models_of_two_front_ends_share_what_does_not_depend_on_it(clips: list[Clip]) -> None:
    tiny = Path(__file__).parent / "fixtures" / "tiny.onnx"
    workloads = stage_workloads(opened(BUNDLED[0], tiny), clips[:1])
    assert {workload.stage for workload in workloads if workload.also} == {"capture", "resample"}


def test_the_suite_of_pytest_benchmark_times_the_same_calls(
    tmp_path: Path, clips: list[Clip]
) -> None:
    output = tmp_path / "stages.json"
    command = [sys.executable, "-c", _PYTEST, json.dumps(sys.path), str(SUITE), "-q"]
    command += ["-p", "no:cacheprovider", f"--benchmark-json={output}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(output.read_text())
    ours = stage_workloads(opened(*BUNDLED), clips)
    timed = {
        (benchmark["extra_info"]["models"][0], benchmark["extra_info"]["stage"]): benchmark
        for benchmark in content["benchmarks"]
    }
    assert set(timed) == {(path.name, stage) for path in BUNDLED for stage in STAGES}
    for (model, stage), benchmark in timed.items():
        items = by_stage(ours, model)[stage].items
        assert benchmark["extra_info"]["audio_s"] == [item.audio_s for item in items]
    records = stage_records(content, "stages.json")
    assert len(records) == len(timed)
    for record in records:
        assert 0 < record["p50"] <= record["max"]
        assert record["real_time_factor"]["p50"] > 0
        assert record["warmup"] == 20


_PYTEST = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "not the JSON of pytest-benchmark"),
        ([], "not the JSON of pytest-benchmark"),
        ({"benchmarks": [{"extra_info": {"ratio": 2}}]}, "no stage was measured"),
        (
            {
                "benchmarks": [
                    {"extra_info": {"models": ["m"], "stage": "network", "audio_s": [1.0]}}
                ]
            },
            "no single times: write it with --benchmark-json",
        ),
    ],
)
def test_another_json_than_the_suites_is_refused(content: Any, message: str) -> None:
    with pytest.raises(BabycryError, match=message):
        stage_records(content, "x.json")


@pytest.mark.parametrize("path", [BUNDLED[0], FLOAT_ONNX])
def test_the_layers_of_an_onnx_model_add_up_to_about_its_network(
    path: Path, clips: list[Clip]
) -> None:
    (model,) = opened(path)
    windows = network_windows(model.model.metadata, [clips[0].samples])
    records = layer_records(model, windows, 0.0, 0.5)
    operators = [record["operator"] for record in records]
    assert sum("Conv" in operator for operator in operators) == 15
    assert [record["layer"].split(" ")[0] for record in records] == [
        str(place) for place in range(len(records))
    ]
    assert {record["count"] for record in records} == {20}
    assert sum(record["p50"] for record in records) > 0.005


def test_litert_tells_nothing_of_layers() -> None:
    (model,) = opened(FLOAT_TFLITE)
    assert layer_records(model, [], 0.0, 0.5) == []


def test_configurations_are_told_apart_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = configurations(BUNDLED, (), (1, 2, 2))
    assert [(item.name, item.threads) for item in found] == [
        ("cry.onnx", 1),
        ("cry.onnx (2 threads)", 2),
        ("cry.tflite", 1),
        ("cry.tflite (2 threads)", 2),
    ]
    found = configurations(BUNDLED, ("onnxruntime", "litert", "tflite-runtime"), (1, 4))
    assert [(item.name, item.engine) for item in found] == [
        ("cry.onnx", "onnxruntime"),
        ("cry.onnx (4 threads)", "onnxruntime"),
        ("cry.tflite (litert)", "litert"),
        ("cry.tflite (litert, 4 threads)", "litert"),
        ("cry.tflite (tflite-runtime)", "tflite-runtime"),
        ("cry.tflite (tflite-runtime, 4 threads)", "tflite-runtime"),
    ]
    copy = tmp_path / "cry.onnx"
    copy.write_bytes(BUNDLED[0].read_bytes())
    assert [item.name for item in configurations([BUNDLED[0], copy], (), (1,))] == [
        str(BUNDLED[0]),
        str(copy),
    ]
    assert engines_for("onnx") == ["onnxruntime"]


def test_a_run_of_two_precisions_and_two_numbers_of_threads(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch, silent: Callable[..., Any]
) -> None:
    monkeypatch.setattr("babycry_bench.run.load_clips", lambda: clips[:2])
    effort = Effort(1, 1, 0.0, 2, warmup_s=0.0, precision=None)
    plan = Plan([BUNDLED[1], FLOAT_TFLITE], effort=effort, cold_starts=1, threads=(1, 2))
    report = run_bench(plan, silent).to_dict()
    found = [(model["model"], model["precision"], model["threads"]) for model in report["models"]]
    assert found == [
        ("cry.tflite", "int8", 1),
        ("cry.tflite (2 threads)", "int8", 2),
        ("cry_float.tflite", "float32", 1),
        ("cry_float.tflite (2 threads)", "float32", 2),
    ]
    assert len(report["stages"]) == 4 * len(STAGES)
    assert [gate["name"] for gate in report["gates"] if gate["passed"] is False] == []


def test_several_threads_on_one_pinned_core_are_refused(silent: Callable[..., Any]) -> None:
    with pytest.raises(BabycryError, match="several threads cannot be timed on one pinned core"):
        run_bench(Plan(BUNDLED, threads=(1, 2), pin_core=0), silent)


@pytest.fixture
def silent() -> Callable[..., Any]:
    return lambda title, steps: lambda: None


def pipeline_p50(clips: list[Clip]) -> dict[str, float]:
    workloads = stage_workloads(opened(*BUNDLED), clips)
    pipelines = [workload for workload in workloads if workload.stage == "pipeline"]
    return {timing.workload.model: timing.p50 for timing in measure(pipelines, FULL)}


@pytest.mark.full
def test_a_second_run_on_an_idle_machine_has_the_pipelines_p50_within_5_per_cent(
    clips: list[Clip],
) -> None:
    """Two runs of the bench's own effort, each with models opened anew, one after the other."""
    other_work = OtherWork()
    first, second = (pipeline_p50(clips), pipeline_p50(clips))
    if reasons := other_work.warnings():
        pytest.skip(f"this machine is not idle: {reasons[0]}")
    for model, p50 in first.items():
        assert second[model] == pytest.approx(p50, rel=0.05)
