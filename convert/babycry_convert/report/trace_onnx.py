"""Every quantised tensor of a QDQ file beside the same tensor of its float file, in onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babycry_convert.report.trace import Place, Sample, Values, WeightPair, makers_back_to
from babycry_convert.writers.onnx_int8 import preprocess
from babycry_edge.engines.quiet import quiet_stderr
from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    import onnx

#: The suffix of the inputs that take the int8 file's values in place of the float operators' own.
_GIVEN = "::int8"

#: How the quantiser renames a tensor that is also the graph's output.
_RENAMED = "_QuantizeLinear_Input"

_ERRORS_ONLY = 3


class OnnxTrace:
    """Three sessions: the float file, the int8 file, and the float operators one place at a time.

    The third is the float graph in which every reader of a place takes a fresh input instead.
    """

    def __init__(self, float_model: bytes, int8_model: bytes) -> None:
        """Prepare the sessions.

        Raises:
            BabycryError: the int8 file was not made from the float file.
        """
        import onnx

        prepared = onnx.load_from_string(preprocess(float_model))
        int8 = onnx.load_from_string(int8_model)
        stored = _stored_tensors(int8.graph, _tensor_names(prepared.graph))
        if not stored:
            raise BabycryError("the int8 ONNX file shares no quantised tensor with the float file")
        self.places, self._stored = _places(prepared.graph, int8.graph, stored)
        names = [place.tensor for place in self.places]
        self._input = prepared.graph.input[0].name
        made = [name for name in names if name != self._input]
        self._made = made
        self._int8 = _session(_with_outputs(int8, self._stored))
        self._float = _session(_with_outputs(prepared, made))
        self._local = _session(_with_outputs(_separated(prepared, names), made))
        self._shape = _input_shape(prepared.graph)

    def run(self, window: Values) -> Iterator[Sample]:
        tensor = np.ascontiguousarray(window, np.float32).reshape(self._shape)
        stored = self._int8.run(self._stored, {self._int8.get_inputs()[0].name: tensor})
        int8 = {p.tensor: p.real(v) for p, v in zip(self.places, stored, strict=True)}
        real = dict(
            zip(self._made, self._float.run(self._made, {self._input: tensor}), strict=True)
        )
        wanted = {item.name for item in self._local.get_inputs()}
        given = {name + _GIVEN: values for name, values in int8.items()}
        given[self._input] = tensor
        feeds = {name: values for name, values in given.items() if name in wanted}
        local = dict(zip(self._made, self._local.run(self._made, feeds), strict=True))
        for index, place in enumerate(self.places):
            name = place.tensor
            yield Sample(index, real.get(name, tensor), int8[name], local.get(name, tensor))


def _tensor_names(graph: onnx.GraphProto) -> set[str]:
    made = {name for node in graph.node for name in node.output if name}
    return made | {item.name for item in graph.input}


def _stored_tensors(graph: onnx.GraphProto, known: set[str]) -> dict[str, Any]:
    """Tensor of the float file -> its QuantizeLinear node in the int8 file, in the file's order."""
    stored: dict[str, Any] = {}
    constants = {item.name for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants:
            name = node.input[0].removesuffix(_RENAMED)
            if name in known:
                stored.setdefault(name, node)
    return stored


def _places(
    real: onnx.GraphProto, int8: onnx.GraphProto, stored: dict[str, Any]
) -> tuple[list[Place], list[str]]:
    """The places in the float file's order, and each one's tensor of integers."""
    from onnx import numpy_helper

    constants = {item.name: numpy_helper.to_array(item) for item in int8.initializer}
    weights = _weights(int8, constants)
    originals = {item.name: numpy_helper.to_array(item) for item in real.initializer}
    makers = {name: node for node in real.node for name in node.output if name}
    ranks = _ranks(real)
    inputs = [item.name for item in real.input if item.name in stored]
    order = [*inputs, *(name for name in makers if name in stored)]
    places, integers = [], []
    for name in order:
        quantize = stored[name]
        scale, zero_point = _back(int8, quantize, constants)
        nodes = makers_back_to(name, makers, set(stored), lambda node: node.input)
        pairs = [
            WeightPair(originals[key], *weights[key])
            for node in nodes
            for key in node.input
            if key in originals and key in weights and originals[key].shape == weights[key][0].shape
        ]
        heavy = [node for node in nodes if any(_is_weight(originals.get(k)) for k in node.input)]
        chosen = (heavy or nodes or [None])[-1]
        places.append(
            Place(
                tensors=(*(o for node in reversed(nodes) for o in node.output if o != name), name),
                operator=chosen.op_type if chosen is not None else "input",
                name=(chosen.name or name) if chosen is not None else name,
                scale=scale,
                zero_point=int(zero_point),
                dtype=zero_point.dtype.name,
                channel_axis=_channel_axis(ranks.get(name)),
                weights=tuple(pairs),
                sources=tuple(key for node in nodes for key in node.input if key in stored),
            )
        )
        integers.append(quantize.output[0])
    return places, integers


def _is_weight(values: npt.NDArray[Any] | None) -> bool:
    return values is not None and values.dtype.kind == "f" and values.ndim >= 2


def _channel_axis(rank: int | None) -> int | None:
    """ONNX keeps an image's channels first; of two axes the second has the values."""
    return None if rank is None or rank < 2 else 1


def _ranks(graph: onnx.GraphProto) -> dict[str, int]:
    return {
        info.name: len(info.type.tensor_type.shape.dim)
        for info in (*graph.value_info, *graph.input, *graph.output)
        if info.type.tensor_type.HasField("shape")
    }


def _weights(
    graph: onnx.GraphProto, constants: dict[str, npt.NDArray[Any]]
) -> dict[str, tuple[Values, int, bool]]:
    """Float constant -> (its dequantised twin in the int8 file, channel axis, whether each channel
    has a scale). No biases."""
    found = {}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            continue
        stored = constants[node.input[0]]
        if stored.ndim < 2:
            continue
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1) % stored.ndim
        scale = constants[node.input[1]]
        zero = constants[node.input[2]] if len(node.input) > 2 else np.zeros_like(scale, np.int32)
        if scale.size > 1:
            shape = [-1 if i == axis else 1 for i in range(stored.ndim)]
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        real = (stored.astype(np.int32) - zero.astype(np.int32)) * scale
        per_channel = scale.size > 1
        name = node.input[0].removesuffix("_quantized")
        found[name] = real.astype(np.float32), axis if per_channel else 0, per_channel
    return found


def _back(
    graph: onnx.GraphProto, quantize: Any, constants: dict[str, npt.NDArray[Any]]
) -> tuple[float, Any]:
    """(scale, zero point) by which the stored integers are read again."""
    readers = (
        node
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] == quantize.output[0]
    )
    node = next(readers, quantize)
    scale = constants[node.input[1]].reshape(-1)
    zero = constants[node.input[2]] if len(node.input) > 2 else np.zeros(1, np.uint8)
    return float(scale[0]), zero.reshape(-1)[0]


def _separated(prepared: onnx.ModelProto, places: list[str]) -> onnx.ModelProto:
    """The float model whose operators read every place from a fresh input."""
    import onnx
    from onnx import helper

    model = onnx.ModelProto()
    model.CopyFrom(prepared)
    graph = model.graph
    types = {info.name: info.type for info in (*graph.value_info, *graph.input, *graph.output)}
    fresh = set(places)
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name in fresh:
                node.input[index] = name + _GIVEN
    read = {name for node in graph.node for name in node.input}
    kept = [item for item in graph.input if item.name in read]
    del graph.input[:]
    graph.input.extend(kept)
    for name in places:
        if name + _GIVEN not in read:
            continue
        item = helper.make_tensor_value_info(name + _GIVEN, onnx.TensorProto.FLOAT, None)
        if name in types:
            item.type.CopyFrom(types[name])
        graph.input.append(item)
    return model


def _with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """A copy that also gives the named tensors."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    given = {item.name for item in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    return copy


def _input_shape(graph: onnx.GraphProto) -> tuple[int, ...]:
    dimensions = graph.input[0].type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else 1 for dim in dimensions)


def _session(model: onnx.ModelProto) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # As the runtime's engine: products of bytes are added exactly on every processor.
    options.add_session_config_entry("session.x64quantprecision", "1")
    with quiet_stderr():
        return ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
