"""A recording as other programs would have read it: other channels, rates and resamplers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.audio import open_audio, resample
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

Signal = npt.NDArray[np.float64]

RESAMPLERS = ("soxr-hq", "sinc-hann", "kaiser-polyphase", "fourier", "linear")
"""soxr; torchaudio's default; scipy.signal.resample_poly's; scipy.signal.resample; np.interp."""

CHANNELS = ("mean", "first", "second")


@dataclass(frozen=True)
class Recording:
    """``samples``: (n_samples, n_channels) float64, full scale 1.0, at ``sample_rate`` Hz."""

    samples: Signal
    sample_rate: int

    @classmethod
    def from_file(cls, path: Path) -> Recording:
        """Every channel of a sound file.

        Raises:
            BabycryError: the file is absent, unreadable, empty or not finite.
        """
        file = open_audio(path)
        soundfile = require("soundfile", "audio")
        try:
            samples, _ = soundfile.read(str(path), dtype="float64", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise BabycryError(f"{path}: cannot be read as audio ({error})") from None
        if not np.isfinite(samples).all():
            raise BabycryError(f"{path}: a sample is NaN or infinite")
        return cls(samples, file.sample_rate)

    @property
    def n_channels(self) -> int:
        return int(self.samples.shape[1])

    def signal(self, channel: str, rate: int, resampler: str) -> Signal:
        """One channel at ``rate`` Hz, (n_samples,)."""
        if channel == "mean":
            mono = self.samples.mean(axis=1)
        else:
            mono = self.samples[:, CHANNELS.index(channel) - 1]
        return resampled(np.ascontiguousarray(mono), self.sample_rate, rate, resampler)


def resampled(signal: Signal, rate: int, to_rate: int, resampler: str) -> Signal:
    """``signal``, (n_samples,), from one rate in Hz to another, as one of RESAMPLERS does it."""
    if rate == to_rate:
        return signal
    if resampler == "soxr-hq":
        return resample(signal.astype(np.float32), rate, to_rate).astype(np.float64)
    divisor = math.gcd(rate, to_rate)
    down, up = rate // divisor, to_rate // divisor
    functions: dict[str, Any] = {
        "sinc-hann": _sinc_hann,
        "kaiser-polyphase": _kaiser_polyphase,
        "fourier": _fourier,
        "linear": _linear,
    }
    result: Signal = functions[resampler](signal, up, down)
    return result


def _linear(signal: Signal, up: int, down: int) -> Signal:
    n = len(signal) * up // down
    return np.asarray(np.interp(np.arange(n) * (down / up), np.arange(len(signal)), signal))


def _fourier(signal: Signal, up: int, down: int) -> Signal:
    """The spectrum cut or extended with zeros: scipy.signal.resample."""
    n = len(signal)
    to_n = -(-n * up // down)
    spectrum = np.fft.rfft(signal)
    kept = np.zeros(to_n // 2 + 1, complex)
    size = min(n, to_n) // 2 + 1
    kept[:size] = spectrum[:size]
    if min(n, to_n) % 2 == 0:  # the bin at the lower Nyquist frequency stands for both signs
        kept[size - 1] *= 2.0 if to_n < n else 0.5
    return np.asarray(np.fft.irfft(kept, to_n) * (to_n / n))


def _sinc_hann(signal: Signal, up: int, down: int) -> Signal:
    """A sinc of six zero crossings under a squared cosine, roll-off 0.99: torchaudio's default."""
    base = min(up, down) * 0.99
    width = math.ceil(6 * down / base)
    taps = np.arange(-width, width + down) / down
    times = (-np.arange(up) / up)[:, None] + taps[None, :]
    times = np.clip(times * base, -6.0, 6.0)
    kernel = np.sinc(times) * np.cos(times * np.pi / 12) ** 2 * (base / down)
    padded = np.pad(signal, (width, width + down))
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(taps))[::down]
    n = -(-len(signal) * up // down)
    return np.asarray((frames @ kernel.T).reshape(-1)[:n])


def _kaiser_polyphase(signal: Signal, up: int, down: int) -> Signal:
    """A sinc of ten zero crossings under a Kaiser window of beta 5: scipy.signal.resample_poly."""
    longest = max(up, down)
    half = 10 * longest
    taps = np.sinc(np.arange(-half, half + 1) / longest) * np.kaiser(2 * half + 1, 5.0)
    taps *= up / taps.sum()
    n = -(-len(signal) * up // down)
    centres = np.arange(n) * down  # on the grid of rate times up
    reach = half // up + 1
    result = np.zeros(n)
    padded = np.pad(signal, reach + 1)
    nearest = centres // up
    for k in range(-reach, reach + 1):
        tap = centres - (nearest + k) * up + half
        weight = np.where((tap >= 0) & (tap <= 2 * half), taps[np.clip(tap, 0, 2 * half)], 0.0)
        source = nearest + k + reach + 1
        result += weight * padded[np.clip(source, 0, len(padded) - 1)]
    return result
