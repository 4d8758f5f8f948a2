"""The values of a float TFLite model's tensors in LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate.ranges import Observations, Take
from babycry_convert.quiet import quiet
from babycry_convert.writers.operators import read_operators, text

#: Before a max pool the border is filled with about the least float, which is no value to cover.
PADDING = -3e38

#: The inputs of one run of a signature by their names.
Sample = Mapping[str, npt.NDArray[Any]]


def observe(
    model: bytes,
    windows: npt.NDArray[np.float32],
    progress: Callable[[], object] | None = None,
) -> Observations:
    """Run every window in one thread and observe every float tensor that is computed.

    Args:
        model: a float TFLite file with one signature of one input.
        windows: float32 ``(n, T, F)``.
        progress: called after each window of each pass.

    Raises:
        BabycryError: a tensor is NaN or infinite.
    """
    signature, name, shape = only_input(model)
    samples = [{name: window.reshape(shape)} for window in windows]
    return observe_signatures(model, {signature: samples}, progress)


def observe_signatures(
    model: bytes,
    samples: Mapping[str, Sequence[Sample]],
    progress: Callable[[], object] | None = None,
) -> Observations:
    """:func:`observe` for a file of several signatures, each with its own samples."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(
            model_content=model, num_threads=1, experimental_preserve_all_tensors=True
        )
        interpreter.allocate_tensors()
    tensors = _computed(model)
    padded = {o.outputs[0] for o in read_operators(model, "tflite") if o.kind == "PADV2"}

    def feed(take: Take) -> None:
        for signature, inputs in samples.items():
            runner = interpreter.get_signature_runner(signature)
            graph = runner._subgraph_index
            for sample in inputs:
                runner(**sample)
                for index, name in tensors[graph]:
                    values = interpreter.get_tensor(index, graph)
                    take(name, values[values > PADDING] if name in padded else values)
                if progress is not None:
                    progress()

    return Observations(feed)


def only_input(model: bytes) -> tuple[str, str, tuple[int, ...]]:
    """(signature, input's name, input's shape) of a file with one of each."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(model_content=model)
    ((signature, tensors),) = interpreter.get_signature_list().items()
    (name,) = tensors["inputs"]
    details = interpreter.get_signature_runner(signature).get_input_details()[name]
    return signature, name, tuple(int(size) for size in details["shape"])


def _computed(model: bytes) -> list[list[tuple[int, str]]]:
    """(index, name) of each graph's float tensors that are inputs or computed."""
    from ai_edge_litert import schema_py_generated as schema

    from babycry_convert.flatbuffer_model import unpack

    graphs = []
    for graph in unpack(model).subgraphs:
        outputs = [index for operator in graph.operators for index in operator.outputs]
        indices = dict.fromkeys(int(index) for index in (*graph.inputs, *outputs))
        graphs.append(
            [
                (index, text(graph.tensors[index].name))
                for index in indices
                if graph.tensors[index].type == schema.TensorType.FLOAT32
            ]
        )
    return graphs
