"""How far bands and cepstra may be from an oracle's, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig
from oracles.cepstra import dct_rows

MIN_SNR_DB = 120.0
"""Of the mel bands before compression, over a clip."""

MAX_DB_ERROR = 0.01
MEAN_DB_ERROR = 1e-4
"""After a dB step, over the bins within ``RANGE_DB`` of the clip's peak."""

MAX_LN_ERROR = 0.0012
MEAN_LN_ERROR = MEAN_DB_ERROR * np.log(10) / 10
"""The same after a natural logarithm."""

WHISPER_PER_DB = 1 / 40
"""Whisper's features are quarters of a log10."""

RANGE_DB = 80.0

UNITS = {"db": "dB", "log": "ln", "log_max": "ln", "log10_whisper": "log10/4", "pcen": "relative"}
"""Of the errors of each compression. PCEN's are relative: its root is a power law like a dB."""

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LogError:
    """Errors of compressed features, and the bin that is worst.

    Attributes:
        largest: largest absolute difference, in the compression's unit.
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


@dataclass(frozen=True)
class Bounds:
    """The largest and the mean error allowed, in the unit of the features."""

    largest: float
    mean: float

    def hold(self, error: LogError) -> bool:
        """Whether error lies within them."""
        return bool(error.largest <= self.largest and error.mean <= self.mean)


def bounds(config: FrontendConfig) -> Bounds:
    """What the compression of config allows."""
    unit = UNITS[config.compression]
    if unit == "dB":
        return Bounds(MAX_DB_ERROR, MEAN_DB_ERROR)
    if unit == "log10/4":
        return Bounds(MAX_DB_ERROR * WHISPER_PER_DB, MEAN_DB_ERROR * WHISPER_PER_DB)
    return Bounds(MAX_LN_ERROR, float(MEAN_LN_ERROR))


def cepstral_bounds(oracle: Floats, config: FrontendConfig) -> Bounds:
    """Those of the bands and, on average, what a float32 sum of n_mels terms rounds away.

    The first cepstrum of a silent clip is -1131; the errors of its 128 steps add as their root.
    """
    of_bands = bounds(config)
    sizes = np.abs(oracle) / _cepstral_scale(config)
    rounding = float(2.0**-24 * np.sqrt(config.n_mels) * np.mean(sizes)) if sizes.size else 0.0
    return Bounds(of_bands.largest, of_bands.mean + rounding)


def log_error(measured: Floats, oracle: Floats, mel: Floats, config: FrontendConfig) -> LogError:
    """Errors over the bins whose mel value lies within 80 dB of the clip's peak.

    Args:
        measured: features of the C code, ``(n_frames, n_mels)``.
        oracle: features of the oracle, same shape, float64.
        mel: the oracle's mel bands before compression: they say which bins count. Whisper's have
            one frame more, which it drops.
        config: says whether the bands are powers or magnitudes, and the unit.
    """
    below = _below_peak(mel, config)[: len(oracle)]
    counted = below <= RANGE_DB
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.abs(oracle) if config.compression == "pcen" else 1.0
        error = np.abs(measured.astype(np.float64) - oracle) / scale
    return _worst(np.where(measured == oracle, 0.0, error), counted, below)


def cepstral_error(
    measured: Floats, oracle: Floats, mel: Floats, config: FrontendConfig
) -> LogError:
    """Errors of cepstra and their differences, each as though orthonormal and without lifter.

    With ``top_db`` of 80 every band of every frame counts. Without it, a cepstrum mixes bands that
    no bound holds for, and only the frames whose bands all lie within 80 dB of the peak count.

    Args:
        measured: features of the C code, ``(n_frames, (1 + delta) * n_mfcc)``.
        oracle: the same of the oracle, float64.
        mel: the oracle's mel bands before compression, ``(n_frames, n_mels)``.
        config: says which transform.
    """
    below = _below_peak(mel, config).max(axis=1, initial=0.0)
    if config.top_db is not None:
        assert config.top_db <= RANGE_DB
        below = np.zeros_like(below)
    error = np.abs(measured.astype(np.float64) - oracle) / _cepstral_scale(config)
    counted = np.broadcast_to((below <= RANGE_DB)[:, None], error.shape)
    return _worst(error, counted, np.broadcast_to(below[:, None], error.shape))


def _cepstral_scale(config: FrontendConfig) -> Floats:
    """The length of each row of the transform: 1 where it is orthonormal and without lifter."""
    return np.tile(np.linalg.norm(dct_rows(config), axis=1), 1 + config.delta)


def _below_peak(mel: Floats, config: FrontendConfig) -> Floats:
    """How far each bin lies below the clip's peak in dB; 0 everywhere in a silent clip."""
    factor = 10.0 if config.spectrum == "power" else 20.0
    if not mel.size or not mel.max() > 0:
        return np.zeros(mel.shape)
    with np.errstate(divide="ignore"):
        return np.asarray(factor * (np.log10(mel.max()) - np.log10(mel)))


def _worst(error: Floats, counted: NDArray[np.bool_], below: Floats) -> LogError:
    if not counted.any():
        return LogError(0.0, 0.0, 0, 0, 0.0)
    error = np.where(counted, error, 0.0)
    frame, band = np.unravel_index(int(error.argmax()), error.shape)
    return LogError(
        largest=float(error.max()),
        mean=float(error.sum() / counted.sum()),
        frame=int(frame),
        band=int(band),
        below_peak_db=float(below[frame, band]),
    )
