"""Converted networks for the report's tests, made once, and ways to damage one layer of a file."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tiny_network import convert_tiny, tiny_network

FOLD = Path(__file__).parent / "models"


@cache
def network() -> Any:
    return tiny_network()


@cache
def tiny_files() -> dict[str, bytes]:
    """File name -> bytes of the small test network's four files."""
    with tempfile.TemporaryDirectory() as folder:
        return {p.name: p.read_bytes() for p in convert_tiny(network(), Path(folder)).paths()}


def fold_files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in FOLD.glob("fold0*")}


def onnx_weights(model: bytes) -> list[str]:
    """The int8 weights with more than one axis, in the order of their operators."""
    import onnx

    graph = onnx.load_from_string(model).graph
    readers = {node.output[0]: node.input[0] for node in graph.node}
    heavy = (node for node in graph.node if node.op_type in ("Conv", "Gemm"))
    return [readers[node.input[1]] for node in heavy]


def damage_onnx_weights(model: bytes, weight: str, factor: float) -> tuple[bytes, str]:
    """Scale one layer's weights; 0 zeroes a quarter of its channels. Also the layer's node."""
    import onnx
    from onnx import numpy_helper

    proto = onnx.load_from_string(model)
    dequantize = next(node for node in proto.graph.node if node.input[0] == weight)
    damaged = weight if factor == 0.0 else dequantize.input[1]
    for item in proto.graph.initializer:
        if item.name == damaged:
            values = numpy_helper.to_array(item).copy()
            if factor:
                values *= np.float32(factor)
            else:
                values[: max(1, len(values) // 4)] = 0
            item.CopyFrom(numpy_helper.from_array(values, item.name))
    layer = next(node for node in proto.graph.node if dequantize.output[0] in node.input)
    return proto.SerializeToString(), layer.name


def damage_onnx_output(model: bytes, layer: str, factor: float) -> bytes:
    """Read one layer's output with another scale than it was written with."""
    import onnx
    from onnx import numpy_helper

    proto = onnx.load_from_string(model)
    graph = proto.graph
    output = next(node.output[0] for node in graph.node if node.name == layer)
    stored = next(n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == output)
    scale = next(i for i in graph.initializer if i.name == stored.input[1])
    changed = numpy_helper.to_array(scale) * np.float32(factor)
    graph.initializer.append(numpy_helper.from_array(changed, "damaged_scale"))
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] == stored.output[0]:
            node.input[1] = "damaged_scale"
    return proto.SerializeToString()


def tflite_layers(model: bytes) -> list[str]:
    """Output names of the operators with a bias, so with weights."""
    from babycry_convert.flatbuffer_model import unpack

    graph = unpack(model).subgraphs[0]
    return [
        graph.tensors[operator.outputs[0]].name.decode()
        for operator in graph.operators
        if len(operator.inputs) == 3
    ]


def damage_tflite_weights(model: bytes, layer: str, factor: float) -> bytes:
    """Scale one layer's weights, or zero a quarter of its channels; the bias stays as it was."""
    from babycry_convert.flatbuffer_model import AlignedBuffer, content, pack, unpack

    root = unpack(model)
    graph = root.subgraphs[0]
    operator = next(
        o for o in graph.operators if graph.tensors[o.outputs[0]].name.decode() == layer
    )
    weights, bias = (graph.tensors[operator.inputs[i]] for i in (1, 2))
    axis = int(weights.quantization.quantizedDimension)
    if factor:
        _scale(weights, factor)
        _scale(bias, factor)
        _keep_values(root, bias, factor)
    else:
        shape = [int(size) for size in weights.shape]
        values = np.frombuffer(content(root.buffers[weights.buffer]), np.int8).reshape(shape).copy()
        np.moveaxis(values, axis, 0)[: max(1, shape[axis] // 4)] = 0
        root.buffers[weights.buffer] = AlignedBuffer(values.tobytes())
    return pack(root)


def narrow_tflite_output(model: bytes, layer: str, factor: float) -> bytes:
    """Give one layer's output a narrower range; the next layers' biases, in steps of it, follow."""
    from babycry_convert.flatbuffer_model import pack, unpack

    root = unpack(model)
    graph = root.subgraphs[0]
    number = next(i for i, t in enumerate(graph.tensors) if t.name.decode() == layer)
    _scale(graph.tensors[number], factor)
    for operator in graph.operators:
        if operator.inputs[0] == number and len(operator.inputs) == 3:
            bias = graph.tensors[operator.inputs[2]]
            _scale(bias, factor)
            _keep_values(root, bias, factor)
    return pack(root)


def _scale(tensor: Any, factor: float) -> None:
    tensor.quantization.scale = [s * factor for s in tensor.quantization.scale]


def _keep_values(root: Any, bias: Any, factor: float) -> None:
    from babycry_convert.flatbuffer_model import AlignedBuffer, content

    integers = np.frombuffer(content(root.buffers[bias.buffer]), np.int32)
    kept = np.rint(integers / factor).astype(np.int32)
    root.buffers[bias.buffer] = AlignedBuffer(kept.tobytes())
