"""How soon a fresh process has its first features."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from babycry_bench.percentiles import median

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
    record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", _FIRST_FEATURES, json.dumps(sys.path)]
    runs = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(FRESH_PROCESSES)
    ]
    record_property("first_features_ms", runs)
    with capsys.disabled():
        print(f"\nimport and first features: {median(runs):.0f} ms (median of {len(runs)})")
    assert median(runs) < MAX_FIRST_FEATURES_MS
