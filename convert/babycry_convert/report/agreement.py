"""What int8 changed on held-out clips: answers, accuracy, macro-F1 and how far scores moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Activation
from babycry_edge.model import activate

Scores = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]
#: Windows ``(k, T, F)`` to logits ``(k, n_labels)``.
Scorer = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]

#: Resamples of a bootstrap: the 95 % interval's ends move by less than a tenth of its width.
RESAMPLES = 1000
_SEED = 1

#: Upper ends of the histogram's bins of score drift; the last bin has no end.
DRIFT_EDGES = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True)
class HeldOutClip:
    """A recording that neither trained nor calibrated: ``windows`` float32 ``(k, T, F)``, k > 0.

    ``label``: its true label, or None.
    """

    name: str
    label: str | None
    windows: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % bootstrap interval over clips."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        return dict(vars(self))


@dataclass(frozen=True)
class Drift:
    """How far a clip's score moved, the greatest of its labels: over clips; with a histogram."""

    mean: float
    p95: float
    maximum: float
    histogram: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "mean": self.mean,
            "p95": self.p95,
            "max": self.maximum,
            "histogram": {"edges": list(DRIFT_EDGES), "counts": list(self.histogram)},
        }


@dataclass(frozen=True)
class Quality:
    """Accuracy and macro-F1 of one network against the true labels, with its confusion.

    ``confusion[i][j]``: clips of class i that were answered j.
    """

    accuracy: Interval
    macro_f1: Interval
    confusion: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "accuracy": self.accuracy.to_dict(),
            "macro_f1": self.macro_f1.to_dict(),
            "confusion": [list(row) for row in self.confusion],
        }


@dataclass(frozen=True)
class Agreement:
    """One int8 file against the float network.

    ``real``, ``int8`` and ``macro_f1_loss`` are None where no clip has a label that is known;
    ``labelled`` counts those that have. ``classes`` names the rows of the confusion.
    """

    clips: int
    labelled: int
    classes: tuple[str, ...]
    agreement: Interval
    drift: Drift
    real: Quality | None = None
    int8: Quality | None = None
    macro_f1_loss: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "clips": self.clips,
            "labelled": self.labelled,
            "classes": list(self.classes),
            "agreement": self.agreement.to_dict(),
            "drift": self.drift.to_dict(),
            "float": None if self.real is None else self.real.to_dict(),
            "int8": None if self.int8 is None else self.int8.to_dict(),
            "macro_f1_loss": None if self.macro_f1_loss is None else self.macro_f1_loss.to_dict(),
        }


def clip_scores(scorer: Scorer, clips: Sequence[HeldOutClip], activation: Activation) -> Scores:
    """The mean of the scores of each clip's windows, ``(n_clips, n_labels)``.

    Raises:
        BabycryError: there is no clip, a clip has no window, or a score is not finite.
    """
    if not clips:
        raise BabycryError("no held-out clip to judge the conversion on")
    rows = []
    for clip in clips:
        if not len(clip.windows):
            raise BabycryError(f"held-out clip {clip.name} has no window")
        rows.append(activate(scorer(clip.windows), activation).astype(np.float64).mean(axis=0))
    scores = np.stack(rows)
    if not np.isfinite(scores).all():
        raise BabycryError("the network's scores are NaN or infinite on held-out clips")
    return scores


def measure_agreement(
    real: Scores, int8: Scores, truth: Sequence[str | None], labels: Sequence[str]
) -> Agreement:
    """Compare one score per clip and label of the float network and of an int8 file.

    Args:
        real: ``(n, n_labels)`` of the float network.
        int8: the same of the int8 file.
        truth: a label for each clip; None, or a name that is none of ``labels``, is unknown. With
            one label, every other name counts as its absence.
        labels: the columns' names.

    Raises:
        BabycryError: the sizes do not fit.
    """
    if real.shape != int8.shape or real.shape != (len(truth), len(labels)) or not len(truth):
        raise BabycryError(
            f"scores have shapes {real.shape} and {int8.shape}, not ({len(truth)}, {len(labels)})"
        )
    classes = tuple(labels) if len(labels) > 1 else (f"not {labels[0]}", labels[0])
    ours, theirs = answers(int8), answers(real)
    indices = _truth(truth, labels)
    known = indices >= 0
    resamples = _resamples(len(truth))
    result = Agreement(
        clips=len(truth),
        labelled=int(known.sum()),
        classes=classes,
        agreement=_interval(ours == theirs, resamples),
        drift=measure_drift(real, int8),
    )
    if not known.any():
        return result
    draws = _resamples(int(known.sum()))
    size = len(classes)
    before = _f1_draws(indices[known], theirs[known], size, draws)
    after = _f1_draws(indices[known], ours[known], size, draws)
    return Agreement(
        **{
            **vars(result),
            "real": _quality(indices[known], theirs[known], size, draws, before),
            "int8": _quality(indices[known], ours[known], size, draws, after),
            "macro_f1_loss": _spread(before[0] - after[0], before[1] - after[1]),
        }
    )


def answers(scores: Scores) -> Classes:
    """The best label of each clip; of a single score, whether it reaches one half."""
    if scores.shape[1] == 1:
        return np.asarray(scores[:, 0] >= 0.5, np.int64)
    return np.asarray(scores.argmax(axis=1), np.int64)


def clip_drift(real: Scores, int8: Scores) -> Scores:
    """How far each clip's score moved, the greatest of its labels, ``(n,)``."""
    moved: Scores = np.abs(real - int8).max(axis=1)
    return moved


def measure_drift(real: Scores, int8: Scores) -> Drift:
    """Mean, 95th percentile, maximum and histogram of :func:`clip_drift`."""
    moved = clip_drift(real, int8)
    counts, _ = np.histogram(moved, bins=[*DRIFT_EDGES, np.inf])
    return Drift(
        mean=float(moved.mean()),
        p95=float(np.percentile(moved, 95)),
        maximum=float(moved.max()),
        histogram=tuple(int(count) for count in counts),
    )


def confusion(truth: Classes, answered: Classes, size: int) -> Classes:
    """``[i, j]``: clips of class i that were answered j."""
    counts: Classes = np.bincount(truth * size + answered, minlength=size * size)
    table: Classes = counts.reshape(size, size)
    return table


def macro_f1(counts: Classes) -> float:
    """Mean F1 of the classes of a confusion; those in neither truth nor answers are left out."""
    both = np.diag(counts).astype(np.float64)
    either = counts.sum(axis=0) + counts.sum(axis=1)
    present = either > 0
    return float((2.0 * both[present] / either[present]).mean())


def _truth(truth: Sequence[str | None], labels: Sequence[str]) -> Classes:
    """Class of each clip, -1 where it is unknown."""
    if len(labels) == 1:
        return np.array([-1 if t is None else int(t == labels[0]) for t in truth], np.int64)
    known = {name: index for index, name in enumerate(labels)}
    return np.array([-1 if t is None else known.get(t, -1) for t in truth], np.int64)


def _resamples(count: int) -> Classes:
    """Rows of clip numbers drawn with replacement, the same every time."""
    draws: Classes = np.random.default_rng(_SEED).integers(0, count, (RESAMPLES, count))
    return draws


def _f1_draws(
    truth: Classes, answered: Classes, size: int, draws: Classes
) -> tuple[float, npt.NDArray[np.float64]]:
    """Macro-F1 of all clips and of each resample."""
    resampled = [macro_f1(confusion(truth[draw], answered[draw], size)) for draw in draws]
    return macro_f1(confusion(truth, answered, size)), np.array(resampled)


def _quality(
    truth: Classes,
    answered: Classes,
    size: int,
    draws: Classes,
    f1: tuple[float, npt.NDArray[np.float64]],
) -> Quality:
    counts = confusion(truth, answered, size)
    return Quality(
        accuracy=_interval(truth == answered, draws),
        macro_f1=_spread(*f1),
        confusion=tuple(tuple(int(n) for n in row) for row in counts),
    )


def _interval(hits: npt.NDArray[np.bool_], draws: Classes) -> Interval:
    return _spread(float(hits.mean()), hits[draws].mean(axis=1))


def _spread(value: float, resampled: npt.NDArray[np.float64]) -> Interval:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Interval(value, float(low), float(high))
