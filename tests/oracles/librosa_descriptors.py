"""librosa's descriptors on float64 audio, and the vectors that the guides make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig
from oracles import librosa_oracle
from oracles.cepstra import cepstra
from oracles.compression import Float64, compress

NAMES = ("centroid", "rolloff", "bandwidth", "zcr", "rms")


def descriptors(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> dict[str, Float64]:
    """Each of ``config.descriptors`` for every frame, ``(n_frames,)`` float64, in NAMES' order."""
    return {name: _one(name, samples, config) for name in NAMES if name in config.descriptors}


def magnitudes(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """``abs(librosa.stft)``, ``(n_fft/2 + 1, n_frames)`` float64."""
    import librosa

    spectrum = librosa.stft(
        librosa_oracle.padded(samples, config),
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        win_length=config.win_length,
        window=config.window,
        center=config.framing == "center-zero",
        pad_mode="constant",
    )
    return np.asarray(np.abs(spectrum))


def vector(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """The guides' vector of a clip: ``np.mean`` and ``np.std`` over its frames, ``(n_values,)``."""
    mel = librosa_oracle.mel_spectrogram(samples, config)
    rows = cepstra(compress(mel, config), config)
    of = descriptors(samples, config)
    if config.pooling == "mean_std":
        pairs = [(np.mean(values), np.std(values)) for values in of.values()]
        return np.hstack([rows.mean(axis=0), rows.std(axis=0), *pairs])
    assert config.pooling == "mean"
    before = [np.mean(of[name]) for name in ("zcr", "rms") if name in of]
    after = [np.mean(of[name]) for name in ("centroid", "rolloff", "bandwidth") if name in of]
    return np.hstack([before, rows.mean(axis=0), after])


def vector_names(config: FrontendConfig) -> list[str]:
    """What each value of the vector is."""
    n = [str(i) for i in range(config.n_mfcc)]
    if config.pooling == "mean_std":
        names = [f"mean of c{i}" for i in n] + [f"deviation of c{i}" for i in n]
        present = [name for name in NAMES if name in config.descriptors]
        return names + [f"{what} of {name}" for name in present for what in ("mean", "deviation")]
    order = ["zcr", "rms", *(f"c{i}" for i in n), "centroid", "rolloff", "bandwidth"]
    absent = set(NAMES) - set(config.descriptors)
    return [f"mean of {name}" for name in order if name not in absent]


def _one(name: str, samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    import librosa

    if name in ("zcr", "rms"):
        return _of_samples(name, np.asarray(samples, np.float64), config)
    spectrum = magnitudes(samples, config)
    rate = config.sample_rate
    if name == "centroid":
        values = librosa.feature.spectral_centroid(S=spectrum, sr=rate)
    elif name == "rolloff":
        share = config.rolloff
        values = librosa.feature.spectral_rolloff(S=spectrum, sr=rate, roll_percent=share)
    else:
        values = librosa.feature.spectral_bandwidth(S=spectrum, sr=rate)
    return np.asarray(values[0])


def _of_samples(name: str, audio: Float64, config: FrontendConfig) -> Float64:
    import librosa

    frames: dict[str, Any] = {"frame_length": config.n_fft, "hop_length": config.hop_length}
    if name == "zcr":
        center = config.framing != "left"
        return np.asarray(librosa.feature.zero_crossing_rate(audio, center=center, **frames)[0])
    rms = librosa.feature.rms(
        y=librosa_oracle.padded(audio, config),
        center=config.framing == "center-zero",
        dtype=np.float64,
        **frames,
    )
    return np.asarray(rms[0])
