"""A whole run: open the models, check parity, time the stages, judge."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from babycry_bench.bench_model import BenchModel, configurations
from babycry_bench.clips import Clip, load_clips
from babycry_bench.divergence import check_divergence
from babycry_bench.expected import Expected, load_expected
from babycry_bench.facts.build import describe_build
from babycry_bench.facts.energy import find_sensor, measure_energy
from babycry_bench.facts.machine import describe_machine, machine_warnings, read_state
from babycry_bench.facts.other_work import OtherWork
from babycry_bench.facts.pinning import pinned
from babycry_bench.gates.table import Gate, read_gates
from babycry_bench.gates.verdict import all_passed, judge
from babycry_bench.parity.feature_hashes import check_feature_hashes
from babycry_bench.parity.frontend_librosa import check_against_librosa
from babycry_bench.parity.golden import check_golden
from babycry_bench.parity.int8_float import check_int8_float
from babycry_bench.parity.onnx_tflite import ScoredFile, check_onnx_tflite
from babycry_bench.parity.profiles import LIBROSA_PROFILES, PROFILES
from babycry_bench.parity.scores import score_clips
from babycry_bench.parity.streaming import check_streaming
from babycry_bench.report import Report
from babycry_bench.timing.coldstart import cold_start
from babycry_bench.timing.layer_profile import layer_records
from babycry_bench.timing.measure import FULL, QUICK, Effort, measure, timing_warnings
from babycry_bench.timing.stages import STAGES, clip_audio, hop_s, network_windows, stage_workloads
from babycry_edge.binding import lib
from babycry_edge.errors import BabycryError
from babycry_edge.progress import Track

_ENERGY_S = 3.0


@dataclass(frozen=True)
class Plan:
    """What to run, and how hard.

    Attributes:
        model_paths: files, of either format and precision.
        engines: every file runs in each of these that takes its format; empty: in its preferred
            one.
        effort: of the timings.
        cold_starts: fresh processes for each configuration.
        threads: numbers of threads of one inference, each measured.
        pin_core: the core that everything is held on; None: the scheduler's choice.
    """

    model_paths: Sequence[Path]
    engines: Sequence[str] = ()
    effort: Effort = FULL
    cold_starts: int = 5
    threads: Sequence[int] = (1,)
    pin_core: int | None = None

    @classmethod
    def quick(cls, model_paths: Sequence[Path], engines: Sequence[str] = (), **more: Any) -> Plan:
        """The same checks with fewer repetitions of the timings."""
        return cls(model_paths, engines, effort=QUICK, cold_starts=2, **more)


def run_bench(
    plan: Plan,
    track: Track,
    gates: Sequence[Gate] | None = None,
    baseline: Mapping[str, Any] | None = None,
) -> Report:
    """:func:`measure_here`, judged."""
    report = measure_here(plan, track)
    judge_report(report, read_gates() if gates is None else gates, baseline)
    return report


def measure_here(plan: Plan, track: Track) -> Report:
    """This machine's part of a report, not judged yet; ``track`` hears of the progress.

    Raises:
        BabycryError: a model cannot be loaded, bundled data are missing, the core cannot be
            pinned to, or several threads are to share one core.
    """
    if plan.pin_core is not None and max(plan.threads, default=1) > 1:
        raise BabycryError("several threads cannot be timed on one pinned core: leave out either")
    with pinned(plan.pin_core):
        return _measured(plan, track)


def judge_report(
    report: Report, gates: Sequence[Gate], baseline: Mapping[str, Any] | None = None
) -> None:
    """Hold ``report`` against ``gates``, the relative ones among them against ``baseline``."""
    report.gates = judge(report.to_dict(), gates, baseline)
    report.passed = all_passed(report.gates)


def _measured(plan: Plan, track: Track) -> Report:
    clips, expected = load_clips(), load_expected()
    before = read_state(plan.pin_core)
    models = [
        BenchModel.open(configuration)
        for configuration in configurations(plan.model_paths, plan.engines, plan.threads)
    ]
    report = Report(build=describe_build(), machine={})
    report.models = _model_records(models, plan, track)
    report.memory = _memory(models, report.models)
    report.stages, warnings = _stage_records(models, clips, plan, track)
    report.energy = measure_energy(_pipeline_work(models[0], clips), find_sensor())
    report.machine = describe_machine(before, plan.pin_core)
    report.warnings = [*machine_warnings(report.machine), *warnings]
    report.parity = _parity(models, clips, expected, track)
    return report


def _model_records(models: list[BenchModel], plan: Plan, track: Track) -> list[dict[str, Any]]:
    advance = track("cold start", len(models) * plan.cold_starts)
    return [
        {
            **model.describe(),
            "cold_start": cold_start(
                model.path, model.model.engine, plan.cold_starts, advance, model.threads
            ),
        }
        for model in models
    ]


def _memory(models: list[BenchModel], records: list[dict[str, Any]]) -> dict[str, Any]:
    """The most that a fresh process with one of the models came to hold, and its front-end."""
    sizes = [lib.bc_frontend_ram_size(model.model.metadata.frontend.to_c()) for model in models]
    memory = {"frontend_ram_bytes": int(max(sizes))}
    peak = max(record["cold_start"]["peak_rss_bytes"] for record in records)
    return memory | ({"peak_rss_bytes": peak} if peak else {})


def _stage_records(
    models: list[BenchModel], clips: list[Clip], plan: Plan, track: Track
) -> tuple[list[dict[str, Any]], list[str]]:
    """The stages in the models' order, and what speaks against the figures."""
    other_work = OtherWork()
    timings = measure(stage_workloads(models, clips), plan.effort, track)
    found = [record for timing in timings for record in timing.records(os.cpu_count())]
    warnings = [*other_work.warnings(), *timing_warnings(timings, plan.effort)]
    advance = track("layers", len(models))
    stages = []
    for model in models:
        metadata = model.model.metadata
        windows = network_windows(metadata, clip_audio(metadata, clips))
        seconds = plan.effort.block_s * plan.effort.min_rounds
        layers = layer_records(model, windows, seconds, hop_s(metadata))
        own = [record for record in found if record["model"] == model.name]
        stages += sorted(own, key=lambda record: STAGES.index(record["stage"])) + layers
        advance()
    return stages, warnings


def _pipeline_work(model: BenchModel, clips: list[Clip]) -> Callable[[], float]:
    """Some seconds of the whole pipeline; the call returns the seconds of audio in it."""
    rate = model.model.metadata.frontend.sample_rate
    audio = clip_audio(model.model.metadata, clips)

    def work() -> float:
        end, samples = monotonic() + _ENERGY_S, 0
        while monotonic() < end:
            for clip in audio:
                model.detector.detect(clip, rate)
                samples += len(clip)
        return samples / rate

    return work


def _parity(
    models: list[BenchModel], clips: list[Clip], expected: Expected, track: Track
) -> dict[str, Any]:
    advance = track("scores of every clip", len(models) * len(clips))
    scored = [score_clips(model.detector, clips, advance) for model in models]
    advance = track("feature hashes", len(PROFILES) * len(clips))
    feature_hashes = check_feature_hashes(clips, expected, advance)
    advance = track("streaming", len(PROFILES) * len(clips))
    streaming = check_streaming(clips, advance)
    advance = track("librosa", len(LIBROSA_PROFILES) * len(clips))
    librosa = check_against_librosa(clips, advance)
    one_of_each = _with_fewest_threads(models)
    divergence = check_divergence(one_of_each, clips, track("first divergence", len(one_of_each)))
    return {
        "frontend_librosa": librosa,
        "feature_hashes": feature_hashes,
        "streaming": streaming,
        "divergence": divergence,
        "golden": [check_golden(model.name, model.model) for model in models],
        "int8_float": [
            check_int8_float(model, scores, clips, expected)
            for model, scores in zip(models, scored, strict=True)
        ],
        "onnx_tflite": check_onnx_tflite(
            [
                ScoredFile(
                    model.name,
                    model.model.metadata.name,
                    model.model.file.format,
                    scores,
                    model.precision,
                )
                for model, scores in zip(models, scored, strict=True)
                if model in one_of_each
            ]
        ),
    }


def _with_fewest_threads(models: list[BenchModel]) -> list[BenchModel]:
    """Answers do not depend on the number of threads: one configuration of each tells all."""
    fewest = min(model.threads for model in models)
    return [model for model in models if model.threads == fewest]
