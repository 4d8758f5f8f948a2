"""One recipe tried against the features: a score that gain, reference and unit do not change."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.mismatch.level import cepstra, decibels, pcen
from babycry_edge.mismatch.recipe import Recipe
from babycry_edge.mismatch.reference import frame_count, mel_bands, spectrogram
from babycry_edge.mismatch.sound import Recording
from babycry_edge.mismatch.target import Mask, Target

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

SEARCH_ROWS = 112
"""So many frames are compared while searching: blocks of 16 all over the clip, with both ends."""

RANGE_DB = 80.0
"""Bands further below the clip's peak hold rounding noise and are not judged."""

_CACHED = 24


@dataclass(frozen=True)
class Shape:
    """The part of the level that no straight line makes good.

    Attributes:
        kind: "max" (log of max(x, floor)), "add" (log of x + floor) or "pcen".
        floor: in units of the bands at full scale 1.0.
        n_mfcc: 0, or how many cepstra are compared.
        top_db: floor below the clip's maximum, before the cepstra.
    """

    kind: str
    floor: float
    n_mfcc: int = 0
    top_db: float | None = None


@dataclass(frozen=True)
class State:
    """What the search moves: a recipe, and the shape of its level."""

    recipe: Recipe
    shape: Shape


class Trial:
    """A recording, features to be explained, and how well a state explains them."""

    def __init__(self, recording: Recording, target: Target) -> None:
        self.recording = recording
        self.target = target
        self.count = 0
        self.rows = _search_rows(target.shape[0])
        self.values, self.free = comparable(target)
        self._sought = self.values[self.rows]
        self._free = self.free[self.rows]
        self._scores: dict[State, float] = {}
        self._signals: dict[tuple[Any, ...], Array] = {}
        self._spectra: OrderedDict[tuple[Any, ...], Array] = OrderedDict()

    def signal(self, recipe: Recipe) -> Array:
        """The samples as the recipe reads them, (n_samples,)."""
        key = (recipe.channel, recipe.audio_rate, recipe.resampler, recipe.signal_preemphasis)
        if key not in self._signals:
            signal = self.recording.signal(*key[:3])
            if recipe.signal_preemphasis:
                signal = np.append(signal[:1], signal[1:] - key[3] * signal[:-1])
            self._signals[key] = signal
        return self._signals[key]

    def expected_frames(self, recipe: Recipe) -> int:
        """How many frames the recipe gives."""
        return frame_count(recipe, len(self.signal(recipe))) - recipe.first_frame

    def mel(self, recipe: Recipe, every: bool = False) -> Array:
        """Bands of the frames compared in the search, or of every frame of the target."""
        rows = np.arange(self.target.shape[0]) if every else self.rows
        key = (every, *_before_bands(recipe))
        if key not in self._spectra:
            self._spectra[key] = spectrogram(self.signal(recipe), recipe, rows)
            if len(self._spectra) > _CACHED:
                self._spectra.popitem(last=False)
        self._spectra.move_to_end(key)
        return mel_bands(self._spectra[key], recipe)

    def score(self, state: State) -> float:
        """Share of the target's variation that the state leaves unexplained: 0 is perfect."""
        if state not in self._scores:
            self.count += 1
            score = self._score(state)
            self._scores[state] = score if np.isfinite(score) else 1.0
        return self._scores[state]

    def _score(self, state: State) -> float:
        recipe, shape = state.recipe, state.shape
        if shape.kind == "pcen":
            bands = pcen(self.mel(recipe, every=True), recipe.hop_length / recipe.audio_rate)
            return _unexplained(bands[self.rows], self._sought, self._free, self.by_column)
        mel = self.mel(recipe)
        decibel = decibels(mel, shape.kind, shape.floor)
        if shape.n_mfcc:
            if shape.top_db is not None:
                loudest = decibels(self.mel(recipe, every=True).max(), shape.kind, shape.floor)
                decibel = np.maximum(decibel, loudest - shape.top_db)
            found = cepstra(decibel, shape.n_mfcc)
            return _unexplained_cepstra(found, self._sought, self.by_column)
        quiet = self._free & ~in_range(mel, recipe)
        loud = self._free & ~quiet
        return _unexplained(decibel, self._sought, loud, self.by_column, quiet)

    @cached_property
    def by_column(self) -> bool:
        """Whether each feature was normalised by itself."""
        return column_normalization(self.target.values) != "none"


def comparable(target: Target) -> tuple[Array, Mask]:
    """The target's values, in decibels if they are linear, and where they may be compared."""
    free = target.free
    if not target.is_linear:
        return target.values, free
    positive = target.values > max(1e-8 * target.values.max(), 1e-300)
    return 10 * np.log10(np.where(positive, target.values, 1.0)), free & positive


def in_range(mel: Array, recipe: Recipe, range_db: float = RANGE_DB) -> Mask:
    """Bands within ``range_db`` of the clip's peak."""
    share = 10 ** (-range_db / (20 if recipe.spectrum == "magnitude" else 10))
    return np.asarray(mel > share * mel.max())


def column_normalization(values: Array) -> str:
    """Whether each feature has mean 0 over the clip: "column_mean_std", "column_mean" or "none"."""
    means, spreads = values.mean(axis=0), values.std(axis=0)
    if values.shape[1] < 2 or np.abs(means).max() > 2e-3 * spreads.max():
        return "none"
    return "column_mean_std" if np.abs(spreads - 1).max() < 0.01 else "column_mean"


def line(x: Array, y: Array) -> tuple[float, float]:
    """Slope and offset of the least-squares line through y over x, both (n,)."""
    mean_x, mean_y = x.mean(), y.mean()
    spread = float(np.sum((x - mean_x) ** 2))
    slope = float(np.sum((x - mean_x) * (y - mean_y))) / spread if spread > 0 else 0.0
    return slope, float(mean_y - slope * mean_x)


def _unexplained(
    x: Array, y: Array, mask: Mask, by_column: bool, quiet: Mask | None = None
) -> float:
    """Residual of the best line, over the whole array or for each feature by itself.

    Where the recipe gives next to nothing (``quiet``), y may not be above what the line says of
    the end of the range.
    """
    if np.count_nonzero(mask) < 16:
        return 1.0
    if by_column:
        return float(np.mean([_column(x[:, j], y[:, j], mask[:, j]) for j in range(x.shape[1])]))
    return _column(x.ravel(), y.ravel(), mask.ravel(), None if quiet is None else quiet.ravel())


def _column(x: Array, y: Array, mask: Mask, quiet: Mask | None = None) -> float:
    ours, theirs = x[mask], y[mask]
    if len(ours) < 8:
        return 0.0
    slope, offset = line(ours, theirs)
    total = float(np.sum((theirs - theirs.mean()) ** 2))
    if slope <= 0 or total <= 0:
        return 1.0
    left = float(np.sum((theirs - slope * ours - offset) ** 2))
    if quiet is not None and quiet.any():
        highest = slope * ours.min() + offset
        left += float(np.sum(np.maximum(0.0, y[quiet] - highest) ** 2))
    return float(np.sqrt(left / total))


def _unexplained_cepstra(x: Array, y: Array, by_column: bool) -> float:
    """Each coefficient by itself, so that lifter and norm do not matter; they count alike.

    The first takes up the gain with an offset; the others have one only where each was normalised.
    """
    total = np.sum((y - y.mean(axis=0)) ** 2, axis=0)
    centred = slice(None) if by_column else slice(0, 1)
    x, y = x.copy(), y.copy()
    x[:, centred] -= x[:, centred].mean(axis=0)
    y[:, centred] -= y[:, centred].mean(axis=0)
    xx, yy, xy = np.sum(x * x, axis=0), np.sum(y * y, axis=0), np.sum(x * y, axis=0)
    left = (yy - np.maximum(xy, 0) ** 2 / np.maximum(xx, 1e-300)) / np.maximum(total, 1e-300)
    return float(np.sqrt(np.mean(np.clip(left, 0, 4))))


def _before_bands(recipe: Recipe) -> tuple[Any, ...]:
    return (
        recipe.channel,
        recipe.audio_rate,
        recipe.resampler,
        recipe.signal_preemphasis,
        recipe.start,
        recipe.first_frame,
        recipe.n_fft,
        recipe.win_length,
        recipe.hop_length,
        recipe.window,
        recipe.window_position if recipe.win_length < recipe.n_fft else "",
        recipe.framing,
        recipe.preemphasis,
        recipe.remove_dc,
    )


def _search_rows(n_frames: int) -> Rows:
    if n_frames <= SEARCH_ROWS:
        return np.arange(n_frames)
    starts = np.linspace(0, n_frames - 16, SEARCH_ROWS // 16).astype(int)
    return np.unique((starts[:, None] + np.arange(16)).ravel())
