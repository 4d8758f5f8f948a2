"""Scores of whole clips: of int8 files against float, and of two files against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.clip_audio import at_rate
from babycry_bench.clips import Clip
from babycry_edge import Detector


@dataclass(frozen=True)
class ClipScore:
    """What a detector says of one clip: its score, the decision, and every window's score."""

    clip: str
    score: float
    detected: bool
    window_scores: npt.NDArray[np.float64]


def score_clips(
    detector: Detector, clips: Sequence[Clip], on_clip: Callable[[], object] = lambda: None
) -> list[ClipScore]:
    """The detector's answer on each clip, in order."""
    rate = detector.model.metadata.frontend.sample_rate
    scores = []
    for clip in clips:
        detection = detector.detect(at_rate(clip, rate), rate)
        window_scores = np.asarray(detection.window_scores, dtype=np.float64).reshape(-1)
        scores.append(ClipScore(clip.name, detection.score, detection.detected, window_scores))
        on_clip()
    return scores


@dataclass(frozen=True)
class Disagreement:
    """How far two lists of answers on the same clips are apart. Scores run from 0 to 1."""

    clips: int
    windows: int
    max_clip_score: float
    max_window_score: float
    mean_window_score: float
    decision_changes: int
    worst_clip: str

    def to_dict(self, noun: str) -> dict[str, Any]:
        """The record in the report; ``noun`` is "error" against a reference, or "difference"."""
        return {
            "clips": self.clips,
            "windows": self.windows,
            f"max_clip_score_{noun}": self.max_clip_score,
            f"max_window_score_{noun}": self.max_window_score,
            f"mean_window_score_{noun}": self.mean_window_score,
            "decision_changes": self.decision_changes,
            "worst_clip": self.worst_clip,
        }


def disagreement(ours: Sequence[ClipScore], theirs: Sequence[ClipScore]) -> Disagreement:
    """Compare answers clip by clip. A different number of windows counts as a full error of 1."""
    clip_errors, window_errors = [], []
    for one, other in zip(ours, theirs, strict=True):
        clip_errors.append(abs(one.score - other.score))
        if one.window_scores.shape == other.window_scores.shape:
            window_errors.append(np.abs(one.window_scores - other.window_scores))
        else:
            window_errors.append(np.ones(max(one.window_scores.size, 1)))
    errors = np.concatenate(window_errors)
    worst = int(np.argmax(clip_errors))
    return Disagreement(
        clips=len(clip_errors),
        windows=errors.size,
        max_clip_score=float(clip_errors[worst]),
        max_window_score=float(errors.max(initial=0.0)),
        mean_window_score=float(errors.mean()),
        decision_changes=sum(
            one.detected != other.detected for one, other in zip(ours, theirs, strict=True)
        ),
        worst_clip=ours[worst].clip,
    )
