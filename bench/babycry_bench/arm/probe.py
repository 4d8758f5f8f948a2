"""What runs inside an emulated system: ``python -m babycry_bench.arm.probe JOB.json ANSWER.json``.

The clips come as raw samples, since there is no library for sound files in there. With
``"count": true`` in the job only the stages run, between marks that the plugin
``csrc/ports/count_marked.c`` counts instructions by.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from babycry_bench.bench_model import BenchModel, Configuration
from babycry_bench.clips import Clip
from babycry_bench.expected import load_expected
from babycry_bench.facts.build import describe_build
from babycry_bench.parity.feature_hashes import check_feature_hashes
from babycry_bench.parity.golden import check_golden
from babycry_bench.parity.scores import score_clips
from babycry_bench.parity.streaming import check_streaming
from babycry_bench.timing import stages
from babycry_bench.timing.measure import Item, Workload

WARMUP = 10
"""Calls before those that are counted: engines plan, and Python adapts its code after eight."""

EMPTY_MARKS = 5
"""Marks at the start with nothing between them: what a mark itself costs."""


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
    """The models of a job, each in the engine that the job says, on one thread."""
    return [
        BenchModel.open(Configuration(one["model"], Path(one["path"]), one["engine"], 1))
        for one in entries
    ]


def answer_parity(clips: list[Clip], models: list[BenchModel]) -> dict[str, Any]:
    """All that is compared: features, streaming, golden checks, scores; and what ran them."""
    return {
        "machine": platform.machine(),
        "build": describe_build(),
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
        for index in range(WARMUP):
            _item(work, index).call()
        for index in range(WARMUP, WARMUP + calls):
            call = _item(work, index).call
            mark()
            call()
            mark()
    counted = range(WARMUP, WARMUP + calls)
    return {
        "calls": calls,
        "works": [
            {
                "model": work.model,
                "stage": work.stage,
                "audio_s": [_item(work, index).audio_s for index in counted],
            }
            for work in works
        ],
    }


def works_of(model: BenchModel, clip: Clip) -> Iterator[Workload]:
    """The stages as on any machine with Python, but for capture, which needs a sound file."""
    metadata = model.model.metadata
    audio = stages.clip_audio(metadata, [clip])
    rate = metadata.frontend.sample_rate
    yield Workload(model.name, "resample", stages.resampling([clip], rate))
    yield Workload(model.name, "frontend_hop", stages.frontend_hop(metadata, audio))
    yield Workload(model.name, "frontend_window", stages.frontend_window(metadata, audio))
    yield Workload(model.name, "frontend_clip", stages.frontend_clip(metadata.frontend, audio))
    yield Workload(model.name, "network", stages.network(model, audio))
    yield Workload(model.name, "smoothing", stages.smoothing(model))
    yield Workload(model.name, "pipeline", stages.pipeline(model, audio))


def mark() -> None:
    """The system call that the counting plugin looks out for, getpgid; nothing else calls it."""
    os.getpgid(0)


def _item(work: Workload, index: int) -> Item:
    """The calls go round the items, as on any machine."""
    return work.items[index % len(work.items)]


def main() -> int:
    """Entry of ``python -m babycry_bench.arm.probe``."""
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
