"""Synthetic sounds that are no cries: noises, sirens, beeps, chords, clicks, voiced syllables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from babycry_convert.reference.dataset import SAMPLE_RATE

Signal = npt.NDArray[np.float64]
Generator = np.random.Generator

DURATION_S = 4.0


def synthesize(rng: Generator) -> npt.NDArray[np.float32]:
    """One sound of 4 s at 16 kHz, ``(64000,)``, at -26 dBFS RMS."""
    time = np.arange(int(DURATION_S * SAMPLE_RATE)) / SAMPLE_RATE
    signal = _SOUNDS[rng.integers(len(_SOUNDS))](rng, time)
    return np.asarray(0.05 * signal / signal.std(), np.float32)


def colored_noise(rng: Generator, n: int) -> Signal:
    """Noise of unit RMS whose power falls as f^-a, a from -1 to 2."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum *= np.arange(1, len(spectrum) + 1) ** (-rng.uniform(-1, 2) / 2)
    noise = np.fft.irfft(spectrum, n)
    return np.asarray(noise / noise.std())


def _modulated_noise(rng: Generator, time: Signal) -> Signal:
    swell = np.sin(2 * np.pi * rng.uniform(0.2, 8) * time + rng.uniform(0, 6))
    return colored_noise(rng, len(time)) * (1 + rng.uniform(0, 1) * swell)


def _siren(rng: Generator, time: Signal) -> Signal:
    sweep = np.sin(2 * np.pi * rng.uniform(0.1, 5) * time)
    if rng.random() < 0.5:
        sweep = np.sign(sweep)
    frequency = rng.uniform(300, 1500) * (1 + rng.uniform(0.1, 0.6) * sweep / 2)
    return _harmonics(rng, frequency, int(rng.integers(2, 7)))


def _beeps(rng: Generator, time: Signal) -> Signal:
    gate = np.sin(2 * np.pi * rng.uniform(0.5, 8) * time) > rng.uniform(-0.5, 0.9)
    smooth = np.convolve(gate, np.ones(80) / 80, mode="same")
    tone = _harmonics(rng, np.full(len(time), rng.uniform(200, 3500)), int(rng.integers(2, 5)))
    return np.asarray(smooth * tone + 1e-6 * rng.standard_normal(len(time)))


def _chord(rng: Generator, time: Signal) -> Signal:
    notes = [
        _harmonics(rng, np.full(len(time), rng.uniform(80, 1500)), 8)
        for _ in range(rng.integers(1, 5))
    ]
    return np.asarray(sum(notes))


def _clicks(rng: Generator, time: Signal) -> Signal:
    impulses = np.zeros(len(time))
    impulses[rng.integers(0, len(time), rng.integers(2, 60))] = 3 * rng.standard_normal()
    ringing = _resonate(impulses, rng.uniform(250, 3800), bandwidth=155)
    return np.asarray(ringing / ringing.std() + 1e-2 * colored_noise(rng, len(time)))


def _syllables(rng: Generator, time: Signal) -> Signal:
    """Voiced bursts at 3 to 7 a second through three formants, with pauses."""
    rate = rng.uniform(3, 7)
    drift = 0.2 * np.sin(2 * np.pi * rng.uniform(0.2, 1) * time)
    pitch = rng.uniform(90, 420) * (1 + 0.15 * np.sin(2 * np.pi * rate * time) + drift)
    cycles = np.floor(np.cumsum(pitch) / SAMPLE_RATE)
    voice = np.diff(cycles, prepend=0) + 0.05 * rng.standard_normal(len(time))
    for low, high in ((300, 1000), (900, 2500), (2200, 3500)):
        voice = _resonate(voice, rng.uniform(low, high), bandwidth=rng.uniform(80, 250))
    bursts = np.clip(np.sin(2 * np.pi * rate * time + 1), 0, None) ** rng.uniform(0.5, 3)
    phrase = np.sin(2 * np.pi * rng.uniform(0.15, 0.6) * time + rng.uniform(0, 6)) > -0.3
    voice = voice * bursts * phrase
    return np.asarray(voice / voice.std() + 1e-2 * colored_noise(rng, len(time)))


_SOUNDS: tuple[Callable[[Generator, Signal], Signal], ...] = (
    _modulated_noise,
    _siren,
    _beeps,
    _chord,
    _clicks,
    _syllables,
)


def _harmonics(rng: Generator, frequency: Signal, count: int) -> Signal:
    """Partials of random strength below 7 kHz; ``frequency`` in Hz for each sample."""
    phase = 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE
    partials = [
        rng.uniform(0.05, 1) / k * np.sin(k * phase + rng.uniform(0, 6))
        for k in range(1, count + 1)
        if k == 1 or k * frequency.max() < 7000
    ]
    return np.asarray(sum(partials))


def _resonate(signal: Signal, frequency: float, bandwidth: float) -> Signal:
    """A two-pole resonance (Hz), applied as its frequency response."""
    radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
    angle = 2 * np.pi * frequency / SAMPLE_RATE
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(len(signal)))
    response = (1 - radius) / (1 - 2 * radius * np.cos(angle) * z + radius**2 * z**2)
    return np.fft.irfft(np.fft.rfft(signal) * response, len(signal))
