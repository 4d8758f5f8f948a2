"""Float ONNX -> int8 ONNX in QDQ form, statically quantised."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate import observe_onnx
from babycry_convert.calibrate.ranges import Ranges, RangeSettings
from babycry_convert.quiet import quiet
from babycry_convert.writers.kept import kept_operators
from babycry_convert.writers.operators import read_operators
from babycry_edge.model_file import ModelFormat

if TYPE_CHECKING:
    import onnx

FORMAT: ModelFormat = "onnx"
INT8 = True
SUFFIX = ".onnx"


def quantize_onnx(
    float_model: bytes,
    calibration: npt.NDArray[np.float32] | Ranges,
    *,
    keep_float: Collection[str] = (),
    keep_int16: Collection[str] = (),
    names: Mapping[str, str] | None = None,
) -> bytes:
    """Quantise weights per channel to int8 and activations to uint8.

    uint8 activations, because onnxruntime leaves some convolutions in float with int8 ones.

    Args:
        float_model: from :func:`babycry_convert.writers.onnx_float.export_onnx`, or the same after
            :func:`preprocess`.
        calibration: windows as the model will see them, float32 ``(n, T, F)``, whose extremes are
            the ranges; or a range for every float tensor of the preprocessed model.
        keep_float: layers that stay in float (see ``kept_operators``).
        keep_int16: the same here: onnxruntime has no 16-bit convolution and would compute in float
            between conversions.
        names: which layer an output tensor comes from (see ``layer_names``).

    Returns:
        The serialised model with float input and output.

    Raises:
        BabycryError: a layer that the model does not have.
    """
    prepared = preprocess(float_model)
    if isinstance(calibration, np.ndarray):
        calibration = observe_onnx.observe(prepared, calibration).ranges(RangeSettings())
    layers = {*keep_float, *keep_int16}
    kept = kept_operators(read_operators(prepared, "onnx"), layers, names or {}) if layers else []
    return _quantize(prepared, calibration, [operator.name for operator in kept])


def preprocess(float_model: bytes) -> bytes:
    """The model as the quantiser wants it: shapes known, constants folded, every node named.

    A model that has been through it is returned as it is.
    """
    import onnx
    from onnxruntime.quantization.quant_utils import model_has_pre_process_metadata
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if model_has_pre_process_metadata(onnx.load_from_string(float_model)):
        return float_model
    with tempfile.TemporaryDirectory() as folder, quiet():
        source, target = Path(folder, "float.onnx"), Path(folder, "prepared.onnx")
        source.write_bytes(float_model)
        quant_pre_process(str(source), str(target))
        model = onnx.load(target)
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def output_scale(model: bytes) -> float | None:
    """The scale of the quantised tensor behind the model's output; None for a float model."""
    import onnx

    graph = onnx.load_from_string(model).graph
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.output[0] == graph.output[0].name:
            return _scalar(graph, node.input[1])
    return None


def _quantize(prepared: bytes, ranges: Ranges, excluded: list[str]) -> bytes:
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    data = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    with quiet():
        quantizer = QDQQuantizer(
            onnx.shape_inference.infer_shapes(onnx.load_from_string(prepared)),
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, data),
            nodes_to_quantize=[],
            nodes_to_exclude=excluded,
            op_types_to_quantize=sorted({*QLinearOpsRegistry, *QDQRegistry}),
            extra_options={},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    return _tidy(quantizer.model.model)


def _tidy(proto: onnx.ModelProto) -> bytes:
    """Drop the operator sets that no node uses and the notes that the quantiser leaves."""
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
