"""From a clip to the model's input windows: the one path for detection and for golden checks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from babycry_edge.config import FrontendConfig
from babycry_edge.errors import BabycryError
from babycry_edge.frontend import Frontend, FrontendStream, FrontendWindows, normalize_window
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
        normalize: as in ``FrontendConfig.normalize``.

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
        Float32, shape ``(k, *metadata.window_shape)``.

    Raises:
        BabycryError: another sample rate, or audio that the front-end refuses.
    """
    config = metadata.frontend
    per_frame = replace(config, normalize="none")
    if not per_frame.is_frame_by_frame:
        config.require_rate(sample_rate)
        return WindowStream(config, metadata.window_frames, metadata.hop_frames).push(audio)
    # Normalisation is per window, so the front-end itself must not normalise the clip.
    features = Frontend(per_frame)(audio, sample_rate)
    return windows(features, metadata.window_frames, metadata.hop_frames, config.normalize)


class WindowSource(Protocol):
    """What turns a stream's audio into the model's windows, float32 ``(k, rows, n_features)``."""

    def push(self, chunk: npt.NDArray[Any], /) -> Windows:
        """Take audio, shape ``(n_samples,)``; the windows that it completes."""

    def flush(self) -> Windows:
        """End the stream; its last windows."""


class WindowStream:
    """The model's windows of a stream, each as soon as it is complete.

    Where rows depend on their own frames alone, but for ``normalize``, a window is cut out of the
    stream's rows. Otherwise (ref="max", top_db, delta, pooling) it is the features of a clip as
    long as the window, from scratch.
    """

    def __init__(self, config: FrontendConfig, window_frames: int, hop_frames: int) -> None:
        self._config = config
        self._window_frames = window_frames
        self._hop_frames = hop_frames
        per_frame = replace(config, normalize="none")
        self._rows = np.zeros((0, config.n_features), np.float32)
        self._frames: FrontendStream | None = None
        self._windows: FrontendWindows | None = None
        if per_frame.is_frame_by_frame:
            self._frames = FrontendStream(per_frame)
        else:
            n_samples = config.samples_for(window_frames)
            self._windows = FrontendWindows(config, n_samples, hop_frames)

    def push(self, chunk: npt.NDArray[Any]) -> Windows:
        """Take audio, shape ``(n_samples,)``; returns ``(k, rows, n_features)`` float32."""
        if self._windows is not None:
            return self._windows.push(chunk)
        assert self._frames is not None
        return self._cut(self._frames.push(chunk))

    def flush(self) -> Windows:
        """End the stream; returns the windows that its last frames complete."""
        if self._frames is None:
            return np.zeros((0, 0, self._config.n_features), np.float32)
        return self._cut(self._frames.flush())

    def _cut(self, rows: npt.NDArray[np.float32]) -> Windows:
        self._rows = np.concatenate([self._rows, rows])
        cut = windows(self._rows, self._window_frames, self._hop_frames, self._config.normalize)
        self._rows = self._rows[len(cut) * self._hop_frames :]
        return cut


def require_windows(cut: Windows, metadata: ModelMetadata, what: str) -> Windows:
    """``cut`` itself, when it has a window.

    Raises:
        BabycryError: ``what`` is shorter than one window.
    """
    if len(cut) == 0:
        raise BabycryError(f"{what} is shorter than one window of {metadata.window_frames} frames")
    return cut
