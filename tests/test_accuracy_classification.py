"""Figures of whole recordings against scikit-learn's, and how a corpus's labels are read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_bench.accuracy.classification import answer_of, class_of, classes_of, measure_quality
from babycry_bench.accuracy.roc import roc_auc, roc_auc_interval
from babycry_convert.report.agreement import confusion


def test_quality_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 300)
    answered = np.where(rng.random(300) < 0.7, truth, rng.integers(0, 3, 300))
    scores = np.round(rng.random(300) * 0.5 + 0.5 * (truth == 1), 2)
    found = measure_quality(
        ("a", "b", "c"), confusion(truth, answered, 3), scores[truth == 1], scores[truth != 1]
    )
    assert found.confusion.tolist() == metrics.confusion_matrix(truth, answered).tolist()
    assert found.accuracy.value == pytest.approx(metrics.accuracy_score(truth, answered))
    assert found.macro_f1.value == pytest.approx(metrics.f1_score(truth, answered, average="macro"))
    recalls = metrics.recall_score(truth, answered, average=None)
    assert [found.recall[name].value for name in "abc"] == pytest.approx(recalls.tolist())
    assert found.roc_auc.value == pytest.approx(metrics.roc_auc_score(truth == 1, scores))
    for interval in (found.accuracy, found.macro_f1, found.roc_auc):
        assert interval.low is not None and interval.high is not None and interval.value is not None
        assert interval.low < interval.value < interval.high


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=30),
    st.lists(st.integers(0, 6), min_size=1, max_size=30),
)
def test_roc_auc_counts_pairs_and_half_of_ties(positive: list[int], negative: list[int]) -> None:
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    found = roc_auc(np.array(positive, np.float64), np.array(negative, np.float64))
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_the_interval_of_the_area_is_about_the_area_itself() -> None:
    """Rounding the scores for the resamples must not move it: a thousand levels, continuous."""
    rng = np.random.default_rng(8)
    positive, negative = rng.normal(1.0, 1.0, 4000), rng.normal(0.0, 1.0, 6000)
    found = roc_auc_interval(positive, negative)
    assert found.value == pytest.approx(roc_auc(positive, negative))
    assert found.low is not None and found.high is not None and found.value is not None
    # Hanley and McNeil (1982): standard error of an area A from p and n cases.
    area = found.value
    error = np.sqrt(
        (
            area * (1 - area)
            + 3999 * (area / (2 - area) - area**2)
            + 5999 * (2 * area**2 / (1 + area) - area**2)
        )
        / (4000 * 6000)
    )
    assert found.low == pytest.approx(area - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(area + 1.96 * error, abs=0.3 * error)


def test_one_class_alone_has_no_area() -> None:
    assert roc_auc_interval(np.array([0.4]), np.array([])).method == "none"


CRY = ("other", "cry")
REASONS = ("hungry", "tired", "unknown")


@pytest.mark.parametrize(
    ("label", "labels", "target", "expected"),
    [
        ("cry", CRY, "cry", 1),
        ("other", CRY, "cry", 0),
        ("speech", CRY, "cry", 0),  # anything else is the rest
        ("animal", ("cry", "nothing"), "cry", 1),  # the only other label is the rest
        ("speech", ("cry", "laugh", "Background"), "cry", 2),
        ("speech", ("cry", "laugh"), "laugh", 0),
        ("speech", REASONS, "hungry", None),  # these have no rest
        ("unknown", REASONS, "hungry", 2),  # a label of the model is itself
        ("unverified", CRY, "cry", None),
        ("Unverified ", CRY, "cry", None),
        ("", CRY, "cry", None),
        (None, CRY, "cry", None),
        ("cry", ("cry",), "cry", 1),
        ("music", ("cry",), "cry", 0),
        ("unverified", ("cry",), "cry", None),
    ],
)
def test_labels_of_a_corpus_are_read_as_classes(
    label: str | None, labels: tuple[str, ...], target: str, expected: int | None
) -> None:
    assert class_of(label, labels, target) == expected


def test_a_model_of_one_label_answers_yes_or_no() -> None:
    assert classes_of(("cry",)) == ("not cry", "cry")
    assert classes_of(CRY) == CRY


def test_the_answer_is_the_detectors() -> None:
    """The threshold decides and not the greatest score: 0.9 is no cry at a threshold of 0.91."""
    assert answer_of([0.10, 0.90], target=1, threshold=0.91) == 0
    assert answer_of([0.09, 0.91], target=1, threshold=0.91) == 1
    assert answer_of([0.2, 0.5, 0.3], target=1, threshold=0.6) == 2
    assert answer_of([0.5], target=0, threshold=0.5) == 1
    assert answer_of([0.4999], target=0, threshold=0.5) == 0
