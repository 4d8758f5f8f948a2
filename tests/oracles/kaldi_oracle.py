"""Kaldi's filter bank features twice: written out in float64, and kaldi-native-fbank itself.

The library computes in float32, so it cannot show 120 dB; the definition in float64 is the oracle,
and the tests hold it against the library.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig
from oracles.cepstra import finish
from oracles.compression import Float64, compress


def features(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """The definition's features, ``(n_frames, n_mels or n_mfcc)`` float64."""
    return finish(compress(mel_spectrogram(samples, config), config), config)


def mel_spectrogram(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """The definition up to the mel bands, ``(n_frames, n_mels)`` float64."""
    frames = _frames(np.asarray(samples, np.float64), config)
    if config.remove_dc:
        frames = frames - frames.mean(axis=1, keepdims=True)
    previous = np.hstack([frames[:, :1], frames[:, :-1]])
    coefficient = np.float64(np.float32(config.preemphasis))  # Kaldi's is a float, 0.97 + 2.9e-8
    frames = (frames - coefficient * previous) * povey_window(config.win_length)
    spectrum = np.abs(np.fft.rfft(frames, config.n_fft))[:, :-1]
    if config.spectrum == "power":
        spectrum = spectrum**2
    return np.asarray(spectrum @ mel_banks(config))


def povey_window(length: int) -> Float64:
    """The symmetric Hann window to the power of 0.85."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))
    return np.asarray(np.maximum(hann, 0.0) ** 0.85)


def mel_banks(config: FrontendConfig) -> Float64:
    """``MelBanks``, ``(n_fft/2, n_mels)``: without the Nyquist bin, triangles straight in mel."""
    assert (config.mel_scale, config.mel_norm, config.mel_slopes) == ("htk", "none", "mel")
    bins = _mel(np.arange(config.n_fft // 2) * config.sample_rate / config.n_fft)[:, None]
    edges = np.linspace(_mel(config.fmin), _mel(config.fmax), config.n_mels + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    slopes = np.minimum((bins - lower) / (center - lower), (upper - bins) / (upper - center))
    return np.asarray(np.maximum(0.0, slopes))


def library_features(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """kaldi-native-fbank's, dither off: float32 values, ``(n_frames, n_mels or n_mfcc)``."""
    import kaldi_native_fbank

    if config.n_mfcc:
        options = kaldi_native_fbank.MfccOptions()
        options.num_ceps = config.n_mfcc
        options.cepstral_lifter = config.lifter
        options.use_energy = False
        online = kaldi_native_fbank.OnlineMfcc
    else:
        options = kaldi_native_fbank.FbankOptions()
        options.use_log_fbank = config.compression != "none"
        options.use_power = config.spectrum == "power"
        options.use_energy = False
        online = kaldi_native_fbank.OnlineFbank
    _set_frames(options.frame_opts, config)
    options.mel_opts.num_bins = config.n_mels
    options.mel_opts.low_freq, options.mel_opts.high_freq = config.fmin, config.fmax
    computer = online(options)
    computer.accept_waveform(config.sample_rate, np.asarray(samples, np.float32).tolist())
    computer.input_finished()
    rows = [computer.get_frame(i) for i in range(computer.num_frames_ready)]
    return np.array(rows, np.float64).reshape(len(rows), config.n_mfcc or config.n_mels)


def _set_frames(options: Any, config: FrontendConfig) -> None:
    options.samp_freq = config.sample_rate
    options.frame_length_ms = 1000 * config.win_length / config.sample_rate
    options.frame_shift_ms = 1000 * config.hop_length / config.sample_rate
    options.dither = 0.0
    options.preemph_coeff = config.preemphasis
    options.remove_dc_offset = bool(config.remove_dc)
    options.window_type = config.window
    options.snip_edges = config.framing == "kaldi-snip"


def _frames(audio: Float64, config: FrontendConfig) -> Float64:
    assert (config.window, config.window_position) == ("povey", "left")
    length, hop, n = config.win_length, config.hop_length, len(audio)
    if config.framing == "kaldi-snip":
        n_frames, first = (0 if n < length else 1 + (n - length) // hop), 0
    else:
        assert config.framing == "kaldi-mirror"
        n_frames, first = (n + hop // 2) // hop, hop // 2 - length // 2
    index = first + hop * np.arange(n_frames)[:, None] + np.arange(length)
    if n_frames:
        index = index % (2 * n)  # mirrored with the edge repeated, as often as it takes
        index = np.where(index < n, index, 2 * n - 1 - index)
    return np.asarray(audio[index] if n_frames else np.zeros((0, length)))


def _mel(frequency: Any) -> Any:
    return 1127.0 * np.log(1.0 + frequency / 700.0)
