"""The samples of a bundled clip as a front-end or a model takes them."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from babycry_bench.clips import Clip
from babycry_edge import Frontend
from babycry_edge.audio import resample
from babycry_edge.frontend import Features


def at_rate(clip: Clip, sample_rate: int) -> npt.NDArray[Any]:
    """The clip at ``sample_rate`` Hz, (n_samples,): its own int16, or resampled to float32."""
    if clip.sample_rate == sample_rate:
        return clip.samples
    return resample(clip.samples, clip.sample_rate, sample_rate)


def features_of_recorded_samples(frontend: Frontend, clip: Clip) -> Features:
    """The features of the very samples in the file, whatever their rate.

    A front-end's arithmetic does not depend on the rate that the samples were taken at, and a
    resampler between would add its own rounding to what is compared bit for bit.
    """
    return frontend(clip.samples, sample_rate=frontend.config.sample_rate)
