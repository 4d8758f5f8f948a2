"""How fast the front-end is beside librosa: log-mel of 60 s of audio, one thread, one process.

``pytest bench/suites``; ``--benchmark-json FILE`` keeps the figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from babycry_bench.clips import load_clips
from babycry_bench.percentiles import median
from babycry_edge import Frontend
from babycry_edge.audio import as_float

pytest.importorskip("pytest_benchmark", reason="pip install 'babycry-edge[bench]'")

SAMPLE_RATE = 16000
AUDIO_S = 60
SETTINGS = {"n_fft": 512, "hop_length": 160, "n_mels": 64}
ROUNDS = 60
MIN_RATIO = 8.0
MAX_FIRST_FEATURES_MS = 300.0
FRESH_PROCESSES = 7

Samples = npt.NDArray[np.float32]

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


@pytest.fixture(scope="module")
def minute() -> Samples:
    """60 s of the bundled clips, one after the other, again and again; (960000,) float32."""
    clips = [clip for clip in load_clips() if clip.sample_rate == SAMPLE_RATE]
    looped = np.resize(np.concatenate([clip.samples for clip in clips]), SAMPLE_RATE * AUDIO_S)
    return as_float(looped)


def librosa_log_mel(librosa: Any, audio: Samples) -> Samples:
    mel = librosa.feature.melspectrogram(y=audio, sr=SAMPLE_RATE, **SETTINGS)
    log_mel: Samples = librosa.power_to_db(mel, ref=1.0, top_db=None)
    return log_mel


@pytest.mark.benchmark(group="log-mel of 60 s, 64 bands", disable_gc=True)
def test_front_end_is_at_least_8_times_faster_than_librosa(
    benchmark: Any, minute: Samples, capsys: pytest.CaptureFixture[str]
) -> None:
    librosa = pytest.importorskip("librosa", reason="pip install 'babycry-edge[oracle]'")
    frontend = Frontend.from_profile("librosa", **SETTINGS)
    oracle = librosa_log_mel(librosa, minute).T
    np.testing.assert_allclose(frontend(minute, SAMPLE_RATE), oracle, atol=0.05)

    librosa_ns: list[int] = []

    def time_librosa() -> None:
        """Runs before each of our rounds, so that both see the same machine."""
        start = perf_counter_ns()
        librosa_log_mel(librosa, minute)
        librosa_ns.append(perf_counter_ns() - start)

    benchmark.pedantic(
        frontend, args=(minute, SAMPLE_RATE), setup=time_librosa, rounds=ROUNDS, warmup_rounds=3
    )
    librosa_ms = median(librosa_ns) * 1e-6
    ours_ms = median(benchmark.stats.stats.data) * 1e3
    ratio = librosa_ms / ours_ms
    benchmark.extra_info.update(librosa_ms=librosa_ms, ours_ms=ours_ms, ratio=ratio)
    with capsys.disabled():
        print(f"\n60 s of audio: {ours_ms:.2f} ms; librosa {librosa_ms:.2f} ms: {ratio:.1f} times")
    assert ratio >= MIN_RATIO


@pytest.mark.benchmark(group="log-mel of 60 s, 64 bands", disable_gc=True)
def test_streaming_in_10_ms_chunks(benchmark: Any, minute: Samples) -> None:
    frontend = Frontend.from_profile("librosa", **SETTINGS)
    chunks = np.split(minute, minute.size // (SAMPLE_RATE // 100))

    def stream() -> int:
        stream = frontend.stream()
        return sum(len(stream.push(chunk)) for chunk in chunks) + len(stream.flush())

    n_frames = benchmark.pedantic(stream, rounds=10, warmup_rounds=1)
    assert n_frames == 1 + minute.size // SETTINGS["hop_length"]


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
