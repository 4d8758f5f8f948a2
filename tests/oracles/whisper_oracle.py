"""Whisper's ``log_mel_spectrogram`` in float64: openai/whisper, audio.py, in numpy.

A symmetric frame of 400 samples mirrored at the ends, ``torch.hann_window``, the square of
``torch.stft``'s magnitude, and librosa's own filter bank, which Whisper keeps in a file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig
from oracles.cepstra import finish
from oracles.compression import Float64, compress


def features(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """The definition's features, ``(n_frames, n_mels)`` float64."""
    return finish(compress(mel_spectrogram(samples, config), config), config)


def mel_spectrogram(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """Up to the mel bands, ``(1 + n // hop, n_mels)``: the last frame, which Whisper drops, too."""
    import librosa

    assert (config.framing, config.window, config.spectrum) == ("center-reflect", "hann", "power")
    n_fft = config.n_fft
    audio = np.pad(np.asarray(samples, np.float64), n_fft // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    frames = np.lib.stride_tricks.sliding_window_view(audio, n_fft)[:: config.hop_length]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    bank = librosa.filters.mel(
        sr=config.sample_rate, n_fft=n_fft, n_mels=config.n_mels, dtype=np.float64
    )
    return np.asarray(power @ bank.T)
