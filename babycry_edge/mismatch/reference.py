"""The front-end up to the mel bands once more, in float64 numpy, with axes that C does not have.

Slow and plain: it is there to try recipes, and no model is ever fed from it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from babycry_edge.mismatch.recipe import Recipe

Array = npt.NDArray[np.float64]


def window(kind: str, length: int) -> Array:
    """One of ``recipe.WINDOWS``, (length,)."""
    symmetric = kind.endswith("_symmetric") or kind in ("povey",)
    turn = 2 * np.pi * np.arange(length) / max(1, length - 1 if symmetric else length)
    shape = kind.removesuffix("_symmetric")
    if shape == "hann":
        return np.asarray(0.5 - 0.5 * np.cos(turn))
    if shape == "hamming":
        return np.asarray(0.54 - 0.46 * np.cos(turn))
    if shape == "povey":
        return np.asarray((0.5 - 0.5 * np.cos(turn)) ** 0.85)
    if shape == "blackman":
        return np.asarray(0.42 - 0.5 * np.cos(turn) + 0.08 * np.cos(2 * turn))
    return np.ones(length)


def frame_count(recipe: Recipe, n_samples: int) -> int:
    """Frames of ``n_samples`` at ``audio_rate``, those before first_frame included."""
    n = n_samples - recipe.start
    hop = recipe.hop_length
    if recipe.framing.startswith("center"):
        return 1 + n // hop
    if recipe.framing == "kaldi-mirror":
        return (n + hop // 2) // hop
    at_left = recipe.framing == "kaldi-snip" or recipe.window_position == "left"
    span = recipe.win_length if at_left else recipe.n_fft
    return 1 + (n - span) // hop if n >= span else 0


def origin(recipe: Recipe) -> int:
    """Where the window of frame 0 begins, in samples from the recording's start."""
    length, n_fft = recipe.win_length, recipe.n_fft
    inside = (n_fft - length) // 2 if recipe.window_position == "center" else 0
    if recipe.framing == "left":
        return inside
    if recipe.framing == "kaldi-snip":
        return 0
    if recipe.framing == "kaldi-mirror":
        return recipe.hop_length // 2 - length // 2
    return inside - n_fft // 2


def spectrogram(signal: Array, recipe: Recipe, rows: npt.NDArray[np.intp]) -> Array:
    """Power of the given frames, (len(rows), n_fft/2 + 1).

    Frames that reach past the recording's end see zeros, or its mirror image where the framing
    has one.
    """
    frames = _frames(signal, recipe, rows)
    if recipe.remove_dc:
        frames -= frames.mean(axis=1, keepdims=True)
    if recipe.preemphasis:
        frames[:, 1:] -= recipe.preemphasis * frames[:, :-1]
        frames[:, 0] *= 1 - recipe.preemphasis
    frames *= window(recipe.window, recipe.win_length)
    spectrum = np.fft.rfft(frames, recipe.n_fft)
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


def mel_bands(power: Array, recipe: Recipe) -> Array:
    """Bands of the power or magnitude spectrum, (n_frames, n_mels)."""
    matrix = _mel_matrix(
        recipe.n_fft,
        recipe.sample_rate,
        recipe.mel_scale,
        recipe.mel_slopes,
        recipe.mel_norm,
        recipe.n_mels,
        recipe.fmin,
        recipe.fmax,
    )
    spectrum = np.sqrt(power) if recipe.spectrum == "magnitude" else power
    return np.asarray(spectrum @ matrix)


def _frames(signal: Array, recipe: Recipe, rows: npt.NDArray[np.intp]) -> Array:
    first = rows * recipe.hop_length + origin(recipe) + recipe.first_frame * recipe.hop_length
    index = first[:, None] + np.arange(recipe.win_length)
    shift, n = recipe.start, len(signal) - recipe.start
    if recipe.framing == "center-reflect" and n > 1:
        index = np.abs((index + n - 1) % (2 * (n - 1)) - (n - 1))
    elif recipe.framing == "kaldi-mirror" and n > 0:
        index %= 2 * n
        index = np.minimum(index, 2 * n - 1 - index)
    source = index + shift
    outside = (index < 0) | (source < 0) | (source >= len(signal))
    frames: Array = signal[np.clip(source, 0, len(signal) - 1)]
    if outside.any():
        frames[outside] = 0.0
    return frames


def hz_to_mel(scale: str, hz: npt.ArrayLike) -> Array:
    """Slaney's scale (linear to 1 kHz) or HTK's."""
    frequency = np.asarray(hz, np.float64)
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + frequency / 700.0))
    above = 15.0 + np.log(np.maximum(frequency, 1.0) / 1000.0) * (27.0 / np.log(6.4))
    return np.where(frequency < 1000.0, frequency * 3.0 / 200.0, above)


def _mel_to_hz(scale: str, mel: Array) -> Array:
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    above = 1000.0 * np.exp((mel - 15.0) * (np.log(6.4) / 27.0))
    return np.where(mel < 15.0, mel * 200.0 / 3.0, above)


@lru_cache(maxsize=512)
def _mel_matrix(
    n_fft: int,
    rate: int,
    scale: str,
    slopes: str,
    norm: str,
    n_mels: int,
    fmin: float,
    fmax: float,
) -> Array:
    """(n_fft/2 + 1, n_mels); the bins at 0 Hz and at half the rate are not used."""
    low, high = hz_to_mel(scale, fmin), hz_to_mel(scale, fmax)
    mels = np.linspace(float(low), float(high), n_mels + 2)
    hz = _mel_to_hz(scale, mels)
    bins = np.arange(n_fft // 2 + 1) * (rate / n_fft)
    if slopes == "hz":
        edges, axis = hz, bins
    elif slopes == "mel":
        edges, axis = mels, hz_to_mel(scale, bins)
    else:
        edges = np.floor((n_fft + 1) * hz / rate)
        axis = np.arange(n_fft // 2 + 1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = (axis[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
        fall = (edges[2:] - axis[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.fmin(rise, fall))
    weights[[0, -1]] = 0.0
    if norm == "slaney":
        weights = weights * (2.0 / (hz[2:] - hz[:-2]))
    weights.setflags(write=False)
    return np.asarray(weights)
