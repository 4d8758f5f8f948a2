"""Cepstra and their differences: librosa's ``mfcc`` and ``delta``, and Kaldi's and HTK's forms.

librosa's DCT is scipy's. HTK and Kaldi have their own scale of c0 and their own lifter; both are
written out here from the HTK book (5.6 and 5.8) and from Kaldi's ``feat/mel-computations.cc``.
"""

from __future__ import annotations

import numpy as np

from babycry_edge import FrontendConfig
from oracles.compression import Float64, normalize


def finish(bands: Float64, config: FrontendConfig) -> Float64:
    """From compressed bands, ``(n_frames, n_mels)``, to cepstra, differences, normalised."""
    rows = cepstra(bands, config) if config.n_mfcc else bands
    return normalize(with_differences(rows, config.delta), config)


def cepstra(bands: Float64, config: FrontendConfig) -> Float64:
    """``(n_frames, n_mfcc)`` float64."""
    if config.dct_norm in ("none", "ortho"):
        return _librosa_cepstra(bands, config)
    return np.asarray(bands @ dct_rows(config).T)


def with_differences(rows: Float64, order: int) -> Float64:
    """Rows with their ``librosa.feature.delta`` of order 1 to ``order`` beside them."""
    if order == 0:
        return rows
    import librosa

    differences = [librosa.feature.delta(rows.T, order=k).T for k in range(1, order + 1)]
    return np.hstack([rows, *differences])


def dct_rows(config: FrontendConfig) -> Float64:
    """The whole transform, lifter included, as a matrix ``(n_mfcc, n_mels)``: its definition."""
    n, order = config.n_mels, np.arange(config.n_mfcc)[:, None]
    matrix = np.cos(np.pi * order * (np.arange(n) + 0.5) / n)
    is_first = order == 0
    scale = {
        "none": np.full(order.shape, 2.0),
        "ortho": np.where(is_first, np.sqrt(1 / n), np.sqrt(2 / n)),
        "kaldi": np.where(is_first, np.sqrt(1 / n), np.sqrt(2 / n)),
        "htk": np.full(order.shape, np.sqrt(2 / n)),
    }[config.dct_norm]
    shift = 1 if config.dct_norm in ("none", "ortho") else 0
    length = config.lifter
    lifter = 1 + length / 2 * np.sin(np.pi * (order + shift) / length) if length else 1.0
    return np.asarray(matrix * scale * lifter)


def _librosa_cepstra(bands: Float64, config: FrontendConfig) -> Float64:
    import librosa

    norm = "ortho" if config.dct_norm == "ortho" else None
    rows = librosa.feature.mfcc(
        S=bands.T, n_mfcc=config.n_mfcc, norm=norm, lifter=config.lifter, dct_type=2
    )
    return np.asarray(rows.T)
