"""Clip scores and detection figures, for the detector and for YAMNet on the same clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from babycry_convert.reference.architecture import CryNet
from babycry_convert.reference.dataset import NEGATIVES, Clip, Features, model_windows
from babycry_convert.reference.metrics import recall_at, roc_auc
from babycry_edge.audio import as_float
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.windows import Windows

Scores = npt.NDArray[np.float64]
#: Windows ``(k, T, F)`` to cry probabilities ``(k,)``.
WindowScorer = Callable[[Windows], npt.NDArray[np.floating[Any]]]

#: A clip's score is the mean of so many best windows.
CLIP_WINDOWS = 3

YAMNET_SAMPLES = 15600
YAMNET_CLASS = 20
"""AudioSet's "Baby cry, infant cry"."""


@dataclass(frozen=True)
class LabelFigures:
    """One negative label: AUC against all cries, and the share of its clips that are detected at
    the threshold where 5 % of all negative clips are."""

    n_clips: int
    roc_auc: float
    false_positive_rate: float


@dataclass(frozen=True)
class Figures:
    """Detection figures over a set of clips, cry against everything else."""

    n_clips: int
    roc_auc: float
    recall_at_5_percent: float
    recall_at_1_percent: float
    threshold_at_5_percent: float
    threshold_at_1_percent: float
    labels: dict[str, LabelFigures]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def figures(clips: Sequence[Clip], scores: Scores) -> Figures:
    """Pooled figures of one score per clip.

    Raises:
        BabycryError: there are no cries or no other clips, or a score is NaN.
    """
    labels = np.array([clip.label for clip in clips])
    cries = np.array([clip.is_cry for clip in clips])
    high, low = scores[cries], scores[~cries]
    at_5, at_1 = recall_at(high, low, 0.05), recall_at(high, low, 0.01)
    of_label = {label: scores[labels == label] for label in NEGATIVES if label in labels}
    return Figures(
        n_clips=len(clips),
        roc_auc=roc_auc(high, low),
        recall_at_5_percent=at_5.recall,
        recall_at_1_percent=at_1.recall,
        threshold_at_5_percent=at_5.threshold,
        threshold_at_1_percent=at_1.threshold,
        labels={
            label: LabelFigures(
                len(values), roc_auc(high, values), float((values > at_5.threshold).mean())
            )
            for label, values in of_label.items()
        },
    )


def clip_score(window_scores: npt.NDArray[np.floating[Any]]) -> float:
    """The mean of the best windows of a clip."""
    best = np.sort(np.asarray(window_scores, np.float64))[::-1][:CLIP_WINDOWS]
    return float(best.mean())


def out_of_fold_scores(
    clips: Sequence[Clip], features: Sequence[Features], scorers: Sequence[WindowScorer]
) -> Scores:
    """A score for each clip, from the scorer whose training left out the clip's fold."""
    return np.array(
        [
            clip_score(scorers[clip.fold](model_windows(values)))
            for clip, values in zip(clips, features, strict=True)
        ]
    )


def network_scorer(network: CryNet) -> WindowScorer:
    """Cry probabilities of the float network."""

    def score(windows: Windows) -> npt.NDArray[np.floating[Any]]:
        with torch.no_grad():
            logits = network(torch.from_numpy(np.ascontiguousarray(windows))[:, None])
            probabilities: npt.NDArray[np.floating[Any]] = logits.softmax(dim=1)[:, 1].numpy()
        return probabilities

    return score


def yamnet_clip_scores(model: Path, recordings: Iterable[npt.NDArray[Any]]) -> Scores:
    """YAMNet's best "Baby cry" score over windows of 0.975 s, half a window apart.

    Args:
        model: ``yamnet.tflite``, waveform in.
        recordings: each ``(n_samples,)`` at 16 kHz, int16 or float32; padded with silence to one
            window.

    Raises:
        BabycryError: the file is absent.
    """
    if not model.is_file():
        raise BabycryError(f"{model}: no such file: YAMNet stands there for comparison")
    interpreter = require("ai_edge_litert.interpreter", "tflite").Interpreter(
        str(model), num_threads=1
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def score(window: npt.NDArray[np.float32]) -> float:
        interpreter.set_tensor(source, window)
        interpreter.invoke()
        return float(interpreter.get_tensor(target).reshape(-1)[YAMNET_CLASS])

    return np.array([max(map(score, _yamnet_windows(audio))) for audio in recordings])


def _yamnet_windows(audio: npt.NDArray[Any]) -> list[npt.NDArray[np.float32]]:
    samples = as_float(audio)
    samples = np.pad(samples, (0, max(0, YAMNET_SAMPLES - len(samples))))
    starts = range(0, len(samples) - YAMNET_SAMPLES + 1, YAMNET_SAMPLES // 2)
    return [samples[start : start + YAMNET_SAMPLES] for start in starts]
