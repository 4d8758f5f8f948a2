"""How soon a fresh process has its first features."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from babycry_bench.timing.percentiles import median

pytest.importorskip("pytest_benchmark", reason="pip install 'babycry-edge[bench]'")

MAX_FIRST_FEATURES_MS = 300.0
FRESH_PROCESSES = 7

_FIRST_FEATURES = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from time import perf_counter_ns
start = perf_counter_ns()
import babycry_edge
import numpy
clip = numpy.zeros(16000, numpy.int16)
clip[8000] = 10000
babycry_edge.Frontend.from_profile("librosa")(clip, sample_rate=16000)
print((perf_counter_ns() - start) * 1e-6)
"""


def test_first_features_come_within_300_ms_of_a_fresh_process(
    benchmark: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", _FIRST_FEATURES, json.dumps(sys.path)]
    times: list[float] = []

    def run() -> None:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        times.append(float(result.stdout))

    benchmark.pedantic(run, rounds=FRESH_PROCESSES)
    benchmark.extra_info["first_features_ms"] = median(times)
    with capsys.disabled():
        print(f"\nimport and first features: {median(times):.0f} ms (median of {len(times)})")
    assert median(times) < MAX_FIRST_FEATURES_MS
