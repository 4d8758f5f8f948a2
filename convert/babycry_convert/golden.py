"""The recording that a model file carries to check itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.metadata import Golden, ModelMetadata
from babycry_edge.windows import Windows, clip_windows

GOLDEN_STEP = 64
"""A golden recording's samples are multiples of this, so that they pack into a small file."""
GOLDEN_RMS = 3 * GOLDEN_STEP
"""Its level; -44 dBFS."""

#: A golden recording holds up to this many windows, and at most so many seconds unless one window
#: is longer.
MAX_WINDOWS = 3
MAX_SECONDS = 4.0


def coarse_pcm(piece: npt.NDArray[Any], n_samples: int) -> npt.NDArray[np.int16]:
    """Float samples ``(n,)``, n <= n_samples, at a fixed level, coarsely rounded, then silence."""
    values = np.pad(piece.astype(np.float64), (0, n_samples - len(piece)))
    scaled = values * (GOLDEN_RMS / max(float(values.std()), 1e-9))
    rounded = np.rint(scaled / GOLDEN_STEP) * GOLDEN_STEP
    return np.asarray(np.clip(rounded, -32768, 32704), np.int16)


def packed_size(pcm: npt.NDArray[np.int16]) -> int:
    """Characters that a golden recording takes in the metadata."""
    return len(Golden.encode_pcm(pcm))


def golden_length(metadata: ModelMetadata) -> int:
    """Samples of a golden recording: as many windows as fit, one at the least."""
    frontend, rate = metadata.frontend, metadata.frontend.sample_rate
    lengths = [
        frontend.samples_for(metadata.window_frames + extra * metadata.hop_frames)
        for extra in range(MAX_WINDOWS)
    ]
    fitting = [length for length in lengths if length <= MAX_SECONDS * rate]
    return fitting[-1] if fitting else lengths[0]


def choose_golden(
    recordings: Sequence[npt.NDArray[np.float32]],
    metadata: ModelMetadata,
    score: Callable[[Windows], npt.NDArray[np.floating[Any]]],
) -> npt.NDArray[np.int16]:
    """The piece of one of ``recordings`` that the network is surest of, as a golden recording.

    Args:
        recordings: samples ``(n,)`` float32 at the model's rate, one recording or more; each is
            tried from its beginning and from its middle.
        metadata: of the model to be.
        score: windows ``(k, T, F)`` to scores ``(k,)`` of the target.

    Returns:
        Int16 samples ``(n_samples,)``.
    """
    length = golden_length(metadata)
    pieces = [
        coarse_pcm(audio[start : start + length], length)
        for audio in recordings
        for start in sorted({0, max(0, len(audio) - length) // 2})
    ]
    rate = metadata.frontend.sample_rate
    scores = [float(np.mean(score(clip_windows(piece, rate, metadata)))) for piece in pieces]
    return pieces[int(np.argmax(scores))]
