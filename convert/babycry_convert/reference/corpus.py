"""Every clip's features, as recorded and in altered renderings, ready for training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from babycry_convert.reference.dataset import (
    SAMPLE_RATE,
    Audio,
    Clip,
    FeatureExtractor,
    Features,
    degrade,
    load_audio,
    quieter,
)
from babycry_convert.reference.synthesis import synthesize
from babycry_edge.audio import resample

N_RENDERINGS = 4
N_SYNTHETIC = 400


@dataclass(frozen=True)
class Corpus:
    """Features ``(n_frames, 64)`` in dB, before normalisation, of each clip of ``clips``.

    ``clean``: as recorded. Only for evaluation: ``quieter``, 20 dB down, and ``degraded``, through
    8 kHz and 20 dB down.
    ``renderings[r]``: with another speed and perhaps a room and the 8 kHz band.
    ``synthetic``: sounds of :mod:`synthesis`. ``white``: white noise of unit variance, as power.
    """

    clips: Sequence[Clip]
    clean: list[Features]
    quieter: list[Features]
    degraded: list[Features]
    renderings: list[list[Features]]
    synthetic: list[Features]
    white: Features


def load_corpus(
    data: Path, clips: Sequence[Clip], seed: int, report: Callable[[int, int], None]
) -> Corpus:
    """Read and render all clips; ``report(done, total)`` is called after each clip.

    The result depends on the clips, ``seed`` and the front-end only.
    """
    extract = FeatureExtractor()
    clean: list[Features] = []
    quiet: list[Features] = []
    degraded: list[Features] = []
    renderings: list[list[Features]] = [[] for _ in range(N_RENDERINGS)]
    for index, clip in enumerate(clips):
        audio = load_audio(data, clip)
        clean.append(extract(audio))
        quiet.append(extract(quieter(audio)))
        degraded.append(extract(degrade(audio)))
        for number, rendering in enumerate(renderings):
            rng = np.random.default_rng([seed, 1, index, number])
            rendering.append(extract(render(audio, rng)))
        report(index + 1, len(clips))
    synthetic = [
        extract(synthesize(np.random.default_rng([seed, 2, i]))) for i in range(N_SYNTHETIC)
    ]
    noise = np.random.default_rng([seed, 3]).standard_normal(30 * SAMPLE_RATE)
    white = np.power(10, extract(noise.astype(np.float32)) / 10, dtype=np.float32)
    return Corpus(clips, clean, quiet, degraded, renderings, synthetic, white)


def render(audio: Audio, rng: np.random.Generator) -> Audio:
    """Another speed and pitch; at random in a room; at random through the 8 kHz band."""
    speed = rng.uniform(0.87, 1.15)
    altered = resample(audio, SAMPLE_RATE, round(SAMPLE_RATE / speed))
    if rng.random() < 0.35:
        altered = _in_room(altered, rng)
    if rng.random() < 0.5:
        altered = resample(resample(altered, SAMPLE_RATE, 8000), 8000, SAMPLE_RATE)
    return altered


def _in_room(audio: Audio, rng: np.random.Generator) -> Audio:
    """The direct sound plus noise that dies away by 60 dB in 0.1 to 0.6 s."""
    n_decay = int(rng.uniform(0.1, 0.6) * SAMPLE_RATE)
    tail = rng.standard_normal(n_decay) * np.exp(-6.9 * np.arange(n_decay) / n_decay)
    tail *= rng.uniform(0.1, 1) / np.sqrt((tail**2).sum())
    tail[0] += 1
    n_fft = 1 << (len(audio) + n_decay - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(audio, n_fft) * np.fft.rfft(tail, n_fft), n_fft)
    return wet[: len(audio)].astype(np.float32)
