"""librosa itself: ``feature.melspectrogram`` and ``power_to_db`` on float64 audio.

The filter bank is asked for in float64 too; librosa's default rounds it to float32.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig
from oracles.compression import Float64, compress

FRAMINGS: dict[str, dict[str, Any]] = {
    "center_zero": {"center": True, "pad_mode": "constant"},
    "center_reflect": {"center": True, "pad_mode": "reflect"},
    "left": {"center": False},
}


def features(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """What librosa computes for config, ``(n_frames, n_mels)`` float64."""
    import librosa

    mel = mel_spectrogram(samples, config)
    if config.compression != "db":
        return compress(mel, config)
    ref: Any = np.max if config.ref == "max" else float(config.ref)
    db = librosa.power_to_db(mel, ref=ref, amin=config.amin, top_db=config.top_db)
    return np.asarray(db - db.mean() if config.normalize == "window_mean" else db)


def mel_spectrogram(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """``librosa.feature.melspectrogram`` with the arguments that config stands for."""
    import librosa

    assert config.window_position == "center" or config.win_length == config.n_fft
    assert config.mel_slopes == "hz"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "n_fft is too large" for short clips, "empty filters"
        mel = librosa.feature.melspectrogram(
            y=np.asarray(samples, np.float64),
            sr=config.sample_rate,
            n_fft=config.n_fft,
            win_length=config.win_length,
            hop_length=config.hop_length,
            window=config.window,
            power=2.0 if config.spectrum == "power" else 1.0,
            n_mels=config.n_mels,
            fmin=config.fmin,
            fmax=config.fmax,
            htk=config.mel_scale == "htk",
            norm="slaney" if config.mel_norm == "slaney" else None,
            dtype=np.float64,
            **FRAMINGS[config.framing],
        )
    return np.asarray(mel.T)
