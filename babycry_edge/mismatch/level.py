"""From mel bands to features: gain, logarithm, reference, cepstra and normalisation, all named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.config import FrontendConfig
from babycry_edge.mismatch.recipe import Recipe
from babycry_edge.mismatch.reference import window

Array = npt.NDArray[np.float64]

UNITS = {"db": 1.0, "ln": np.log(10) / 10, "log10": 0.1, "20log10": 2.0}
"""What one decibel (10*log10 of a band) is in each logarithm."""

COMPRESSIONS: dict[str, tuple[str, str]] = {
    "db": ("max", "db"),
    "log": ("add", "ln"),
    "log_max": ("max", "ln"),
    "log10_whisper": ("max", "log10"),
    "log10": ("max", "log10"),
    "log10_add": ("add", "log10"),
    "db_add": ("add", "db"),
    "db_amplitude": ("max", "20log10"),
    "db_amplitude_add": ("add", "20log10"),
}
"""Each logarithm: how the floor enters, log(max(x, floor)) or log(x + floor), and its unit."""


@dataclass(frozen=True)
class Level:
    """What happens after the mel bands. Fields that a FrontendConfig has mean what they mean there.

    Attributes:
        compression: a key of COMPRESSIONS, "none" or "pcen".
        floor: amin, or the constant of the logarithm.
        gain: what the bands were multiplied by first, a key of :func:`gains`.
        ref: reference of the decibels, or "max".
        scale, offset: a factor and a constant without a name, applied last.
    """

    compression: str
    floor: float
    gain: str
    ref: float | str
    top_db: float | None
    n_mfcc: int
    dct_norm: str
    lifter: int
    normalize: str
    scale: float = 1.0
    offset: float = 0.0

    @classmethod
    def from_config(cls, config: FrontendConfig) -> Level:
        """The level part of a front-end's configuration."""
        compression: str = config.compression
        is_db = compression == "db"
        floor = config.amin if is_db else config.log_offset
        if compression == "log10_whisper":
            floor = 1e-10
        return cls(
            compression=compression,
            floor=float(floor),
            gain="1",
            ref=config.ref if is_db else 1.0,
            top_db=config.top_db if is_db else None,
            n_mfcc=config.n_mfcc,
            dct_norm=config.dct_norm,
            lifter=config.lifter,
            normalize=config.normalize,
        )

    @property
    def unit(self) -> float:
        """One decibel in the units of the logarithm (1 without one)."""
        return UNITS[COMPRESSIONS[self.compression][1]] if self.is_log else 1.0

    @property
    def is_log(self) -> bool:
        return self.compression in COMPRESSIONS

    def apply(self, mel: Array, gain: float, hop_s: float) -> tuple[Array, Array]:
        """Features of mel bands, both (n_frames, n), and what 1 dB in every band is in each column.

        Args:
            mel: bands before any gain.
            gain: what ``self.gain`` stands for, in units of the bands.
            hop_s: seconds from frame to frame (PCEN's smoothing depends on it).
        """
        features = self._compressed(mel, gain, hop_s)
        per_db = np.full(features.shape[1], self.unit)
        if self.n_mfcc:
            weights = cepstral_weights(self.dct_norm, self.lifter, self.n_mfcc, features.shape[1])
            per_db = self.unit * weights * features.shape[1]
            features = cepstra(features, self.n_mfcc) * weights
        if self.compression == "log10_whisper":
            per_db = per_db / 4
        features, factor = normalized(features, self.normalize)
        return features * self.scale + self.offset, per_db * factor * self.scale

    def _compressed(self, mel: Array, gain: float, hop_s: float) -> Array:
        bands = mel * gain
        if self.compression == "none":
            return bands
        if self.compression == "pcen":
            return pcen(bands, hop_s)
        kind, _ = COMPRESSIONS[self.compression]
        x = self.unit * decibels(bands, kind, self.floor)
        if self.ref == "max":
            x = x - x.max()
        elif self.ref != 1.0:
            x = x - self.unit * 10 * np.log10(max(float(self.ref), self.floor))
        if self.top_db is not None:
            x = np.maximum(x, x.max() - self.top_db)
        if self.compression == "log10_whisper":
            x = (np.maximum(x, x.max() - 8.0) + 4.0) / 4.0
        return np.asarray(x)


def decibels(bands: npt.ArrayLike, kind: str, floor: float) -> Array:
    """10*log10 of max(bands, floor) or of bands + floor."""
    least = max(floor, 1e-300)
    raised = np.maximum(bands, least) if kind == "max" else np.add(bands, least)
    return np.asarray(10 * np.log10(raised))


def cepstra(features: Array, n_mfcc: int) -> Array:
    """The DCT-II without a factor: sum of x[n] cos(pi k (n + 1/2) / N), (n_frames, n_mfcc)."""
    n = features.shape[1]
    k = np.arange(n_mfcc)[None, :]
    return np.asarray(features @ np.cos(np.pi * k * (np.arange(n)[:, None] + 0.5) / n))


def cepstral_weights(dct_norm: str, lifter: int, n_mfcc: int, n_mels: int) -> Array:
    """What each raw coefficient is multiplied by, (n_mfcc,)."""
    k = np.arange(n_mfcc)
    weights = np.full(n_mfcc, 2.0 if dct_norm == "none" else np.sqrt(2 / n_mels))
    if dct_norm in ("ortho", "kaldi"):
        weights[0] = np.sqrt(1 / n_mels)
    if lifter > 0:
        late = 1 if dct_norm in ("none", "ortho") else 0
        weights = weights * (1 + lifter / 2 * np.sin(np.pi * (k + late) / lifter))
    return np.asarray(weights)


def normalized(features: Array, kind: str) -> tuple[Array, Any]:
    """Features normalised over the clip, and the factor by which a difference was scaled."""
    if kind == "window_mean":
        return features - features.mean(), 1.0
    if kind == "window_mean_std":
        factor = 1 / max(float(features.std()), 1e-12)
        return (features - features.mean()) * factor, factor
    if kind == "min_max":
        factor = 1 / max(float(np.ptp(features)), 1e-12)
        return (features - features.min()) * factor, factor
    if kind == "column_mean":
        return features - features.mean(axis=0), 1.0
    if kind == "column_mean_std":
        factors = 1 / np.maximum(features.std(axis=0), 1e-12)
        return (features - features.mean(axis=0)) * factors, factors
    return features, 1.0


def pcen(bands: Array, hop_s: float) -> Array:
    """librosa.pcen with its defaults, of bands at int16 scale (times 2**31)."""
    frames = 0.4 / hop_s
    b = (np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)
    scaled = bands * 2.0**31
    smooth = np.empty_like(scaled)
    state = np.ones(bands.shape[1])
    for i, row in enumerate(scaled):
        state = (1 - b) * state + b * row
        smooth[i] = state
    gain = np.exp(-0.98 * (np.log(1e-6) + np.log1p(smooth / 1e-6)))
    return np.asarray(np.sqrt(2.0) * np.expm1(0.5 * np.log1p(scaled * gain / 2.0)))


def gains(recipe: Recipe, peak: float) -> dict[str, float]:
    """Named factors of the power spectrum, by what people scale audio or spectra with.

    Args:
        recipe: for the lengths.
        peak: the largest magnitude of a sample.
    """
    weights = window(recipe.window, recipe.win_length)
    named = {
        "1": 1.0,
        "int16": 32768.0**2,
        "int16-max": 32767.0**2,
        "peak": 1 / max(peak, 1e-12) ** 2,
        "1/n_fft": 1 / recipe.n_fft,
        "1/n_fft^2": 1 / recipe.n_fft**2,
        "window-power": 1 / float(np.sum(weights**2)),
        "window-sum": 1 / float(np.sum(weights)) ** 2,
        "int16,1/n_fft": 32768.0**2 / recipe.n_fft,
        "int32": 2.0**62,
    }
    if recipe.spectrum == "magnitude":
        return {name: float(np.sqrt(value)) for name, value in named.items()}
    return named
