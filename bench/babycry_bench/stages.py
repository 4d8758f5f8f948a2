"""The stages of a model that are timed: front-end, engine, whole pipeline."""

from __future__ import annotations

from functools import partial

import numpy as np

from babycry_bench.bench_model import BenchModel
from babycry_bench.clip_audio import at_rate
from babycry_bench.clips import Clip
from babycry_bench.measure import Item, Workload
from babycry_edge import Frontend
from babycry_edge.windows import clip_windows

STAGES = ("frontend_window", "frontend_clip", "engine", "pipeline")


def stage_workloads(model: BenchModel, clips: list[Clip]) -> list[Workload]:
    """The work of each of ``STAGES`` over ``clips``.

    - ``frontend_window``: the features of one window of audio;
    - ``frontend_clip``: the features of a whole clip;
    - ``engine``: one window of features to scores; it answers for one hop of new audio;
    - ``pipeline``: a clip in, the detection out.

    Clips are at the model's rate before the clock runs: a device records at that rate.
    """
    metadata = model.model.metadata
    rate = metadata.frontend.sample_rate
    window_length = metadata.window_frames * metadata.frontend.hop_length
    hop_s = metadata.hop_frames * metadata.frontend.hop_length / rate
    compute = partial(Frontend(metadata.frontend), sample_rate=rate)

    frontend_window, frontend_clip, engine, pipeline = [], [], [], []
    for audio in (at_rate(clip, rate) for clip in clips):
        clip_s = len(audio) / rate
        window_of_audio = np.resize(audio, window_length)
        enough = metadata.frontend.samples_for(metadata.window_frames)
        window = clip_windows(np.resize(audio, enough), rate, metadata)[:1]
        frontend_window.append(Item(partial(compute, window_of_audio), window_length / rate))
        frontend_clip.append(Item(partial(compute, audio), clip_s))
        engine.append(Item(partial(model.model.scores, window), hop_s))
        pipeline.append(Item(partial(model.detector.detect, audio, rate), clip_s))
    items = (frontend_window, frontend_clip, engine, pipeline)
    return [Workload(model.name, stage, work) for stage, work in zip(STAGES, items, strict=True)]
