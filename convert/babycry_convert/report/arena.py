"""An estimate of the working memory that TensorFlow Lite Micro needs for a model's tensors.

What is counted: every tensor that is computed or given at run time, from the operator that makes it
to the last that reads it, each aligned to 16 bytes, placed as TFLM's GreedyMemoryPlanner does: the
largest first, each at the lowest offset that is free during its life. What is not: results written
over their inputs, scratch memory of kernels (an im2col buffer, say), and TFLM's own structures,
some tens of bytes a tensor and an operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from babycry_convert.flatbuffer_model import content, unpack

ALIGNMENT = 16

#: Bytes of one element by the schema's TensorType: FLOAT32 is 0, INT8 is 9, ...
_SIZES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 8: 8, 9: 1, 10: 8, 12: 8, 15: 4, 16: 2}


@dataclass(frozen=True)
class Buffer:
    """``size`` bytes that must keep still from operator ``first`` to operator ``last``."""

    size: int
    first: int
    last: int

    def lives_with(self, other: Buffer) -> bool:
        return self.first <= other.last and other.first <= self.last


def estimate_arena(model: bytes) -> int:
    """Bytes for a TFLite model's tensors.

    The parts of a file with several graphs run one after the other in the same memory; what is
    handed from one to the next, sequences and states, is counted beside it.

    Raises:
        BabycryError: no well-formed TFLite model.
    """
    root = unpack(model)
    graphs = [_buffers(root, graph) for graph in root.subgraphs]
    largest = max((plan(buffers) for buffers in graphs), default=0)
    handed_on = 0
    for graph in root.subgraphs[1:]:
        handed_on += sum(_aligned(_bytes(graph.tensors[int(i)])) for i in graph.inputs)
    return largest + handed_on


def largest_live_set(model: bytes) -> int:
    """Bytes that live at once at the busiest operator: no planner can need less."""
    root = unpack(model)
    return max(
        (_live(_buffers(root, graph), step) for graph in root.subgraphs for step in _steps(graph)),
        default=0,
    )


def plan(buffers: list[Buffer]) -> int:
    """The end of the last buffer when each is put at the lowest free offset, largest first."""
    placed: list[tuple[int, Buffer]] = []
    for buffer in sorted(buffers, key=lambda item: -item.size):  # stable, as TFLM's sort
        offset = 0
        for start, other in sorted(placed, key=lambda item: item[0]):
            if not buffer.lives_with(other):
                continue
            if start - offset >= _aligned(buffer.size):
                break
            offset = max(offset, start + _aligned(other.size))
        placed.append((offset, buffer))
    return max((offset + _aligned(buffer.size) for offset, buffer in placed), default=0)


def _buffers(root: Any, graph: Any) -> list[Buffer]:
    """Life of every tensor that is not a constant; outputs live to the end."""
    end = len(graph.operators) - 1
    first: dict[int, int] = {int(i): 0 for i in graph.inputs}
    last: dict[int, int] = {int(i): 0 for i in graph.inputs}
    for step, operator in enumerate(graph.operators):
        temporary = [] if operator.intermediates is None else operator.intermediates
        for index in (*operator.inputs, *operator.outputs, *temporary):
            number = int(index)
            if number < 0 or content(root.buffers[graph.tensors[number].buffer]):
                continue
            if graph.tensors[number].isVariable:
                first[number], last[number] = 0, end
            first.setdefault(number, step)
            last[number] = max(step, last.get(number, step))
    for index in graph.outputs:
        last[int(index)] = end
    return [
        Buffer(_bytes(graph.tensors[number]), start, last[number])
        for number, start in first.items()
        if number in last
    ]


def _steps(graph: Any) -> range:
    return range(len(graph.operators))


def _live(buffers: list[Buffer], step: int) -> int:
    return sum(_aligned(b.size) for b in buffers if b.first <= step <= b.last)


def _bytes(tensor: Any) -> int:
    shape = () if tensor.shape is None else tuple(max(1, int(size)) for size in tensor.shape)
    return prod(shape) * _SIZES.get(int(tensor.type), 4)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
