"""Which windows set the int8 ranges: every label, from the quietest recordings to the loudest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from babycry_convert.data.feature_cache import ClipWindows
from babycry_edge.errors import BabycryError
from babycry_edge.windows import Windows

#: Recordings of which every window is below this are silence, dBFS.
SILENCE_DB = -90.0


@dataclass(frozen=True)
class CalibrationWindows:
    """Windows ``(n, rows, F)`` float32; ``names`` are ``path#first_frame``, each once."""

    windows: Windows
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """A window: number of its clip, number within the clip, level in dBFS."""

    clip: int
    window: int
    level_db: float


def sample_windows(clips: Sequence[ClipWindows], count: int, seed: int) -> CalibrationWindows:
    """A balanced choice of ``count`` windows, or all there are.

    Labels take turns, so that each gives the same number as long as it has windows. Within a label
    one window of each recording is drawn, and the recordings are taken at even steps of its level;
    second windows are taken only when every recording of the label has given one.

    Raises:
        BabycryError: no clip, ``count`` below 1, nothing but silence, or windows that are all the
            same.
    """
    if count < 1:
        raise BabycryError(f"the number of calibration windows must be 1 or more, not {count}")
    _require_sound(clips)
    rng = np.random.default_rng(seed)
    by_label: dict[str, list[int]] = {}
    for number, clip in enumerate(clips):
        by_label.setdefault(clip.recording.label or "", []).append(number)
    labels = sorted(by_label)
    quotas = _quotas([sum(len(clips[n].windows) for n in by_label[name]) for name in labels], count)
    queues = [
        _spread(clips, by_label[name], quota, rng)
        for name, quota in zip(labels, quotas, strict=True)
    ]
    places = [queue[turn] for turn in range(max(quotas)) for queue in queues if turn < len(queue)]
    return CalibrationWindows(
        np.stack([clips[place.clip].windows[place.window] for place in places]),
        tuple(clips[place.clip].window_name(place.window) for place in places),
    )


def _require_sound(clips: Sequence[ClipWindows]) -> None:
    if not clips:
        raise BabycryError("there are no recordings to calibrate with")
    loudest = max(float(clip.levels_db.max()) for clip in clips)
    if loudest < SILENCE_DB:
        raise BabycryError(
            f"all {len(clips)} recordings are silent (the loudest window has {loudest:.0f} dBFS): "
            "give recordings with sound"
        )
    first = clips[0].windows[0]
    windows = sum(len(clip.windows) for clip in clips)
    if windows > 1 and all((clip.windows == first).all() for clip in clips):
        raise BabycryError(
            f"all {windows} windows of the recordings are the same: give different recordings"
        )


def _quotas(available: Sequence[int], count: int) -> list[int]:
    """How many windows each label gives when they take turns and some run out."""
    quotas = [0] * len(available)
    while sum(quotas) < count and any(q < a for q, a in zip(quotas, available, strict=True)):
        for index, limit in enumerate(available):
            if quotas[index] < limit and sum(quotas) < count:
                quotas[index] += 1
    return quotas


def _spread(
    clips: Sequence[ClipWindows], numbers: Sequence[int], quota: int, rng: np.random.Generator
) -> list[_Place]:
    """``quota`` windows of one label, in random order."""
    drawn = [(number, int(rng.integers(len(clips[number].windows)))) for number in numbers]
    first = [_place(clips, *place) for place in drawn]
    chosen = _over_levels(first, min(quota, len(first)))
    if quota > len(first):
        taken = set(drawn)
        rest = [
            _place(clips, number, window)
            for number in numbers
            for window in range(len(clips[number].windows))
            if (number, window) not in taken
        ]
        chosen += _over_levels(rest, quota - len(first))
    return [chosen[index] for index in rng.permutation(len(chosen))]


def _place(clips: Sequence[ClipWindows], number: int, window: int) -> _Place:
    return _Place(number, window, float(clips[number].levels_db[window]))


def _over_levels(places: Sequence[_Place], count: int) -> list[_Place]:
    """``count`` of the places at even steps of their rank by level."""
    ranked = sorted(places, key=lambda place: (place.level_db, place.clip, place.window))
    return [ranked[int((index + 0.5) * len(ranked) / count)] for index in range(count)]
