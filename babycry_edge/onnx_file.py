"""A bounds-checked reader of ONNX files that needs no protobuf package.

It reads the parts of ``ModelProto`` that describe a model: inputs, outputs, operators and the
``metadata_props``. Field numbers are those of onnx.proto (ONNX, IR version 3 and later); the wire
format is Protocol Buffers' (varint, 64-bit, length-delimited, 32-bit). Weights are skipped.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from babycry_edge.errors import BabycryError
from babycry_edge.model_file import (
    MAX_ENTRIES,
    MAX_METADATA_BYTES,
    MAX_MODEL_BYTES,
    MAX_NAME_BYTES,
    MAX_PARSE_STEPS,
    METADATA_KEY,
    ModelFile,
    TensorInfo,
)

# Graphs inside graphs (If, Loop, Scan) deeper than this are refused.
_MAX_NESTING = 8

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# TensorProto.DataType
_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4_e2m1",
}


def read_onnx(data: bytes) -> ModelFile:
    """Read an ONNX model from its bytes.

    Raises:
        BabycryError: the bytes are no well-formed ONNX model, or exceed a stated limit.
    """
    if len(data) > MAX_MODEL_BYTES:
        raise BabycryError(f"ONNX model has {len(data)} bytes, more than {MAX_MODEL_BYTES}")
    wire = _Wire(memoryview(data))
    graph: _Span | None = None
    metadata: str | None = None
    has_opset = False
    for number, value in wire.fields(_Span(0, len(data)), "ModelProto"):
        if number == 7:
            if graph is not None:
                raise _malformed("it holds two graphs")
            graph = _span(value, "ModelProto.graph")
        elif number == 8:
            has_opset = True
        elif number == 14:
            key, text = _metadata_entry(wire, _span(value, "ModelProto.metadata_props"))
            if key == METADATA_KEY:
                metadata = text
    if graph is None or not has_opset:
        raise _malformed("it ends before the graph or the operator set, or is no ONNX model")
    content = _read_graph(wire, graph, depth=0)
    if not content.outputs:
        raise _malformed("its graph has no output")
    return ModelFile(
        format="onnx",
        metadata_json=metadata,
        inputs=tuple(i for i in content.inputs if i.name not in content.initializers),
        outputs=tuple(content.outputs),
        operators=tuple(sorted(content.operators.items())),
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
    )


@dataclass(frozen=True)
class _Span:
    """The bytes [start, end) of a length-delimited field."""

    start: int
    end: int


@dataclass
class _Graph:
    inputs: list[TensorInfo] = field(default_factory=list)
    outputs: list[TensorInfo] = field(default_factory=list)
    initializers: set[str] = field(default_factory=set)
    operators: Counter[str] = field(default_factory=Counter)


class _Wire:
    """Protocol Buffers' wire format over one buffer, with a budget of fields."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._steps_left = MAX_PARSE_STEPS

    def fields(self, span: _Span, message: str) -> Iterator[tuple[int, int | _Span]]:
        """Yield (field number, value); a value is an integer or the span of a field's bytes."""
        position = span.start
        while position < span.end:
            self._steps_left -= 1
            if self._steps_left < 0:
                raise BabycryError(f"ONNX model has more than {MAX_PARSE_STEPS} fields")
            tag, position = self._varint(position, span.end, message)
            number, kind = tag >> 3, tag & 7
            if number == 0:
                raise _malformed(f"field number 0 in {message}")
            value: int | _Span
            if kind == _VARINT:
                value, position = self._varint(position, span.end, message)
            else:
                size = self._payload_size(kind, message)
                if size is None:
                    size, position = self._varint(position, span.end, message)
                if size > span.end - position:
                    raise _malformed(f"truncated inside {message}")
                value = _Span(position, position + size)
                position += size
            yield number, value

    @staticmethod
    def _payload_size(kind: int, message: str) -> int | None:
        """Bytes of a fixed-size payload; None where a length precedes it."""
        sizes: dict[int, int | None] = {_FIXED64: 8, _FIXED32: 4, _BYTES: None}
        if kind not in sizes:
            raise _malformed(f"wire type {kind} in {message}")
        return sizes[kind]

    def _varint(self, position: int, end: int, message: str) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if position >= end:
                raise _malformed(f"truncated inside {message}")
            byte = self._data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, position
        raise _malformed(f"over-long integer in {message}")

    def text(self, value: int | _Span, what: str, limit: int = MAX_NAME_BYTES) -> str:
        span = _span(value, what)
        if span.end - span.start > limit:
            raise BabycryError(f"ONNX model: {what} is longer than {limit} bytes")
        try:
            return bytes(self._data[span.start : span.end]).decode("utf-8")
        except UnicodeDecodeError:
            raise _malformed(f"{what} is not UTF-8") from None


def _malformed(detail: str) -> BabycryError:
    return BabycryError(f"malformed or truncated ONNX model: {detail}")


def _span(value: int | _Span, what: str) -> _Span:
    if isinstance(value, int):
        raise _malformed(f"{what} has the wrong wire type")
    return value


def _integer(value: int | _Span, what: str) -> int:
    if not isinstance(value, int):
        raise _malformed(f"{what} has the wrong wire type")
    return value if value < 1 << 63 else value - (1 << 64)


def _metadata_entry(wire: _Wire, span: _Span) -> tuple[str, str]:
    key = text = ""
    for number, value in wire.fields(span, "StringStringEntryProto"):
        if number == 1:
            key = wire.text(value, "a metadata key")
        elif number == 2:
            text = wire.text(value, "a metadata value", MAX_METADATA_BYTES)
    return key, text


def _read_graph(wire: _Wire, span: _Span, depth: int) -> _Graph:
    if depth > _MAX_NESTING:
        raise BabycryError(f"ONNX model nests graphs deeper than {_MAX_NESTING}")
    graph = _Graph()
    for number, value in wire.fields(span, "GraphProto"):
        if number == 1:
            _count_node(wire, _span(value, "GraphProto.node"), graph.operators, depth)
        elif number == 5:
            graph.initializers.add(_tensor_name(wire, _span(value, "GraphProto.initializer")))
        elif number == 11:
            graph.inputs.append(_tensor_info(wire, _span(value, "GraphProto.input")))
        elif number == 12:
            graph.outputs.append(_tensor_info(wire, _span(value, "GraphProto.output")))
    if len(graph.outputs) > MAX_ENTRIES:
        raise BabycryError(f"ONNX model has more than {MAX_ENTRIES} outputs")
    return graph


def _count_node(wire: _Wire, span: _Span, operators: Counter[str], depth: int) -> None:
    name = domain = ""
    for number, value in wire.fields(span, "NodeProto"):
        if number == 4:
            name = wire.text(value, "NodeProto.op_type")
        elif number == 7:
            domain = wire.text(value, "NodeProto.domain")
        elif number == 5:
            attribute = _span(value, "NodeProto.attribute")
            for subgraph in _attribute_graphs(wire, attribute):
                operators.update(_read_graph(wire, subgraph, depth + 1).operators)
    if not name:
        raise _malformed("a node has no operator type")
    operators[name if domain in ("", "ai.onnx") else f"{domain}::{name}"] += 1


def _attribute_graphs(wire: _Wire, span: _Span) -> list[_Span]:
    return [
        _span(value, "AttributeProto.g")
        for number, value in wire.fields(span, "AttributeProto")
        if number in (6, 11)
    ]


def _tensor_name(wire: _Wire, span: _Span) -> str:
    name = ""
    for number, value in wire.fields(span, "TensorProto"):
        if number == 8:
            name = wire.text(value, "TensorProto.name")
    return name


def _tensor_info(wire: _Wire, span: _Span) -> TensorInfo:
    name, dtype, shape = "", "unknown", ()  # type: str, str, tuple[int, ...]
    for number, value in wire.fields(span, "ValueInfoProto"):
        if number == 1:
            name = wire.text(value, "ValueInfoProto.name")
        elif number == 2:
            for kind, tensor in wire.fields(_span(value, "ValueInfoProto.type"), "TypeProto"):
                if kind == 1:
                    dtype, shape = _tensor_type(wire, _span(tensor, "TypeProto.tensor_type"))
    if not name:
        raise _malformed("an input or output has no name")
    return TensorInfo(name, shape, dtype)


def _tensor_type(wire: _Wire, span: _Span) -> tuple[str, tuple[int, ...]]:
    dtype = "unknown"
    shape: list[int] = []
    for number, value in wire.fields(span, "TypeProto.Tensor"):
        if number == 1:
            dtype = _DTYPES.get(_integer(value, "TypeProto.Tensor.elem_type"), "unknown")
        elif number == 2:
            for kind, dim in wire.fields(_span(value, "TypeProto.Tensor.shape"), "TensorShape"):
                if kind == 1:
                    shape.append(_dimension(wire, _span(dim, "TensorShapeProto.dim")))
    if len(shape) > MAX_ENTRIES:
        raise BabycryError(f"ONNX model: a tensor has more than {MAX_ENTRIES} dimensions")
    return dtype, tuple(shape)


def _dimension(wire: _Wire, span: _Span) -> int:
    size = -1
    for number, value in wire.fields(span, "TensorShapeProto.Dimension"):
        if number == 1:
            size = _integer(value, "TensorShapeProto.Dimension.dim_value")
            if size < 0:
                raise _malformed(f"a dimension of {size}")
    return size
