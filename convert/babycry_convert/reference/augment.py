"""Training batches: random windows, mixed, filtered, levelled, padded and masked.

Everything here works on power per mel band, where sounds add (cross terms are left out), a filter
is a factor per band and gain is one factor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from babycry_convert.reference.corpus import Corpus
from babycry_convert.reference.dataset import TARGET, WINDOW_FRAMES, Features

Generator = np.random.Generator
Power = npt.NDArray[np.float64]

#: The front-end's amin: no band's power is below it.
FLOOR = 1e-10
#: Variance of rounding to int16, full scale 1.0.
ROUNDING_VARIANCE = 1 / (12 * 32768**2)

#: How often a window without a cry is drawn from each kind of sound.
BACKGROUND_SHARE = 0.07
STACCATO_SHARE = 0.25
SYNTHETIC_SHARE = 0.15
LABEL_WEIGHTS = {
    "animal": 2.0,
    "laugh": 1.5,
    "noise": 1.0,
    "music": 1.0,
    "speech": 1.0,
    "silence": 0.6,
}
#: Unaltered clips are drawn in this share; otherwise one of their renderings.
CLEAN_SHARE = 3 / 7


class Batches:
    """Random training batches from the chosen clips of a corpus."""

    def __init__(self, corpus: Corpus, chosen: Sequence[int], rng: Generator) -> None:
        self._rng = rng
        self._corpus = corpus
        self._by_label: dict[str, list[int]] = {}
        for index in chosen:
            self._by_label.setdefault(corpus.clips[index].label, []).append(index)
        self._negatives = sorted(label for label in self._by_label if label != TARGET)
        weights = np.array([LABEL_WEIGHTS[label] for label in self._negatives])
        self._weights = weights / weights.sum()
        self._noise_mean = corpus.white.mean(axis=0, dtype=np.float64)
        self._noise_shape = self._noise_mean**2 / corpus.white.var(axis=0, dtype=np.float64)

    def draw(self, size: int) -> tuple[Features, npt.NDArray[np.int64]]:
        """Windows ``(size, 1, 100, 64)`` as the model sees them; labels ``(size,)``, 1 = cry."""
        labels = (self._rng.random(size) < 0.5).astype(np.int64)
        power = _power(np.stack([self._cry() if label else self._other() for label in labels]))
        power = self._mix(power, labels)
        power = self._filter_and_level(power)
        power = self._add_noise(power)
        self._cut_short(power)
        decibels = 10 * np.log10(np.maximum(power, FLOOR))
        decibels -= decibels.mean(axis=(1, 2), keepdims=True)
        self._mask(decibels)
        return decibels[:, None].astype(np.float32), labels

    def _features(self, label: str) -> Features:
        clips = self._by_label[label]
        index = clips[self._rng.integers(len(clips))]
        if self._rng.random() < CLEAN_SHARE:
            return self._corpus.clean[index]
        renderings = self._corpus.renderings
        return renderings[self._rng.integers(len(renderings))][index]

    def _cry(self) -> Features:
        """The louder of two random windows: clips have pauses that are no cry."""
        features = self._features(TARGET)
        starts = self._rng.integers(len(features) - WINDOW_FRAMES + 1, size=2)
        candidates = [features[start : start + WINDOW_FRAMES] for start in starts]
        return max(candidates, key=lambda window: float(window.max(axis=1).mean()))

    def _other(self) -> Features:
        kind = self._rng.random()
        if kind < BACKGROUND_SHARE:
            return self._background()
        if kind < BACKGROUND_SHARE + STACCATO_SHARE:
            return self._staccato()
        return self._recorded()

    def _recorded(self) -> Features:
        """A window of a clip without cry, or of a synthetic sound."""
        if self._rng.random() < SYNTHETIC_SHARE:
            synthetic = self._corpus.synthetic
            return _cut(synthetic[self._rng.integers(len(synthetic))], self._rng)
        return _cut(self._features(self._rng.choice(self._negatives, p=self._weights)), self._rng)

    def _background(self) -> Features:
        """What is heard between the cries of a cry clip: the room must not mean "cry"."""
        for _ in range(20):
            features = self._features(TARGET)
            level = features[:, 8:].max(axis=1)
            bound = min(np.quantile(level, 0.95) - 18, np.quantile(level, 0.35))
            quiet = np.flatnonzero(level < bound)
            if len(quiet) >= 8:
                return features[_runs(quiet, self._rng)]
        return self._recorded()

    def _staccato(self) -> Features:
        """Bursts of 60 to 160 ms at 4 to 8 a second, cut from cries, animals and speech.

        Laughter is built like this from the sounds that crying is built from, and the recordings
        have only one laughing voice.
        """
        rng = self._rng
        label = rng.choice([TARGET, TARGET, "animal", "speech"])
        source = self._cry() if label == TARGET else self._of(label)
        power = _staccato(source, rng)
        behind = _power(self._background() if rng.random() < 0.6 else self._recorded())
        behind /= max(float(behind.mean()), 1e-12)
        if rng.random() < 0.15:
            behind *= 0
        ratio = 10 ** (-rng.uniform(12, 40) / 10)
        mixed = power + behind * ratio * max(float(power.mean()), 1e-6)
        return np.asarray(10 * np.log10(np.maximum(1e-3 * mixed, FLOOR)), np.float32)

    def _of(self, label: str) -> Features:
        return _cut(self._features(label if label in self._by_label else TARGET), self._rng)

    def _mix(self, power: Power, labels: npt.NDArray[np.int64]) -> Power:
        """Half of the windows get another sound without cry beneath (or, without cry, above)."""
        n = len(power)
        other = _power(np.stack([self._recorded() for _ in labels]))
        mixed = self._rng.random(n) < 0.5
        ratio_db = np.where(
            labels == 1, self._rng.uniform(-3, 30, n), self._rng.uniform(-10, 30, n)
        )
        level = power.mean(axis=(1, 2)) / np.maximum(other.mean(axis=(1, 2)), 1e-12)
        factor = mixed * level * 10 ** (-ratio_db / 10)
        return np.asarray(power + factor[:, None, None] * other)

    def _filter_and_level(self, power: Power) -> Power:
        """A smooth random frequency response, a tilt and, for most, a level of -70 to -5 dB."""
        n, _, bands = power.shape
        knots = self._rng.normal(0, 1, (n, 5)) * self._rng.uniform(0, 6, (n, 1))
        places = np.linspace(0, bands - 1, 5)
        curve = np.stack([np.interp(np.arange(bands), places, knot) for knot in knots])
        curve += self._rng.normal(0, 4, (n, 1)) * np.linspace(-1, 1, bands)
        level = 10 * np.log10(np.maximum(power.mean(axis=(1, 2)), FLOOR))
        gain = np.where(self._rng.random(n) < 0.8, self._rng.uniform(-70, -5, n) - level, 0)
        return np.asarray(power * 10 ** ((curve + gain[:, None]) / 10)[:, None, :])

    def _add_noise(self, power: Power) -> Power:
        """Rounding to int16, or a microphone's noise at least 10 dB below the sound."""
        n, _, bands = power.shape
        rounding = self._noise_mean * ROUNDING_VARIANCE
        factor = np.where(
            self._rng.random(n) < 0.4,
            10 ** (self._rng.uniform(-20, 40, n) / 10),
            self._rng.random(n) < 0.7,
        )
        loudest = np.maximum(1, power.mean(axis=(1, 2)) / 10 / rounding.mean())
        factor = np.minimum(factor, loudest)
        tilt = 10 ** (self._rng.normal(0, 0.5, (n, 1)) * np.linspace(-1, 1, bands))
        ripple = self._rng.gamma(self._noise_shape, 1 / self._noise_shape, power.shape)
        return np.asarray(power + (factor[:, None] * tilt * rounding)[:, None, :] * ripple)

    def _cut_short(self, power: Power) -> None:
        """Digital silence at one end of every fifth window: clips shorter than a window."""
        for index in np.flatnonzero(self._rng.random(len(power)) < 0.2):
            kept = self._rng.integers(30, WINDOW_FRAMES - 2)
            if self._rng.random() < 0.8:
                power[index, kept:] = 0
            else:
                power[index, : WINDOW_FRAMES - kept] = 0

    def _mask(self, decibels: Power) -> None:
        """SpecAugment: in half of the windows a stretch of time is the mean, in half some bands."""
        for window in decibels:
            for axis, longest in ((0, 20), (1, 9)):
                if self._rng.random() < 0.5:
                    width = self._rng.integers(1, longest)
                    start = self._rng.integers(window.shape[axis] - width)
                    place = slice(start, start + width)
                    window[(place, slice(None)) if axis == 0 else (slice(None), place)] = 0


def _power(decibels: Features) -> Power:
    return np.asarray(10 ** (decibels.astype(np.float64) / 10) - 0.9 * FLOOR)


def _cut(features: Features, rng: Generator) -> Features:
    start = rng.integers(len(features) - WINDOW_FRAMES + 1)
    return features[start : start + WINDOW_FRAMES]


def _runs(frames: npt.NDArray[np.int64], rng: Generator) -> npt.NDArray[np.int64]:
    """One window of short runs of the given frame numbers, in random order."""
    runs: list[npt.NDArray[np.int64]] = []
    while sum(map(len, runs)) < WINDOW_FRAMES:
        start = rng.integers(len(frames))
        runs.append(frames[start : start + rng.integers(1, 12)])
    return np.concatenate(runs)[:WINDOW_FRAMES]


def _staccato(source: Features, rng: Generator) -> Power:
    """Series of bursts cut from the loud frames of ``source`` (dB), as power, with a short echo."""
    source = source - np.quantile(source, 0.98)
    level = source[:, 10:].max(axis=1)
    loud = np.flatnonzero(level > level.max() - 10)
    power: Power = np.zeros(source.shape)
    lower_by = int(rng.integers(-2, 9))
    start = rng.uniform(-8, 30)
    while start < WINDOW_FRAMES:
        start += _series(power, source, loud, start, lower_by, rng) + rng.uniform(4, 80)
    echo = 0.25 * rng.uniform(0.2, 0.75)
    for frame in range(1, WINDOW_FRAMES):
        power[frame] += echo * power[frame - 1]
    return power


def _series(
    power: Power,
    source: Features,
    loud: npt.NDArray[np.int64],
    start: float,
    lower_by: int,
    rng: Generator,
) -> float:
    """Add one series of bursts, softer and lower one after the other; its length in frames."""
    period = 50 / rng.uniform(3.8, 8)
    duty, count = rng.uniform(0.3, 0.6), int(rng.integers(2, 10))
    softer, lower, gain = rng.uniform(0, 3), rng.uniform(-0.3, 0.9), rng.uniform(-9, 0)
    for number in range(count):
        begin = start + number * period + rng.normal(0, 0.4)
        length = max(2.0, duty * period * rng.uniform(0.7, 1.3))
        distance = np.abs(np.arange(WINDOW_FRAMES) - begin - length / 2) - length / 2
        envelope = np.clip(1 - distance / 1.2, 0, 1)
        frames = np.flatnonzero(envelope > 0)
        if len(frames) == 0:
            continue
        middle = loud[rng.integers(len(loud))] - len(frames) // 2
        taken = source[np.clip(middle + np.arange(len(frames)), 0, WINDOW_FRAMES - 1)]
        burst = _shift_bands(taken, int(np.clip(lower_by + round(number * lower), -4, 14)))
        burst = burst + gain - softer * number + rng.normal(0, 1)
        power[frames] += 10 ** (burst / 10) * (envelope[frames] ** 2)[:, None]
    return count * period


def _shift_bands(decibels: Features, lower_by: int) -> Features:
    """Move a sound down by so many mel bands; what is missing falls by 3 dB a band."""
    shifted = np.roll(decibels, -lower_by, axis=1)
    if lower_by > 0:
        shifted[:, -lower_by:] = shifted[:, [-lower_by - 1]] - 3 * np.arange(1, lower_by + 1)
    elif lower_by < 0:
        shifted[:, :-lower_by] = -50
    return shifted
