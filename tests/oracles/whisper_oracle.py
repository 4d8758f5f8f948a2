"""Whisper's ``log_mel_spectrogram`` in float64: openai/whisper, audio.py, in numpy.

The signal mirrored at both ends, ``torch.hann_window``, which is periodic, the square of
``torch.stft``'s magnitude, and librosa's own filter bank, which Whisper keeps in a file.

Whisper's own ``audio.py`` is run beside it where the package is installed. It needs torch alone;
the rest of the package needs more, and is not loaded.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
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


def library_features(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """``whisper.audio.log_mel_spectrogram``, in double precision but for its filters' float32."""
    import torch

    audio = _audio_module_or_skip()
    single_filters = audio.mel_filters
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        audio.mel_filters = lambda *of: single_filters(*of).double()
        rows = audio.log_mel_spectrogram(np.asarray(samples, np.float64), config.n_mels)
    finally:
        audio.mel_filters = single_filters
        torch.set_default_dtype(default)
    return np.asarray(rows.numpy().T)


def _audio_module_or_skip() -> Any:
    pytest.importorskip("torch")
    if "whisper" not in sys.modules:
        package = importlib.util.find_spec("whisper")
        if package is None or package.submodule_search_locations is None:
            pytest.skip("Whisper is not installed: pip install --no-deps openai-whisper")
        bare = ModuleType("whisper")
        bare.__path__ = list(package.submodule_search_locations)
        sys.modules["whisper"] = bare
    return importlib.import_module("whisper.audio")
