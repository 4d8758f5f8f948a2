"""What a resampler does to sines and to band-limited recordings, whatever computes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Resample = Callable[[Floats], Floats]

PASS_BAND = 0.91
"""Of the lower Nyquist frequency: up to here the gain is to be 1."""

_SECONDS = 0.5
_MARGIN_S = 0.1
"""The sine's beginning and end, where it is no sine to any filter."""

_SILENCE_DB = -200.0


@dataclass(frozen=True)
class Response:
    """Gain of a sine at its own frequency, and the level of everything else, in dB."""

    gain_db: float
    rest_db: float


def sine_response(resample: Resample, in_rate: int, out_rate: int, hertz: float) -> Response:
    """The response to a sine of full scale at ``hertz``.

    A sine above the output's Nyquist frequency has no gain; all that comes out is rest (aliases).
    """
    n_in = int(_SECONDS * in_rate)
    sine = np.sin(2 * np.pi * hertz / in_rate * np.arange(n_in)).astype(np.float32)
    output = resample(sine).astype(np.float64)
    margin = int(_MARGIN_S * out_rate)
    turns = hertz / out_rate * np.arange(len(output))
    inside = slice(margin, len(output) - margin)
    output, turns = output[inside], turns[inside]
    gain = 0.0
    if hertz < out_rate / 2:
        basis = np.stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], axis=1)
        amplitudes = np.linalg.lstsq(basis, output, rcond=None)[0]
        output = output - basis @ amplitudes
        gain = float(np.hypot(*amplitudes))
    return Response(_db(gain), _db(float(np.sqrt(2 * np.mean(output**2)))))


def pass_band_ripple_db(resample: Resample, in_rate: int, out_rate: int, points: int = 60) -> float:
    """The largest departure of the gain from 1 up to ``PASS_BAND``."""
    edge = PASS_BAND * min(in_rate, out_rate) / 2
    frequencies = np.linspace(0.005 * edge, edge, points)
    return max(abs(sine_response(resample, in_rate, out_rate, hz).gain_db) for hz in frequencies)


def stop_band_db(resample: Resample, in_rate: int, out_rate: int, points: int = 120) -> float:
    """The loudest alias or image, relative to the sine that made it.

    Downwards of sines between the two Nyquist frequencies, upwards of sines in the pass-band;
    either way also what a sine of the pass-band makes anywhere else.
    """
    lower = min(in_rate, out_rate) / 2
    frequencies = list(np.linspace(0.005 * lower, PASS_BAND * lower, points // 2))
    if in_rate > out_rate:
        frequencies += list(np.linspace(lower, 0.999 * in_rate / 2, points))
    return max(sine_response(resample, in_rate, out_rate, hz).rest_db for hz in frequencies)


def at_two_rates(
    clip: Floats, clip_rate: int, in_rate: int, out_rate: int
) -> tuple[Floats, Floats]:
    """The same band-limited sound sampled exactly at both rates, through its spectrum.

    Whole seconds of ``clip``, cut off at 0.9 of the lowest Nyquist frequency.
    """
    seconds = len(clip) // clip_rate
    spectrum = np.fft.rfft(clip[: seconds * clip_rate].astype(np.float64))
    edge = int(0.9 * min(clip_rate, in_rate, out_rate) / 2 * seconds)
    spectrum = spectrum[:edge] / clip_rate
    signals = [np.fft.irfft(spectrum, rate * seconds) * rate for rate in (in_rate, out_rate)]
    return signals[0].astype(np.float32), signals[1].astype(np.float32)


def snr_db(truth: Floats, output: Floats, margin: int) -> float:
    """Signal to noise of ``output``, without ``margin`` samples at both ends."""
    inside = slice(margin, min(len(truth), len(output)) - margin)
    wanted = truth[inside].astype(np.float64)
    noise = output[inside].astype(np.float64) - wanted
    return float(10 * np.log10(np.mean(wanted**2) / np.mean(noise**2)))


def _db(amplitude: float) -> float:
    return max(_SILENCE_DB, float(20 * np.log10(max(amplitude, 1e-20))))
