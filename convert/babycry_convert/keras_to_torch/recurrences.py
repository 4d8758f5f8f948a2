"""LSTM and GRU, one or two directions."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from babycry_convert.keras_to_torch.activations import activation_name
from babycry_convert.keras_to_torch.builder import (
    Builder,
    NotTranslated,
    Value,
    parameter,
    tensor,
)


class ResetBeforeGRU(nn.Module):
    """A GRU whose reset gate acts before the recurrent product (Keras's reset_after=False).

    torch's own resets after it, so this one is written out, step by step. Keras's gate order:
    update, reset, candidate.
    """

    def __init__(self, kernel: torch.Tensor, recurrent: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.hidden = hidden = len(recurrent)
        self.input = nn.Linear(len(kernel), 3 * hidden)
        self.gates = nn.Linear(hidden, 2 * hidden, bias=False)
        self.candidate = nn.Linear(hidden, hidden, bias=False)
        self.input.weight, self.input.bias = parameter(kernel.T), parameter(bias)
        self.gates.weight = parameter(recurrent[:, : 2 * hidden].T)
        self.candidate.weight = parameter(recurrent[:, 2 * hidden :].T)
        self.steps = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, T, inputs) to every step's state (N, T, hidden)."""
        hidden = self.hidden
        from_input = self.input(x)
        state = torch.zeros_like(from_input[:, 0, :hidden])
        states = []
        for step in range(self.steps):
            update_in, reset_in, candidate_in = from_input[:, step].split(hidden, dim=-1)
            update_state, reset_state = self.gates(state).split(hidden, dim=-1)
            update = torch.sigmoid(update_in + update_state)
            reset = torch.sigmoid(reset_in + reset_state)
            candidate = torch.tanh(candidate_in + self.candidate(reset * state))
            state = update * state + (1.0 - update) * candidate
            states.append(state)
        return torch.stack(states, dim=1)


def recurrence(builder: Builder, layer: Any, value: Value) -> Value:
    """One LSTM or GRU layer over (T, inputs)."""
    value = builder.keras_order(value)
    steps = value.shape[0]
    node = value.node
    if layer.go_backwards:
        node = builder.function(torch.flip, node, (1,))
    module = _plain(layer)
    if module is None:
        states = builder.module(layer.name, _reset_before(layer, steps), node)
    else:
        _fill(module, layer, "")
        states = _states(builder, layer.name, module, node)
    return _outcome(builder, layer, states, steps)


def bidirectional(builder: Builder, layer: Any, value: Value) -> Value:
    """torch runs both directions in one layer and puts the states side by side."""
    forward, backward = layer.forward_layer, layer.backward_layer
    value = builder.keras_order(value)
    steps, hidden = value.shape[0], int(forward.units)
    module = _plain(forward, bidirectional=True)
    mirrored = type(backward) is type(forward) and int(backward.units) == hidden
    if not mirrored or forward.go_backwards or not backward.go_backwards:
        raise NotTranslated("Bidirectional of two unlike layers")
    if module is None:
        one = builder.module(f"{layer.name}_forward", _reset_before(forward, steps), value.node)
        flipped = builder.function(torch.flip, value.node, (1,))
        other = builder.module(f"{layer.name}_backward", _reset_before(backward, steps), flipped)
        other = builder.function(torch.flip, other, (1,))
    else:
        _plain(backward)
        _fill(module, forward, "")
        _fill(module, backward, "_reverse")
        states = _states(builder, layer.name, module, value.node)
        if layer.merge_mode == "concat" and forward.return_sequences:
            return Value(states, (steps, 2 * hidden))
        one = builder.function(torch.narrow, states, 2, 0, hidden)
        other = builder.function(torch.narrow, states, 2, hidden, hidden)
    if not forward.return_sequences:
        one = builder.function(torch.select, one, 1, steps - 1)
        other = builder.function(torch.select, other, 1, 0)
    shape = (steps, hidden) if forward.return_sequences else (hidden,)
    if layer.merge_mode == "concat":
        node = builder.function(torch.cat, (one, other), dim=-1)
        return Value(node, (*shape[:-1], 2 * hidden))
    merges = {"sum": torch.add, "mul": torch.mul, "ave": torch.add}
    if layer.merge_mode not in merges:
        raise NotTranslated(f"Bidirectional merge mode {layer.merge_mode}")
    node = builder.function(merges[layer.merge_mode], one, other)
    if layer.merge_mode == "ave":
        node = builder.function(torch.mul, node, 0.5)
    return Value(node, shape)


def _plain(layer: Any, bidirectional: bool = False) -> nn.LSTM | nn.GRU | None:
    """torch's module of the layer's sizes; None where torch's GRU is another one."""
    kind = type(layer).__name__
    if kind not in ("LSTM", "GRU"):
        raise NotTranslated(f"recurrent layer {kind}")
    functions = (activation_name(layer.activation), activation_name(layer.recurrent_activation))
    if functions != ("tanh", "sigmoid"):
        raise NotTranslated(f"{kind} with the activations {functions[0]} and {functions[1]}")
    if layer.return_state or layer.stateful:
        raise NotTranslated(f"{kind} that keeps or returns its state")
    if kind == "GRU" and not layer.reset_after:
        return None
    inputs, hidden = int(layer.cell.kernel.shape[0]), int(layer.units)
    module = nn.LSTM if kind == "LSTM" else nn.GRU
    return module(inputs, hidden, batch_first=True, bidirectional=bidirectional)


def _fill(module: nn.LSTM | nn.GRU, layer: Any, suffix: str) -> None:
    """Keras's gates: LSTM i f c o as torch's; GRU update reset candidate, torch's reset first."""
    cell = layer.cell
    kernel, recurrent = tensor(cell.kernel).T, tensor(cell.recurrent_kernel).T
    rows = len(kernel)
    hidden = int(layer.units)
    biases = torch.zeros(2, rows)
    if layer.use_bias:
        given = tensor(cell.bias)
        biases[: 1 if given.dim() == 1 else 2] = given
    order = torch.arange(rows)
    if isinstance(module, nn.GRU):
        order = order.reshape(3, hidden)[[1, 0, 2]].flatten()
    for name, values in (
        ("weight_ih", kernel),
        ("weight_hh", recurrent),
        ("bias_ih", biases[0]),
        ("bias_hh", biases[1]),
    ):
        setattr(module, f"{name}_l0{suffix}", parameter(values[order]))


def _reset_before(layer: Any, steps: int) -> ResetBeforeGRU:
    cell = layer.cell
    kernel = tensor(cell.kernel)
    bias = tensor(cell.bias) if layer.use_bias else torch.zeros(kernel.shape[1])
    module = ResetBeforeGRU(kernel, tensor(cell.recurrent_kernel), bias)
    module.steps = steps
    return module


def _states(builder: Builder, name: str, module: nn.Module, node: Any) -> Any:
    import operator

    return builder.function(operator.getitem, builder.module(name, module, node), 0)


def _outcome(builder: Builder, layer: Any, states: Any, steps: int) -> Value:
    if layer.return_sequences:
        return Value(states, (steps, int(layer.units)))
    return Value(builder.function(torch.select, states, 1, steps - 1), (int(layer.units),))
