"""librosa itself: ``feature.melspectrogram`` and ``power_to_db`` on float64 audio.

The filter bank is asked for in float64 too; librosa's default rounds it to float32.

Reflected ends are made here, as librosa 0.6 to 0.8 made them, by padding the whole signal. Later
versions pad its last part alone, and where that part holds n_fft/2 samples (16000 samples, n_fft
400, hop 200) the last sample of the last frame comes out mirrored twice.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig
from oracles.cepstra import finish
from oracles.compression import Float64, compress


def features(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """What librosa computes for config, ``(n_frames, n_features)`` float64."""
    import librosa

    mel = mel_spectrogram(samples, config)
    if config.compression != "db":
        return finish(compress(mel, config), config)
    ref: Any = np.max if config.ref == "max" else float(config.ref)
    db = librosa.power_to_db(mel, ref=ref, amin=config.amin, top_db=config.top_db)
    return finish(np.asarray(db), config)


def mel_spectrogram(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """``librosa.feature.melspectrogram`` with the arguments that config stands for."""
    import librosa

    assert config.window_position == "center" or config.win_length == config.n_fft
    assert config.mel_slopes == "hz"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "n_fft is too large" for short clips, "empty filters"
        mel = librosa.feature.melspectrogram(
            y=padded(samples, config),
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
            center=config.framing == "center-zero",
            pad_mode="constant",
        )
    return np.asarray(mel.T)


def padded(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """The samples as float64, mirrored at the ends as librosa 0.6 to 0.8 did if config says so."""
    audio = np.asarray(samples, np.float64)
    if config.framing == "center-reflect":
        audio = np.pad(audio, config.n_fft // 2, mode="reflect")
    return audio
