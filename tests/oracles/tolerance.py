"""How far features may be from an oracle's, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig

MIN_SNR_DB = 120.0
"""Of the mel bands before compression, over a clip."""

MAX_DB_ERROR = 0.01
MEAN_DB_ERROR = 1e-4
"""After a dB step, over the bins within ``RANGE_DB`` of the clip's peak."""

MAX_LN_ERROR = 0.0012
MEAN_LN_ERROR = MEAN_DB_ERROR * np.log(10) / 10
"""The same after a natural logarithm."""

RANGE_DB = 80.0

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LogError:
    """Errors of compressed features, and the bin that is worst.

    Attributes:
        largest: largest absolute difference, in dB or in ln as compressed.
        mean: mean absolute difference.
        frame: row of the largest.
        band: column of the largest.
        below_peak_db: how far the worst bin lies below the clip's peak.
    """

    largest: float
    mean: float
    frame: int
    band: int
    below_peak_db: float


def snr_db(measured: Floats, oracle: Floats) -> float:
    """Signal to noise in dB over a clip; infinite where nothing differs."""
    noise = float(np.sum((measured.astype(np.float64) - oracle) ** 2))
    signal = float(np.sum(oracle**2))
    if noise == 0.0:
        return float("inf")
    return float("-inf") if signal == 0.0 else 10 * float(np.log10(signal / noise))


def log_error(measured: Floats, oracle: Floats, mel: Floats, config: FrontendConfig) -> LogError:
    """Errors over the bins whose mel value lies within 80 dB of the clip's peak.

    Args:
        measured: features of the C code, ``(n_frames, n_mels)``.
        oracle: features of the oracle, same shape, float64.
        mel: the oracle's mel bands before compression: they say which bins count.
        config: says whether the bands are powers or magnitudes.
    """
    if mel.size == 0:
        return LogError(0.0, 0.0, 0, 0, 0.0)
    factor = 10.0 if config.spectrum == "power" else 20.0
    with np.errstate(divide="ignore", invalid="ignore"):
        below = factor * (np.log10(mel.max()) - np.log10(mel))
    counted = below <= RANGE_DB if mel.max() > 0 else np.ones(mel.shape, bool)
    error = np.where(counted, np.abs(measured.astype(np.float64) - oracle), 0.0)
    frame, band = np.unravel_index(int(error.argmax()), error.shape)
    return LogError(
        largest=float(error.max()),
        mean=float(error.sum() / counted.sum()),
        frame=int(frame),
        band=int(band),
        below_peak_db=float(below[frame, band]),
    )
