"""The figures that the reference detector is judged by."""

from __future__ import annotations

import numpy as np
import pytest

from babycry_edge.errors import BabycryError

metrics = pytest.importorskip("babycry_convert.reference.metrics")


def test_auc_is_the_share_of_ordered_pairs() -> None:
    rng = np.random.default_rng(0)
    high, low = rng.normal(1, 1, 50), rng.normal(0, 1, 70)
    pairs = np.mean(high[:, None] > low[None, :])
    assert metrics.roc_auc(high, low) == pytest.approx(pairs, abs=1e-12)


def test_auc_counts_a_tie_as_one_half() -> None:
    assert metrics.roc_auc([1, 1], [1, 1, 1]) == 0.5
    assert metrics.roc_auc([2, 1], [1, 0]) == pytest.approx(3.5 / 4)


def test_auc_is_one_when_separated_and_zero_when_reversed() -> None:
    assert metrics.roc_auc([3, 4], [1, 2]) == 1.0
    assert metrics.roc_auc([1, 2], [3, 4]) == 0.0


def test_recall_keeps_the_false_positive_rate_within_its_bound() -> None:
    low = np.arange(100.0)
    point = metrics.recall_at([94, 95, 96, 200], low, 0.05)
    assert point.threshold == 94
    assert point.false_positive_rate == 0.05
    assert point.recall == 0.75


def test_tied_negatives_never_exceed_the_bound() -> None:
    point = metrics.recall_at([1.0, 0.5], np.ones(20), 0.05)
    assert point.false_positive_rate == 0.0
    assert point.recall == 0.0


@pytest.mark.parametrize(("high", "low"), [([], [1]), ([1], []), ([float("nan")], [1])])
def test_missing_or_nan_scores_are_refused(high: list[float], low: list[float]) -> None:
    with pytest.raises(BabycryError, match="scores must be"):
        metrics.roc_auc(high, low)


def test_a_rate_outside_its_range_is_refused() -> None:
    with pytest.raises(BabycryError, match="false-positive rate"):
        metrics.recall_at([1], [0], 1.0)
