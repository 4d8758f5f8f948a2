"""Convolutions, dense layers and pooling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from babycry_convert.keras_to_torch.activations import apply_activation
from babycry_convert.keras_to_torch.builder import (
    Builder,
    NotTranslated,
    Shape,
    Value,
    as_pair,
    parameter,
    same_padding,
    tensor,
)

Padding = list[tuple[int, int]]

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
_ZERO_PADS = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d}
_REPLICATION_PADS = {1: nn.ReplicationPad1d, 2: nn.ReplicationPad2d}
_MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
_AVERAGE_POOLS = {1: nn.AvgPool1d, 2: nn.AvgPool2d}
_GLOBAL_AVERAGES = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d}


class WindowShare(nn.Module):
    """Times kernel size / values under the kernel: average pooling that leaves padding out."""

    def __init__(self, factor: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def convolution(builder: Builder, layer: Any, value: Value) -> Value:
    """Conv1D and Conv2D; Keras has the kernel as (*space, in / groups, out)."""
    rank = len(layer.kernel_size)
    kernel = tensor(layer.kernel).permute(rank + 1, rank, *range(rank))
    bias = tensor(layer.bias) if layer.use_bias else None
    value = _convolve(builder, layer, layer.name, value, kernel, bias, int(layer.groups))
    return apply_activation(builder, layer.name, layer.activation, value)


def depthwise(builder: Builder, layer: Any, value: Value) -> Value:
    """DepthwiseConv1D and 2D; Keras has the kernel as (*space, in, multiplier)."""
    channels = value.shape[-1]
    kernel = _depthwise_kernel(layer.kernel, len(layer.kernel_size))
    bias = tensor(layer.bias) if layer.use_bias else None
    value = _convolve(builder, layer, layer.name, value, kernel, bias, channels)
    return apply_activation(builder, layer.name, layer.activation, value)


def separable(builder: Builder, layer: Any, value: Value) -> Value:
    """SeparableConv1D and 2D: a depthwise kernel, then one of size 1 with the bias."""
    rank = len(layer.kernel_size)
    kernel = _depthwise_kernel(layer.depthwise_kernel, rank)
    value = _convolve(
        builder, layer, f"{layer.name}_depthwise", value, kernel, None, value.shape[-1]
    )
    point = tensor(layer.pointwise_kernel).permute(rank + 1, rank, *range(rank))
    bias = tensor(layer.bias) if layer.use_bias else None
    module = _convolution_module(point, bias, 1, [1] * rank, [1] * rank, [(0, 0)] * rank)
    node = builder.module(f"{layer.name}_pointwise", module, value.node)
    value = Value(node, (*value.shape[:-1], len(point)), "channels_first")
    return apply_activation(builder, layer.name, layer.activation, value)


def _depthwise_kernel(weight: Any, rank: int) -> torch.Tensor:
    kernel = tensor(weight)
    space = kernel.shape[:rank]
    return kernel.permute(rank, rank + 1, *range(rank)).reshape(-1, 1, *space)


def _convolve(
    builder: Builder,
    layer: Any,
    name: str,
    value: Value,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    groups: int,
) -> Value:
    _channels_last(layer)
    rank = kernel.dim() - 2
    value = builder.channels_first(value)
    strides = [int(s) for s in _each(layer.strides, rank)]
    dilations = [int(d) for d in _each(layer.dilation_rate, rank)]
    padding = _padding(layer.padding, value.shape[:-1], kernel.shape[2:], strides, dilations)
    node = value.node
    if any(before != after for before, after in padding):
        node = builder.module(f"{name}_pad", _ZERO_PADS[rank](_torch_pads(padding), 0.0), node)
        padding, sizes = [(0, 0)] * rank, _padded(value.shape, padding)
    else:
        sizes = list(value.shape[:-1])
    module = _convolution_module(kernel, bias, groups, strides, dilations, padding)
    space = [
        (size + 2 * pad[0] - dilation * (width - 1) - 1) // stride + 1
        for size, pad, width, stride, dilation in zip(
            sizes, padding, kernel.shape[2:], strides, dilations, strict=True
        )
    ]
    node = builder.module(name, module, node)
    return Value(node, (*space, len(kernel)), "channels_first")


def _convolution_module(
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    groups: int,
    strides: list[int],
    dilations: list[int],
    padding: Padding,
) -> nn.Module:
    rank = kernel.dim() - 2
    module = _CONVOLUTIONS[rank](
        kernel.shape[1] * groups,
        kernel.shape[0],
        tuple(kernel.shape[2:]),
        stride=tuple(strides),
        padding=tuple(before for before, _ in padding),
        dilation=tuple(dilations),
        groups=groups,
        bias=bias is not None,
    )
    module.weight = parameter(kernel)
    if bias is not None:
        module.bias = parameter(bias)
    return module


def dense(builder: Builder, layer: Any, value: Value) -> Value:
    """Dense works on the last axis; rows of a flattened image are reordered in the weights."""
    kernel = tensor(layer.kernel)
    if value.order == "chw":
        kernel = kernel.reshape(*value.image, -1).permute(2, 0, 1, 3).flatten(0, 2)
    else:
        value = builder.keras_order(value)
    module = nn.Linear(kernel.shape[0], kernel.shape[1], bias=bool(layer.use_bias))
    module.weight = parameter(kernel.T)
    if layer.use_bias:
        module.bias = parameter(tensor(layer.bias))
    node = builder.module(layer.name, module, value.node)
    value = Value(node, (*value.shape[:-1], kernel.shape[1]))
    return apply_activation(builder, layer.name, layer.activation, value)


def max_pooling(builder: Builder, layer: Any, value: Value) -> Value:
    """ "same": torch's ceil mode gives it where it can; else the edge is repeated, which no
    maximum notices, since every window that reaches over the edge holds the edge itself."""
    value, rank, kernel, strides, padding, space = _pooling(builder, layer, value)
    lows = [before for before, _ in padding]
    whole = [
        -(-(size + 2 * low - width) // stride) + 1
        for size, low, width, stride in zip(value.shape, lows, kernel, strides, strict=False)
    ]
    node = value.node
    if all(before == after for before, after in padding):
        module = _MAX_POOLS[rank](kernel, strides, padding=lows)
    elif whole == space and all(2 * low <= k for low, k in zip(lows, kernel, strict=True)):
        module = _MAX_POOLS[rank](kernel, strides, padding=lows, ceil_mode=True)
    else:
        pads = _REPLICATION_PADS[rank](_torch_pads(padding))
        node = builder.module(f"{layer.name}_pad", pads, node)
        module = _MAX_POOLS[rank](kernel, strides)
    node = builder.module(layer.name, module, node)
    return Value(node, (*space, value.shape[-1]), "channels_first")


def average_pooling(builder: Builder, layer: Any, value: Value) -> Value:
    """Padding does not count in Keras's means."""
    value, rank, kernel, strides, padding, space = _pooling(builder, layer, value)
    node = value.node
    if not any(before or after for before, after in padding):
        node = builder.module(layer.name, _AVERAGE_POOLS[rank](kernel, strides), node)
        return Value(node, (*space, value.shape[-1]), "channels_first")
    pads = _ZERO_PADS[rank](_torch_pads(padding), 0.0)
    pool = _AVERAGE_POOLS[rank](kernel, strides)
    share = pool(pads(torch.ones(1, 1, *value.shape[:-1])))
    node = builder.module(f"{layer.name}_pad", pads, node)
    node = builder.module(layer.name, pool, node)
    node = builder.module(f"{layer.name}_share", WindowShare(1.0 / share), node)
    return Value(node, (*space, value.shape[-1]), "channels_first")


def global_pooling(builder: Builder, layer: Any, value: Value) -> Value:
    _channels_last(layer)
    value = builder.channels_first(value)
    rank = len(value.shape) - 1
    if "Average" in type(layer).__name__:
        module = _GLOBAL_AVERAGES[rank](1)
    else:  # the TFLite writer knows no adaptive maximum
        module = _MAX_POOLS[rank](value.shape[:-1])
    node = builder.module(layer.name, module, value.node)
    channels = value.shape[-1]
    if layer.keepdims:
        return Value(node, (*[1] * rank, channels), "channels_first")
    return Value(builder.function(torch.flatten, node, 1), (channels,))


def zero_padding(builder: Builder, layer: Any, value: Value) -> Value:
    if hasattr(layer, "data_format"):
        _channels_last(layer)
    padding = layer.padding
    pairs = [as_pair(padding)] if isinstance(padding[0], int) else [as_pair(p) for p in padding]
    value = builder.channels_first(value)
    pads = _ZERO_PADS[len(pairs)](_torch_pads(pairs), 0.0)
    shape = (*_padded(value.shape, pairs), value.shape[-1])
    return replace(builder.elementwise(layer.name, pads, value), shape=shape)


def cropping(builder: Builder, layer: Any, value: Value) -> Value:
    if hasattr(layer, "data_format"):
        _channels_last(layer)
    crop = layer.cropping
    pairs = [as_pair(crop)] if isinstance(crop[0], int) else [as_pair(p) for p in crop]
    value = builder.channels_first(value)
    node, space = value.node, []
    for axis, ((first, last), size) in enumerate(zip(pairs, value.shape, strict=False)):
        space.append(size - first - last)
        if first or last:
            node = builder.function(torch.narrow, node, axis + 2, first, space[-1])
    return Value(node, (*space, value.shape[-1]), "channels_first")


def _pooling(
    builder: Builder, layer: Any, value: Value
) -> tuple[Value, int, list[int], list[int], Padding, list[int]]:
    _channels_last(layer)
    value = builder.channels_first(value)
    rank = len(value.shape) - 1
    kernel = [int(k) for k in _each(layer.pool_size, rank)]
    strides = [int(s) for s in _each(layer.strides, rank)]
    padding = _padding(layer.padding, value.shape[:-1], kernel, strides, [1] * rank)
    space = [
        (size - width) // stride + 1
        for size, width, stride in zip(_padded(value.shape, padding), kernel, strides, strict=True)
    ]
    return value, rank, kernel, strides, padding, space


def _padding(kind: str, sizes: Shape, kernel: Any, strides: Any, dilations: Any) -> Padding:
    rank = len(sizes)
    if kind == "valid":
        return [(0, 0)] * rank
    if kind == "causal":
        return [((int(kernel[0]) - 1) * int(dilations[0]), 0)]
    if kind != "same":
        raise NotTranslated(f"padding {kind}")
    return [
        same_padding(size, int(width), stride, dilation)
        for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True)
    ]


def _padded(shape: Shape, padding: Padding) -> list[int]:
    return [size + before + after for size, (before, after) in zip(shape, padding, strict=False)]


def _torch_pads(padding: Padding) -> tuple[int, ...]:
    """torch lists the last axis first."""
    return tuple(size for pair in reversed(padding) for size in pair)


def _each(value: Any, rank: int) -> tuple[Any, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _channels_last(layer: Any) -> None:
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise NotTranslated("data_format channels_first")
