"""The operators of a model file of either format as one plain list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_convert.flatbuffer_model import content, unpack
from babycry_edge.model_file import ModelFormat

#: Operators that only carry numbers between the float and the integer domain.
_CONVERSIONS = {"QuantizeLinear", "DequantizeLinear", "QUANTIZE", "DEQUANTIZE"}

#: What onnxruntime computes on integers between DequantizeLinear and QuantizeLinear.
_INTEGER_ONNX = {
    *("Conv", "Gemm", "MatMul", "Add", "Mul"),
    *("AveragePool", "GlobalAveragePool", "MaxPool", "LeakyRelu", "Sigmoid", "Softmax"),
    *("Concat", "Flatten", "Gather", "Reshape", "Resize", "Slice", "Split", "Squeeze"),
    *("Transpose", "Unsqueeze", "Relu", "Clip"),
}

#: Activations that become part of the convolution or matrix product before them.
_FUSED = ("Relu", "Clip")

_TFLITE_DTYPES: dict[str, Any] = {
    "FLOAT32": np.float32,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "BOOL": np.bool_,
}


@dataclass(frozen=True)
class Operator:
    """One operator: ``inputs`` and ``outputs`` are tensors that are computed at run time.

    ``constants`` are its other inputs by name, in the file's layout. ``output_dtypes`` are numpy's
    names. ``name`` is the ONNX node's name; in TFLite, which has none, the first output's.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: dict[str, npt.NDArray[Any]]
    output_dtypes: tuple[str, ...]


def read_operators(model: bytes, model_format: ModelFormat) -> list[Operator]:
    """The operators in the file's order; those of a TFLite file's graphs one after another."""
    return _read_onnx(model) if model_format == "onnx" else _read_tflite(model)


def float_operators(model: bytes, model_format: ModelFormat) -> list[str]:
    """What still computes in float in an int8 file: kinds with their number, as "GRU x2".

    Operators that only convert are left out. In ONNX (QDQ) an operator computes in integers when
    the runtime has an integer kernel for it, all that it takes is dequantised and all that it gives
    is quantised again or is the output.
    """
    operators = read_operators(model, model_format)
    kinds = Counter(_floats_onnx(operators) if model_format == "onnx" else _floats(operators))
    return [kind if n == 1 else f"{kind} x{n}" for kind, n in sorted(kinds.items())]


def _floats(operators: list[Operator]) -> list[str]:
    return [
        operator.kind
        for operator in operators
        if "float32" in operator.output_dtypes and operator.kind not in _CONVERSIONS
    ]


def _floats_onnx(operators: list[Operator]) -> list[str]:
    makers = {name: operator.kind for operator in operators for name in operator.outputs}
    takers: dict[str, list[str]] = {}
    for operator in operators:
        for name in operator.inputs:
            takers.setdefault(name, []).append(operator.kind)

    def is_integer(operator: Operator) -> bool:
        taken = {makers.get(name) for name in operator.inputs} == {"DequantizeLinear"}
        given = [kind for name in operator.outputs for kind in takers.get(name, [])]
        # An output that goes to an activation is fused with it before it is quantised.
        ends = all(kind in (*_FUSED, "QuantizeLinear") for kind in given)
        return operator.kind in _INTEGER_ONNX and taken and ends

    def is_fused(operator: Operator) -> bool:
        return operator.kind in _FUSED and makers.get(operator.inputs[0]) in ("Conv", "Gemm")

    return [
        operator.kind
        for operator in operators
        if operator.kind not in _CONVERSIONS | {"Constant"}
        and "float32" in operator.output_dtypes
        and not is_integer(operator)
        and not is_fused(operator)
    ]


def _read_onnx(model: bytes) -> list[Operator]:
    import onnx
    from onnx import helper, numpy_helper

    proto = onnx.load_from_string(model)
    inferred = onnx.shape_inference.infer_shapes(proto)
    infos = (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input)
    types = {info.name: info.type.tensor_type.elem_type for info in infos}
    graph = proto.graph
    values = {item.name: item for item in graph.initializer}
    operators = []
    for node in graph.node:
        constants = {n: numpy_helper.to_array(values[n]) for n in node.input if n in values}
        operators.append(
            Operator(
                kind=node.op_type,
                name=node.name or node.output[0],
                inputs=tuple(n for n in node.input if n and n not in values),
                outputs=tuple(n for n in node.output if n),
                constants=constants,
                output_dtypes=tuple(
                    helper.tensor_dtype_to_np_dtype(types[n]).name if types.get(n) else "float32"
                    for n in node.output
                    if n
                ),
            )
        )
    return operators


def _read_tflite(model: bytes) -> list[Operator]:
    from ai_edge_litert import schema_py_generated as schema

    root = unpack(model)
    kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
    dtypes = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
    operators = []
    for graph in root.subgraphs:
        data = [content(root.buffers[tensor.buffer]) for tensor in graph.tensors]
        names = [text(tensor.name) for tensor in graph.tensors]
        for operator in graph.operators:
            code = root.operatorCodes[operator.opcodeIndex]
            taken = [i for i in operator.inputs if i >= 0]
            given = [names[i] for i in operator.outputs]
            operators.append(
                Operator(
                    kind=kinds[max(code.builtinCode, code.deprecatedBuiltinCode)],
                    name=given[0] if given else "",
                    inputs=tuple(names[i] for i in taken if not data[i]),
                    outputs=tuple(given),
                    constants={
                        names[i]: _array(graph.tensors[i], data[i], dtypes)
                        for i in taken
                        if data[i]
                    },
                    output_dtypes=tuple(
                        dtypes[graph.tensors[i].type].lower() for i in operator.outputs
                    ),
                )
            )
    return operators


def _array(tensor: Any, data: bytes | None, dtypes: dict[int, str]) -> npt.NDArray[Any]:
    dtype = _TFLITE_DTYPES.get(dtypes[tensor.type], np.uint8)
    values = np.frombuffer(data or b"", dtype)
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    return values.reshape(shape) if values.size == int(np.prod(shape)) else values


def text(name: Any) -> str:
    """A name of the flatbuffer's object tree, which holds bytes after reading."""
    return name.decode("utf-8") if isinstance(name, bytes) else str(name)
