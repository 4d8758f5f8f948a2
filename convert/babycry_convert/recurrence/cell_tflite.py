"""A cell as a TFLite file of one signature, in float32 or in int8."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_convert.flatbuffer_model import AlignedBuffer, pack
from babycry_convert.recurrence.cell import LEAST_SCALE, Cell, Operator, Quantization

# The version of each operator that takes int8; the float one is older, and taken, too.
_VERSION = {"FULLY_CONNECTED": 4}
_DEFAULT_VERSION = 2
_OPTIONS = {"FULLY_CONNECTED": "FullyConnected", "ADD": "Add", "SUB": "Sub", "MUL": "Mul"}

#: A bias stays within 31 bits, or the scale of its weights grows.
_MOST_BIAS = 2.0**30


def float_cell(cell: Cell, name: str) -> bytes:
    """The cell in float32, as signature ``name``."""
    graph = _Graph(name)
    _add_border(graph, cell, {})
    for operator in cell.operators:
        for constant in operator.inputs:
            if constant in cell.constants:
                graph.add_constant(constant, cell.constants[constant])
        graph.add_operator(operator, (1, cell.hidden))
    return graph.model(cell)


def int8_cell(cell: Cell, name: str, quantizations: dict[str, Quantization]) -> bytes:
    """The cell in int8, as signature ``name``.

    Weights have a scale for each of their rows and no zero point; a bias is int32 in steps of the
    input's scale times the row's.

    Args:
        quantizations: of every tensor but the constants.
    """
    graph = _Graph(name)
    _add_border(graph, cell, quantizations)
    for operator in cell.operators:
        if operator.name == "FULLY_CONNECTED":
            _add_int8_weights(graph, cell, operator, quantizations[operator.inputs[0]][0])
        elif operator.inputs[0] in cell.constants:  # all ones
            scale = 1.0 / 127.0
            ones = np.full((1, 1), 127, np.int8)
            graph.add_constant(operator.inputs[0], ones, np.array([scale], np.float32))
        graph.add_operator(operator, (1, cell.hidden), quantizations[operator.output])
    return graph.model(cell)


def _add_border(graph: _Graph, cell: Cell, quantizations: dict[str, Quantization]) -> None:
    for name in cell.inputs:
        width = cell.n_inputs if name == "x" else cell.hidden
        graph.add_computed(name, (1, width), quantizations.get(name))


def _add_int8_weights(graph: _Graph, cell: Cell, operator: Operator, input_scale: float) -> None:
    weights_name, *bias_name = operator.inputs[1:]
    weights = cell.constants[weights_name].astype(np.float64)
    scales = np.abs(weights).max(axis=1) / 127.0
    if bias_name:
        bias = cell.constants[bias_name[0]].astype(np.float64)
        scales = np.maximum(scales, np.abs(bias) / (input_scale * _MOST_BIAS))
    # A row of zeros has any scale; float32 as the file keeps it.
    scales = np.where(scales > 0.0, scales, LEAST_SCALE).astype(np.float32)
    steps = np.rint(weights / scales[:, np.newaxis])
    graph.add_constant(weights_name, np.clip(steps, -127, 127).astype(np.int8), scales)
    if bias_name:
        bias_scales = np.float32(input_scale) * scales
        bias_steps = np.rint(bias / bias_scales).astype(np.int32)
        graph.add_constant(bias_name[0], bias_steps, bias_scales)


class _Graph:
    """A TFLite model of one subgraph under construction."""

    def __init__(self, name: str) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._name = name
        self._indices: dict[str, int] = {}
        self._codes: dict[int, int] = {}
        self._graph = schema.SubGraphT()
        self._graph.name = name
        self._graph.tensors, self._graph.operators = [], []
        self._buffers: list[Any] = [AlignedBuffer(None)]

    def add_computed(
        self, name: str, shape: tuple[int, ...], quantized: Quantization | None
    ) -> None:
        kind = self._schema.TensorType.FLOAT32
        if quantized is not None:
            kind = self._schema.TensorType.INT8
        tensor = self._tensor(name, shape, kind)
        if quantized is not None:
            scale, zero_point = quantized
            self._quantize(tensor, np.array([scale], np.float32), zero_point)

    def add_constant(
        self, name: str, values: npt.NDArray[Any], scales: npt.NDArray[np.float32] | None = None
    ) -> None:
        """A constant with one scale, or with one for each row."""
        kinds = {"float32": "FLOAT32", "int8": "INT8", "int32": "INT32"}
        kind = getattr(self._schema.TensorType, kinds[values.dtype.name])
        tensor = self._tensor(name, values.shape, kind)
        tensor.buffer = len(self._buffers)
        self._buffers.append(AlignedBuffer(values.astype(values.dtype.newbyteorder("<")).tobytes()))
        if scales is not None:
            self._quantize(tensor, scales, 0)

    def add_operator(
        self, operator: Operator, shape: tuple[int, ...], quantized: Quantization | None = None
    ) -> None:
        self.add_computed(operator.output, shape, quantized)
        schema = self._schema
        added = schema.OperatorT()
        builtin = getattr(schema.BuiltinOperator, operator.name)
        added.opcodeIndex = self._codes.setdefault(builtin, len(self._codes))
        inputs = [self._indices[name] for name in operator.inputs]
        if operator.name == "FULLY_CONNECTED" and len(inputs) == 2:
            inputs.append(-1)  # no bias
        added.inputs, added.outputs = inputs, [self._indices[operator.output]]
        options = _OPTIONS.get(operator.name)
        if options is not None:
            added.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
            added.builtinOptions = getattr(schema, f"{options}OptionsT")()
        self._graph.operators.append(added)

    def model(self, cell: Cell) -> bytes:
        schema = self._schema
        root = schema.ModelT()
        root.version = 3
        root.description = "babycry-edge"
        root.buffers = self._buffers
        root.operatorCodes = []
        for builtin in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode = builtin, builtin
            name = next(k for k, v in vars(schema.BuiltinOperator).items() if v == builtin)
            code.version = _VERSION.get(name, _DEFAULT_VERSION)
            root.operatorCodes.append(code)
        self._graph.inputs = [self._indices[name] for name in cell.inputs]
        self._graph.outputs = [self._indices[name] for name in cell.outputs.values()]
        root.subgraphs = [self._graph]
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = self._name, 0
        signature.inputs = [self._entry(name, name) for name in cell.inputs]
        signature.outputs = [self._entry(state, name) for state, name in cell.outputs.items()]
        root.signatureDefs = [signature]
        return pack(root)

    def _entry(self, name: str, tensor: str) -> Any:
        entry = self._schema.TensorMapT()
        entry.name, entry.tensorIndex = name, self._indices[tensor]
        return entry

    def _tensor(self, name: str, shape: tuple[int, ...], kind: int) -> Any:
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), kind
        tensor.buffer, tensor.hasRank = 0, True
        self._indices[name] = len(self._graph.tensors)
        self._graph.tensors.append(tensor)
        return tensor

    def _quantize(self, tensor: Any, scales: npt.NDArray[np.float32], zero_point: int) -> None:
        parameters = self._schema.QuantizationParametersT()
        parameters.scale = scales
        parameters.zeroPoint = np.full(len(scales), zero_point, np.int64)
        tensor.quantization = parameters
