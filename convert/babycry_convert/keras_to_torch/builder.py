"""The torch graph under construction and the values that flow through it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import fx, nn

Shape = tuple[int, ...]

#: "keras": as Keras has it. "channels_first": the last axis comes second. "chw": a row that was
#: flattened from a channels-first image, so its values stand in another order than Keras's.
Order = Literal["keras", "channels_first", "chw"]


class NotTranslated(Exception):  # noqa: N818  (no error: another way is taken)
    """A layer or a setting that has no translation here."""


@dataclass(frozen=True)
class Value:
    """One tensor: its node, its shape in Keras's order without the batch, and its real order.

    ``image`` is the (H, W, C) that a "chw" row was flattened from.
    """

    node: fx.Node
    shape: Shape
    order: Order = "keras"
    image: Shape = ()


class Builder:
    """Collects modules and nodes; the same layer name is numbered when it is used twice."""

    def __init__(self) -> None:
        self.graph = fx.Graph()
        self.modules: dict[str, nn.Module] = {}
        self._prefix: list[str] = []

    def enter(self, name: str) -> None:
        """Layers from here on belong to the model ``name`` inside the model."""
        self._prefix.append(name)

    def leave(self) -> None:
        self._prefix.pop()

    def module(self, name: str, module: nn.Module, *inputs: fx.Node) -> fx.Node:
        """A call of ``module``; ``name`` is the Keras layer's."""
        base = re.sub(r"\W", "_", "_".join([*self._prefix, name])) or "layer"
        if not base[0].isalpha():
            base = "layer_" + base
        unique, count = base, 1
        while unique in self.modules:
            count += 1
            unique = f"{base}_{count}"
        self.modules[unique] = module.eval()
        return self.graph.call_module(unique, inputs)

    def function(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> fx.Node:
        return self.graph.call_function(function, args, kwargs)

    def permute(self, node: fx.Node, *axes: int) -> fx.Node:
        return self.function(torch.permute, node, tuple(axes))

    def reshape(self, node: fx.Node, shape: Sequence[int]) -> fx.Node:
        """``shape`` without the batch."""
        return self.function(torch.reshape, node, (-1, *shape))

    def keras_order(self, value: Value) -> Value:
        """The value with its axes and elements where Keras has them."""
        if value.order == "keras":
            return value
        node = value.node
        if value.order == "chw":
            height, width, channels = value.image
            node = self.reshape(node, (channels, height, width))
            node = self.reshape(self.permute(node, 0, 2, 3, 1), value.shape)
        elif value.shape[-1] == 1:
            node = self.reshape(node, value.shape)
        else:
            node = self.permute(node, 0, *range(2, len(value.shape) + 1), 1)
        return Value(node, value.shape)

    def channels_first(self, value: Value) -> Value:
        """The value with its last axis second, as torch's convolutions want it."""
        if value.order == "channels_first" or len(value.shape) < 2:
            return value
        value = self.keras_order(value)
        *space, channels = value.shape
        if channels == 1:
            node = self.reshape(value.node, (1, *space))
        else:
            rank = len(value.shape)
            node = self.permute(value.node, 0, rank, *range(1, rank))
        return Value(node, value.shape, "channels_first")

    def flatten(self, value: Value) -> Value:
        """One row; the reordering of an image is left to the Dense layer that follows."""
        size = (math.prod(value.shape),)
        if len(value.shape) == 3 and value.order == "channels_first":
            height, width, channels = value.shape
            node = self.function(torch.flatten, value.node, 1)
            if height * width == 1 or channels == 1:
                return Value(node, size)
            return Value(node, size, "chw", value.shape)
        value = self.keras_order(value)
        if len(value.shape) == 1:
            return value
        return Value(self.function(torch.flatten, value.node, 1), size)

    def elementwise(self, name: str, module: nn.Module, value: Value) -> Value:
        return replace(value, node=self.module(name, module, value.node))


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """TensorFlow's "same": zeros (before, after); the odd one comes after."""
    window = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def as_pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, second = value
    return int(first), int(second)


def tensor(weight: Any) -> torch.Tensor:
    """A Keras weight as a float32 tensor of its own."""
    return torch.tensor(weight.numpy(), dtype=torch.float32)


def parameter(values: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(values.contiguous().clone(), requires_grad=False)
