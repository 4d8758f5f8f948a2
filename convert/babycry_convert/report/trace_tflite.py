"""Every quantised tensor of an int8 TFLite file beside the same tensor of its float file."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babycry_convert.flatbuffer_model import content, pack, unpack
from babycry_convert.report.trace import Place, Sample, Values, WeightPair, makers_back_to
from babycry_convert.writers.operators import text
from babycry_edge.engines.quiet import quiet_stderr
from babycry_edge.errors import BabycryError
from babycry_edge.model_file import TensorInfo
from babycry_edge.quantized_io import quantize
from babycry_edge.tflite_file import OPERATOR_NAMES

if TYPE_CHECKING:
    from babycry_edge.metadata import Recurrence

_INTEGERS = {9: "int8", 3: "uint8", 7: "int16"}
_FLOAT32 = 0

#: What the quantiser hangs on to the name of a tensor that also exists in float.
_SUFFIX = "_quantized"

_TAP, _GIVEN = "tap:", "given:"

Tensors = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Graph:
    """One subgraph: its signature, and its places' tensors in the float and in the int8 file."""

    name: str
    index: int
    real: dict[int, int]
    int8: dict[int, int]


@dataclass(frozen=True)
class _Call:
    """One run of a part: what it took, and the values of its places by their numbers."""

    part: str
    inputs: Tensors
    outputs: Tensors
    places: dict[int, npt.NDArray[Any]]


class TfliteTrace:
    """Three interpreters: the float file, the int8 file, the float operators one place at a time.

    Places become outputs of their graphs, so that the kernels that run the model make them. A file
    in parts is run by the runtime's own loop when ``recurrence`` is given; otherwise its first
    part alone is compared and ``left_out`` names the others.
    """

    def __init__(
        self, float_model: bytes, int8_model: bytes, recurrence: Recurrence | None = None
    ) -> None:
        """Prepare the interpreters.

        Raises:
            BabycryError: the int8 file was not made from the float file.
        """
        real, int8 = unpack(float_model), unpack(int8_model)
        if len(real.subgraphs) != len(int8.subgraphs):
            raise BabycryError("the int8 TFLite file has other graphs than the float file")
        names = _signatures(int8)
        for root in (real, int8):
            _name_signatures(root, names)
        self._recurrence = recurrence
        self.places: list[Place] = []
        self._graphs: dict[str, _Graph] = {}
        self._first = names[0]
        self.left_out = [] if recurrence is not None else names[1:]
        for index, name in enumerate(names):
            if name not in self.left_out:
                part = name if len(names) > 1 else ""
                self._graphs[name] = self._compared(real, int8, index, name, part)
        if not self.places:
            raise BabycryError(
                "the int8 TFLite file shares no quantised tensor with the float file"
            )
        real_taps = {graph.name: graph.real for graph in self._graphs.values()}
        int8_taps = {graph.name: graph.int8 for graph in self._graphs.values()}
        self._real = _Parts(real, real_taps)
        self._int8 = _Parts(int8, int8_taps)
        self._separated = _Parts(_separated(real, self._graphs.values()), real_taps)

    def run(self, window: Values) -> Iterator[Sample]:
        calls = zip(self._calls(self._int8, window), self._calls(self._real, window), strict=True)
        for int8, real in calls:
            given = {i: self.places[i].real(values) for i, values in int8.places.items()}
            feeds = real.inputs | {f"{_GIVEN}{i}": values for i, values in given.items()}
            local = self._separated.call(int8.part, feeds).places
            for place, own in real.places.items():
                # What a later part is given was made, and is counted, in the part before it.
                if place in local or int8.part == self._first:
                    yield Sample(place, own, given[place], local.get(place, own))

    def _calls(self, parts: _Parts, window: Values) -> list[_Call]:
        """Every run of a part for one window, in order."""
        tensor = parts.window(self._first, window)
        parts.calls.clear()
        if self._recurrence is None:
            parts.get_signature_runner(self._first)(**tensor)
        else:
            from babycry_edge.engines.recurrent_loop import RecurrentLoop

            RecurrentLoop(parts, self._recurrence).run(next(iter(tensor.values())))
        return list(parts.calls)

    def _compared(self, real: Any, int8: Any, index: int, name: str, part: str) -> _Graph:
        theirs = real.subgraphs[index]
        ours = int8.subgraphs[index]
        stored = _stored_tensors(int8, ours, _computed_floats(real, theirs))
        makers = {int(o): operator for operator in theirs.operators for o in operator.outputs}
        order = [*map(int, theirs.inputs), *makers]
        start = len(self.places)
        chosen = [number for number in order if number in stored]
        for number in chosen:
            nodes = makers_back_to(
                number, makers, set(stored), lambda operator: map(int, operator.inputs)
            )
            self.places.append(
                _place(real, theirs, int8, ours, number, stored[number], nodes, part)
            )
        return _Graph(
            name,
            index,
            dict(enumerate(chosen, start)),
            dict(enumerate((stored[number] for number in chosen), start)),
        )


class _Parts:
    """An interpreter of a file whose places are outputs; it records each call of a signature."""

    def __init__(self, root: Any, places: dict[str, dict[int, int]]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.calls: list[_Call] = []
        changed = copy.deepcopy(root)
        self._taken: dict[str, dict[int, str]] = {}
        for signature in changed.signatureDefs:
            name = text(signature.signatureKey)
            self._taken[name] = _tap(changed, signature, places.get(name, {}))
        with quiet_stderr():
            self._interpreter = Interpreter(model_content=pack(changed), num_threads=1)
        self._runners = {name: self._interpreter.get_signature_runner(name) for name in places}

    def window(self, name: str, window: Values) -> Tensors:
        """The window as the part's only input."""
        details = self._runners[name].get_input_details()
        if len(details) != 1:
            raise BabycryError(f"the model's {name} has {len(details)} inputs, not one")
        ((key, detail),) = details.items()
        return {key: quantize(window.reshape(detail["shape"]), _info(key, detail))}

    def call(self, name: str, inputs: Tensors) -> _Call:
        """Run one part with those of ``inputs`` that it takes, and record the call."""
        runner = self._runners[name]
        feeds = {key: inputs[key] for key in runner.get_input_details()}
        given = runner(**feeds)
        values = {int(key[len(_TAP) :]): v for key, v in given.items() if key.startswith(_TAP)}
        values |= {p: inputs[key] for p, key in self._taken[name].items() if key in inputs}
        self.calls.append(_Call(name, feeds, given, dict(sorted(values.items()))))
        return self.calls[-1]

    def get_signature_runner(self, name: str) -> _Runner:
        """As the interpreter's own, for the runtime's loop over the parts."""
        return _Runner(self, name, self._runners[name])


class _Runner:
    def __init__(self, parts: _Parts, name: str, runner: Any) -> None:
        self._parts, self._name, self._runner = parts, name, runner

    def get_input_details(self) -> dict[str, Any]:
        details: dict[str, Any] = self._runner.get_input_details()
        return details

    def get_output_details(self) -> dict[str, Any]:
        details: dict[str, Any] = self._runner.get_output_details()
        return {key: value for key, value in details.items() if not key.startswith(_TAP)}

    def __call__(self, **inputs: npt.NDArray[Any]) -> Tensors:
        call = self._parts.call(self._name, inputs)
        return {key: call.outputs[key] for key in self.get_output_details()}


def part_names(model: bytes) -> list[str]:
    """The signatures of a file's graphs, in the file's order."""
    return _signatures(unpack(model))


def _info(name: str, detail: dict[str, Any]) -> TensorInfo:
    dtype = np.dtype(detail["dtype"]).name
    scale, zero_point = detail["quantization"]
    if dtype == "float32" or not scale:
        return TensorInfo(name, (), dtype)
    return TensorInfo(name, (), dtype, float(scale), int(zero_point))


def _signatures(root: Any) -> list[str]:
    """The signature of each subgraph; one is made up for a graph that has none."""
    names = {int(s.subgraphIndex): text(s.signatureKey) for s in root.signatureDefs or []}
    return [names.get(index, f"graph_{index}") for index in range(len(root.subgraphs))]


def _name_signatures(root: Any, names: list[str]) -> None:
    """Give each subgraph exactly one signature, of the given name."""
    from ai_edge_litert import schema_py_generated as schema

    present = {int(s.subgraphIndex): s for s in reversed(root.signatureDefs or [])}
    root.signatureDefs = []
    for index, (graph, name) in enumerate(zip(root.subgraphs, names, strict=True)):
        signature = present.get(index)
        if signature is None:
            signature = schema.SignatureDefT()
            signature.subgraphIndex = index
            signature.inputs = [_named(f"input_{n}", i) for n, i in enumerate(graph.inputs)]
            signature.outputs = [_named(f"output_{n}", i) for n, i in enumerate(graph.outputs)]
        signature.signatureKey = name
        root.signatureDefs.append(signature)


def _named(name: str, tensor: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, int(tensor)
    return entry


def _computed_floats(root: Any, graph: Any) -> dict[str, int]:
    """Float tensors that are computed or given at run time: name -> number."""
    return {
        text(tensor.name): number
        for number, tensor in enumerate(graph.tensors)
        if tensor.type == _FLOAT32 and not content(root.buffers[tensor.buffer])
    }


def _stored_tensors(root: Any, graph: Any, floats: dict[str, int]) -> dict[int, int]:
    """Tensor of the float file -> the same in the int8 file, where that holds integers."""
    alive = {int(i) for i in graph.inputs}
    alive |= {int(i) for operator in graph.operators for i in operator.outputs}
    stored: dict[int, int] = {}
    for number in sorted(alive):
        tensor = graph.tensors[number]
        scale = tensor.quantization.scale if tensor.quantization is not None else None
        if tensor.type not in _INTEGERS or scale is None or len(scale) != 1:
            continue
        name = text(tensor.name)
        theirs = floats.get(name, floats.get(name.removesuffix(_SUFFIX)))
        if theirs is not None:
            stored.setdefault(theirs, number)
    return stored


def _place(
    real: Any,
    theirs: Any,
    int8: Any,
    ours: Any,
    number: int,
    stored: int,
    nodes: list[Any],
    part: str,
) -> Place:
    tensor = ours.tensors[stored]
    twins = {text(item.name): item for item in ours.tensors}
    pairs = {}
    for node in nodes:
        for index in map(int, node.inputs):
            item = theirs.tensors[index] if index >= 0 else None
            if item is None or item.type != _FLOAT32 or len(_shape(item)) < 2:
                continue
            twin = twins.get(text(item.name))
            if twin is not None and content(real.buffers[item.buffer]):
                pairs[id(node)] = _weight_pair(real, item, int8, twin)
    chosen = next((node for node in nodes if pairs.get(id(node))), nodes[0] if nodes else None)
    taken = [text(theirs.tensors[int(i)].name) for node in nodes for i in node.inputs if i >= 0]
    made = [text(theirs.tensors[int(o)].name) for node in reversed(nodes) for o in node.outputs]
    name = text(theirs.tensors[number].name)
    rank = len(_shape(theirs.tensors[number]))
    return Place(
        tensors=(*(other for other in made if other != name), name),
        operator="input" if chosen is None else _kind(real, chosen),
        name=name if chosen is None else text(theirs.tensors[int(chosen.outputs[0])].name),
        scale=float(tensor.quantization.scale[0]),
        zero_point=int(tensor.quantization.zeroPoint[0]),
        dtype=_INTEGERS[tensor.type],
        channel_axis=rank - 1 if rank >= 2 else None,
        weights=tuple(pair for pair in pairs.values() if pair is not None),
        part=part,
        sources=tuple(source for source in taken if source not in made),
    )


def _kind(root: Any, operator: Any) -> str:
    code = root.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return OPERATOR_NAMES[number] if number < len(OPERATOR_NAMES) else f"BUILTIN_{number}"


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)


def _weight_pair(real: Any, item: Any, int8: Any, twin: Any) -> WeightPair | None:
    """A float constant and its dequantised twin; None where the twin is no int8 of that shape."""
    raw, stored = content(real.buffers[item.buffer]), content(int8.buffers[twin.buffer])
    shape = _shape(item)
    if raw is None or stored is None or twin.type not in (9, 7) or _shape(twin) != shape:
        return None
    integers = np.frombuffer(stored, _INTEGERS[twin.type]).reshape(shape).astype(np.int32)
    scale = np.asarray(twin.quantization.scale, np.float32)
    zero = np.asarray(twin.quantization.zeroPoint, np.int32)
    axis = int(twin.quantization.quantizedDimension) if scale.size > 1 else 0
    spread = [-1 if i == axis else 1 for i in range(len(shape))]
    if scale.size > 1:
        scale, zero = scale.reshape(spread), zero.reshape(spread)
    values = ((integers - zero) * scale).astype(np.float32)
    real_values = np.frombuffer(raw, np.float32).reshape(shape)
    return WeightPair(real_values, values, axis, scale.size > 1)


def _tap(root: Any, signature: Any, places: dict[int, int]) -> dict[int, str]:
    """Make every place an output; those that the graph is given: place -> the input's name."""
    graph = root.subgraphs[signature.subgraphIndex]
    inputs = {int(entry.tensorIndex): text(entry.name) for entry in signature.inputs}
    outputs = [int(i) for i in graph.outputs]
    taken = {}
    for place, number in places.items():
        if number in inputs:
            taken[place] = inputs[number]
            continue
        if f"{_GIVEN}{place}" in inputs.values() and not _is_made(graph, number):
            continue
        if number not in outputs:
            outputs.append(number)
        signature.outputs.append(_named(f"{_TAP}{place}", number))
    graph.outputs = outputs
    return taken


def _is_made(graph: Any, number: int) -> bool:
    return any(number in map(int, operator.outputs) for operator in graph.operators)


def _separated(real: Any, graphs: Iterable[_Graph]) -> Any:
    """The float file whose operators read every place from a fresh input."""
    changed = copy.deepcopy(real)
    for part in graphs:
        graph = changed.subgraphs[part.index]
        signature = changed.signatureDefs[part.index]
        fresh = {}
        for place, number in part.real.items():
            if not any(number in map(int, operator.inputs) for operator in graph.operators):
                continue
            twin = copy.copy(graph.tensors[number])
            twin.name = f"{_GIVEN}{place}"
            fresh[number] = len(graph.tensors)
            graph.tensors.append(twin)
            signature.inputs.append(_named(twin.name, fresh[number]))
        for operator in graph.operators:
            operator.inputs = [fresh.get(int(i), int(i)) for i in operator.inputs]
        # What the graph was given and is a place now has no reader left.
        gone = {number for number in part.real.values() if not _is_made(graph, number)}
        signature.inputs = [e for e in signature.inputs if int(e.tensorIndex) not in gone]
        graph.inputs = [int(entry.tensorIndex) for entry in signature.inputs]
    return changed
