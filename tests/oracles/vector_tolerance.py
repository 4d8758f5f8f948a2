"""How far a guide's vector may be from librosa's, and how far it is.

A mean or a deviation of cepstra errs by no more than they do: 0.01 dB. A mean of a descriptor errs
by no more than the mean of its frames' bounds, and a standard deviation by no more than their root
mean square; both are sums of float32 themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_bench.clips import Clip
from babycry_edge import FrontendConfig
from oracles import librosa_descriptors
from oracles.compression import Float64
from oracles.descriptor_tolerance import ARITHMETIC_ERROR, Descriptors, allowed_errors
from oracles.librosa_descriptors import NAMES, vector_names
from oracles.signals import at_16_khz
from oracles.tolerance import MAX_DB_ERROR


@dataclass(frozen=True)
class VectorError:
    """Errors of a vector.

    Attributes:
        largest_db: of the means and deviations of cepstra, in dB.
        largest_relative: of the others, as a share of librosa's value.
        share_of_bound: largest error as a share of what is allowed; above 1 it fails.
        value: which value that was.
    """

    largest_db: float
    largest_relative: float
    share_of_bound: float
    value: str


def vector_error(
    measured: NDArray[Any], oracle: Float64, samples: Float64, config: FrontendConfig
) -> VectorError:
    """Errors of one clip's vector, ``(n_values,)``, which samples (float64) gave."""
    names = vector_names(config)
    assert measured.shape == oracle.shape == (len(names),)
    error = np.abs(measured.astype(np.float64) - oracle)
    of_frames = _allowed_of_frames(samples, config)
    allowed = np.array([_allowed(name, of_frames) for name in names])
    allowed = allowed + ARITHMETIC_ERROR * np.abs(oracle)
    share = np.divide(error, allowed, out=np.where(error > 0, np.inf, 0.0), where=allowed > 0)
    is_level = np.array([_descriptor(name) is None for name in names])
    relative = np.divide(error, np.abs(oracle), out=np.zeros_like(error), where=oracle != 0)
    return VectorError(
        largest_db=float(error[is_level].max()),
        largest_relative=float(relative[~is_level].max()),
        share_of_bound=float(share.max()),
        value=names[int(share.argmax())],
    )


def _allowed_of_frames(samples: Float64, config: FrontendConfig) -> Descriptors:
    oracle = librosa_descriptors.descriptors(samples, config)
    return allowed_errors(oracle, librosa_descriptors.magnitudes(samples, config), config)


def _allowed(name: str, of_frames: Descriptors) -> float:
    descriptor = _descriptor(name)
    if descriptor is None:
        return MAX_DB_ERROR
    each = of_frames[descriptor]
    return float(np.sqrt(np.mean(each**2)) if name.startswith("deviation") else np.mean(each))


def _descriptor(name: str) -> str | None:
    last = name.rpartition(" ")[2]
    return last if last in NAMES else None


def as_recorded(clip: Clip) -> NDArray[np.int16]:
    """The clip at 16 kHz in int16, as a device's recorder gives it.

    In float, a resampler rings on into digital silence at -240 dB, where librosa still finds a
    centroid and the front-end's magnitudes are 0.
    """
    if clip.sample_rate == 16000:
        return clip.samples
    return np.clip(np.round(at_16_khz(clip) * 32768.0), -32768, 32767).astype(np.int16)
