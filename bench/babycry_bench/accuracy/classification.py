"""What a detector answers of whole recordings, against what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.accuracy.intervals import Interval, bootstrap, wilson
from babycry_bench.accuracy.roc import roc_auc_interval
from babycry_convert.report.agreement import macro_f1

Counts = npt.NDArray[np.int64]

#: Labels of a corpus that say nothing.
UNLABELLED = ("", "unverified", "unknown", "unlabelled")

#: Labels of a model that stand for all that it was not made for.
REST = ("other", "rest", "background", "negative", "none")


def classes_of(labels: Sequence[str]) -> tuple[str, ...]:
    """Rows and columns of the confusion; a model of one label answers whether it is there."""
    return tuple(labels) if len(labels) > 1 else (f"not {labels[0]}", labels[0])


def class_of(label: str | None, labels: Sequence[str], target: str) -> int | None:
    """The class of a recording that its corpus calls ``label``, as an index of ``classes_of``.

    A label of the model is itself. Any other name, "speech" say, is the model's label for the
    rest, if it has one: one of ``REST``, or the only label beside the target. None, for a
    recording that counts as unlabelled: no label, one of ``UNLABELLED``, or a name that a model
    without a rest does not have.
    """
    if label is not None and label in labels:
        return classes_of(labels).index(label)
    if label is None or label.strip().lower() in UNLABELLED:
        return None
    if len(labels) == 1:
        return 0
    others = [name for name in labels if name != target]
    rest = others if len(others) == 1 else [name for name in others if name.lower() in REST]
    return list(labels).index(rest[0]) if rest else None


def answer_of(scores: Sequence[float], target: int, threshold: float) -> int:
    """What the detector answers, as an index of ``classes_of``.

    The target where its score reaches the threshold, as in ``Detection``; otherwise the best of
    the other labels.
    """
    detected = scores[target] >= threshold
    if len(scores) == 1:
        return int(detected)
    if detected:
        return target
    others = [index for index in range(len(scores)) if index != target]
    return max(others, key=lambda index: scores[index])


@dataclass(frozen=True)
class Quality:
    """One system against the true labels; ``confusion[i, j]``: recordings of i answered as j."""

    classes: tuple[str, ...]
    confusion: Counts
    accuracy: Interval
    macro_f1: Interval
    roc_auc: Interval
    recall: Mapping[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "accuracy": self.accuracy.to_dict(),
            "macro_f1": self.macro_f1.to_dict(),
            "roc_auc": self.roc_auc.to_dict(),
            "recall": {name: interval.to_dict() for name, interval in self.recall.items()},
            "confusion": self.confusion.tolist(),
        }


def measure_quality(
    classes: Sequence[str],
    confusion: Counts,
    positive: npt.NDArray[np.float64],
    negative: npt.NDArray[np.float64],
) -> Quality:
    """Figures of a confusion with at least one recording.

    Args:
        classes: names of its rows and columns.
        confusion: ``(n, n)``, row: true class, column: answer.
        positive: the target's scores of recordings that are it, ``(p,)``.
        negative: of the others, ``(q,)``.
    """
    right = np.diag(confusion)
    rows = confusion.sum(axis=1)
    return Quality(
        classes=tuple(classes),
        confusion=confusion,
        accuracy=wilson(int(right.sum()), int(confusion.sum())),
        macro_f1=bootstrap(confusion, macro_f1),
        roc_auc=roc_auc_interval(positive, negative),
        recall={
            name: wilson(int(hits), int(count))
            for name, hits, count in zip(classes, right, rows, strict=True)
        },
    )
