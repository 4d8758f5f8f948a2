"""Area under the ROC curve: how well scores put one class above the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from babycry_bench.accuracy.intervals import NOTHING, Interval, bootstrap

Scores = npt.NDArray[np.float64]

#: Levels that scores are rounded to for the interval (not for the figure): the area then moves by
#: far less than the interval is wide, and a resample costs the same for any number of recordings.
_LEVELS = 1000


def roc_auc(positive: Scores, negative: Scores) -> float:
    """The chance that a positive's score is above a negative's, ties counting one half.

    Mann and Whitney's U over the number of pairs.

    Args:
        positive: scores of those that are the class, ``(n,)``, n > 0.
        negative: of those that are not, ``(m,)``, m > 0.
    """
    below = np.searchsorted(np.sort(negative), positive, side="left").astype(np.float64)
    not_above = np.searchsorted(np.sort(negative), positive, side="right").astype(np.float64)
    pairs = float(len(positive)) * len(negative)
    return float((below + not_above).sum() / (2.0 * pairs))


def roc_auc_interval(positive: Scores, negative: Scores) -> Interval:
    """:func:`roc_auc` with its bootstrap interval over recordings.

    There is none where a class has no recording.
    """
    if not len(positive) or not len(negative):
        return NOTHING
    ends = np.quantile(np.concatenate([positive, negative]), np.linspace(0, 1, _LEVELS + 1))
    edges = np.unique(ends)[1:]
    levels = len(edges) + 1
    table = np.stack(
        [
            np.bincount(np.searchsorted(edges, scores, side="left"), minlength=levels)
            for scores in (positive, negative)
        ]
    )
    value = roc_auc(positive, negative)
    spread = bootstrap(table, _area)
    return Interval(value, spread.low, spread.high, "bootstrap")


def _area(table: npt.NDArray[np.int64]) -> float:
    """The area from counts ``(2, levels)`` of both classes, by rising score."""
    positive, negative = table.astype(np.float64)
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2.0)).sum() / pairs) if pairs else 0.5
