"""What runs inside an emulated system: ``python -m babycry_bench.arm_probe JOB.json ANSWER.json``.

The clips come as raw samples, since there is no library for sound files in there. With
``"count": true`` in the job only the stages run, between marks that the plugin
``csrc/ports/count_marked.c`` counts instructions by.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from babycry_bench.bench_model import BenchModel
from babycry_bench.clip_audio import at_rate
from babycry_bench.clips import Clip
from babycry_bench.expected import load_expected
from babycry_bench.parity.feature_hashes import check_feature_hashes
from babycry_bench.parity.golden import check_golden
from babycry_bench.parity.scores import score_clips
from babycry_bench.parity.streaming import check_streaming
from babycry_edge import Frontend
from babycry_edge.frontend import instruction_sets
from babycry_edge.windows import clip_windows

WARMUP = 3
"""Calls before those that are counted: the first ones make plans and fill caches."""

EMPTY_MARKS = 5
"""Marks at the start with nothing between them: what a mark itself costs."""

PACKAGES = ("numpy", "cffi", "onnxruntime", "ai-edge-litert", "tflite-runtime")


@dataclass(frozen=True)
class Work:
    """A stage of a model: ``call`` answers for ``audio_s`` seconds of new audio."""

    model: str
    stage: str
    call: Callable[[], object]
    audio_s: float


def read_clips(entries: list[dict[str, Any]]) -> list[Clip]:
    """The clips of a job: raw little-endian int16 samples in files."""
    return [
        Clip(
            entry["name"],
            entry["label"],
            entry["kind"],
            np.fromfile(entry["file"], dtype="<i2").astype(np.int16),
            entry["sample_rate"],
        )
        for entry in entries
    ]


def open_models(entries: list[dict[str, str]]) -> list[BenchModel]:
    """The models of a job, each in the engine that the job says."""
    return [BenchModel.open(Path(one["path"]), one["engine"], one["model"]) for one in entries]


def answer_parity(clips: list[Clip], models: list[BenchModel]) -> dict[str, Any]:
    """All that is compared: features, streaming, golden checks, scores; and what ran them."""
    return {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "babycry_edge": importlib.metadata.version("babycry-edge"),
        "packages": _packages(),
        "instruction_sets": instruction_sets(),
        "feature_hashes": check_feature_hashes(clips, load_expected()),
        "streaming": check_streaming(clips),
        "golden": [check_golden(model.name, model.model) for model in models],
        "models": [
            {
                "model": model.name,
                "engine": model.model.engine,
                "engine_version": model.model.engine_version,
                "window_scores": {
                    score.clip: score.window_scores.tolist()
                    for score in score_clips(model.detector, clips)
                },
            }
            for model in models
        ],
    }


def answer_counts(clip: Clip, models: list[BenchModel], calls: int) -> dict[str, Any]:
    """Runs every stage ``calls`` times between marks; says in which order."""
    works = [work for model in models for work in works_of(model, clip)]
    gc.disable()
    for _ in range(EMPTY_MARKS + 1):
        mark()
    for work in works:
        for _ in range(WARMUP):
            work.call()
        for _ in range(calls):
            mark()
            work.call()
            mark()
    order = [{"model": w.model, "stage": w.stage, "audio_s": w.audio_s} for w in works]
    return {"calls": calls, "works": order}


def works_of(model: BenchModel, clip: Clip) -> Iterator[Work]:
    """The stages as on any machine with Python, on the first seconds of one clip."""
    metadata = model.model.metadata
    config = metadata.frontend
    audio = at_rate(clip, config.sample_rate)
    window_s = metadata.window_frames * config.hop_length / config.sample_rate
    hop_s = metadata.hop_frames * config.hop_length / config.sample_rate
    window_of_audio = np.resize(audio, metadata.window_frames * config.hop_length)
    enough = np.resize(audio, config.samples_for(metadata.window_frames))
    window = clip_windows(enough, config.sample_rate, metadata)[:1]
    frontend = partial(Frontend(config), sample_rate=config.sample_rate)
    yield Work(model.name, "frontend_window", partial(frontend, window_of_audio), window_s)
    yield Work(model.name, "network", partial(model.model.scores, window), hop_s)
    detect = partial(model.detector.detect, audio, config.sample_rate)
    yield Work(model.name, "pipeline", detect, len(audio) / config.sample_rate)


def mark() -> None:
    """The system call that the counting plugin looks out for, getpgid; nothing else calls it."""
    os.getpgid(0)


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    found.setdefault("numpy", np.__version__)
    return found


def main() -> int:
    """Entry of ``python -m babycry_bench.arm_probe``."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    clips, models = read_clips(job["clips"]), open_models(job["models"])
    if job["count"]:
        answer = answer_counts(clips[0], models, job["calls"])
    else:
        answer = answer_parity(clips, models)
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
