"""An ONNX file, checked before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from babycry_convert.quiet import quiet
from babycry_edge.errors import BabycryError
from babycry_edge.onnx_file import read_onnx

if TYPE_CHECKING:
    import onnx

#: More operators than any network for a device has.
MAX_OPERATORS = 20_000

_EXTERNAL = 1  # TensorProto.DataLocation


@dataclass(frozen=True)
class CheckedModel:
    """A model of one float32 input and one output, its operators those that the output needs.

    ``input_shape``: None on an axis that the file leaves open; the first axis is the batch.
    ``opset``: of the ONNX operators. ``constants``: the initialisers by name.
    """

    proto: onnx.ModelProto
    nodes: list[onnx.NodeProto]
    constants: dict[str, onnx.TensorProto]
    input_name: str
    input_shape: tuple[int | None, ...]
    output_name: str
    opset: int


def check_model(data: bytes) -> CheckedModel:
    """Parse a model and choose its one input and output.

    A ``ZipMap`` at the end (scikit-learn) is passed over; of several outputs the one of two float
    axes is meant, which leaves a classifier's label out.

    Raises:
        BabycryError: malformed, with weights in other files, with graphs inside operators, or not
            of one float32 input and one such output.
    """
    read_onnx(data)
    import onnx
    from google.protobuf.message import DecodeError

    try:
        with quiet():
            proto = onnx.ModelProto.FromString(data)
            if proto.functions:
                proto = onnx.inliner.inline_local_functions(proto)
    except (DecodeError, RuntimeError, ValueError, TypeError) as error:
        raise BabycryError(f"malformed ONNX model: {_first_line(error)}") from None
    graph = proto.graph
    _refuse_what_is_elsewhere(graph)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    inputs = [i for i in graph.input if i.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(i.name for i in inputs) or "none"
        raise BabycryError(f"the ONNX model must have one input, not {len(inputs)}: {names}")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise BabycryError(f"the ONNX model's input {inputs[0].name!r} must be float32")
    output = _output(graph)
    return CheckedModel(
        proto=_cut(proto, inputs[0].name, output),
        nodes=_ancestors(graph, output),
        constants=constants,
        input_name=inputs[0].name,
        input_shape=tuple(
            d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None
            for d in tensor.shape.dim
        ),
        output_name=output,
        opset=max(
            (o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=1
        ),
    )


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The operator's attributes as Python values; text as str."""
    from onnx import helper

    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {name: _plain(value) for name, value in values.items()}


def title(node: onnx.NodeProto) -> str:
    """How a line for the user names an operator."""
    operator = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
    where = node.name or (node.output[0] if node.output else "")
    return f"ONNX operator {operator} (node {where!r})"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (list, tuple)) or type(value).__name__.startswith("Repeated"):
        return [_plain(item) for item in value]
    return value


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:300] if text else type(error).__name__


def _refuse_what_is_elsewhere(graph: onnx.GraphProto) -> None:
    if len(graph.node) > MAX_OPERATORS:
        raise BabycryError(f"the ONNX model has more than {MAX_OPERATORS} operators")
    if graph.sparse_initializer:
        raise BabycryError("the ONNX model has sparse weights, which are not read")
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise BabycryError(
                    f"{title(node)} holds a graph of its own: export without loops and branches"
                )
    for tensor in _tensors(graph):
        if tensor.data_location == _EXTERNAL or tensor.external_data:
            raise BabycryError(
                f"the ONNX model keeps {tensor.name!r} in another file: save it as one file"
            )


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _output(graph: onnx.GraphProto) -> str:
    """The name of the one output that is meant."""
    import onnx

    mapped = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "ZipMap"}
    found = []
    for output in graph.output:
        kind = output.type.tensor_type
        is_float = kind.elem_type == onnx.TensorProto.FLOAT
        if output.name in mapped or is_float:
            found.append((mapped.get(output.name, output.name), len(kind.shape.dim)))
    if len(found) > 1:
        found = [(name, rank) for name, rank in found if rank == 2]
    if len(found) != 1:
        names = ", ".join(o.name for o in graph.output)
        raise BabycryError(f"the ONNX model must have one float32 output: it has {names}")
    return found[0][0]


def _ancestors(graph: onnx.GraphProto, output: str) -> list[onnx.NodeProto]:
    """The operators that ``output`` depends on, in the graph's order."""
    needed = {output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(name for name in node.input if name)
    return kept[::-1]


def _cut(proto: onnx.ModelProto, input_name: str, output: str) -> onnx.ModelProto:
    """The model that ends in ``output``."""
    from onnx import helper

    if [o.name for o in proto.graph.output] == [output]:
        return proto
    import onnx

    cut = onnx.ModelProto()
    cut.CopyFrom(proto)
    del cut.graph.node[:]
    cut.graph.node.extend(_ancestors(proto.graph, output))
    del cut.graph.output[:]
    cut.graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
    return cut
