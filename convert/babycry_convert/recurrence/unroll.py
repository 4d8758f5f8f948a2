"""A TFLite file in parts as one ordinary graph: body, every step of every cell, head.

The steps share their weights, and their operators are those of the cells, so that the graph's
integers are the loop's. Time is indexed from the end for the backward direction: no operator that
reverses, none that loops.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from babycry_convert.flatbuffer_model import AlignedBuffer, content, pack, unpack
from babycry_edge.metadata import Recurrence

_SIGNATURE = "serving_default"


def unroll(model: bytes, recurrence: Recurrence) -> bytes:
    """The single graph that runs as ``recurrence`` says.

    Args:
        model: a file in parts, float or int8.
        recurrence: its loops.
    """
    root = unpack(model)
    graphs = {
        _text(signature.signatureKey): (root.subgraphs[signature.subgraphIndex], signature)
        for signature in root.signatureDefs
    }
    builder = _Builder(root)
    body, body_signature = graphs["body"]
    inside = builder.add_graph(body, {})
    features = inside[int(body.inputs[0])]
    vectors = builder.unpack_steps(inside[int(body.outputs[0])], recurrence.steps)
    for index, layer in enumerate(recurrence.layers):
        ways = []
        for direction in layer.directions:
            cell = _Cell(*graphs[f"cell_{index}_{direction}"])
            forward = direction == "forward"
            after = builder.add_loop(cell, vectors if forward else vectors[::-1])
            ways.append(after if forward else after[::-1])
        vectors = [builder.join(list(states)) for states in zip(*ways, strict=True)]
    head, head_signature = graphs["head"]
    states = builder.pack_steps(vectors, head.tensors[int(head.inputs[0])])
    inside = builder.add_graph(head, {int(head.inputs[0]): states})
    logits = inside[int(head.outputs[0])]
    return builder.model(
        (features, _text(body_signature.inputs[0].name)),
        (logits, _text(head_signature.outputs[0].name)),
    )


def _text(name: Any) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else str(name)


@dataclass(frozen=True)
class _Cell:
    """A cell's subgraph with its border by name."""

    graph: Any
    signature: Any

    @property
    def inputs(self) -> dict[str, int]:
        return {_text(entry.name): int(entry.tensorIndex) for entry in self.signature.inputs}

    @property
    def outputs(self) -> dict[str, int]:
        return {_text(entry.name): int(entry.tensorIndex) for entry in self.signature.outputs}


class _Builder:
    """One subgraph that grows; buffers and operator codes are those of the file in parts."""

    def __init__(self, root: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._root = root
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._constants: dict[tuple[int, int], int] = {}
        self._quantizations: dict[tuple[Any, ...], _Shared] = {}
        self._options: dict[int, _Shared] = {}

    def add_graph(self, graph: Any, given: dict[int, int]) -> dict[int, int]:
        """Copy a subgraph; ``given`` maps its inputs to tensors that are there already.

        Returns:
            The index here of each of its tensors. Constants are copied once.
        """
        indices = {-1: -1, **given}
        for number, tensor in enumerate(graph.tensors):
            if number in indices:
                continue
            if content(self._root.buffers[tensor.buffer]) is None:
                indices[number] = self._add(tensor)
            else:
                key = (id(graph), number)
                if key not in self._constants:
                    self._constants[key] = self._add(tensor)
                indices[number] = self._constants[key]
        for operator in graph.operators:
            step = copy.copy(operator)
            if operator.builtinOptions is not None:
                options = operator.builtinOptions
                step.builtinOptions = self._options.setdefault(id(options), _Shared(options))
            step.inputs = [indices[int(i)] for i in operator.inputs]
            step.outputs = [indices[int(i)] for i in operator.outputs]
            self._operators.append(step)
        return indices

    def add_loop(self, cell: _Cell, vectors: list[int]) -> list[int]:
        """Copy a cell for each vector in turn; returns the state ``h`` after each."""
        inputs, outputs = cell.inputs, cell.outputs
        states = {name: self._zeros(cell.graph.tensors[inputs[name]]) for name in outputs}
        result = []
        for vector in vectors:
            given = {inputs["x"]: vector, **{inputs[name]: states[name] for name in outputs}}
            inside = self.add_graph(cell.graph, given)
            states = {name: inside[index] for name, index in outputs.items()}
            result.append(states["h"])
        return result

    def unpack_steps(self, sequence: int, steps: int) -> list[int]:
        """(1, steps, n) as ``steps`` tensors (1, n)."""
        source = self._tensors[sequence]
        vectors = [self._add_like(source, (1, int(source.shape[2]))) for _ in range(steps)]
        options = self._schema.UnpackOptionsT()
        options.num, options.axis = steps, 1
        self._add_operator("UNPACK", "UnpackOptions", options, [sequence], vectors)
        return vectors

    def join(self, ways: list[int]) -> int:
        """The directions' states of one step side by side."""
        if len(ways) == 1:
            return ways[0]
        width = sum(int(self._tensors[way].shape[1]) for way in ways)
        joined = self._add_like(self._tensors[ways[0]], (1, width))
        options = self._schema.ConcatenationOptionsT()
        options.axis = 1
        self._add_operator("CONCATENATION", "ConcatenationOptions", options, ways, [joined])
        return joined

    def pack_steps(self, vectors: list[int], like: Any) -> int:
        """Tensors (1, n) as one (1, steps, n), which the head's input ``like`` describes."""
        states = self._add(like)
        options = self._schema.PackOptionsT()
        options.valuesCount, options.axis = len(vectors), 1
        self._add_operator("PACK", "PackOptions", options, vectors, [states])
        return states

    def model(self, source: tuple[int, str], result: tuple[int, str]) -> bytes:
        """The file, with its input's and output's index and name."""
        for number, tensor in enumerate(self._tensors):
            tensor.name = f"t{number}"
        for index, name in (source, result):
            self._tensors[index].name = name
        graph = self._schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = [source[0]], [result[0]]
        graph.name = "main"
        signature = self._schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = _SIGNATURE, 0
        signature.inputs = [self._entry(*source)]
        signature.outputs = [self._entry(*result)]
        self._root.subgraphs, self._root.signatureDefs = [graph], [signature]
        return pack(self._root)

    def _entry(self, index: int, name: str) -> Any:
        entry = self._schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        return entry

    def _zeros(self, like: Any) -> int:
        """A constant with real zeros: the state before the first step."""
        shape = [int(size) for size in like.shape]
        if like.type == self._schema.TensorType.INT8:
            data = np.full(shape, int(like.quantization.zeroPoint[0]), np.int8).tobytes()
        else:
            data = np.zeros(shape, np.float32).tobytes()
        index = self._add(like)
        self._tensors[index].buffer = len(self._root.buffers)
        self._root.buffers.append(AlignedBuffer(data))
        return index

    def _add_like(self, tensor: Any, shape: tuple[int, ...]) -> int:
        index = self._add(tensor)
        self._tensors[index].shape = list(shape)
        self._tensors[index].shapeSignature = None
        return index

    def _add(self, tensor: Any) -> int:
        added = copy.copy(tensor)
        if added.quantization is not None:
            added.quantization = self._shared(added.quantization)
        self._tensors.append(added)
        return len(self._tensors) - 1

    def _shared(self, quantization: Any) -> Any:
        """Equal quantisations are one object, and one table in the file."""
        if isinstance(quantization, _Shared):
            return quantization
        key = (
            _numbers(quantization.scale),
            _numbers(quantization.zeroPoint),
            quantization.quantizedDimension,
        )
        if key not in self._quantizations:
            self._quantizations[key] = _Shared(quantization)
        return self._quantizations[key]

    def _add_operator(
        self, name: str, options_name: str, options: Any, inputs: list[int], outputs: list[int]
    ) -> None:
        builtin = getattr(self._schema.BuiltinOperator, name)
        added = self._schema.OperatorT()
        added.opcodeIndex = self._code(builtin)
        added.inputs, added.outputs = inputs, outputs
        added.builtinOptionsType = getattr(self._schema.BuiltinOptions, options_name)
        added.builtinOptions = options
        self._operators.append(added)

    def _code(self, builtin: int) -> int:
        for index, code in enumerate(self._root.operatorCodes):
            if code.builtinCode == builtin:
                return index
        code = self._schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = 2
        self._root.operatorCodes.append(code)
        return len(self._root.operatorCodes) - 1


class _Shared:
    """A table that many tensors or operators have: written to a flatbuffer once."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._builder: Any = None
        self._offset = 0

    def __getattr__(self, name: str) -> Any:
        if name == "_table":  # asked for by copy before __init__ has run
            raise AttributeError(name)
        return getattr(self._table, name)

    def Pack(self, builder: Any) -> int:  # noqa: N802  (the name that the object API calls)
        if self._builder is not builder:
            self._builder, self._offset = builder, int(self._table.Pack(builder))
        return self._offset


def _numbers(values: Iterable[Any] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in values)
