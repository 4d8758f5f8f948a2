"""Confidence intervals of 95 %, by methods that hold for small counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Method = Literal["wilson", "bootstrap", "poisson", "none"]

CONFIDENCE = 0.95

#: The normal quantile of ``CONFIDENCE``.
_Z = 1.959963984540054

#: Resamples of a bootstrap: the interval's ends move by less than a tenth of its width.
RESAMPLES = 1000
_SEED = 1

#: Below this an exact Poisson bound is searched to; counts are whole numbers.
_PRECISION = 1e-10


@dataclass(frozen=True)
class Interval:
    """A figure with its interval; all None where there is nothing to tell it from."""

    value: float | None
    low: float | None
    high: float | None
    method: Method

    def to_dict(self) -> dict[str, Any]:
        """As the report has it."""
        return dict(vars(self))


NOTHING = Interval(None, None, None, "none")


def wilson(hits: int, count: int) -> Interval:
    """The share ``hits / count`` with Wilson's score interval (1927)."""
    if count == 0:
        return NOTHING
    share = hits / count
    widened = 1.0 + _Z**2 / count
    centre = (share + _Z**2 / (2 * count)) / widened
    half = _Z / widened * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    # At the ends the bound is the end itself; rounding must not pass it.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == count else min(1.0, centre + half)
    return Interval(share, low, high, "wilson")


def poisson(count: int, exposure: float) -> Interval:
    """The rate ``count / exposure`` with Garwood's exact interval (1936).

    ``exposure``: hours, say. Without any there is no rate.
    """
    if exposure <= 0.0:
        return NOTHING
    tail = (1.0 - CONFIDENCE) / 2.0
    low = 0.0 if count == 0 else _mean_where(count - 1, 1.0 - tail)
    high = _mean_where(count, tail)
    return Interval(count / exposure, low / exposure, high / exposure, "poisson")


def _mean_where(count: int, probability: float) -> float:
    """The mean of the Poisson distribution that gives ``count`` or fewer with ``probability``."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    numbers = np.arange(count + 1)

    def cumulative(mean: float) -> float:
        terms = numbers * math.log(mean) - mean - logs
        peak = float(terms.max())
        return math.exp(peak) * float(np.exp(terms - peak).sum())

    low, high = _PRECISION, count + 20.0 + 10.0 * math.sqrt(count + 1.0)
    while high - low > _PRECISION * max(1.0, high):
        middle = (low + high) / 2.0
        if cumulative(middle) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def bootstrap(
    counts: npt.NDArray[np.int64], figure: Callable[[npt.NDArray[np.int64]], float]
) -> Interval:
    """``figure`` of a table of counts, with the percentile interval over resampled cases.

    Drawing n cases with replacement is drawing the table's cells n times by their shares, so the
    cases themselves, and their order, are not needed. The seed is fixed.

    Args:
        counts: cases in each cell, of any shape.
        figure: of such a table.
    """
    total = int(counts.sum())
    if total == 0:
        return NOTHING
    shares = counts.reshape(-1) / total
    draws = np.random.default_rng(_SEED).multinomial(total, shares, RESAMPLES)
    values = [figure(draw.reshape(counts.shape)) for draw in draws]
    low, high = np.percentile(values, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return Interval(float(figure(counts)), float(low), float(high), "bootstrap")
