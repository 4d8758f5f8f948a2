"""One step of a GRU or LSTM in plain operators with explicit state.

A cell is a short list of operators over named tensors of shape (1, n). The same list is evaluated
in numpy to find the tensors' ranges and written to TFLite files in float and in int8, so that the
formulas stand here alone. They are torch's (documentation of torch.nn.GRU and torch.nn.LSTM).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from babycry_convert.recurrence.split import CellWeights, SplitLayer
from babycry_edge.metadata import Direction, RecurrentKind

OperatorName = Literal["FULLY_CONNECTED", "ADD", "SUB", "MUL", "LOGISTIC", "TANH"]
Values = npt.NDArray[np.float32]
Quantization = tuple[float, int]
Ranges = dict[str, tuple[float, float]]

#: int8 covers [-1, 127/128] in steps of 1/128 with zero point 0: TANH's result, by TFLite's rule.
TANH_RANGE = (-1.0, 127.0 / 128.0)
#: int8 covers [0, 255/256]: LOGISTIC's result, by TFLite's rule.
SHARE_RANGE = (0.0, 255.0 / 256.0)

# Only a window outside the calibration set would show that a state reaches 1 after all.
_NEARLY_ONE = 0.95

#: Two scales of an addition may not differ by more than XNNPACK takes.
LEAST_SCALE = 2.0**-13

# Farther out, LOGISTIC and TANH give their last int8 value: finer steps are worth more.
_LOGISTIC_REACH = 6.25
_TANH_REACH = 3.2


@dataclass(frozen=True)
class Operator:
    """One operator: FULLY_CONNECTED takes a value, weights and perhaps a bias."""

    name: OperatorName
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Cell:
    """One step of a layer in one direction.

    ``inputs`` are ``x`` and the states (``h``, with an LSTM ``c``); ``outputs`` names the tensor
    of each state after the step. ``constants``: weights (hidden, n), biases (hidden,), and ``one``
    (1, 1).
    """

    kind: RecurrentKind
    n_inputs: int
    hidden: int
    operators: tuple[Operator, ...]
    constants: dict[str, Values]
    inputs: tuple[str, ...]
    outputs: dict[str, str]

    def run(
        self, values: dict[str, Values], quantizations: dict[str, Quantization] | None = None
    ) -> dict[str, Values]:
        """Every tensor of one step for ``inputs`` of shape (n, width), computed in float32.

        With ``quantizations`` each result is rounded to what int8 can hold of it.
        """
        known = {**self.constants, **values}
        for operator in self.operators:
            result = _EVALUATE[operator.name](*(known[name] for name in operator.inputs))
            if quantizations is not None:
                result = rounded(result, quantizations[operator.output])
            known[operator.output] = result
        return {name: value for name, value in known.items() if name not in self.constants}


def quantization(low: float, high: float) -> Quantization:
    """(scale, zero point) of int8 for a range, which is widened to hold 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max(float(np.float32((high - low) / 255.0)), LEAST_SCALE)
    return scale, int(np.clip(round(-128.0 - low / scale), -128, 127))


def rounded(values: Values, quantized: Quantization) -> Values:
    """The real numbers next to ``values`` that int8 holds."""
    scale, zero_point = quantized
    steps = np.clip(np.rint(values / np.float32(scale)), -128 - zero_point, 127 - zero_point)
    result: Values = (steps * np.float32(scale)).astype(np.float32)
    return result


def layer_cells(layer: SplitLayer) -> dict[Direction, Cell]:
    """The cell of each direction of a layer."""
    make = {"gru": _gru, "lstm": _lstm}[layer.kind]
    return {direction: make(weights) for direction, weights in layer.weights.items()}


def _gru(weights: CellWeights) -> Cell:
    """r, z = share(x, h); n = tanh(Wx + b + r (Uh + c)); h' = (1 - z) n + z h.

    The two products keep a held state (z = 1) as it is, which n + z (h - n) would not in int8.
    """
    constants: dict[str, Values] = {"one": np.ones((1, 1), np.float32)}
    operators = [
        *_gate(weights, 0, "r", "LOGISTIC", constants),
        *_gate(weights, 1, "z", "LOGISTIC", constants),
    ]
    constants["n_x_weights"], constants["n_x_bias"] = _rows(
        weights, weights.input, weights.input_bias, 2
    )
    constants["n_h_weights"], constants["n_h_bias"] = _rows(
        weights, weights.state, weights.state_bias, 2
    )
    operators += [
        Operator("FULLY_CONNECTED", ("x", "n_x_weights", "n_x_bias"), "n_x"),
        Operator("FULLY_CONNECTED", ("h", "n_h_weights", "n_h_bias"), "n_h"),
        Operator("MUL", ("r", "n_h"), "n_reset"),
        Operator("ADD", ("n_x", "n_reset"), "n_sum"),
        Operator("TANH", ("n_sum",), "n"),
        Operator("SUB", ("one", "z"), "share_new"),
        Operator("MUL", ("share_new", "n"), "new"),
        Operator("MUL", ("z", "h"), "held"),
        Operator("ADD", ("new", "held"), "h_after"),
    ]
    return _cell("gru", weights, operators, constants, {"h": "h_after"})


def _lstm(weights: CellWeights) -> Cell:
    """i, f, o = share(x, h); g = tanh(x, h); c' = f c + i g; h' = o tanh(c')."""
    constants: dict[str, Values] = {}
    operators = [
        *_gate(weights, 0, "i", "LOGISTIC", constants),
        *_gate(weights, 1, "f", "LOGISTIC", constants),
        *_gate(weights, 2, "g", "TANH", constants),
        *_gate(weights, 3, "o", "LOGISTIC", constants),
        Operator("MUL", ("f", "c"), "held"),
        Operator("MUL", ("i", "g"), "new"),
        Operator("ADD", ("held", "new"), "c_after"),
        Operator("TANH", ("c_after",), "c_tanh"),
        Operator("MUL", ("o", "c_tanh"), "h_after"),
    ]
    return _cell("lstm", weights, operators, constants, {"h": "h_after", "c": "c_after"})


def _gate(
    weights: CellWeights,
    index: int,
    name: str,
    squash: OperatorName,
    constants: dict[str, Values],
) -> list[Operator]:
    """squash(W x + U h + both biases); adds its weights to ``constants``."""
    bias = weights.input_bias + weights.state_bias
    constants[f"{name}_x_weights"], constants[f"{name}_x_bias"] = _rows(
        weights, weights.input, bias, index
    )
    constants[f"{name}_h_weights"], _ = _rows(weights, weights.state, bias, index)
    return [
        Operator("FULLY_CONNECTED", ("x", f"{name}_x_weights", f"{name}_x_bias"), f"{name}_x"),
        Operator("FULLY_CONNECTED", ("h", f"{name}_h_weights"), f"{name}_h"),
        Operator("ADD", (f"{name}_x", f"{name}_h"), f"{name}_sum"),
        Operator(squash, (f"{name}_sum",), name),
    ]


def _cell(
    kind: RecurrentKind,
    weights: CellWeights,
    operators: list[Operator],
    constants: dict[str, Values],
    outputs: dict[str, str],
) -> Cell:
    hidden, n_inputs = weights.state.shape[1], weights.input.shape[1]
    inputs = ("x", *outputs)
    return Cell(kind, n_inputs, hidden, tuple(operators), constants, inputs, outputs)


def _rows(weights: CellWeights, matrix: Values, bias: Values, gate: int) -> tuple[Values, Values]:
    """One gate's part of stacked weights and biases."""
    hidden = weights.state.shape[1]
    rows = slice(gate * hidden, (gate + 1) * hidden)
    return np.ascontiguousarray(matrix[rows]), np.ascontiguousarray(bias[rows])


def state_range(observed: list[Ranges]) -> tuple[float, float]:
    """The range of the hidden state ``h`` for a layer's cells: 127 steps to its farthest value.

    That is at most 1, and zero is an integer. With 128 steps to 1, a state of 1 would lose one
    each time, which doubles the error of the logits.
    """
    farthest = max(abs(end) for seen in observed for end in seen["h_after"])
    reach = farthest if 0.0 < farthest < _NEARLY_ONE else 1.0
    return -reach * 128.0 / 127.0, reach


def int8_ranges(cells: list[Cell], observed: list[Ranges], share: float = 1.0) -> list[Ranges]:
    """The range that int8 covers of each tensor but ``x``, for the cells of one layer.

    All directions' states share one range, before and after a step, and a product with a state has
    it, too, so that a held state stays the same integer.

    Args:
        observed: of each cell, what its tensors were.
        share: how much of an LSTM's cell state is covered; a little less than all of it gives
            finer steps to the rest.
    """
    ends = (abs(end) for seen in observed for end in seen.get("c_after", (0.0, 0.0)))
    reach = share * max(ends, default=0.0)
    carried = {"h": state_range(observed), "c": (-reach, reach)}
    return [_cell_ranges(cell, seen, carried) for cell, seen in zip(cells, observed, strict=True)]


def _cell_ranges(
    cell: Cell,
    observed: Ranges,
    carried: Ranges,
) -> Ranges:
    ranges = {name: limits for name, limits in observed.items() if name != "x"}
    for operator in cell.operators:
        if operator.name == "LOGISTIC":
            ranges[operator.output] = SHARE_RANGE
        elif operator.name == "TANH":
            ranges[operator.output] = TANH_RANGE
        if operator.name in _REACH and operator.inputs[0] not in cell.outputs.values():
            low, high = ranges[operator.inputs[0]]
            reach = _REACH[operator.name]
            ranges[operator.inputs[0]] = (max(low, -reach), min(high, reach))
    if cell.kind == "gru":
        ranges["share_new"] = SHARE_RANGE
    for state, after in cell.outputs.items():
        ranges[state] = ranges[after] = carried[state]
    ranges["held"] = carried["c" if cell.kind == "lstm" else "h"]
    return ranges


def affine(values: Values, weights: Values, bias: Values | None = None) -> Values:
    """values (n, inputs), weights (outputs, inputs), bias (outputs,) to (n, outputs).

    Not through BLAS, whose sums depend on the number of threads.
    """
    product: Values = np.einsum("ij,kj->ik", values, weights)
    return product if bias is None else product + bias


def _logistic(values: Values) -> Values:
    result: Values = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * values)
    return result


_EVALUATE: dict[OperatorName, Callable[..., Values]] = {
    "FULLY_CONNECTED": affine,
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "LOGISTIC": _logistic,
    "TANH": np.tanh,
}
_REACH: dict[OperatorName, float] = {"LOGISTIC": _LOGISTIC_REACH, "TANH": _TANH_REACH}
