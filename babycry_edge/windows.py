"""From a clip to the model's input windows: the one path for detection and for golden checks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.errors import BabycryError
from babycry_edge.frontend import Frontend, normalize_window
from babycry_edge.metadata import ModelMetadata

Windows = npt.NDArray[np.float32]


def windows(
    features: npt.NDArray[np.float32], window_frames: int, hop_frames: int, normalize: str
) -> Windows:
    """Cut features into overlapping windows and normalise each one.

    Args:
        features: shape ``(n_frames, n_features)``, float32, not normalised.
        window_frames: frames in a window.
        hop_frames: frames from one window's first frame to the next one's.
        normalize: "none" or "window_mean", as in ``FrontendConfig.normalize``.

    Returns:
        Float32, shape ``(k, window_frames, n_features)``, k = 1 + (n_frames - window_frames) //
        hop_frames; k = 0 for fewer frames than one window.

    Raises:
        BabycryError: an unknown ``normalize``.
    """
    n_frames, n_features = features.shape
    count = max(0, 1 + (n_frames - window_frames) // hop_frames)
    result = np.empty((count, window_frames, n_features), np.float32)
    for index in range(count):
        start = index * hop_frames
        result[index] = normalize_window(features[start : start + window_frames], normalize)
    return result


def clip_windows(audio: npt.NDArray[Any], sample_rate: int, metadata: ModelMetadata) -> Windows:
    """The windows of a clip as the model described by ``metadata`` wants them.

    Args:
        audio: shape ``(n_samples,)``, int16 or float with full scale 1.0.
        sample_rate: of ``audio`` in Hz; it must be the front-end's.

    Returns:
        Float32, shape ``(k, window_frames, n_features)``.

    Raises:
        BabycryError: another sample rate, or audio that the front-end refuses.
    """
    config = metadata.frontend
    # Normalisation is per window, so the front-end itself must not normalise the clip.
    features = Frontend(replace(config, normalize="none"))(audio, sample_rate)
    return windows(features, metadata.window_frames, metadata.hop_frames, config.normalize)


def require_windows(cut: Windows, metadata: ModelMetadata, what: str) -> Windows:
    """``cut`` itself, when it has a window.

    Raises:
        BabycryError: ``what`` is shorter than one window.
    """
    if len(cut) == 0:
        raise BabycryError(f"{what} is shorter than one window of {metadata.window_frames} frames")
    return cut
