"""Which recordings set the int8 ranges, and which one becomes the golden input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babycry_convert.golden import coarse_pcm
from babycry_convert.reference.corpus import Corpus
from babycry_convert.reference.dataset import (
    HOP_FRAMES,
    NEGATIVES,
    TARGET,
    Audio,
    model_windows,
)
from babycry_edge.windows import Windows

N_CRIES = 80
N_OF_NEGATIVE = 20

HOP_SAMPLES = 320
GOLDEN_SAMPLES = 48192
"""150 frames of the front-end: three windows, 3.01 s."""


@dataclass(frozen=True)
class CalibrationWindows:
    """Windows ``(n, 100, 64)`` as the model sees them; ``names`` are ``path#first_frame``."""

    windows: Windows
    names: list[str]


def choose_calibration(corpus: Corpus, chosen: Sequence[int], seed: int) -> CalibrationWindows:
    """One window of each of 80 cries and of 20 clips of every other label, or of all there are."""
    rng = np.random.default_rng([seed, 4])
    windows, names = [], []
    for label in (TARGET, *NEGATIVES):
        clips = [index for index in chosen if corpus.clips[index].label == label]
        count = min(len(clips), N_CRIES if label == TARGET else N_OF_NEGATIVE)
        for index in sorted(rng.choice(clips, count, replace=False)) if clips else ():
            cut = model_windows(corpus.clean[index])
            number = int(rng.integers(len(cut)))
            windows.append(cut[number])
            names.append(f"{corpus.clips[index].path}#{number * HOP_FRAMES}")
    return CalibrationWindows(np.stack(windows), names)


def golden_recording(audio: Audio, best_window: int) -> npt.NDArray[np.int16]:
    """Three seconds around a window (its number), scaled and coarsely rounded, ``(48192,)``."""
    start = max(0, (best_window - 1) * HOP_FRAMES * HOP_SAMPLES)
    start = max(0, min(start, len(audio) - GOLDEN_SAMPLES))
    return coarse_pcm(audio[start : start + GOLDEN_SAMPLES], GOLDEN_SAMPLES)
