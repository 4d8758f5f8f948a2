"""Detection figures from clip scores: ROC AUC and recall at a false-positive rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babycry_edge.errors import BabycryError

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """Scores above ``threshold`` count as detections; both rates are 0 to 1."""

    threshold: float
    recall: float
    false_positive_rate: float


def roc_auc(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> float:
    """Probability that a positive scores above a negative; a tie counts one half.

    Args:
        positives: scores of the clips with the target sound, ``(n,)``.
        negatives: scores of the others, ``(m,)``.

    Raises:
        BabycryError: either is empty or holds NaN.
    """
    high, low = _scores(positives), np.sort(_scores(negatives))
    below = np.searchsorted(low, high, side="left")
    not_above = np.searchsorted(low, high, side="right")
    return float((below + not_above).sum() / (2 * len(high) * len(low)))


def recall_at(
    positives: npt.ArrayLike, negatives: npt.ArrayLike, false_positive_rate: float
) -> OperatingPoint:
    """The most sensitive threshold that at most the given share of negatives exceed.

    Scores equal to the threshold are not detections, so ties never raise the rate above the bound.

    Raises:
        BabycryError: a score list is empty or holds NaN, or the rate is not in [0, 1).
    """
    if not 0.0 <= false_positive_rate < 1.0:
        raise BabycryError(f"a false-positive rate is from 0 to below 1, not {false_positive_rate}")
    high, low = _scores(positives), np.sort(_scores(negatives))[::-1]
    allowed = int(np.floor(false_positive_rate * len(low) + 1e-9))
    threshold = float(low[allowed])
    return OperatingPoint(
        threshold, float((high > threshold).mean()), float((low > threshold).mean())
    )


def _scores(values: npt.ArrayLike) -> Values:
    scores = np.asarray(values, np.float64).reshape(-1)
    if len(scores) == 0 or np.isnan(scores).any():
        raise BabycryError("scores must be one number or more, none of them NaN")
    return scores
