"""ONNX's GRU, LSTM and RNN as torch's layers.

ONNX stacks a GRU's gates as (update z, reset r, new h) and an LSTM's as (input, output, forget,
cell); torch as (r, z, n) and (i, f, g, o). ONNX's results have an axis for the direction: Y is
(T, directions, N, H), Y_h and Y_c (directions, N, H), where torch gives (T, N, directions * H).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from babycry_convert.readers.onnx_graph.build import Value
from babycry_convert.readers.onnx_graph.operation import Operation, rule
from babycry_edge.errors import BabycryError

# torch's gate -> place among ONNX's
_GATES = {"GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1), "RNN": (0,)}
_ACTIVATIONS = {"GRU": ["sigmoid", "tanh"], "LSTM": ["sigmoid", "tanh", "tanh"], "RNN": ["tanh"]}

#: A longer sequence is no window of audio.
MAX_STEPS = 100_000


class ResetFirstGRU(nn.Module):
    """A GRU that resets the state before its matrix: ``linear_before_reset = 0``.

    h' = (1 - z) * tanh(W x + b + R (r * h)) + z * h. Keras makes it with ``reset_after=False``;
    torch's nn.GRU is the other kind. Time-major; as long as the sequences it was made for.
    Weights are named and ordered as nn.GRU's.
    """

    def __init__(self, input_size: int, hidden_size: int, steps: int, bidirectional: bool) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.steps = input_size, hidden_size, steps
        self.bidirectional, self.num_layers, self.batch_first = bidirectional, 1, False
        for suffix in ("", "_reverse")[: 1 + bidirectional]:
            for name, shape in (
                ("weight_ih_l0", (3 * hidden_size, input_size)),
                ("weight_hh_l0", (3 * hidden_size, hidden_size)),
                ("bias_ih_l0", (3 * hidden_size,)),
                ("bias_hh_l0", (3 * hidden_size,)),
            ):
                self.register_parameter(name + suffix, nn.Parameter(torch.zeros(shape)))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(T, N, I) -> (T, N, directions * H) and the last states (directions, N, H)."""
        outputs, last = self._run(x, "", range(self.steps))
        states = [last]
        if self.bidirectional:
            back, last = self._run(x, "_reverse", range(self.steps - 1, -1, -1))
            outputs = torch.cat([outputs, back], 2)
            states.append(last)
        return outputs, torch.stack(states)

    def _run(self, x: torch.Tensor, suffix: str, order: range) -> tuple[torch.Tensor, torch.Tensor]:
        weight = getattr(self, f"weight_hh_l0{suffix}")
        bias = getattr(self, f"bias_hh_l0{suffix}")
        inputs = F.linear(
            x, getattr(self, f"weight_ih_l0{suffix}"), getattr(self, f"bias_ih_l0{suffix}")
        )
        size = self.hidden_size
        state = inputs[0, :, :size] * 0.0
        outputs: list[torch.Tensor] = [state] * self.steps
        for t in order:
            gates = inputs[t, :, : 2 * size] + F.linear(state, weight[: 2 * size], bias[: 2 * size])
            reset = torch.sigmoid(gates[:, :size])
            update = torch.sigmoid(gates[:, size:])
            new = torch.tanh(
                inputs[t, :, 2 * size :]
                + F.linear(reset * state, weight[2 * size :], bias[2 * size :])
            )
            state = (1.0 - update) * new + update * state
            outputs[t] = state
        return torch.stack(outputs), state


@rule("GRU", "LSTM", "RNN")
def _recurrent(op: Operation) -> list[Value | None]:
    x = op.input(0)
    steps, size = _sizes(op, x)
    direction = op.get("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise BabycryError(f"direction {direction!r}")
    directions = 2 if direction == "bidirectional" else 1
    _refuse_unusual(op, steps, directions)
    module = _module(op, int(x.samples[0].shape[2]), size, directions, steps)
    _fill(op, module, directions, size)
    backward = direction == "reverse"
    if backward:
        x = op.build.call(torch.flip, x, [0])
    result = op.build.layer(op.layer_name(), module, x)
    outputs = op.build.item(result, 0)
    if backward:
        outputs = op.build.call(torch.flip, outputs, [0])
    shapes = [(steps, s.shape[1], directions, size) for s in outputs.samples]
    y = op.build.call(torch.permute, op.build.reshape(outputs, shapes), (0, 2, 1, 3))
    if op.kind == "LSTM":
        states = op.build.item(result, 1)
        return [y, op.build.item(states, 0), op.build.item(states, 1)]
    return [y, op.build.item(result, 1)]


def _sizes(op: Operation, x: Value) -> tuple[int, int]:
    if x.rank != 3 or x.known:
        raise BabycryError("its input is no sequence")
    steps = x.shape[0]
    if steps is None:
        raise BabycryError("the batch is where its time should be")
    if not 1 <= steps <= MAX_STEPS:
        raise BabycryError(f"{steps} steps")
    weight = op.input(2).tensor
    size = int(op.get("hidden_size", weight.shape[-1]))
    if size != weight.shape[-1]:
        raise BabycryError(f"hidden_size {size} does not fit its weights")
    return steps, size


def _refuse_unusual(op: Operation, steps: int, directions: int) -> None:
    if op.get("layout", 0):
        raise BabycryError("batch-major layout")
    if op.get("clip", None):
        raise BabycryError("it clips its cell")
    if op.get("input_forget", 0):
        raise BabycryError("its input and forget gates are one")
    usual = _ACTIVATIONS[op.kind]
    given = [a.lower() for a in op.get("activations", usual * directions)]
    relu = op.kind == "RNN" and given == ["relu"] * directions
    if given != usual * directions and not relu:
        raise BabycryError(f"activations {', '.join(given)}: only {', '.join(usual)} are read")
    lengths = op.optional(4)
    if lengths is not None and lengths.samples[0].numel():
        full = lengths.known and all(bool((s == steps).all()) for s in lengths.samples)
        if not full:
            raise BabycryError("sequences of different lengths in one batch")
    for index in (5, 6) if op.kind == "LSTM" else (5,):
        state = op.optional(index)
        if state is not None and not (
            state.known and not any(bool(s.any()) for s in state.samples)
        ):
            raise BabycryError("its state does not begin at zero")
    peepholes = op.optional(7) if op.kind == "LSTM" else None
    if peepholes is not None and bool(peepholes.tensor.any()):
        raise BabycryError("an LSTM with peepholes")


def _module(op: Operation, inputs: int, size: int, directions: int, steps: int) -> nn.Module:
    both = directions == 2
    if op.kind == "GRU" and not op.get("linear_before_reset", 0):
        return ResetFirstGRU(inputs, size, steps, both)
    if op.kind == "RNN":
        relu = [a.lower() for a in op.get("activations", [])][:1] == ["relu"]
        kind = "relu" if relu else "tanh"
        return nn.RNN(inputs, size, nonlinearity=kind, bidirectional=both)
    layer: Any = nn.GRU if op.kind == "GRU" else nn.LSTM
    module: nn.Module = layer(inputs, size, bidirectional=both)
    return module


def _fill(op: Operation, module: nn.Module, directions: int, size: int) -> None:
    gates = _GATES[op.kind]
    rows = len(gates) * size
    bias = op.optional(3)
    biases = torch.zeros(directions, 2 * rows) if bias is None else bias.tensor
    tensors = {
        "weight_ih_l0": op.input(1).tensor,
        "weight_hh_l0": op.input(2).tensor,
        "bias_ih_l0": biases[:, :rows],
        "bias_hh_l0": biases[:, rows:],
    }
    for name, tensor in tensors.items():
        if tensor.dtype is not torch.float32:
            raise BabycryError(f"its weights are {tensor.dtype}, not float32: give the float model")
        for number, suffix in enumerate(("", "_reverse")[:directions]):
            expected = getattr(module, name + suffix)
            if tensor.shape != (directions, *expected.shape):
                raise BabycryError(
                    f"its {name} has shape {tuple(tensor.shape)}, "
                    f"not {(directions, *expected.shape)}"
                )
            blocks = tensor[number].split(size)
            value = torch.cat([blocks[gate] for gate in gates])
            with torch.no_grad():
                expected.copy_(value)
            expected.requires_grad_(False)
