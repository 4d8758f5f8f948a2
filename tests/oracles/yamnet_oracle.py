"""YAMNet's front-end twice: its published definition in float64, and the published model itself.

The definition is that of tensorflow/models, research/audioset/yamnet, features.py: frames of 400
samples from the first on (``tf.signal.stft`` without padding the end), a periodic Hann window,
the magnitude of an FFT of 512, ``tf.signal.linear_to_mel_weight_matrix``, ``ln(x + 0.001)``.

The model is the TFLite file. Its mel matrix is stored in int8, and its matrix product rounds each
spectrum to 255 steps as well, which changes its log-mel by up to 5 on real recordings (white noise:
0.04). So its spectrum, its matrix and its product are compared one by one, with that rounding.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_edge import FrontendConfig
from oracles.cepstra import finish
from oracles.compression import Float64, compress

PATCH_SAMPLES = 15600
"""The waveform that the model takes: 0.975 s at 16 kHz, 96 frames."""


def features(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """The definition's features, ``(n_frames, n_mels)`` float64."""
    return finish(compress(mel_spectrogram(samples, config), config), config)


def mel_spectrogram(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """The definition up to the mel bands, ``(n_frames, n_mels)`` float64."""
    spectrum = magnitude_spectrum(samples, config)
    if config.spectrum == "power":
        spectrum = spectrum**2
    return np.asarray(spectrum @ mel_weight_matrix(config))


def magnitude_spectrum(samples: NDArray[np.floating[Any]], config: FrontendConfig) -> Float64:
    """``abs(tf.signal.stft)``, ``(n_frames, n_fft/2 + 1)`` float64."""
    assert (config.framing, config.window_position) == ("left", "left")
    length = config.win_length
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    audio = np.asarray(samples, np.float64)
    if len(audio) < length:
        return np.zeros((0, config.n_fft // 2 + 1))
    frames = np.lib.stride_tricks.sliding_window_view(audio, length)[:: config.hop_length]
    return np.asarray(np.abs(np.fft.rfft(frames * window, config.n_fft)))


def mel_weight_matrix(config: FrontendConfig) -> Float64:
    """``tf.signal.linear_to_mel_weight_matrix`` in float64, ``(n_fft/2 + 1, n_mels)``."""
    assert (config.mel_scale, config.mel_norm, config.mel_slopes) == ("htk", "none", "mel")
    n_bins = config.n_fft // 2 + 1
    bins = _mel(np.linspace(0.0, config.sample_rate / 2, n_bins)[1:])[:, None]
    edges = np.linspace(_mel(config.fmin), _mel(config.fmax), config.n_mels + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    slopes = np.minimum((bins - lower) / (center - lower), (upper - bins) / (upper - center))
    return np.vstack([np.zeros((1, config.n_mels)), np.maximum(0.0, slopes)])


def int8_matrix_product(
    spectrum: NDArray[np.floating[Any]], matrix: Float64, matrix_scale: float
) -> Float64:
    """The mel bands as the model rounds them: matrix to int8, each frame to 255 steps from 0."""
    step = spectrum.astype(np.float64).max(axis=1, keepdims=True) / 255
    rounded_spectrum = np.round(spectrum / np.where(step > 0, step, 1.0)) * step
    return np.asarray(rounded_spectrum @ (np.round(matrix / matrix_scale) * matrix_scale))


@dataclass(frozen=True)
class ModelSteps:
    """Tensors inside the model for one waveform.

    Attributes:
        spectrum: (96, 257) float32, the magnitude spectrum.
        log_mel: (96, 64) float32, what the network is given.
        matrix: (64, 257) int8, the stored mel matrix.
        matrix_scale: of each int8 step.
        log_offset: what is added before the logarithm.
    """

    spectrum: NDArray[np.float32]
    log_mel: NDArray[np.float32]
    matrix: NDArray[np.int8]
    matrix_scale: float
    log_offset: float


class YamnetModel:
    """The published TFLite model with every tensor kept."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "keeping every tensor is for debugging": it is
            self._interpreter = Interpreter(
                str(path), num_threads=1, experimental_preserve_all_tensors=True
            )
        self._interpreter.allocate_tensors()
        tensors = self._interpreter.get_tensor_details()
        self._spectrum = _only(tensors, "ComplexAbs", (96, 257))
        self._log_mel = _only(tensors, "_Log/Log", (96, 64))
        self._matrix = _only(tensors, "MatMul/MatMul", (64, 257))
        self._offset = _only(tensors, "AddV2_3", (64,))

    def steps(self, waveform: NDArray[np.float32]) -> ModelSteps:
        """Run the model on ``(15600,)`` float32 samples at 16 kHz."""
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], waveform)
        self._interpreter.invoke()
        read = self._interpreter.get_tensor
        (scale,) = set(self._matrix["quantization_parameters"]["scales"].tolist())
        (offset,) = set(read(self._offset["index"]).tolist())
        return ModelSteps(
            spectrum=read(self._spectrum["index"]),
            log_mel=read(self._log_mel["index"]),
            matrix=read(self._matrix["index"]),
            matrix_scale=scale,
            log_offset=offset,
        )


def _mel(frequency: Any) -> Any:
    return 1127.0 * np.log(1.0 + frequency / 700.0)


def _only(tensors: list[dict[str, Any]], name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    (found,) = (t for t in tensors if name in t["name"] and tuple(t["shape"]) == shape)
    return found
