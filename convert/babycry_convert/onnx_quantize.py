"""Float ONNX -> int8 ONNX in QDQ form, statically quantised."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babycry_convert.onnx_export import INPUT_NAME
from babycry_convert.quiet import quiet

if TYPE_CHECKING:
    import onnx


def quantize_onnx(float_model: bytes, calibration: npt.NDArray[np.float32]) -> bytes:
    """Quantise weights per channel to int8 and activations to uint8, ranges by minimum/maximum.

    uint8 activations, because onnxruntime leaves some convolutions in float with int8 ones.

    Args:
        float_model: from :func:`babycry_convert.onnx_export.export_onnx`.
        calibration: windows as the model will see them, float32 ``(n, T, F)``.

    Returns:
        The serialised model with float input and output.
    """
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, quiet():
        source, prepared, target = (
            Path(folder, f"{n}.onnx") for n in ("float", "prepared", "int8")
        )
        source.write_bytes(float_model)
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            str(prepared),
            str(target),
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return _tidy(target.read_bytes())


def output_scale(model: bytes) -> float | None:
    """The scale of the quantised tensor behind the model's output; None for a float model."""
    import onnx

    graph = onnx.load_from_string(model).graph
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.output[0] == graph.output[0].name:
            return _scalar(graph, node.input[1])
    return None


def _tidy(model: bytes) -> bytes:
    """Drop the operator sets that no node uses and the notes that the quantiser leaves."""
    import onnx

    proto = onnx.load_from_string(model)
    used = {node.domain for node in proto.graph.node} | {""}
    kept = [opset for opset in proto.opset_import if opset.domain in used]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    del proto.metadata_props[:]
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def _scalar(graph: onnx.GraphProto, name: str) -> float:
    from onnx import numpy_helper

    values = [numpy_helper.to_array(i) for i in graph.initializer if i.name == name]
    return float(values[0].reshape(-1)[0])


class _Reader:
    """onnxruntime's CalibrationDataReader over an array: one window at a time."""

    def __init__(self, calibration: npt.NDArray[np.float32]) -> None:
        self._windows = iter(calibration)

    def get_next(self) -> dict[str, Any] | None:
        window = next(self._windows, None)
        return None if window is None else {INPUT_NAME: window[np.newaxis, np.newaxis]}
