"""torchaudio itself where it is installed, and its documented formulas over ``torch.stft``.

torchaudio's MelSpectrogram is Python over torch. Its published wheel also carries compiled code
for other functions, which wants CUDA; where that cannot be loaded, the Python is used without it.
Both oracles are built with float64 as torch's default, else the filter bank is made in float32.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from babycry_edge import FrontendConfig
from oracles.cepstra import finish
from oracles.compression import Float64, compress

FRAMINGS: dict[str, dict[str, Any]] = {
    "center-zero": {"center": True, "pad_mode": "constant"},
    "center-reflect": {"center": True, "pad_mode": "reflect"},
    "left": {"center": False},
}


def torchaudio_or_skip() -> ModuleType:
    """The torchaudio module; skips the calling test where it is not installed."""
    pytest.importorskip("torch")
    if importlib.util.find_spec("torchaudio") is None:
        pytest.skip("torchaudio is not installed: pip install --no-deps torchaudio")
    try:
        return importlib.import_module("torchaudio")
    except OSError:
        _forget_torchaudio()
        extension = ModuleType("torchaudio._extension")
        extension.__dict__.update(
            fail_if_no_align=lambda function: function, _IS_TORCHAUDIO_EXT_AVAILABLE=False
        )
        sys.modules["torchaudio._extension"] = extension
        return importlib.import_module("torchaudio")


def features(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """The documented formulas' features, ``(n_frames, n_mels)`` float64."""
    return finish(compress(stft_mel_spectrogram(samples, config), config), config)


def library_features(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """The real library's: ``MelSpectrogram``, then ``AmplitudeToDB``, ``(n_frames, n_mels)``."""
    import torch

    mel = library_mel_spectrogram(samples, config)
    if config.compression != "db":
        return finish(compress(mel, config), config)
    torchaudio = torchaudio_or_skip()
    stype = "power" if config.spectrum == "power" else "magnitude"
    assert stype == "power", "AmplitudeToDB doubles the dB of a magnitude"
    assert (config.ref, config.amin) == (1.0, 1e-10), "AmplitudeToDB has these fixed"
    to_db = torchaudio.transforms.AmplitudeToDB(stype, top_db=config.top_db)
    return finish(np.asarray(to_db(torch.from_numpy(mel)).numpy()), config)


def library_mel_spectrogram(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """``torchaudio.transforms.MelSpectrogram`` with the arguments that config stands for."""
    import torch

    torchaudio = torchaudio_or_skip()
    assert config.window_position == "center" or config.win_length == config.n_fft
    with _float64_by_default(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of 128 bands hold no bin of an FFT of 400
        transform = torchaudio.transforms.MelSpectrogram(
            sample_rate=config.sample_rate,
            n_fft=config.n_fft,
            win_length=config.win_length,
            hop_length=config.hop_length,
            f_min=config.fmin,
            f_max=config.fmax,
            n_mels=config.n_mels,
            power=2.0 if config.spectrum == "power" else 1.0,
            norm="slaney" if config.mel_norm == "slaney" else None,
            mel_scale=config.mel_scale,
            **FRAMINGS[config.framing],
        )
        mel = transform(torch.from_numpy(np.asarray(samples, np.float64)))
    return np.asarray(mel.numpy().T)


def stft_mel_spectrogram(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """``torch.stft`` in float64, and the bands of ``torchaudio.functional.melscale_fbanks``."""
    import torch

    window = torch.hann_window(config.win_length, dtype=torch.float64)
    spectrum = torch.stft(
        torch.from_numpy(np.asarray(samples, np.float64)),
        config.n_fft,
        config.hop_length,
        config.win_length,
        window,
        return_complex=True,
        **FRAMINGS[config.framing],
    ).abs()
    if config.spectrum == "power":
        spectrum = spectrum**2
    return np.asarray(spectrum.numpy().T @ htk_filter_bank(config))


def htk_filter_bank(config: FrontendConfig) -> Float64:
    """``melscale_fbanks(norm=None, mel_scale="htk")`` as documented: ``(n_fft/2 + 1, n_mels)``."""
    assert (config.mel_scale, config.mel_norm, config.mel_slopes) == ("htk", "none", "hz")
    frequency = np.linspace(0, config.sample_rate // 2, config.n_fft // 2 + 1)
    low, high = (2595 * np.log10(1 + f / 700) for f in (config.fmin, config.fmax))
    points = 700 * (10 ** (np.linspace(low, high, config.n_mels + 2) / 2595) - 1)
    slopes = points[None, :] - frequency[:, None]
    widths = np.diff(points)
    rising = -slopes[:, :-2] / widths[:-1]
    falling = slopes[:, 2:] / widths[1:]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


@contextmanager
def _float64_by_default() -> Iterator[None]:
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _forget_torchaudio() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        del sys.modules[name]
