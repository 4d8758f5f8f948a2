"""The stages of the bundled detector under pytest-benchmark: the very calls of the bench.

``pytest bench/suites/test_stages.py --benchmark-json FILE``;
``babycry_bench.timing.benchmark_json`` turns the file into the bench's own records.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.bench_model import BenchModel, configurations
from babycry_bench.clips import load_clips
from babycry_bench.timing.benchmark_json import extra_info
from babycry_bench.timing.measure import Workload
from babycry_bench.timing.stages import STAGES, stage_workloads
from babycry_edge.models import bundled

pytest.importorskip("pytest_benchmark", reason="pip install 'babycry-edge[bench]'")

LIBRARIES = {"cry.onnx": "onnxruntime", "cry.tflite": "ai_edge_litert"}
CALLS = 200
WARMUP = 20


@pytest.fixture(scope="module")
def workloads() -> Callable[[str, str], Workload]:
    """The workload of a bundled model and a stage; each model is opened once."""
    clips = load_clips()
    opened: dict[str, dict[str, Workload]] = {}

    def workload(model: str, stage: str) -> Workload:
        pytest.importorskip(LIBRARIES[model], reason="pip install 'babycry-edge[onnx,tflite]'")
        if model not in opened:
            (configuration,) = configurations([Path(bundled(model))], (), (1,))
            found = stage_workloads([BenchModel.open(configuration)], clips)
            opened[model] = {item.stage: item for item in found}
        return opened[model][stage]

    return workload


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("model", LIBRARIES)
def test_stage(
    model: str, stage: str, workloads: Callable[[str, str], Workload], benchmark: Any
) -> None:
    """Reported, not judged: the gates of the bench judge."""
    workload = workloads(model, stage)
    items = workload.items
    turns = count(-WARMUP)

    def next_call() -> tuple[tuple[Callable[[], object]], dict[str, Any]]:
        return (items[next(turns) % len(items)].call,), {}

    whole_passes = max(1, CALLS // len(items)) * len(items)
    rounds = min(whole_passes, CALLS)
    benchmark.extra_info.update(extra_info(workload, WARMUP))
    benchmark.pedantic(
        lambda call: call(), setup=next_call, rounds=rounds, warmup_rounds=WARMUP, iterations=1
    )
    assert benchmark.stats.stats.min > 0
