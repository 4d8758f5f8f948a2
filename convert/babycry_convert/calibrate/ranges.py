"""From the values that tensors take to the ranges that int8 covers.

Values come tensor by tensor and window by window in two passes: the first finds the extremes, the
second fills histograms between them. Memory does not grow with the number of windows, and the same
windows in the same order give the same ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from babycry_edge.errors import BabycryError

Ranges = dict[str, tuple[float, float]]
Take = Callable[[str, npt.NDArray[np.float32]], None]
#: Runs every window and hands over each float tensor's values, one window at a time.
Feed = Callable[[Take], None]

RangeMethod = Literal["min_max", "percentile", "entropy", "sample_quantile", "mse"]

BINS = 4096

#: Of so many windows at most each one's own extremes are kept; of more, evenly thinned ones.
_MOST_EXTREMES = 512
#: Clipping thresholds that "entropy" and "mse" try, from this share of the range to all of it.
_THRESHOLDS = 64
_LEAST_THRESHOLD = 0.05
_LEVELS = 256


@dataclass(frozen=True)
class RangeSettings:
    """How a range follows from the observed values.

    ``method``: "min_max"; "percentile" leaves out (100 - ``percentile``) % of all values, half of
    them at each end; "sample_quantile" leaves out so many per cent of the windows' own extremes at
    each end; "entropy" takes the threshold with the least Kullback-Leibler divergence between the
    values' distribution and its quantised form (as TensorRT does); "mse" the range with the least
    mean squared error of 256 levels. ``percentile`` is 50 to 100 and used by two methods.
    """

    method: RangeMethod = "min_max"
    percentile: float = 99.99

    def __str__(self) -> str:
        if self.method in ("percentile", "sample_quantile"):
            return f"{self.method} {self.percentile:g}"
        return self.method


@dataclass
class TensorHistogram:
    """Counts of one tensor's values between its extremes ``low`` and ``high``."""

    low: float
    high: float
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Count one window's values."""
        width = self.high - self.low
        if width <= 0.0 or values.size == 0:
            return
        # The factor keeps the greatest value below the last bin's end, also after rounding.
        scaled = (values.reshape(-1) - np.float32(self.low)) * np.float32(BINS * 0.99999 / width)
        self.counts += np.bincount(scaled.astype(np.intp), minlength=BINS)

    def edges(self) -> npt.NDArray[np.float64]:
        """The bins' ends, ``BINS + 1`` values."""
        return np.linspace(self.low, self.high, BINS + 1)


class WindowExtremes:
    """The least and greatest value of one tensor in each window, evenly thinned when they are many.

    ``low`` and ``high`` are those of all windows.
    """

    def __init__(self) -> None:
        self.low, self.high = float("inf"), float("-inf")
        self._kept: list[tuple[float, float]] = []
        self._every, self._count = 1, 0

    def add(self, low: float, high: float) -> None:
        """Take in one window."""
        self.low, self.high = min(self.low, low), max(self.high, high)
        if self._count % self._every == 0:
            self._kept.append((low, high))
            if len(self._kept) > _MOST_EXTREMES:
                self._kept, self._every = self._kept[::2], 2 * self._every
        self._count += 1

    def quantiles(self, share: float) -> tuple[float, float]:
        """What ``share`` of the windows' least values lie below, and of their greatest above."""
        lows, highs = np.array(self._kept).T
        return float(np.quantile(lows, share)), float(np.quantile(highs, 1.0 - share))


class Observations:
    """What a float model's tensors were over the calibration windows."""

    def __init__(self, feed: Feed) -> None:
        """Run the first pass.

        Raises:
            BabycryError: a tensor is NaN or infinite for some window.
        """
        self._feed = feed
        self._extremes: dict[str, WindowExtremes] = {}
        self._histograms: dict[str, TensorHistogram] | None = None
        feed(self._add_extremes)

    def ranges(self, settings: RangeSettings) -> Ranges:
        """The range ``(low, high)`` of each tensor; the second pass runs once, when needed
        (by all methods but "min_max" and "sample_quantile")."""
        if settings.method == "min_max":
            return {name: (seen.low, seen.high) for name, seen in self._extremes.items()}
        if settings.method == "sample_quantile":
            cut = (100.0 - settings.percentile) / 100.0
            return {name: seen.quantiles(cut) for name, seen in self._extremes.items()}
        find = _METHODS[settings.method]
        return {
            name: find(counted, settings) if counted.high > counted.low else (counted.low,) * 2
            for name, counted in self.histograms().items()
        }

    def histograms(self) -> dict[str, TensorHistogram]:
        """Each tensor's histogram, by the tensor's name."""
        if self._histograms is None:
            found = {n: TensorHistogram(seen.low, seen.high) for n, seen in self._extremes.items()}
            self._feed(lambda name, values: found[name].add(values))
            self._histograms = found
        return self._histograms

    def _add_extremes(self, name: str, values: npt.NDArray[np.float32]) -> None:
        if values.size == 0:
            return
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise BabycryError(
                f"tensor {name} is NaN or infinite for a calibration window: the network's weights "
                "are damaged, or the windows are far from what it was trained on"
            )
        self._extremes.setdefault(name, WindowExtremes()).add(low, high)


def _percentile(histogram: TensorHistogram, settings: RangeSettings) -> tuple[float, float]:
    cut = (100.0 - settings.percentile) / 200.0
    edges = histogram.edges()
    return _quantile(histogram.counts, edges, cut), _quantile(histogram.counts, edges, 1.0 - cut)


def _quantile(counts: npt.NDArray[np.int64], edges: npt.NDArray[np.float64], share: float) -> float:
    """The value below which ``share`` of the counted ones lie, even within a bin."""
    below = np.concatenate([[0], np.cumsum(counts)]).astype(np.float64)
    return float(np.interp(share * below[-1], below, edges))


def _entropy(histogram: TensorHistogram, settings: RangeSettings) -> tuple[float, float]:
    edges = histogram.edges()
    centres = (edges[:-1] + edges[1:]) / 2
    limit = max(abs(histogram.low), abs(histogram.high))
    index = np.minimum((np.abs(centres) / limit * BINS).astype(np.intp), BINS - 1)
    magnitudes = np.bincount(index, weights=histogram.counts, minlength=BINS).astype(np.float64)
    # Zeros, which any range has exactly, would outweigh all else after ReLU.
    magnitudes[0] = magnitudes[1]
    levels = _LEVELS // 2 if histogram.low < 0.0 < histogram.high else _LEVELS
    ends = np.unique(
        np.linspace(max(levels, _LEAST_THRESHOLD * BINS), BINS, _THRESHOLDS).astype(int)
    )
    divergences = [_divergence(magnitudes, int(end), levels) for end in ends]
    threshold = limit * ends[int(np.argmin(divergences))] / BINS
    return max(histogram.low, -threshold), min(histogram.high, threshold)


def _divergence(counts: npt.NDArray[np.float64], end: int, levels: int) -> float:
    """KL divergence of the counts clipped at bin ``end`` from their form in ``levels`` steps."""
    kept = counts[:end]
    clipped = kept.copy()
    clipped[-1] += counts[end:].sum()
    group = np.arange(end) * levels // end
    filled = kept > 0
    members = np.bincount(group, weights=filled, minlength=levels)
    means = np.bincount(group, weights=kept, minlength=levels) / np.maximum(members, 1)
    quantised = np.where(filled, means[group], 0.0)
    total, other = clipped.sum(), quantised.sum()
    if other == 0.0:
        return float("inf")
    p, q = clipped / total, quantised / other
    present = p > 0
    # Clipped counts in an empty last bin have no counterpart: a small one keeps the sum finite.
    return float((p[present] * np.log(p[present] / np.maximum(q[present], 1e-9))).sum())


def _mse(histogram: TensorHistogram, settings: RangeSettings) -> tuple[float, float]:
    edges = histogram.edges()
    filled = histogram.counts > 0
    values = ((edges[:-1] + edges[1:]) / 2)[filled]
    counts = histogram.counts[filled]
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    shares = np.linspace(1.0, _LEAST_THRESHOLD, _THRESHOLDS)

    def best(candidates: list[tuple[float, float]]) -> tuple[float, float]:
        return min(candidates, key=lambda ends: _squared_error(values, counts, *ends))

    low, high = best([(low * share, high * share) for share in shares])
    low, high = best([(low, high * share) for share in shares])
    return best([(low * share, high) for share in shares])


def _squared_error(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], low: float, high: float
) -> float:
    step = (high - low) / (_LEVELS - 1)
    if step <= 0.0:
        return float("inf")
    outside = values - np.clip(values, low, high)
    rounding = step**2 / 12 * (outside == 0.0)
    return float((counts * (outside**2 + rounding)).sum())


_METHODS = {
    "percentile": _percentile,
    "entropy": _entropy,
    "mse": _mse,
}


def noise(observations: Observations, ranges: Ranges) -> dict[str, float]:
    """Mean squared error of 256 levels over each range, in parts of the tensor's mean square."""
    found = {}
    for name, histogram in observations.histograms().items():
        edges = histogram.edges()
        values = (edges[:-1] + edges[1:]) / 2
        power = float((histogram.counts * values**2).sum())
        low, high = ranges[name]
        error = _squared_error(values, histogram.counts, min(low, 0.0), max(high, 0.0))
        found[name] = error / power if power > 0.0 and np.isfinite(error) else 0.0
    return found
