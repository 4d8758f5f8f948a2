"""The stages of a detector that are timed, from a recording to events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.bench_model import BenchModel
from babycry_bench.clip_audio import at_rate
from babycry_bench.clips import Clip, clips_folder
from babycry_bench.timing.measure import Item, Workload
from babycry_edge import Frontend, FrontendConfig
from babycry_edge.audio import as_float
from babycry_edge.conditioning import Resampler, resample
from babycry_edge.detector import DetectorStream
from babycry_edge.extras import require
from babycry_edge.metadata import ModelMetadata
from babycry_edge.windows import clip_windows

STAGES = (
    "capture",
    "resample",
    "frontend_hop",
    "frontend_window",
    "frontend_clip",
    "network",
    "smoothing",
    "pipeline",
)

MICROPHONE_RATES = (8000, 44100, 48000)
"""Hz: what telephones and sound cards give."""

_Work = tuple[str, object, Callable[[], list[Item]]]
"""A stage, what its work depends on, and what makes its calls."""

_HOPS_OF_A_CLIP = 30
_SECONDS_OF_A_CLIP = 2
_SMOOTHED_WINDOWS = 64
_WINDOWS_OF_AN_EVENT = 8
_SEED = 5


def stage_workloads(models: Sequence[BenchModel], clips: Sequence[Clip]) -> list[Workload]:
    """The work of each of ``STAGES`` over ``clips``, for each model, in that order.

    A stage that is the same work for several models is one workload with their names in ``also``:
    two of one front-end differ in their network alone.
    """
    found: dict[tuple[str, str], Workload] = {}
    for model in models:
        for stage, of, make in _work_of(model, clips):
            key = (stage, repr(of))
            if key in found:
                found[key] = replace(found[key], also=(*found[key].also, model.name))
            else:
                found[key] = Workload(model.name, stage, make())
    return list(found.values())


def _work_of(model: BenchModel, clips: Sequence[Clip]) -> list[_Work]:
    metadata = model.model.metadata
    config, rules = metadata.frontend, replace(metadata, golden=None)
    audio = clip_audio(metadata, clips)
    return [
        ("capture", None, partial(capture, clips)),
        ("resample", config.sample_rate, partial(resampling, clips, config.sample_rate)),
        ("frontend_hop", rules, partial(frontend_hop, metadata, audio)),
        ("frontend_window", rules, partial(frontend_window, metadata, audio)),
        ("frontend_clip", config, partial(frontend_clip, config, audio)),
        ("network", model.name, partial(network, model, audio)),
        ("smoothing", rules, partial(smoothing, model)),
        ("pipeline", model.name, partial(pipeline, model, audio)),
    ]


def capture(clips: Sequence[Clip]) -> list[Item]:
    """A recording read from its file and decoded to int16: FLAC, from the page cache.

    It stands for a microphone here. A device's driver fills such a buffer without a decoder, so
    that its capture costs less.
    """
    soundfile = require("soundfile", "audio")
    return [
        Item(
            partial(soundfile.read, str(clips_folder() / f"{clip.name}.flac"), dtype="int16"),
            clip.duration_s,
        )
        for clip in clips
    ]


def resampling(clips: Sequence[Clip], rate: int) -> list[Item]:
    """One second of int16 from each of ``MICROPHONE_RATES`` in turn to ``rate``, in a stream."""
    items = []
    for clip in clips:
        for microphone_rate in MICROPHONE_RATES:
            if microphone_rate == rate:
                continue
            recorded = _pcm_at(clip, microphone_rate)
            stream = Resampler(microphone_rate, rate)
            for second in range(min(_SECONDS_OF_A_CLIP, len(recorded) // microphone_rate)):
                start = second * microphone_rate
                chunk = recorded[start : start + microphone_rate]
                items.append(Item(partial(stream.push, chunk), 1.0))
    return items


def frontend_hop(metadata: ModelMetadata, audio: Sequence[npt.NDArray[Any]]) -> list[Item]:
    """One hop of samples into the streaming front-end: one frame, when the stream has begun.

    What depends on a whole window (ref="max", delta) comes with every ``hop_frames``-th hop.
    """
    config = metadata.frontend
    push = _streaming_push(metadata)
    hop = config.hop_length
    return [
        Item(partial(push, samples[start : start + hop]), hop / config.sample_rate)
        for samples in audio
        for start in range(0, min(len(samples) // hop, _HOPS_OF_A_CLIP) * hop, hop)
    ]


def frontend_window(metadata: ModelMetadata, audio: Sequence[npt.NDArray[Any]]) -> list[Item]:
    """The features of one window of audio by itself."""
    rate = metadata.frontend.sample_rate
    length = metadata.frontend.samples_for(metadata.window_frames)
    compute = partial(Frontend(metadata.frontend), sample_rate=rate)
    return [Item(partial(compute, np.resize(samples, length)), length / rate) for samples in audio]


def frontend_clip(config: FrontendConfig, audio: Sequence[npt.NDArray[Any]]) -> list[Item]:
    """The features of a whole clip."""
    compute = partial(Frontend(config), sample_rate=config.sample_rate)
    return [Item(partial(compute, samples), len(samples) / config.sample_rate) for samples in audio]


def network(model: BenchModel, audio: Sequence[npt.NDArray[Any]]) -> list[Item]:
    """One window of features to scores; it answers for the new audio of one window's hop."""
    return [
        Item(partial(model.model.scores, window), hop_s(model.model.metadata))
        for window in network_windows(model.model.metadata, audio)
    ]


def network_windows(
    metadata: ModelMetadata, audio: Sequence[npt.NDArray[Any]]
) -> list[npt.NDArray[np.float32]]:
    """The first window of each clip, ``(1, *window_shape)`` float32."""
    rate = metadata.frontend.sample_rate
    enough = metadata.frontend.samples_for(metadata.window_frames)
    return [clip_windows(np.resize(samples, enough), rate, metadata)[:1] for samples in audio]


def smoothing(model: BenchModel) -> list[Item]:
    """One window's scores through smoothing and hysteresis, without a network.

    The scores stay high and low for some windows in turn, so that events begin and end.
    """
    n_labels = len(model.model.metadata.labels)
    generator = np.random.default_rng(_SEED)
    high = np.arange(_SMOOTHED_WINDOWS) // _WINDOWS_OF_AN_EVENT % 2
    noise = 0.1 * generator.random((_SMOOTHED_WINDOWS, n_labels))
    scores = (0.9 * high[:, np.newaxis] + noise).astype(np.float32)[:, np.newaxis]
    stream = DetectorStream(model.detector, keep_history=False)
    seconds = hop_s(model.model.metadata)
    return [Item(partial(stream.take_scores, window), seconds) for window in scores]


def pipeline(model: BenchModel, audio: Sequence[npt.NDArray[Any]]) -> list[Item]:
    """A clip at the model's rate in, the detection out."""
    rate = model.model.metadata.frontend.sample_rate
    return [
        Item(partial(model.detector.detect, samples, rate), len(samples) / rate)
        for samples in audio
    ]


def hop_s(metadata: ModelMetadata) -> float:
    """Seconds of new audio from one window to the next."""
    return metadata.hop_frames * metadata.frontend.hop_length / metadata.frontend.sample_rate


def clip_audio(metadata: ModelMetadata, clips: Sequence[Clip]) -> list[npt.NDArray[Any]]:
    """Each clip at the model's rate: a device records at that rate."""
    return [at_rate(clip, metadata.frontend.sample_rate) for clip in clips]


def _streaming_push(metadata: ModelMetadata) -> Callable[[npt.NDArray[Any]], object]:
    """As the detector streams: frame by frame where the rows allow it, or whole windows."""
    config = metadata.frontend
    frontend = Frontend(replace(config, normalize="none"))
    if frontend.config.is_frame_by_frame:
        return frontend.stream().push
    n_samples = config.samples_for(metadata.window_frames)
    return Frontend(config).windows(n_samples, metadata.hop_frames).push


def _pcm_at(clip: Clip, rate: int) -> npt.NDArray[np.int16]:
    """The clip as a microphone of this rate would have recorded it, (n_samples,) int16."""
    if clip.sample_rate == rate:
        return clip.samples
    samples = resample(as_float(clip.samples), clip.sample_rate, rate)
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
