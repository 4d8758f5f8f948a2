"""The loop over the parts of a recurrent TFLite model: body, cells of one step, head.

Everything between the parts stays in the file's own integers. That is exact because tensors that
meet have one scale and zero point: a body's output and the first cells' input, a cell's states
before and after a step, a layer's states and what takes them next. It is checked at load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Direction, Recurrence, RecurrentKind

_STATES: dict[RecurrentKind, tuple[str, ...]] = {"gru": ("h",), "lstm": ("h", "c")}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Tensor:
    """What two tensors must share before one's values may be given to the other."""

    dtype: str
    scale: float
    zero_point: int
    shape: tuple[int, ...]

    def same_numbers(self, other: _Tensor) -> bool:
        return (self.dtype, self.scale, self.zero_point) == (
            other.dtype,
            other.scale,
            other.zero_point,
        )


class _Part:
    """One signature: its tensors by name, and a call."""

    def __init__(self, interpreter: Any, name: str) -> None:
        self.name = name
        runner = interpreter.get_signature_runner(name)
        self.call: Callable[..., dict[str, Array]] = runner
        self.inputs = _tensors(runner.get_input_details())
        self.outputs = _tensors(runner.get_output_details())

    def require(self, inputs: dict[str, tuple[int, ...]], outputs: tuple[str, ...]) -> None:
        """Refuses other tensors than ``inputs`` with their shapes and ``outputs``."""
        shapes = {name: tensor.shape for name, tensor in self.inputs.items()}
        if shapes != inputs or set(self.outputs) != set(outputs):
            raise BabycryError(
                f"metadata field recurrence does not fit the file: {self.name} takes {shapes} and "
                f"gives {sorted(self.outputs)}"
            )


def _tensors(details: dict[str, dict[str, Any]]) -> dict[str, _Tensor]:
    def tensor(detail: dict[str, Any]) -> _Tensor:
        scale, zero_point = detail["quantization"]
        shape = tuple(int(size) for size in detail["shape"])
        return _Tensor(np.dtype(detail["dtype"]).name, float(scale), int(zero_point), shape)

    return {name: tensor(detail) for name, detail in details.items()}


class RecurrentLoop:
    """A model in parts behind the call of a model in one piece."""

    def __init__(self, interpreter: Any, recurrence: Recurrence) -> None:
        """Takes ``interpreter``'s signatures.

        Raises:
            BabycryError: the parts do not fit the metadata or each other.
        """
        self._recurrence = recurrence
        self._body = _Part(interpreter, "body")
        self._head = _Part(interpreter, "head")
        self._layers = [
            {way: _Part(interpreter, f"cell_{index}_{way}") for way in layer.directions}
            for index, layer in enumerate(recurrence.layers)
        ]
        self._input = _only(self._body, self._body.inputs)
        self._sequence = _only(self._body, self._body.outputs)
        self._states = _only(self._head, self._head.inputs)
        self._output = _only(self._head, self._head.outputs)
        self._check()

    def warm_up(self) -> None:
        """One run over zeros: the engine makes its plans, and its remarks, now."""
        given = self._body.inputs[self._input]
        self.run(np.zeros(given.shape, given.dtype))

    def run(self, tensor: Array) -> Array:
        """One window in the body's shape and dtype -> the head's output."""
        sequence = self._body.call(**{self._input: tensor})[self._sequence][0]
        for layer, cells in zip(self._recurrence.layers, self._layers, strict=True):
            ways = [
                self._run_direction(cells[way], way, _STATES[layer.kind], sequence)
                for way in layer.directions
            ]
            sequence = np.concatenate(ways, axis=1)
        return self._head.call(**{self._states: sequence[np.newaxis]})[self._output]

    def _run_direction(
        self, cell: _Part, way: Direction, names: tuple[str, ...], sequence: Array
    ) -> Array:
        """The states ``(steps, hidden)`` of one cell over ``(steps, values)`` vectors."""
        first = cell.inputs["h"]
        states = {name: _zeros(cell.inputs[name]) for name in names}
        result = np.empty((len(sequence), first.shape[1]), first.dtype)
        times = range(len(sequence))
        for time in times if way == "forward" else reversed(times):
            states = cell.call(x=sequence[time : time + 1], **states)
            result[time] = states["h"][0]
        return result

    def _check(self) -> None:
        sequence = self._body.outputs[self._sequence]
        if sequence.shape[:2] != (1, self._recurrence.steps) or len(sequence.shape) != 3:
            raise BabycryError(
                f"metadata field recurrence.steps is {self._recurrence.steps}, "
                f"the body gives a sequence of shape {sequence.shape}"
            )
        for layer, cells in zip(self._recurrence.layers, self._layers, strict=True):
            states = _STATES[layer.kind]
            for cell in cells.values():
                state = dict.fromkeys(states, (1, layer.hidden))
                cell.require({"x": (1, sequence.shape[2]), **state}, states)
                _require_same(cell.inputs["x"], sequence, f"{cell.name} takes")
                for name in states:
                    _require_same(cell.inputs[name], cell.outputs[name], f"{cell.name} starts from")
            after = [cell.outputs["h"] for cell in cells.values()]
            for tensor in after:
                _require_same(tensor, after[0], "one direction gives")
            width = layer.hidden * len(cells)
            sequence = _Tensor(
                after[0].dtype,
                after[0].scale,
                after[0].zero_point,
                (1, self._recurrence.steps, width),
            )
        head = self._head.inputs[self._states]
        self._head.require({self._states: sequence.shape}, (self._output,))
        _require_same(head, sequence, "head takes")


def _require_same(taken: _Tensor, given: _Tensor, what: str) -> None:
    if not taken.same_numbers(given):
        raise BabycryError(
            f"the parts of the recurrence do not meet: {what} {taken.dtype} of scale "
            f"{taken.scale:g} and zero point {taken.zero_point}, and is given {given.dtype} of "
            f"scale {given.scale:g} and zero point {given.zero_point}: convert the model again"
        )


def _only(part: _Part, tensors: dict[str, _Tensor]) -> str:
    if len(tensors) != 1:
        raise BabycryError(f"the model's {part.name} has {len(tensors)} tensors at one side, not 1")
    return next(iter(tensors))


def _zeros(tensor: _Tensor) -> Array:
    """The state before the first step: real zeros."""
    return np.full(tensor.shape, tensor.zero_point, tensor.dtype)
