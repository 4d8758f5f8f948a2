"""Signals that break front-ends: silence, clipping, impulses, constants, and hardly any samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from babycry_bench.clips import Clip
from babycry_edge.audio import resample

SAMPLE_RATE = 16000


def hard_signals() -> dict[str, NDArray[np.int16]]:
    """Signals of at least 0.3 s, ``(n,)`` int16 at 16 kHz, by name."""
    rng = np.random.default_rng(7)
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    sine = np.sin(2 * np.pi * 437.0 * time)
    impulses = np.zeros(SAMPLE_RATE, np.int16)
    impulses[[0, 1, 4999, 5000, 9001, SAMPLE_RATE - 1]] = [32767, -32768, 1, -1, 20000, 32767]
    return {
        "silence": np.zeros(SAMPLE_RATE, np.int16),
        "square wave at full scale": np.where(sine >= 0, 32767, -32768).astype(np.int16),
        "sine clipped at full scale": np.clip(sine * 60000, -32768, 32767).astype(np.int16),
        "sine at full scale": np.round(sine * 32767).astype(np.int16),
        "impulses": impulses,
        "direct current at full scale": np.full(SAMPLE_RATE, -32768, np.int16),
        "direct current of one step": np.ones(SAMPLE_RATE, np.int16),
        "noise of one step": rng.integers(-1, 2, SAMPLE_RATE).astype(np.int16),
        "noise at full scale": rng.integers(-32768, 32768, SAMPLE_RATE).astype(np.int16),
        "silence, then a shout": np.concatenate(
            [np.zeros(6000, np.int16), np.round(sine[:10000] * 30000).astype(np.int16)]
        ),
    }


def out_of_band_signals() -> dict[str, NDArray[np.int16]]:
    """Full-scale signals of one second with next to nothing in a profile's bands."""
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    return {
        "alternating full scale": np.tile(np.array([32767, -32768], np.int16), SAMPLE_RATE // 2),
        "tone at 10 Hz": np.round(32767 * np.sin(2 * np.pi * 10.0 * time)).astype(np.int16),
        "tone at 7900 Hz": np.round(32767 * np.sin(2 * np.pi * 7900.0 * time)).astype(np.int16),
        "direct current": np.full(SAMPLE_RATE, -32768, np.int16),
    }


def short_signals(n_fft: int, hop_length: int) -> dict[str, NDArray[np.int16]]:
    """Noise of every length at which framing changes its mind, from empty up."""
    rng = np.random.default_rng(8)
    half = n_fft // 2
    lengths = {0, 1, 2, half - 1, half, half + 1, n_fft - 1, n_fft, n_fft + 1}
    lengths |= {hop_length - 1, hop_length, hop_length + 1, n_fft + hop_length}
    return {
        f"{n} samples": rng.integers(-20000, 20000, n).astype(np.int16) for n in sorted(lengths)
    }


def at_16_khz(clip: Clip) -> NDArray[np.float32]:
    """The clip's samples as float32 at 16 kHz, resampled where it was recorded at 8 kHz."""
    return resample(clip.samples, clip.sample_rate, SAMPLE_RATE)


def as_double(samples: NDArray[np.int16] | NDArray[np.float32]) -> NDArray[np.float64]:
    """int16 over 32768, float as it is: exact."""
    scale = 32768.0 if samples.dtype == np.int16 else 1.0
    return np.asarray(samples / np.float64(scale), dtype=np.float64)
