"""A split network as a TFLite file in parts: body, a cell for each layer and direction, head."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate.ranges import Feed, Observations, RangeSettings, Take
from babycry_convert.flatbuffer_model import pack, unpack
from babycry_convert.quiet import quiet
from babycry_convert.recurrence.cell import (
    Cell,
    Quantization,
    Ranges,
    int8_ranges,
    layer_cells,
    quantization,
    state_range,
)
from babycry_convert.recurrence.cell_loop import run_loop
from babycry_convert.recurrence.cell_tflite import float_cell, int8_cell
from babycry_convert.recurrence.merge import merge
from babycry_convert.recurrence.split import SplitNetwork
from babycry_convert.writers.tflite_int8 import apply_rules, recipe_rules
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.metadata import Direction, Recurrence, RecurrentLayer
from babycry_edge.tflite_file import read_tflite

if TYPE_CHECKING:
    from torch import nn

#: Finds the ranges of what a feed gives.
FindRanges = Callable[[Feed], Ranges]

_INPUT, _OUTPUT = "features", "logits"
_SEQUENCE, _STATES = "sequence", "states"
# Shares of the greatest cell state that are tried as an LSTM's range.
_SHARES = (1.0, 0.8, 0.65, 0.5, 0.4, 0.3)


def min_max(feed: Feed) -> Ranges:
    """The extremes of each tensor."""
    return Observations(feed).ranges(RangeSettings())


@dataclass(frozen=True)
class FloatParts:
    """The float files of a split network's parts, and the cells as lists of operators."""

    body: bytes
    cells: tuple[dict[Direction, Cell], ...]
    head: bytes
    recurrence: Recurrence

    def merged(self) -> bytes:
        """One file of all parts."""
        names = iter(self.recurrence.signatures[1:-1])
        cells = [cell for layer in self.cells for cell in layer.values()]
        written = {name: float_cell(cell, name) for name, cell in zip(names, cells, strict=True)}
        return merge({"body": self.body, **written, "head": self.head})


def float_parts(network: SplitNetwork, window_shape: tuple[int, int]) -> FloatParts:
    """Write body and head with litert-torch, and the layers as cells.

    Raises:
        BabycryError: litert-torch is not installed, or cannot convert the body or the head.
    """
    import torch

    last = network.layers[-1]
    width = last.hidden * len(last.weights)
    return FloatParts(
        body=_export(network.body, torch.zeros(1, *window_shape, 1), _INPUT, _SEQUENCE),
        cells=tuple(layer_cells(layer) for layer in network.layers),
        head=_export(network.head, torch.zeros(1, network.steps, width), _STATES, _OUTPUT),
        recurrence=Recurrence(
            network.steps,
            tuple(
                RecurrentLayer(layer.kind, tuple(layer.weights), layer.hidden)
                for layer in network.layers
            ),
        ),
    )


def int8_model(
    parts: FloatParts, windows: npt.NDArray[np.float32], find_ranges: FindRanges
) -> bytes:
    """The parts in int8, with ranges from the float network's own run over ``windows``.

    Args:
        parts: from :func:`float_parts`.
        windows: as the model will see them, float32 ``(n, T, F)``.
        find_ranges: what range follows from the values.

    Raises:
        BabycryError: a part could not be made int8, or its tensors do not meet the next one's.
    """
    body_feed, sequences = _feed_of(parts.body, windows)
    body = _quantize(parts.body, find_ranges(body_feed))
    given, states = _border(body).outputs, (0.0, 0.0)
    files = {"body": body}
    names = iter(parts.recurrence.signatures[1:-1])
    values = sequences()
    for cells in parts.cells:
        layer = _int8_layer(cells, values, given, find_ranges)
        for cell, quantizations in zip(cells.values(), layer.quantizations, strict=True):
            name = next(names)
            files[name] = int8_cell(cell, name, quantizations)
        states, values = layer.range, layer.states
        given = quantization(*states)
    head_feed, _ = _feed_of(parts.head, values)
    head_ranges = {**find_ranges(head_feed), _STATES: states}
    files["head"] = _taking(_quantize(parts.head, head_ranges), given)
    return merge(files)


# ---- float parts


def _export(module: nn.Module, example: Any, input_name: str, output_name: str) -> bytes:
    """A module as TFLite; an example of four axes has its channels last."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        litert_torch = require("litert_torch", "convert")
        network = copy.deepcopy(module).eval()
        if example.ndim == 4:
            network = litert_torch.to_channel_last_io(network, args=[0])
        path = Path(folder, "part.tflite")
        litert_torch.convert(network, (example,)).export(str(path))
        root = unpack(path.read_bytes())
    (graph,), (signature,) = root.subgraphs, root.signatureDefs
    for number, tensor in enumerate(graph.tensors):
        tensor.name = f"t{number}"
    graph.tensors[graph.inputs[0]].name = signature.inputs[0].name = input_name
    graph.tensors[graph.outputs[0]].name = signature.outputs[0].name = output_name
    return pack(root)


# ---- what the parts' tensors are


def _feed_of(
    part: bytes, inputs: npt.NDArray[np.float32]
) -> tuple[Feed, Callable[[], npt.NDArray[np.float32]]]:
    """A feed of a part's float tensors over ``inputs``, and its outputs once it has run."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(
            model_content=part, num_threads=1, experimental_preserve_all_tensors=True
        )
        interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    result = interpreter.get_output_details()[0]
    tensors = list(_computed(part))
    outputs = np.empty((len(inputs), *result["shape"][1:]), np.float32)

    def feed(take: Take) -> None:
        for index, values in enumerate(inputs):
            interpreter.set_tensor(source["index"], values.reshape(source["shape"]))
            interpreter.invoke()
            for number, name in tensors:
                take(name, interpreter.get_tensor(number))
            outputs[index] = interpreter.get_tensor(result["index"])[0]

    return feed, lambda: outputs


def _computed(part: bytes) -> Iterator[tuple[int, str]]:
    """(index, name) of a file's float tensors that are inputs or computed."""
    from ai_edge_litert import schema_py_generated as schema

    (graph,) = unpack(part).subgraphs
    results = [index for operator in graph.operators for index in operator.outputs]
    for index in dict.fromkeys(int(i) for i in (*graph.inputs, *results)):
        if graph.tensors[index].type == schema.TensorType.FLOAT32:
            yield index, graph.tensors[index].name.decode("utf-8")


@dataclass(frozen=True)
class _Int8Layer:
    """Each direction's quantisations, the float states (n, steps, hidden * directions), and what
    int8 covers of them."""

    quantizations: list[dict[str, Quantization]]
    range: tuple[float, float]
    states: npt.NDArray[np.float32]


def _int8_layer(
    cells: dict[Direction, Cell],
    sequences: npt.NDArray[np.float32],
    given: Quantization,
    find_ranges: FindRanges,
) -> _Int8Layer:
    """Ranges of a layer's tensors over ``sequences`` (n, steps, values) of quantisation ``given``.

    The range of an LSTM's cell state is the one with the least mean squared error of the states
    when every tensor is rounded as int8 will.
    """
    observed = [
        find_ranges(lambda take, c=cell, d=way: run_loop(c, d, sequences, take=take))  # type: ignore[misc]
        for way, cell in cells.items()
    ]
    states = [run_loop(cell, way, sequences) for way, cell in cells.items()]
    listed = list(cells.values())

    def quantizations(share: float) -> list[dict[str, Quantization]]:
        ranges = int8_ranges(listed, observed, share)
        return [
            {"x": given, **{name: quantization(*ends) for name, ends in limits.items()}}
            for limits in ranges
        ]

    def loss(candidate: list[dict[str, Quantization]]) -> float:
        return sum(
            float(np.square(run_loop(cell, way, sequences, scales) - exact).mean())
            for (way, cell), scales, exact in zip(cells.items(), candidate, states, strict=True)
        )

    shares = _SHARES if listed[0].kind == "lstm" else (1.0,)
    best = min((quantizations(share) for share in shares), key=loss)
    return _Int8Layer(best, state_range(observed), np.concatenate(states, axis=2))


# ---- int8 body and head


@dataclass(frozen=True)
class _Border:
    inputs: Quantization
    outputs: Quantization


def _border(part: bytes) -> _Border:
    """The quantisation of a part's input and output.

    Raises:
        BabycryError: one of them is not int8.
    """
    file = read_tflite(part)
    found = []
    for tensor in (*file.inputs, *file.outputs):
        if tensor.dtype != "int8" or tensor.scale is None or tensor.zero_point is None:
            raise BabycryError(f"int8 TFLite: tensor {tensor.name} stayed {tensor.dtype}")
        found.append((tensor.scale, tensor.zero_point))
    if len(found) != 2:
        raise BabycryError(f"a part has {len(found)} tensors at its border, not 2")
    return _Border(*found)


def _quantize(part: bytes, ranges: Ranges) -> bytes:
    """A float part in int8, with a range for each of its tensors."""
    return apply_rules(part, recipe_rules(), ranges)


def _taking(part: bytes, given: Quantization) -> bytes:
    """The part for an input of the given quantisation: with a QUANTIZE in front if it differs."""
    from ai_edge_litert import schema_py_generated as schema

    if _border(part).inputs == given:
        return part
    root = unpack(part)
    (graph,) = root.subgraphs
    inner = int(graph.inputs[0])
    outer = copy.deepcopy(graph.tensors[inner])
    graph.tensors[inner].name = f"{outer.name.decode('utf-8')}_rescaled"
    outer.quantization.scale = np.array([given[0]], np.float32)
    outer.quantization.zeroPoint = np.array([given[1]], np.int64)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 2
    step = schema.OperatorT()
    step.opcodeIndex = len(root.operatorCodes)
    step.inputs, step.outputs = [len(graph.tensors)], [inner]
    root.operatorCodes.append(code)
    graph.operators.insert(0, step)
    graph.inputs = [len(graph.tensors)]
    root.signatureDefs[0].inputs[0].tensorIndex = len(graph.tensors)
    graph.tensors.append(outer)
    return pack(root)
