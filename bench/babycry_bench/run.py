"""A whole run: open the models, check parity, time the stages, judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babycry_bench.bench_model import BenchModel
from babycry_bench.build import describe_build
from babycry_bench.clips import Clip, load_clips
from babycry_bench.coldstart import cold_start
from babycry_bench.expected import Expected, load_expected
from babycry_bench.gates.table import Gate, read_gates
from babycry_bench.gates.verdict import all_passed, judge
from babycry_bench.machine import describe_machine, machine_warnings
from babycry_bench.measure import FULL, QUICK, Effort, measure
from babycry_bench.parity.feature_hashes import check_feature_hashes
from babycry_bench.parity.frontend_librosa import check_against_librosa
from babycry_bench.parity.golden import check_golden
from babycry_bench.parity.int8_float import check_int8_float
from babycry_bench.parity.onnx_tflite import ScoredFile, check_onnx_tflite
from babycry_bench.parity.profiles import LIBROSA_PROFILES, PROFILES
from babycry_bench.parity.scores import score_clips
from babycry_bench.parity.streaming import check_streaming
from babycry_bench.report import Report
from babycry_bench.stages import stage_workloads
from babycry_edge.progress import Track


@dataclass(frozen=True)
class Plan:
    """What to run, and how hard."""

    model_paths: Sequence[Path]
    engine: str | None = None
    effort: Effort = FULL
    cold_starts: int = 5

    @classmethod
    def quick(cls, model_paths: Sequence[Path], engine: str | None = None) -> Plan:
        """The same checks with fewer repetitions of the timings."""
        return cls(model_paths, engine, effort=QUICK, cold_starts=2)


def run_bench(plan: Plan, track: Track, gates: Sequence[Gate] | None = None) -> Report:
    """Run ``plan`` and judge it; ``track`` hears of the progress.

    Raises:
        BabycryError: a model cannot be loaded, or bundled data are missing.
    """
    gates = read_gates() if gates is None else gates
    clips, expected = load_clips(), load_expected()
    machine = describe_machine()
    report = Report(build=describe_build(), machine=machine, warnings=machine_warnings(machine))
    models = _open_models(plan)
    report.models = _model_records(models, plan, track)
    report.stages = _stage_records(models, clips, plan, track)
    report.parity = _parity(models, clips, expected, track)
    report.gates = judge(report.to_dict(), gates)
    report.passed = all_passed(report.gates)
    return report


def _open_models(plan: Plan) -> list[BenchModel]:
    """Each file bears its bare name in the report, or its path where two names are equal."""
    names = [path.name for path in plan.model_paths]
    return [
        BenchModel.open(path, plan.engine, path.name if names.count(path.name) == 1 else str(path))
        for path in plan.model_paths
    ]


def _model_records(models: list[BenchModel], plan: Plan, track: Track) -> list[dict[str, Any]]:
    advance = track("cold start", len(models) * plan.cold_starts)
    return [
        {
            **model.describe(),
            "cold_start": cold_start(model.path, model.model.engine, plan.cold_starts, advance),
        }
        for model in models
    ]


def _stage_records(
    models: list[BenchModel], clips: list[Clip], plan: Plan, track: Track
) -> list[dict[str, Any]]:
    workloads = [workload for model in models for workload in stage_workloads(model, clips)]
    advance = track("latency", len(workloads) * plan.effort.rounds)
    return [timing.to_dict() for timing in measure(workloads, plan.effort, advance)]


def _parity(
    models: list[BenchModel], clips: list[Clip], expected: Expected, track: Track
) -> dict[str, Any]:
    advance = track("scores of every clip", len(models) * len(clips))
    scored = [
        ScoredFile(
            model.name,
            model.model.metadata.name,
            model.model.file.format,
            score_clips(model.detector, clips, advance),
        )
        for model in models
    ]
    advance = track("feature hashes", len(PROFILES) * len(clips))
    feature_hashes = check_feature_hashes(clips, expected, advance)
    advance = track("streaming", len(PROFILES) * len(clips))
    streaming = check_streaming(clips, advance)
    advance = track("librosa", len(LIBROSA_PROFILES) * len(clips))
    return {
        "frontend_librosa": check_against_librosa(clips, advance),
        "feature_hashes": feature_hashes,
        "streaming": streaming,
        "golden": [check_golden(model.name, model.model) for model in models],
        "int8_float": [
            check_int8_float(file.model, file.name_in_metadata, file.scores, expected)
            for file in scored
        ],
        "onnx_tflite": check_onnx_tflite(scored),
    }
