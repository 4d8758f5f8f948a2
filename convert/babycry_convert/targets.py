"""The two file formats as places where a network can be quantised and measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate import observe_onnx, observe_tflite
from babycry_convert.calibrate.ranges import Observations
from babycry_convert.hub import Network
from babycry_convert.writers import onnx_int8, tflite_int8
from babycry_convert.writers.layer_names import layer_names
from babycry_convert.writers.onnx_float import export_onnx
from babycry_convert.writers.operators import float_operators
from babycry_convert.writers.tflite_float import export_tflite
from babycry_edge.engines.onnxruntime_engine import open_onnxruntime
from babycry_edge.engines.tflite_engine import open_litert
from babycry_edge.metadata import Recurrence
from babycry_edge.model_file import ModelFormat
from babycry_edge.quantized_io import dequantize, quantize
from babycry_edge.tflite_file import read_tflite

Windows = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float32]

_BATCH = 16


@dataclass(frozen=True)
class Target:
    """One way to write a network, quantise the file and run it in the engine that ships.

    ``export``: the float file of a network. ``ready``: that file as the others want it.
    ``observe``: every float tensor over windows ``(n, T, F)``, with a call after each.
    ``quantize``: the int8 file, from a float file, ranges, and by name ``keep_float``,
    ``keep_int16`` and ``names``. ``logits``: a float or int8 file's ``(n, n_outputs)``.
    """

    format: ModelFormat
    export: Callable[[Network], bytes]
    ready: Callable[[bytes], bytes]
    observe: Callable[[bytes, Windows, Callable[[], object]], Observations]
    quantize: Callable[..., bytes]
    logits: Callable[[bytes, Windows], Logits]

    def names(self, float_model: bytes, network: Network) -> Mapping[str, str]:
        """The layer of each output tensor, see ``layer_names``."""
        return layer_names(float_model, self.format, network.module)

    def float_operators(self, model: bytes) -> list[str]:
        """What still computes in float."""
        return float_operators(model, self.format)


def onnx_logits(model: bytes, windows: Windows) -> Logits:
    """A file's answers in onnxruntime, ``(n, n_outputs)``."""
    engine = open_onnxruntime(model, threads=1)
    batches = [windows[i : i + _BATCH, None] for i in range(0, len(windows), _BATCH)]
    return np.concatenate([engine.run(np.ascontiguousarray(batch)) for batch in batches])


def tflite_logits(model: bytes, windows: Windows, recurrence: Recurrence | None = None) -> Logits:
    """A file's answers in LiteRT, ``(n, n_outputs)``; with ``recurrence``, of one in parts."""
    file = read_tflite(model)
    taken, given = file.inputs[0], file.outputs[0]
    engine = open_litert(model, 1, recurrence)
    rows = [
        dequantize(engine.run(quantize(window.reshape(taken.shape), taken)), given).reshape(-1)
        for window in windows
    ]
    return np.stack(rows)


#: ONNX in onnxruntime.
ONNX = Target(
    format="onnx",
    export=lambda network: export_onnx(network.module, *network.window_shape),
    ready=onnx_int8.preprocess,
    observe=observe_onnx.observe,
    quantize=onnx_int8.quantize_onnx,
    logits=onnx_logits,
)

#: TFLite in LiteRT, recurrent layers unrolled.
TFLITE = Target(
    format="tflite",
    export=lambda network: export_tflite(network.module, *network.window_shape),
    ready=lambda float_model: float_model,
    observe=observe_tflite.observe,
    quantize=tflite_int8.quantize_tflite,
    logits=tflite_logits,
)
