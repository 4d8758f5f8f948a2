"""What follows the mel bands, in double precision, from its definition; PCEN is librosa's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig

Float64 = NDArray[np.float64]


def compress(mel: Float64, config: FrontendConfig) -> Float64:
    """Apply the compression of config to mel, ``(n_frames, n_mels)``."""
    if config.compression == "none":
        return mel
    if config.compression == "log":
        return np.asarray(np.log(mel + config.log_offset))
    if config.compression == "log_max":
        return np.asarray(np.log(np.maximum(mel, config.log_offset)))
    if config.compression == "log10_whisper":
        return _whisper(mel)
    if config.compression == "pcen":
        return _pcen(mel, config)
    assert config.compression == "db"
    reference = mel.max() if config.ref == "max" else float(config.ref)
    db = 10 * np.log10(np.maximum(mel, config.amin))
    db -= 10 * np.log10(max(float(reference), config.amin))
    if config.top_db is not None:
        db = np.maximum(db, db.max() - config.top_db)
    return np.asarray(db)


def normalize(features: Float64, config: FrontendConfig) -> Float64:
    """Apply the normalisation of config over the whole of features, ``(n_frames, n_features)``."""
    if config.normalize == "none" or not features.size:
        return features
    if config.normalize == "min_max":
        return np.asarray((features - features.min()) / np.ptp(features))
    centred = features - features.mean()
    if config.normalize == "window_mean":
        return np.asarray(centred)
    assert config.normalize == "window_mean_std"
    return np.asarray(centred / features.std())


def _whisper(mel: Float64) -> Float64:
    """openai/whisper, audio.py, from ``magnitudes = stft[..., :-1]`` to the end."""
    level = np.log10(np.maximum(mel[:-1], 1e-10))
    return np.asarray((np.maximum(level, level.max() - 8.0) + 4.0) / 4.0)


def _pcen(mel: Float64, config: FrontendConfig) -> Float64:
    """``librosa.pcen`` with its defaults, on the scale that its documents ask for."""
    import librosa

    levels = librosa.pcen(mel.T * 2.0**31, sr=config.sample_rate, hop_length=config.hop_length)
    return np.asarray(levels.T)
