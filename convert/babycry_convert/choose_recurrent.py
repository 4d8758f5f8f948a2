"""The choice of :mod:`choose` for a TFLite file whose recurrent layers are cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate.ranges import Observations, RangeSettings
from babycry_convert.choose import NEGLIGIBLE_LOSS, Candidate, Settings, compare
from babycry_convert.hub import Network
from babycry_convert.recipe import CalibrationPlan, Recipe
from babycry_convert.recurrence import Form, RecurrentFiles, RecurrentParts
from babycry_convert.targets import tflite_logits
from babycry_edge.progress import Track

Windows = npt.NDArray[np.float32]


def choose_recurrent(
    network: Network,
    parts: RecurrentParts,
    calibration: Windows,
    judged: Windows,
    recipe: Recipe,
    form: Form,
    track: Track,
) -> tuple[RecurrentFiles, tuple[Candidate, ...], str]:
    """The best files, what was tried, and how the best were made.

    Args:
        network: as read.
        parts: of the network.
        calibration: windows that set the ranges, float32 ``(n, T, F)``.
        judged: windows that compare the candidates.
        recipe: its calibration plan and activation.
        form: of the recurrence.
        track: announces parts of the work.
    """
    activation = recipe.labels.activation
    reference = network.logits(judged)
    best: tuple[float, RecurrentFiles, Candidate] | None = None
    tried = []
    for ranges in _methods(recipe.calibration):
        advance = track(f"tflite: {ranges}", 1)
        files = parts.files(calibration, form, _finder(ranges))
        figures = compare(
            reference, tflite_logits(files.int8_tflite, judged, files.recurrence), activation
        )
        advance()
        candidate = Candidate("tflite", Settings(ranges), figures)
        tried.append(candidate)
        if best is None or figures.loss < best[0]:
            best = (figures.loss, files, candidate)
        if figures.loss <= NEGLIGIBLE_LOSS:
            break
    assert best is not None
    return best[1], tuple(tried), str(best[2].settings)


def _methods(plan: CalibrationPlan) -> tuple[RangeSettings, ...]:
    if plan.method != "auto":
        return (RangeSettings(plan.method, plan.percentile),)
    return (
        RangeSettings("min_max"),
        RangeSettings("sample_quantile", 97.0),
        RangeSettings("percentile", plan.percentile),
        RangeSettings("mse"),
    )


def _finder(settings: RangeSettings) -> Callable[[Any], dict[str, tuple[float, float]]]:
    return lambda feed: dict(Observations(feed).ranges(settings))
