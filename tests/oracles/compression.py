"""What follows the mel bands, in double precision, from its written definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig

Float64 = NDArray[np.float64]


def compress(mel: Float64, config: FrontendConfig) -> Float64:
    """Apply the compression and the normalisation of config to mel, ``(n_frames, n_mels)``."""
    features = _compressed(mel, config)
    if config.normalize == "window_mean" and features.size:
        features = features - features.mean()
    return features


def _compressed(mel: Float64, config: FrontendConfig) -> Float64:
    if config.compression == "none":
        return mel
    if config.compression == "log":
        return np.asarray(np.log(mel + config.log_offset))
    if config.compression == "log_max":
        return np.asarray(np.log(np.maximum(mel, config.log_offset)))
    reference = mel.max() if config.ref == "max" else float(config.ref)
    db = 10 * np.log10(np.maximum(mel, config.amin))
    db -= 10 * np.log10(max(float(reference), config.amin))
    if config.top_db is not None:
        db = np.maximum(db, db.max() - config.top_db)
    return np.asarray(db)
