"""How far descriptors may be from librosa's in float64, and how far they are.

The front-end's spectrum is float32: a bin's magnitude may be off by 1e-7 of the largest in its
frame, and one below 1e-12 (-240 dB) counts as 0. What that does to a centroid, a bandwidth or a
share of the sum follows from their definitions, frame by frame; a frame as good as silent has wide
bounds, and one of recorded sound narrow ones.

The roll-off is a bin's frequency: it is librosa's, or librosa's sum at the other bin lies as close
to the threshold as the magnitudes' errors reach. Such frames are counted. Zero crossings are equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from babycry_edge import FrontendConfig
from oracles.compression import Float64

MAGNITUDE_ERROR = 1e-7
"""Of the largest magnitude of the frame."""

MAGNITUDE_FLOOR = 1e-12
"""Where magnitudes become 0."""

ARITHMETIC_ERROR = 1e-6
"""Of a centroid or bandwidth itself, relative: sums of float32."""

RMS_ERROR = 4e-6
"""Relative: each of 16 sums of a frame of 2048 rounds 128 times by up to 2**-24, and half of that
remains after the root."""

ZCR_ERROR = 2.0**-24
"""Relative: the count over the frame's length, rounded to float32."""

Descriptors = dict[str, Float64]


@dataclass(frozen=True)
class DescriptorError:
    """Errors of one descriptor over a clip.

    Attributes:
        largest: in Hz, or a rate or a level.
        share_of_bound: largest error as a share of what its frame allows; above 1 it fails.
        n_other: frames that are off by more than float32's rounding of the value.
    """

    largest: float
    share_of_bound: float
    n_other: int


def descriptor_errors(
    measured: Descriptors, oracle: Descriptors, magnitudes: Float64, config: FrontendConfig
) -> dict[str, DescriptorError]:
    """Errors of each descriptor.

    Args:
        measured: of the C code, each ``(n_frames,)``.
        oracle: librosa's, the same.
        magnitudes: librosa's in float64, ``(n_fft/2 + 1, n_frames)``.
        config: says the FFT's bins and the roll-off's share.
    """
    allowed = allowed_errors(oracle, magnitudes, config)
    errors = {}
    for name, expected in oracle.items():
        values = measured[name].astype(np.float64)
        assert values.shape == expected.shape
        error = np.abs(values - expected)
        errors[name] = DescriptorError(
            largest=float(error.max(initial=0.0)),
            share_of_bound=_largest_share(error, allowed[name]),
            n_other=int(np.sum(error > 2.0**-23 * np.abs(expected))),
        )
    return errors


def allowed_errors(oracle: Descriptors, magnitudes: Float64, config: FrontendConfig) -> Descriptors:
    """What each descriptor of each frame may be off by: arguments as above."""
    of_sum = _error_of_sum(magnitudes)
    total = magnitudes.sum(axis=0)
    hz = np.arange(len(magnitudes))[:, None] * config.sample_rate / config.n_fft
    centroid = np.divide((hz * magnitudes).sum(axis=0), total, out=total * 0, where=total > 0)
    moved = of_sum * np.abs(hz - centroid).sum(axis=0)
    allowed = {}
    for name, expected in oracle.items():
        if name == "centroid":
            allowed[name] = moved + ARITHMETIC_ERROR * expected
        elif name == "bandwidth":
            spread = of_sum * np.abs((hz - centroid) ** 2 - expected**2).sum(axis=0) + moved**2
            spread = spread + 2 * ARITHMETIC_ERROR * expected**2
            narrower = expected - np.sqrt(np.maximum(expected**2 - spread, 0.0))
            allowed[name] = np.maximum(narrower, np.sqrt(expected**2 + spread) - expected)
        elif name == "rolloff":
            reach = of_sum * len(magnitudes) + ARITHMETIC_ERROR
            allowed[name] = _rolloff_allowed(expected, magnitudes, reach, config)
        elif name == "zcr":
            allowed[name] = ZCR_ERROR * expected
        else:
            assert name == "rms"
            allowed[name] = RMS_ERROR * expected + MAGNITUDE_FLOOR
    return allowed


def _error_of_sum(magnitudes: Float64) -> Float64:
    """A magnitude's error as a share of its frame's sum, as small as errors could make that."""
    largest, total = magnitudes.max(axis=0, initial=0.0), magnitudes.sum(axis=0)
    error = np.maximum(MAGNITUDE_ERROR * largest, MAGNITUDE_FLOOR)
    least = total - len(magnitudes) * error
    share = np.divide(error, least, out=np.full_like(total, np.inf), where=least > 0)
    return np.asarray(np.where(total > 0, share, 0.0))


def _rolloff_allowed(
    expected: Float64, magnitudes: Float64, reach: Float64, config: FrontendConfig
) -> Float64:
    """How far the bins are at which the running sum passes a threshold that is off by reach."""
    running, total = np.cumsum(magnitudes, axis=0), magnitudes.sum(axis=0)
    per_bin = config.sample_rate / config.n_fft
    ends = []
    for share in (config.rolloff - reach, config.rolloff + reach):
        passed = running >= np.minimum(share, 1.0) * total * (1 - 1e-15)
        ends.append(np.abs(passed.argmax(axis=0) * per_bin - expected))
    return np.asarray(np.maximum(*ends))


def _largest_share(error: Float64, allowed: Float64) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(error == 0, 0.0, error / allowed)
    return float(share.max(initial=0.0))
