"""The float pipeline: features by the library that models are trained with, and the float model.

The library computes block by block, in memory that does not grow with the recording, what it
gives for the whole clip: the signal is padded as the profile's framing says, and blocks overlap
by what a frame reaches over.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

import babycry_edge
from babycry_bench.models import FLOAT_ONNX, FLOAT_TFLITE
from babycry_edge.config import FrontendConfig
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.metadata import ModelMetadata
from babycry_edge.models import bundled
from babycry_edge.windows import Windows, WindowSource, WindowStream

ReferenceFrontend = Literal["librosa", "torchaudio", "ours"]

Frames = npt.NDArray[np.float64]

#: Axes that neither library has, with the value at which they do nothing.
_WITHOUT: dict[str, Any] = {
    "preemphasis": 0.0,
    "remove_dc": 0,
    "mel_slopes": "hz",
    "descriptors": (),
    "pooling": "none",
    "delta": 0,
}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "framing": ("left", "center-zero", "center-reflect"),
    "window": ("hann", "hann_symmetric"),
    "compression": ("none", "db", "log", "log_max"),
    "dct_norm": ("none", "ortho"),
}


def find_reference(model_path: Path) -> Path | None:
    """The float file that belongs to ``model_path``, or None.

    NAME_float.onnx or .tflite beside NAME.onnx or .tflite, the same format first; for the bundled
    detector the files that come with the bench.
    """
    first, second = (".onnx", ".tflite") if model_path.suffix == ".onnx" else (".tflite", ".onnx")
    for suffix in (first, second):
        beside = model_path.with_name(f"{model_path.stem}_float{suffix}")
        if beside.is_file():
            return beside
    if _is_bundled(model_path):
        return FLOAT_ONNX if first == ".onnx" else FLOAT_TFLITE
    return None


def _is_bundled(path: Path) -> bool:
    """Whether it is a detector that ships with the runtime, wherever the file lies now."""
    if not path.is_file() or path.suffix not in (".onnx", ".tflite"):
        return False
    ours = bundled(f"cry{path.suffix}")
    return path.resolve() == ours.resolve() or path.read_bytes() == ours.read_bytes()


def reference_windows(metadata: ModelMetadata, library: ReferenceFrontend) -> WindowSource:
    """The windows of a stream as ``library`` computes them for the model.

    Raises:
        BabycryError: the library is not installed, or does not have an axis of the front-end.
    """
    size = metadata.window_frames, metadata.hop_frames
    if library == "ours":
        return WindowStream(metadata.frontend, *size)
    features = reference_features(metadata.frontend, library)
    return ReferenceWindows(features, metadata.frontend, *size)


def best_frontend(config: FrontendConfig) -> ReferenceFrontend:
    """librosa where it is installed and has every axis of ``config``, otherwise "ours"."""
    try:
        reference_features(config, "librosa")
    except BabycryError:
        return "ours"
    return "librosa"


def library_version(library: ReferenceFrontend) -> str:
    """The library with its version, for a report."""
    if library == "ours":
        return f"babycry-edge {babycry_edge.__version__}"
    module = _torchaudio()[1] if library == "torchaudio" else require(library, "oracle")
    return f"{library} {module.__version__}"


class Features(Protocol):
    """A library's front-end on frames that lie in the signal as they are, without padding."""

    def __call__(self, samples: Frames) -> Frames:
        """``(n_samples,)`` to ``(n_frames, n_features)``, for n_samples >= n_fft."""


def reference_features(config: FrontendConfig, library: ReferenceFrontend) -> Features:
    """The front-end of ``config`` in ``library``, unpadded.

    Raises:
        BabycryError: as :func:`reference_windows`.
    """
    _check_axes(config, library)
    if library == "librosa":
        return LibrosaFeatures(config)
    if library == "torchaudio":
        return TorchaudioFeatures(config)
    raise BabycryError(f"no reference front-end {library!r}: choose librosa, torchaudio or ours")


def _check_axes(config: FrontendConfig, library: str) -> None:
    wrong = [axis for axis, value in _WITHOUT.items() if getattr(config, axis) != value]
    wrong += [axis for axis, known in _CHOICES.items() if getattr(config, axis) not in known]
    if config.window_position == "left" and config.win_length != config.n_fft:
        wrong.append("window_position")
    if wrong:
        raise BabycryError(
            f"{library} does not compute the front-end's {wrong[0]}="
            f"{getattr(config, wrong[0])}: choose the reference front-end 'ours'"
        )


class LibrosaFeatures:
    """librosa in double precision; its filter bank, which is float32, is made once."""

    def __init__(self, config: FrontendConfig) -> None:
        librosa = require("librosa", "oracle")
        self._librosa, self._config = librosa, config
        self._bank = librosa.filters.mel(
            sr=config.sample_rate,
            n_fft=config.n_fft,
            n_mels=config.n_mels,
            fmin=config.fmin,
            fmax=config.fmax,
            htk=config.mel_scale == "htk",
            norm="slaney" if config.mel_norm == "slaney" else None,
        )

    def __call__(self, samples: Frames) -> Frames:
        config = self._config
        spectrum = self._librosa.stft(
            samples,
            n_fft=config.n_fft,
            win_length=config.win_length,
            hop_length=config.hop_length,
            window=_librosa_window(config),
            center=False,
        )
        power = np.abs(spectrum) ** (1.0 if config.spectrum == "magnitude" else 2.0)
        mel = np.einsum("...ft,mf->...mt", power, self._bank, optimize=True)
        compressed = _compress(np.asarray(mel, np.float64), config)
        if config.n_mfcc:
            compressed = self._librosa.feature.mfcc(
                S=compressed,
                n_mfcc=config.n_mfcc,
                dct_type=2,
                norm=None if config.dct_norm == "none" else config.dct_norm,
                lifter=config.lifter,
            )
        return np.ascontiguousarray(compressed.T)


def _librosa_window(config: FrontendConfig) -> Any:
    if config.window == "hann":
        return "hann"
    return np.hanning(config.win_length)


def _torchaudio() -> tuple[Any, Any]:
    """torch and torchaudio.

    Raises:
        BabycryError: one is not installed, or was built for another machine.
    """
    try:
        return require("torch", "convert"), require("torchaudio", "oracle")
    except (ImportError, OSError) as error:
        raise BabycryError(
            f"torchaudio cannot be loaded ({error}): install the build for this machine's torch, "
            "or choose the reference front-end librosa"
        ) from None


class TorchaudioFeatures:
    """torchaudio in double precision."""

    def __init__(self, config: FrontendConfig) -> None:
        torch, torchaudio = _torchaudio()

        if config.n_mfcc and (config.dct_norm != "ortho" or config.lifter):
            raise BabycryError(
                "torchaudio does not compute the front-end's dct_norm and lifter: choose the "
                "reference front-end 'ours' or librosa"
            )
        self._torch, self._config = torch, config
        self._mel = torchaudio.transforms.MelSpectrogram(
            sample_rate=config.sample_rate,
            n_fft=config.n_fft,
            win_length=config.win_length,
            hop_length=config.hop_length,
            f_min=config.fmin,
            f_max=config.fmax,
            n_mels=config.n_mels,
            power=1.0 if config.spectrum == "magnitude" else 2.0,
            center=False,
            norm="slaney" if config.mel_norm == "slaney" else None,
            mel_scale=config.mel_scale,
            window_fn=torch.hann_window,
            wkwargs={"periodic": config.window == "hann"},
        ).double()
        self._dct = None
        if config.n_mfcc:
            dct = torchaudio.functional.create_dct(config.n_mfcc, config.n_mels, norm="ortho")
            self._dct = dct.double().numpy()

    def __call__(self, samples: Frames) -> Frames:
        with self._torch.no_grad():
            mel = self._mel(self._torch.from_numpy(np.array(samples, np.float64))).numpy()
        compressed = _compress(mel, self._config).T
        return np.ascontiguousarray(compressed if self._dct is None else compressed @ self._dct)


def _compress(mel: Frames, config: FrontendConfig) -> Frames:
    """``(n_mels, n_frames)`` by the profile's formula; dB as power_to_db has it."""
    if config.compression == "none":
        return mel
    if config.compression == "log":
        return np.asarray(np.log(mel + config.log_offset))
    if config.compression == "log_max":
        return np.asarray(np.log(np.maximum(mel, config.log_offset)))
    reference = float(mel.max(initial=0.0)) if config.ref == "max" else float(config.ref)
    level = 10.0 * np.log10(np.maximum(config.amin, mel))
    level -= 10.0 * np.log10(max(config.amin, reference))
    if config.top_db is not None:
        level = np.maximum(level, level.max() - config.top_db)
    return np.asarray(level)


class ReferenceStream:
    """A library's frames of a stream, equal to those of the whole clip; constant memory."""

    def __init__(self, features: Features, config: FrontendConfig) -> None:
        self._features, self._config = features, config
        self._pad = 0 if config.framing == "left" else config.n_fft // 2
        self._mirrored = config.framing == "center-reflect"
        self._held: Frames = np.zeros(0)
        self._started = self._pad == 0

    def push(self, chunk: npt.NDArray[Any]) -> Frames:
        """Take ``(n_samples,)`` audio; returns the frames that it completes."""
        self._held = np.concatenate([self._held, _double(chunk)])
        if not self._started:
            if len(self._held) <= self._pad:
                return self._none()
            start = self._held[self._pad : 0 : -1] if self._mirrored else np.zeros(self._pad)
            self._held = np.concatenate([start, self._held])
            self._started = True
        return self._frames(self._pad + 1 if self._mirrored else 0)

    def flush(self) -> Frames:
        """End the stream; returns its last frames.

        Raises:
            BabycryError: the stream was too short to be mirrored.
        """
        if not self._started:
            if self._mirrored:
                raise BabycryError("the stream is too short to be mirrored at its ends")
            self._held = np.concatenate([np.zeros(self._pad), self._held])
        end = self._held[-2 : -self._pad - 2 : -1] if self._mirrored else np.zeros(self._pad)
        self._held = np.concatenate([self._held, end])
        return self._frames(None)

    def _frames(self, kept: int | None) -> Frames:
        """All whole frames, leaving at least the last ``kept`` samples and the next frame's."""
        config = self._config
        count = (len(self._held) - config.n_fft) // config.hop_length + 1
        if kept is not None:
            count = min(count, (len(self._held) - kept) // config.hop_length)
        if count <= 0:
            return self._none()
        end = (count - 1) * config.hop_length + config.n_fft
        frames = self._features(self._held[:end])
        self._held = self._held[count * config.hop_length :]
        return frames

    def _none(self) -> Frames:
        return np.zeros((0, self._config.n_features))


class ReferenceWindows:
    """The model's windows of a stream by a library's front-end: see ``WindowStream``.

    What depends on a whole clip (ref="max", top_db) is computed from each window's own samples.
    """

    def __init__(
        self, features: Features, config: FrontendConfig, window_frames: int, hop_frames: int
    ) -> None:
        self._features, self._config = features, config
        self._window_frames, self._hop_frames = window_frames, hop_frames
        self._rows: Frames = np.zeros((0, config.n_features))
        self._samples: Frames = np.zeros(0)
        per_frame = replace(config, normalize="none")
        self._frames = ReferenceStream(features, config) if per_frame.is_frame_by_frame else None

    def push(self, chunk: npt.NDArray[Any]) -> Windows:
        """Take audio, shape ``(n_samples,)``; returns ``(k, rows, n_features)`` float32."""
        if self._frames is not None:
            return self._cut(self._frames.push(chunk))
        self._samples = np.concatenate([self._samples, _double(chunk)])
        size = self._config.samples_for(self._window_frames)
        found = []
        while len(self._samples) >= size:
            found.append(self._from_scratch(self._samples[:size]))
            self._samples = self._samples[self._hop_frames * self._config.hop_length :]
        return self._stacked(found)

    def flush(self) -> Windows:
        """End the stream; returns the windows that its last frames complete."""
        return self._stacked([]) if self._frames is None else self._cut(self._frames.flush())

    def _cut(self, rows: Frames) -> Windows:
        self._rows = np.concatenate([self._rows, rows])
        found = []
        while len(self._rows) >= self._window_frames:
            found.append(normalized(self._rows[: self._window_frames], self._config.normalize))
            self._rows = self._rows[self._hop_frames :]
        return self._stacked(found)

    def _from_scratch(self, samples: Frames) -> Frames:
        pad = 0 if self._config.framing == "left" else self._config.n_fft // 2
        mode: Any = "reflect" if self._config.framing == "center-reflect" else "constant"
        return normalized(self._features(np.pad(samples, pad, mode=mode)), self._config.normalize)

    def _stacked(self, found: list[Frames]) -> Windows:
        shape = (0, self._window_frames, self._config.n_features)
        return np.stack(found).astype(np.float32) if found else np.zeros(shape, np.float32)


def normalized(window: Frames, kind: str) -> Frames:
    """One window ``(n_frames, n_features)`` as ``FrontendConfig.normalize`` says, in double."""
    if kind == "none":
        return window
    if kind == "min_max":
        span = float(np.ptp(window))
        return np.asarray((window - window.min()) / span if span else window - window.min())
    centred = window - window.mean()
    if kind == "window_mean":
        return np.asarray(centred)
    spread = float(centred.std())
    return np.asarray(centred / spread if spread else centred)


def _double(chunk: npt.NDArray[Any]) -> Frames:
    scale = 1.0 / 32768.0 if chunk.dtype == np.int16 else 1.0
    return np.asarray(chunk, np.float64) * scale
