"""An explanation in words, and as a record fit for JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from babycry_edge.config import FrontendConfig
from babycry_edge.mismatch.explain import Difference, Explanation

FAR_DB = 0.05
"""Above this a value is said to differ."""

_GAINS = {
    "int16": "samples at int16 scale (32768 times ours)",
    "int16-max": "samples times 32767",
    "int32": "samples at int32 scale (2^31 times ours)",
    "peak": "the recording scaled to a peak of 1.0",
    "1/n_fft": "power divided by n_fft",
    "1/n_fft^2": "power divided by n_fft squared",
    "window-power": "power divided by the sum of the squared window",
    "window-sum": "the spectrum divided by the sum of the window",
    "int16,1/n_fft": "samples at int16 scale (32768 times ours) and power divided by n_fft",
}


def sentence(explanation: Explanation) -> str:
    """One sentence: what differs and how near that comes."""
    named = [*_phrases(explanation.differences)]
    near = _decibels(explanation.largest_db) + _rounding(explanation)
    if explanation.status == "equal":
        return f"your features are ours: the largest difference is {near}"
    if explanation.status == "explained":
        changes = "this change" if len(named) == 1 else f"these {len(named)} changes"
        return (
            f"your features were made with {_listed(named)}; "
            f"with {changes} the largest difference is {near}"
        )
    where = _listed(where_it_differs(explanation))
    if explanation.likeness < 0.5:
        return (
            "nothing that was tried explains your features: they do not follow this recording "
            f"(the best try accounts for {100 * explanation.likeness:.0f} % of their variation)"
        )
    tried = f"with {_listed(named)} " if named else "with our front-end as it is "
    start = "nothing that was tried explains your features to the end: the nearest is"
    if explanation.status == "partly":
        start = "your features are explained in part:"
    return (
        f"{start} {tried}with a mean difference of {_decibels(explanation.mean_db)} and a largest "
        f"of {_decibels(explanation.largest_db)}" + (f"; {where}" if where else "")
    )


def record(explanation: Explanation) -> dict[str, Any]:
    """All of it as plain values."""
    config = explanation.config
    return {
        "status": explanation.status,
        "sentence": sentence(explanation),
        "axes": [
            {"axis": item.axis, "theirs": item.theirs, "ours": item.ours}
            for item in explanation.differences
        ],
        "largest_db": _finite(explanation.largest_db),
        "mean_db": _finite(explanation.mean_db),
        "likeness": explanation.likeness,
        "where": where_it_differs(explanation),
        "trials": explanation.trials,
        "frontend": None if config is None else config.to_dict(),
        "frontend_largest_db": explanation.frontend_largest_db,
    }


def settings(config: FrontendConfig, base: FrontendConfig) -> list[str]:
    """``axis=value`` for every axis of ``config`` that differs from ``base``."""
    ours = base.to_dict()
    return [
        f"{axis}={_value(value)}"
        for axis, value in config.to_dict().items()
        if axis not in ("profile", "version") and value != ours[axis]
    ]


def where_it_differs(explanation: Explanation) -> list[str]:
    """Which frames, features and levels hold what is left: only what sets them apart."""
    differences = explanation.match.differences
    judged = np.isfinite(differences)
    if explanation.status in ("equal", "explained") or not judged.any():
        return []
    far = judged & (np.where(judged, differences, 0.0) > FAR_DB)
    found = [_ends(far), _features(far), _quiet(far, explanation), _growth(differences, judged)]
    return [text for text in found if text]


def _ends(far: Any) -> str:
    """The first and last frames, if all differences lie there."""
    n_frames = len(far)
    frames = np.flatnonzero(far.any(axis=1))
    reach = max(1, n_frames // 10)
    if len(frames) == 0 or np.any((frames >= reach) & (frames < n_frames - reach)):
        return ""
    first, last = frames[frames < reach], frames[frames >= n_frames - reach]
    parts = []
    if len(first):
        parts.append(f"the first {first[-1] + 1}")
    if len(last):
        parts.append(f"the last {n_frames - last[0]}")
    return f"only {' and '.join(parts)} of {n_frames} frames differ"


def _features(far: Any) -> str:
    n_features = far.shape[1]
    features = np.flatnonzero(far.any(axis=0))
    if len(features) == 0 or len(features) > n_features // 2:
        return ""
    if features[-1] - features[0] + 1 > n_features // 2:
        return ""
    if features[0] == features[-1]:
        return f"only feature {features[0]} (counted from 0) differs"
    return f"only features {features[0]} to {features[-1]} (counted from 0) differ"


def _quiet(far: Any, explanation: Explanation) -> str:
    level = explanation.match.level_db
    if level is None or not far.any():
        return ""
    loudest = float(level[far].max())
    return f"only bands {-loudest:.0f} dB and more below the peak differ" if loudest < -40 else ""


def _growth(differences: Any, judged: Any) -> str:
    values = np.where(judged, differences, 0.0)
    counts = judged.sum(axis=1)
    thirds = np.array_split(np.arange(len(values)), 3)
    means = [values[rows].sum() / max(1, counts[rows].sum()) for rows in thirds]
    if means[1] > 2 * means[0] and means[2] > 1.3 * means[1] and means[2] > FAR_DB:
        return "the difference grows with time, as with another sample rate or clock"
    return ""


def _phrases(differences: tuple[Difference, ...]) -> list[str]:
    axes = {item.axis: item for item in differences}
    phrases = [_phrase(item) for item in differences if item.axis not in ("scale", "offset")]
    if "scale" in axes and "offset" in axes:
        scale, offset = axes["scale"].theirs, axes["offset"].theirs
        phrases.append(f"values multiplied by {scale:.5g} and {offset:.5g} added")
    elif "scale" in axes:
        phrases.append(f"values multiplied by {axes['scale'].theirs:.5g}")
    elif "offset" in axes:
        phrases.append(f"{axes['offset'].theirs:.5g} added to all values")
    return phrases


def _phrase(item: Difference) -> str:
    theirs = item.theirs
    special = {
        "layout": "the array transposed (features first)",
        "band_rate": f"bands laid out for {theirs} Hz (ours: {item.ours} Hz)",
        "n_frames": f"{theirs} frames (ours: {item.ours}), cut or padded at the end",
        "rounding": f"values rounded to {theirs}",
        "channel": f"the {theirs} channel (ours: the mean of all channels)",
        "signal_preemphasis": f"pre-emphasis of {theirs} over the whole recording (ours: none)",
    }
    if item.axis in special:
        return special[item.axis]
    if item.axis == "gain":
        return _GAINS.get(str(theirs), f"gain={theirs}")
    if item.axis == "start":
        if theirs > 0:
            return f"the recording's first {theirs} samples cut off"
        return f"{-theirs} zeros before the recording"
    if item.axis == "first_frame":
        if theirs > 0:
            return (
                "the first frame dropped" if theirs == 1 else f"the first {theirs} frames dropped"
            )
        return "one more frame at the start"
    if item.axis == "resampler" and theirs == "none":
        return "the recording not resampled: its samples taken for those of our rate"
    return f"{item.axis}={_value(theirs)} (ours: {_value(item.ours)})"


def _listed(phrases: list[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _rounding(explanation: Explanation) -> str:
    target = explanation.target
    if target.rounding == "none":
        return ""
    return ", no more than the rounding" if explanation.match.excess == 0.0 else " after rounding"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _decibels(value: float) -> str:
    if not np.isfinite(value):
        return "any number of dB"
    if value < 0.0001:
        return "less than 0.0001 dB"
    return f"{value:.4f} dB" if value < 1 else f"{value:.1f} dB"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
