"""The figures of the report against cases worked by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")

from babycry_convert.report.agreement import (
    HeldOutClip,
    answers,
    clip_scores,
    confusion,
    macro_f1,
    measure_agreement,
    measure_drift,
)
from babycry_edge.errors import BabycryError

LABELS = ("a", "b", "c")
REAL = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.4, 0.3], [0.6, 0.3, 0.1]])
INT8 = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.4, 0.3, 0.3], [0.6, 0.3, 0.1]])
TRUTH = ["a", "b", "b", "b"]


def test_a_case_worked_by_hand() -> None:
    result = measure_agreement(REAL, INT8, TRUTH, LABELS)
    assert result.agreement.value == 0.75  # clip 2 turns from b to a
    assert result.real is not None and result.int8 is not None
    assert result.real.accuracy.value == 0.75
    assert result.int8.accuracy.value == 0.5
    # float: a 1 of (1 + 2)/2, b 2 of (3 + 2)/2; c is nowhere
    assert result.real.macro_f1.value == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert result.int8.macro_f1.value == pytest.approx((2 / 4 + 2 / 4) / 2)
    assert result.macro_f1_loss is not None
    assert result.macro_f1_loss.value == pytest.approx((2 / 3 + 4 / 5) / 2 - 0.5)
    assert result.int8.confusion == ((1, 0, 0), (2, 1, 0), (0, 0, 0))
    assert result.drift.mean == pytest.approx(0.05)
    assert result.drift.maximum == pytest.approx(0.1)
    assert sum(result.drift.histogram) == 4
    assert result.labelled == result.clips == 4


def test_the_interval_holds_the_figure_and_is_the_same_twice() -> None:
    rng = np.random.default_rng(0)
    real = rng.dirichlet(np.ones(3), 60)
    int8 = real + rng.normal(0, 0.05, real.shape)
    truth = [LABELS[i] for i in rng.integers(0, 3, 60)]
    first = measure_agreement(real, int8, truth, LABELS)
    assert first == measure_agreement(real, int8, truth, LABELS)
    assert first.agreement.low <= first.agreement.value <= first.agreement.high
    assert first.agreement.low < first.agreement.high
    spread = first.agreement.high - first.agreement.low
    p = first.agreement.value
    assert spread == pytest.approx(2 * 1.96 * (p * (1 - p) / 60) ** 0.5, rel=0.25)


@pytest.mark.parametrize("seed", range(6))
def test_macro_f1_is_scikit_learn_s(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    size = 5
    truth = rng.integers(0, rng.integers(2, size + 1), 40)
    answered = rng.integers(0, rng.integers(2, size + 1), 40)
    counts = confusion(truth, answered, size)
    expected = metrics.f1_score(truth, answered, average="macro", zero_division=0.0)
    assert macro_f1(counts) == pytest.approx(expected)
    np.testing.assert_array_equal(
        counts, metrics.confusion_matrix(truth, answered, labels=range(size))
    )


def test_without_labels_there_is_agreement_alone() -> None:
    result = measure_agreement(REAL, INT8, [None, "unheard", None, None], LABELS)
    assert result.labelled == 0
    assert result.agreement.value == 0.75
    assert result.real is result.int8 is result.macro_f1_loss is None


def test_one_label_is_there_or_not() -> None:
    real, int8 = np.array([[0.6], [0.4], [0.5]]), np.array([[0.6], [0.5], [0.5]])
    result = measure_agreement(real, int8, ["cry", "noise", "cry"], ["cry"])
    assert result.classes == ("not cry", "cry")
    assert answers(real).tolist() == [1, 0, 1]
    assert result.agreement.value == pytest.approx(2 / 3)
    assert result.real is not None and result.real.accuracy.value == 1.0
    assert result.int8 is not None and result.int8.confusion == ((0, 1), (0, 2))


def test_drift_bins_hold_their_lower_end() -> None:
    drift = measure_drift(np.zeros((4, 1)), np.array([[0.0], [0.002], [0.6], [0.0049]]))
    assert drift.histogram == (1, 2, 0, 0, 0, 0, 0, 0, 1)


def test_a_clip_s_score_is_the_mean_of_its_windows_scores() -> None:
    clip = HeldOutClip("x", None, np.zeros((2, 1, 1), np.float32))
    logits = np.array([[0.0, 0.0], [np.log(3.0), 0.0]], np.float32)
    scores = clip_scores(lambda windows: logits, [clip], "softmax")
    assert scores[0] == pytest.approx([(0.5 + 0.75) / 2, (0.5 + 0.25) / 2])


def test_what_cannot_be_judged_is_refused() -> None:
    empty = HeldOutClip("x", None, np.zeros((0, 1, 1), np.float32))
    with pytest.raises(BabycryError, match="no held-out clip"):
        clip_scores(lambda windows: windows, [], "softmax")
    with pytest.raises(BabycryError, match="x has no window"):
        clip_scores(lambda windows: windows, [empty], "softmax")
    with pytest.raises(BabycryError, match="shapes"):
        measure_agreement(REAL, INT8[:2], TRUTH, LABELS)
