"""Streaming in chunks of any size against the whole clip, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.clip_audio import features_of_recorded_samples
from babycry_bench.clips import Clip
from babycry_bench.parity.profiles import PROFILES, streamable
from babycry_edge import Frontend

_SEED = 20260


def check_streaming(
    clips: list[Clip], on_clip: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """How many clips of each profile come out with other bits when streamed, and which."""
    profiles = []
    for profile in PROFILES:
        frontend = Frontend(streamable(profile))
        different = []
        for clip in clips:
            whole = features_of_recorded_samples(frontend, clip)
            if streamed(frontend, clip).tobytes() != whole.tobytes():
                different.append(clip.name)
            on_clip()
        profiles.append(
            {
                "profile": profile,
                "clips": len(clips),
                "mismatches": len(different),
                "mismatched_clips": different,
            }
        )
    return {"chunks": "1 sample to 1 s, at random", "profiles": profiles}


def streamed(frontend: Frontend, clip: Clip) -> npt.NDArray[np.float32]:
    """The features of ``clip`` pushed in chunks of 1 sample to 1 s, (n_frames, n_features).

    What depends on the whole clip comes as one window of the clip's length.
    """
    if not frontend.config.is_frame_by_frame:
        windows = frontend.windows(clip.samples.size, hop_frames=1)
        found = [windows.push(chunk) for chunk in _chunks(clip)]
        whole: npt.NDArray[np.float32] = np.concatenate(found)[0]
        return whole
    stream = frontend.stream()
    parts = [stream.push(chunk) for chunk in _chunks(clip)]
    parts.append(stream.flush())
    return np.concatenate(parts)


def _chunks(clip: Clip) -> Iterator[npt.NDArray[np.int16]]:
    """Sizes spread evenly over the powers of ten, so that tiny chunks are among them."""
    generator = random.Random(f"{_SEED} {clip.name}")
    position = 0
    while position < clip.samples.size:
        size = max(1, round(clip.sample_rate ** generator.random()))
        yield clip.samples[position : position + size]
        position += size
