"""The two file formats as places where a network can be quantised and measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate import observe_onnx, observe_tflite
from babycry_convert.calibrate.ranges import Observations, Ranges
from babycry_convert.hub import Network
from babycry_convert.writers import onnx_int8, tflite_int8
from babycry_convert.writers.layer_names import layer_names
from babycry_convert.writers.onnx_float import export_onnx
from babycry_convert.writers.operators import float_operators
from babycry_convert.writers.tflite_float import export_tflite
from babycry_edge.engines.onnxruntime_engine import open_onnxruntime
from babycry_edge.engines.tflite_engine import open_litert
from babycry_edge.model_file import ModelFormat
from babycry_edge.tflite_file import read_tflite

Windows = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float32]

_BATCH = 16


class Target(Protocol):
    """One way to write a network, quantise the file and run it in the engine that ships."""

    format: ModelFormat

    def export(self, network: Network) -> bytes:
        """The float file."""

    def ready(self, float_model: bytes) -> bytes:
        """The float file as the other methods want it."""

    def observe(
        self, float_model: bytes, windows: Windows, progress: Callable[[], object]
    ) -> Observations:
        """Every float tensor over the windows ``(n, T, F)``."""

    def names(self, float_model: bytes, network: Network) -> Mapping[str, str]:
        """The layer of each output tensor, see ``layer_names``."""

    def quantize(
        self,
        float_model: bytes,
        ranges: Ranges,
        *,
        keep_float: Collection[str] = (),
        keep_int16: Collection[str] = (),
        names: Mapping[str, str] | None = None,
    ) -> bytes:
        """The int8 file."""

    def logits(self, model: bytes, windows: Windows) -> Logits:
        """``(n, n_outputs)`` from the engine, for a float or int8 file."""

    def float_operators(self, model: bytes) -> list[str]:
        """What still computes in float."""


class OnnxTarget:
    """ONNX in onnxruntime."""

    format: ModelFormat = "onnx"

    def export(self, network: Network) -> bytes:
        return export_onnx(network.module, *network.window_shape)

    def ready(self, float_model: bytes) -> bytes:
        return onnx_int8.preprocess(float_model)

    def observe(
        self, float_model: bytes, windows: Windows, progress: Callable[[], object]
    ) -> Observations:
        return observe_onnx.observe(float_model, windows, progress)

    def names(self, float_model: bytes, network: Network) -> Mapping[str, str]:
        return layer_names(float_model, "onnx", network.module)

    def quantize(
        self,
        float_model: bytes,
        ranges: Ranges,
        *,
        keep_float: Collection[str] = (),
        keep_int16: Collection[str] = (),
        names: Mapping[str, str] | None = None,
    ) -> bytes:
        return onnx_int8.quantize_onnx(
            float_model, ranges, keep_float=keep_float, keep_int16=keep_int16, names=names
        )

    def logits(self, model: bytes, windows: Windows) -> Logits:
        engine = open_onnxruntime(model, threads=1)
        batches = [windows[i : i + _BATCH, None] for i in range(0, len(windows), _BATCH)]
        return np.concatenate([engine.run(np.ascontiguousarray(batch)) for batch in batches])

    def float_operators(self, model: bytes) -> list[str]:
        return float_operators(model, "onnx")


class TfliteTarget:
    """TFLite in LiteRT, recurrent layers unrolled."""

    format: ModelFormat = "tflite"

    def export(self, network: Network) -> bytes:
        return export_tflite(network.module, *network.window_shape)

    def ready(self, float_model: bytes) -> bytes:
        return float_model

    def observe(
        self, float_model: bytes, windows: Windows, progress: Callable[[], object]
    ) -> Observations:
        return observe_tflite.observe(float_model, windows, progress)

    def names(self, float_model: bytes, network: Network) -> Mapping[str, str]:
        return layer_names(float_model, "tflite", network.module)

    def quantize(
        self,
        float_model: bytes,
        ranges: Ranges,
        *,
        keep_float: Collection[str] = (),
        keep_int16: Collection[str] = (),
        names: Mapping[str, str] | None = None,
    ) -> bytes:
        return tflite_int8.quantize_tflite(
            float_model, ranges, keep_float=keep_float, keep_int16=keep_int16, names=names
        )

    def logits(self, model: bytes, windows: Windows) -> Logits:
        file = read_tflite(model)
        taken, given = file.inputs[0], file.outputs[0]
        engine = open_litert(model, threads=1)

        def run(window: Windows) -> Logits:
            values = window.reshape(taken.shape)
            if taken.scale is not None:
                values = np.rint(values / np.float32(taken.scale)) + np.float32(taken.zero_point)
                values = np.clip(values, -128, 127).astype(np.int8)
            output = engine.run(values).reshape(-1).astype(np.float32)
            if given.scale is not None:
                output = (output - np.float32(given.zero_point)) * np.float32(given.scale)
            return output

        return np.stack([run(np.ascontiguousarray(window)) for window in windows])

    def float_operators(self, model: bytes) -> list[str]:
        return float_operators(model, "tflite")


ONNX = OnnxTarget()
TFLITE = TfliteTarget()
