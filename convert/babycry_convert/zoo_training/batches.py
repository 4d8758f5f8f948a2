"""Training batches: random windows of recordings, labels in balance, bands and frames masked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from babycry_convert.data.feature_cache import ClipWindows
from babycry_edge.windows import Windows

#: Windows this much quieter than their clip's loudest are pauses and say nothing of its label.
PAUSE_DB = 20.0

#: A label's share of the batches grows with this power of its number of recordings.
BALANCE = 0.5

#: Longest mask, as a share of the frames and of the values.
LONGEST_MASK = 0.15


class Batches:
    """Random windows of ``clips`` with ``names`` as classes; ``rng`` decides everything."""

    def __init__(
        self, clips: Sequence[ClipWindows], names: Sequence[str], rng: np.random.Generator
    ) -> None:
        self._rng = rng
        self._clips = clips
        self._by_class = [
            [n for n, clip in enumerate(clips) if clip.recording.label == name] for name in names
        ]
        weights = np.array([len(members) for members in self._by_class]) ** BALANCE
        self._weights = weights / weights.sum()
        self._loud = [
            np.flatnonzero(clip.levels_db >= clip.levels_db.max() - PAUSE_DB) for clip in clips
        ]

    def draw(
        self, size: int, masks: bool = False, roll: float = 0.0
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Windows ``(size, 1, T, F)`` as the model sees them, and their classes ``(size,)``.

        Args:
            size: windows in the batch.
            masks: SpecAugment: in half of the windows a stretch of time is the window's mean, in
                half some bands.
            roll: windows are turned in time by up to this share of their length, either way.
        """
        rng = self._rng
        classes = rng.choice(len(self._by_class), size, p=self._weights)
        windows = np.stack([self._window(number) for number in classes])
        for index, window in enumerate(windows):
            if roll:
                shift = round(rng.uniform(-roll, roll) * len(window))
                window[:] = np.roll(window, shift, axis=0)
            if masks:
                _mask(windows[index], rng)
        return windows[:, None], classes.astype(np.int64)

    def _window(self, number: int) -> Windows:
        members = self._by_class[number]
        clip = members[self._rng.integers(len(members))]
        loud = self._loud[clip]
        return np.asarray(self._clips[clip].windows[loud[self._rng.integers(len(loud))]])


def _mask(window: Windows, rng: np.random.Generator) -> None:
    mean = window.mean()
    for axis in (0, 1):
        longest = int(LONGEST_MASK * window.shape[axis])
        if longest and rng.random() < 0.5:
            width = int(rng.integers(1, longest + 1))
            start = int(rng.integers(window.shape[axis] - width + 1))
            place = slice(start, start + width)
            window[place if axis == 0 else (slice(None), place)] = mean
