"""What a float network is worth on the recordings held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babycry_convert.data.feature_cache import ClipWindows
from babycry_edge.windows import Windows

#: Windows ``(k, T, F)`` to one row of scores each.
Scorer = Callable[[Windows], npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Quality:
    """``margin``: median over the clips of the best score's lead over the second best."""

    clips: int
    accuracy: float
    macro_f1: float
    margin: float


def evaluate(clips: Sequence[ClipWindows], names: Sequence[str], scorer: Scorer) -> Quality:
    """Accuracy and macro-F1 over clips; a clip's answer is the mean of its windows' scores."""
    means = np.stack([scorer(clip.windows).mean(axis=0) for clip in clips])
    truth = np.array([names.index(clip.recording.label or "") for clip in clips])
    ranked = np.sort(means, axis=1)
    predicted = means.argmax(axis=1)
    return Quality(
        clips=len(clips),
        accuracy=float(np.mean(predicted == truth)),
        macro_f1=macro_f1(truth, predicted),
        margin=float(np.median(ranked[:, -1] - ranked[:, -2])),
    )


def macro_f1(truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float:
    """The mean F1 of the classes that ``truth`` holds, 0 to 1."""
    scores = []
    for number in np.unique(truth):
        hits = np.sum((truth == number) & (predicted == number))
        scores.append(2 * hits / (np.sum(truth == number) + np.sum(predicted == number)))
    return float(np.mean(scores))
