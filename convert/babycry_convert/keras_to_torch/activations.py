"""Keras's activation functions as torch modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from babycry_convert.keras_to_torch.builder import Builder, NotTranslated, Value


class Exponential(nn.Module):
    """e to the x."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)


_ELEMENTWISE: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "mish": nn.Mish,
    "hard_sigmoid": nn.Hardsigmoid,
    "hard_silu": nn.Hardswish,
    "hard_swish": nn.Hardswish,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "exponential": Exponential,
}

#: Names that a configuration may give where it names a function.
NAMES = frozenset({*_ELEMENTWISE, "linear", "softmax", "log_softmax"})


def activation_name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def is_linear(function: Any) -> bool:
    return function is None or activation_name(function) == "linear"


def apply_activation(builder: Builder, layer_name: str, function: Any, value: Value) -> Value:
    """``value`` through one of Keras's functions; "linear" and None leave it alone."""
    if is_linear(function):
        return value
    name = activation_name(function)
    if name in ("softmax", "log_softmax"):
        return softmax(builder, f"{layer_name}_{name}", value, -1, log=name == "log_softmax")
    if name not in _ELEMENTWISE:
        raise NotTranslated(f"activation {name}")
    return builder.elementwise(f"{layer_name}_{name}", _ELEMENTWISE[name](), value)


def softmax(builder: Builder, name: str, value: Value, axis: int, log: bool = False) -> Value:
    """``axis`` counts in Keras's order, the batch included."""
    value = builder.keras_order(value)
    module = nn.LogSoftmax(dim=axis) if log else nn.Softmax(dim=axis)
    return builder.elementwise(name, module, value)


def rectifier(layer: Any) -> nn.Module:
    """Keras's ReLU layer with its options."""
    top, slope, threshold = layer.max_value, float(layer.negative_slope), float(layer.threshold)
    if threshold or (slope and top is not None):
        raise NotTranslated("ReLU with a threshold, or with a slope and a maximum")
    if slope:
        return nn.LeakyReLU(slope)
    if top is None:
        return nn.ReLU()
    return nn.ReLU6() if float(top) == 6.0 else nn.Hardtanh(0.0, float(top))
