"""A model file loaded into an inference engine, checked against the answers it carries."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babycry_edge.engines import Engine, open_engine
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Golden, ModelMetadata, parse_metadata
from babycry_edge.model_file import ModelFile, TensorInfo
from babycry_edge.model_reader import read_model_file
from babycry_edge.quantized_io import dequantize, quantize
from babycry_edge.windows import Windows, clip_windows, require_windows

Scores = npt.NDArray[np.float32]

_FLOAT_OR_INT8 = ("float32", "int8", "uint8")


@dataclass(frozen=True)
class SelfCheck:
    """How a model answered to its golden input.

    ``features_equal``: the front-end gave the recorded bits. ``max_score_error``: the largest
    difference from a recorded score, at window ``worst_window`` with the given ``score`` where
    ``expected_score`` was recorded. ``passed``: equal features, and no error above ``tolerance``.
    """

    features_equal: bool
    max_score_error: float
    passed: bool
    tolerance: float
    worst_window: int
    score: float
    expected_score: float


class Model:
    """A trained network with its metadata, ready to score windows. For one thread at a time."""

    def __init__(
        self, path: Path, file: ModelFile, metadata: ModelMetadata, engine: Engine
    ) -> None:
        """Prefer :meth:`load`, which reads and checks a file.

        Raises:
            BabycryError: the model's input or output does not fit its metadata.
        """
        self.path = path
        self.file = file
        self.metadata = metadata
        self._engine = engine
        self._input = _single(file.inputs, "input")
        self._output = _single(file.outputs, "output")
        self._input_shape = _input_shape(self._input, metadata)
        _check_output(self._output, metadata)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        engine: str | None = None,
        verify: bool = True,
        threads: int = 1,
    ) -> Model:
        """Read a ``.onnx`` or ``.tflite`` file made by this project's converter.

        Args:
            path: the model file.
            engine: "onnxruntime", "litert" or "tflite-runtime"; by default the first installed one
                that runs the file.
            verify: run the golden check, some milliseconds.
            threads: threads of one inference.

        Raises:
            BabycryError: the file cannot be read, is damaged, carries no metadata or that of
                another schema version; the engine is missing, is for the other format or refuses
                the model; the golden check fails.
        """
        data, file = read_model_file(path)
        try:
            metadata = _file_metadata(file)
            _check_parts(file, metadata)
            opened = open_engine(data, file.format, engine, threads, metadata.recurrence)
            model = cls(Path(path), file, metadata, opened)
            if verify:
                model._verify()
        except BabycryError as error:
            raise BabycryError(f"{path}: {error}") from None
        return model

    @property
    def engine(self) -> str:
        """The name of the engine that runs the model."""
        return self._engine.name

    @property
    def engine_version(self) -> str:
        """The version of the engine's library."""
        return self._engine.version

    def logits(self, windows: Windows) -> Scores:
        """The network's outputs before the activation.

        Args:
            windows: float32, shape ``(k, *metadata.window_shape)``, normalised as the front-end's
                ``normalize`` says; ``metadata.standardize`` is applied here.

        Returns:
            Float32, shape ``(k, n_labels)``. A window's result does not depend on its neighbours:
            each one is run alone.

        Raises:
            BabycryError: another shape, or a value that is NaN or infinite.
        """
        values = self._check_windows(windows)
        result = np.empty((len(values), len(self.metadata.labels)), np.float32)
        for index, window in enumerate(values):
            tensor = quantize(window.reshape(self._input_shape), self._input)
            result[index] = dequantize(self._engine.run(tensor), self._output).reshape(-1)
        return result

    def scores(self, windows: Windows) -> Scores:
        """The activation of :meth:`logits`: with softmax or sigmoid, probabilities from 0 to 1.

        Args:
            windows: as for :meth:`logits`.

        Returns:
            Float32, shape ``(k, n_labels)``, one column for each of ``metadata.labels``.

        Raises:
            BabycryError: as :meth:`logits`.
        """
        return activate(self.logits(windows), self.metadata.activation)

    def self_check(self) -> SelfCheck:
        """Compute the golden input's features and scores again and compare.

        Raises:
            BabycryError: the golden input does not decode, or does not fill the recorded windows.
        """
        golden = _golden(self.metadata)
        cut = golden_windows(self.metadata, golden)
        if len(cut) != len(golden.scores):
            raise BabycryError(
                f"golden check failed: {len(golden.scores)} scores are recorded "
                f"and the front-end gives {len(cut)} windows"
            )
        scores = self.scores(cut)[:, self.metadata.target_index].astype(np.float64)
        errors = np.abs(scores - np.array(golden.scores))
        worst = int(np.argmax(np.nan_to_num(errors, nan=math.inf)))
        equal = features_sha256(cut) == golden.features_sha256
        return SelfCheck(
            features_equal=equal,
            max_score_error=float(errors[worst]),
            passed=equal and bool(errors[worst] <= golden.score_tolerance),
            tolerance=golden.score_tolerance,
            worst_window=worst,
            score=float(scores[worst]),
            expected_score=golden.scores[worst],
        )

    def _verify(self) -> None:
        check = self.self_check()
        if not check.features_equal:
            raise BabycryError(
                "golden check failed at the features: this front-end does not give the bits "
                f"recorded in the file (sha256 {_golden(self.metadata).features_sha256[:12]}...): "
                "use the babycry-edge release that made it, or convert the model again"
            )
        if not check.passed:
            raise BabycryError(
                f"golden check failed at the scores: window {check.worst_window} gives "
                f"{check.score:.6f} in {self.engine} {self.engine_version}, recorded is "
                f"{check.expected_score:.6f}, tolerance {check.tolerance:.6f}: "
                "use another engine, or convert the model again"
            )

    def _check_windows(self, windows: Windows) -> Windows:
        values = np.asarray(windows, dtype=np.float32)
        expected = self.metadata.window_shape
        if values.ndim != 3 or values.shape[1:] != expected:
            raise BabycryError(
                f"windows have shape {values.shape}, the model wants (k, {expected[0]}, "
                f"{expected[1]})"
            )
        if self.metadata.standardize is not None:
            values = self.metadata.standardize.apply(values)
        if not np.isfinite(values).all():  # an infinite value stays infinite when standardised
            raise BabycryError("windows hold NaN or infinite values: check the audio")
        return values


def activate(logits: Scores, activation: str) -> Scores:
    """Apply "softmax" (over the last axis), "sigmoid" or "none" to ``(k, n_labels)`` logits."""
    values = logits.astype(np.float64)
    if activation == "softmax":
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        values = powers / powers.sum(axis=-1, keepdims=True)
    elif activation == "sigmoid":
        values = 1.0 / (1.0 + np.exp(-np.clip(values, -700.0, 700.0)))
    return values.astype(np.float32)


def golden_windows(metadata: ModelMetadata, golden: Golden) -> Windows:
    """The front-end's windows for a golden recording, float32 ``(k, *window_shape)``.

    Raises:
        BabycryError: the recording does not decode or is shorter than one window.
    """
    cut = clip_windows(golden.pcm(), golden.sample_rate, metadata)
    return require_windows(cut, metadata, "the golden input")


def features_sha256(cut: Windows) -> str:
    """The hash of windows as a file's golden check records it."""
    return hashlib.sha256(np.ascontiguousarray(cut, dtype="<f4").tobytes()).hexdigest()


def _file_metadata(file: ModelFile) -> ModelMetadata:
    if file.metadata_json is None:
        raise BabycryError("carries no babycry_edge metadata: convert it with babycry-edge convert")
    return parse_metadata(file.metadata_json)


def _check_parts(file: ModelFile, metadata: ModelMetadata) -> None:
    """The file's parts and the loop that the metadata describes belong together."""
    expected = () if metadata.recurrence is None else metadata.recurrence.signatures
    if sorted(file.parts) != sorted(expected):
        raise BabycryError(
            "metadata field recurrence does not fit the file: "
            f"it describes {_listed(expected)}, the file has {_listed(file.parts)}"
        )


def _listed(parts: tuple[str, ...]) -> str:
    return ", ".join(parts) if parts else "a single graph"


def _golden(metadata: ModelMetadata) -> Golden:
    if metadata.golden is None:
        raise BabycryError("the metadata has no golden input: convert the model again")
    return metadata.golden


def _single(tensors: tuple[TensorInfo, ...], what: str) -> TensorInfo:
    if len(tensors) != 1:
        raise BabycryError(f"the model has {len(tensors)} {what}s, a detector has one")
    info = tensors[0]
    if info.dtype not in _FLOAT_OR_INT8:
        raise BabycryError(f"the model's {what} holds {info.dtype}, not float32, int8 or uint8")
    if info.dtype != "float32" and info.scale is None:
        raise BabycryError(f"the model's {what} holds {info.dtype} without a quantisation scale")
    return info


def _input_shape(info: TensorInfo, metadata: ModelMetadata) -> tuple[int, ...]:
    """The input's shape with batch 1; it must hold one window, with singleton axes only beside."""
    shape = tuple(1 if axis == 0 and size == -1 else size for axis, size in enumerate(info.shape))
    window = metadata.window_shape
    if tuple(s for s in shape if s != 1) != tuple(s for s in window if s != 1):
        raise BabycryError(
            f"the model's input has shape {info.shape}, its metadata a window of {window}"
        )
    return shape


def _check_output(info: TensorInfo, metadata: ModelMetadata) -> None:
    n_labels = len(metadata.labels)
    sizes = [1 if axis == 0 and size == -1 else size for axis, size in enumerate(info.shape)]
    if math.prod(sizes) != n_labels:
        raise BabycryError(
            f"the model's output has shape {info.shape}, its metadata {n_labels} labels"
        )
