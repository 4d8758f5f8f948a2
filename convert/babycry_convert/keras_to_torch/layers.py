"""The other layers, and which function translates which."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from babycry_convert.keras_to_torch import convolutions, recurrences
from babycry_convert.keras_to_torch.activations import apply_activation, rectifier, softmax
from babycry_convert.keras_to_torch.builder import (
    Builder,
    NotTranslated,
    Value,
    parameter,
    tensor,
)

_BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d}
_MERGES = {
    "Add": torch.add,
    "Subtract": torch.sub,
    "Multiply": torch.mul,
    "Maximum": torch.maximum,
    "Minimum": torch.minimum,
    "Average": torch.add,
}


class ScaleShift(nn.Module):
    """x * scale + shift with fixed tensors that broadcast."""

    def __init__(self, scale: torch.Tensor, shift: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale + self.shift


def _identity(_: Builder, __: Any, value: Value) -> Value:
    return value


def _activation(builder: Builder, layer: Any, value: Value) -> Value:
    return apply_activation(builder, layer.name, layer.activation, value)


def _rectifier(builder: Builder, layer: Any, value: Value) -> Value:
    return builder.elementwise(layer.name, rectifier(layer), value)


def _leaky(builder: Builder, layer: Any, value: Value) -> Value:
    return builder.elementwise(layer.name, nn.LeakyReLU(float(layer.negative_slope)), value)


def _elu(builder: Builder, layer: Any, value: Value) -> Value:
    return builder.elementwise(layer.name, nn.ELU(float(layer.alpha)), value)


def _prelu(builder: Builder, layer: Any, value: Value) -> Value:
    slopes = tensor(layer.alpha)
    if math.prod(slopes.shape) != value.shape[-1] and slopes.numel() != 1:
        raise NotTranslated("PReLU with a slope for each position")
    value = builder.channels_first(value)
    module = nn.PReLU(slopes.numel())
    module.weight = parameter(slopes.flatten())
    return builder.elementwise(layer.name, module, value)


def _softmax(builder: Builder, layer: Any, value: Value) -> Value:
    if not isinstance(layer.axis, int):
        raise NotTranslated("Softmax over several axes")
    return softmax(builder, layer.name, value, layer.axis)


def _batch_norm(builder: Builder, layer: Any, value: Value) -> Value:
    rank = len(value.shape)
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else int(layer.axis)
    mean, variance = tensor(layer.moving_mean), tensor(layer.moving_variance)
    gain = tensor(layer.gamma) if layer.scale else torch.ones_like(mean)
    offset = tensor(layer.beta) if layer.center else torch.zeros_like(mean)
    if axis not in (-1, rank):
        value = builder.keras_order(value)
        shape = [1] * rank
        shape[axis - 1 if axis > 0 else axis] = -1
        scale = gain / torch.sqrt(variance + float(layer.epsilon))
        module = ScaleShift(scale.reshape(shape), (offset - mean * scale).reshape(shape))
        return builder.elementwise(layer.name, module, value)
    return _normalise(
        builder, layer.name, value, mean, variance, gain, offset, float(layer.epsilon)
    )


def _normalise(
    builder: Builder,
    name: str,
    value: Value,
    mean: torch.Tensor,
    variance: torch.Tensor,
    gain: torch.Tensor,
    offset: torch.Tensor,
    epsilon: float,
) -> Value:
    """Batch normalisation of the last axis."""
    if len(value.shape) not in _BATCH_NORMS:
        raise NotTranslated(f"batch normalisation of {len(value.shape)} axes")
    if value.order == "chw":
        value = builder.keras_order(value)
    value = builder.channels_first(value)
    module = _BATCH_NORMS[len(value.shape)](len(mean), eps=epsilon)
    module.weight, module.bias = parameter(gain), parameter(offset)
    module.running_mean, module.running_var = mean.clone(), variance.clone()
    return builder.elementwise(name, module, value)


def _layer_norm(builder: Builder, layer: Any, value: Value) -> Value:
    rank = len(value.shape)
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    if list(axes) not in ([-1], [rank]) or getattr(layer, "rms_scaling", False):
        raise NotTranslated("layer normalisation of other axes than the last")
    value = builder.keras_order(value)
    width = value.shape[-1]
    module = nn.LayerNorm(width, eps=float(layer.epsilon))
    module.weight = parameter(tensor(layer.gamma) if layer.scale else torch.ones(width))
    module.bias = parameter(tensor(layer.beta) if layer.center else torch.zeros(width))
    return builder.elementwise(layer.name, module, value)


def _rescaling(builder: Builder, layer: Any, value: Value) -> Value:
    scale = torch.as_tensor(layer.scale, dtype=torch.float32)
    offset = torch.as_tensor(layer.offset, dtype=torch.float32)
    if scale.numel() > 1 or offset.numel() > 1:
        value = builder.keras_order(value)
    return builder.elementwise(layer.name, ScaleShift(scale, offset), value)


def _normalization(builder: Builder, layer: Any, value: Value) -> Value:
    """Keras's (x - mean) / sqrt(variance) of given data, as a batch normalisation."""
    if layer.invert:
        raise NotTranslated("Normalization with invert")
    mean = torch.as_tensor(layer.mean, dtype=torch.float32).flatten()
    deviation = torch.sqrt(torch.as_tensor(layer.variance, dtype=torch.float32).flatten())
    variance = torch.clamp(deviation, min=1e-7) ** 2  # Keras's own floor
    width = value.shape[-1]
    if mean.numel() == 1:
        mean, variance = mean.expand(width), variance.expand(width)
    if mean.numel() != width:
        raise NotTranslated("Normalization of other axes than the last")
    ones, zeros = torch.ones(width), torch.zeros(width)
    return _normalise(builder, layer.name, value, mean, variance, ones, zeros, 0.0)


def _flatten(builder: Builder, layer: Any, value: Value) -> Value:
    if layer.data_format != "channels_last":
        raise NotTranslated("data_format channels_first")
    return builder.flatten(value)


def _reshape(builder: Builder, layer: Any, value: Value) -> Value:
    shape = [int(size) for size in layer.target_shape]
    if -1 in shape:
        known = -math.prod(shape)
        shape[shape.index(-1)] = math.prod(value.shape) // known
    if len(shape) == 1:
        return builder.flatten(value)
    value = builder.keras_order(value)
    return Value(builder.reshape(value.node, shape), tuple(shape))


def _permute(builder: Builder, layer: Any, value: Value) -> Value:
    value = builder.keras_order(value)
    dims = tuple(int(d) for d in layer.dims)
    shape = tuple(value.shape[d - 1] for d in dims)
    return Value(builder.permute(value.node, 0, *dims), shape)


def _repeat(builder: Builder, layer: Any, value: Value) -> Value:
    value = builder.keras_order(value)
    node = builder.function(torch.stack, [value.node] * int(layer.n), dim=1)
    return Value(node, (int(layer.n), *value.shape))


def _time_distributed(builder: Builder, layer: Any, value: Value) -> Value:
    """The inner layer on every step: steps join the batch, and part from it afterwards."""
    inner = layer.layer
    if type(inner).__name__ == "Dense":
        return translate(builder, inner, [value])
    value = builder.keras_order(value)
    steps, *rest = value.shape
    node = builder.reshape(value.node, rest)
    outcome = builder.keras_order(translate(builder, inner, [Value(node, tuple(rest))]))
    shape = (steps, *outcome.shape)
    return Value(builder.reshape(outcome.node, shape), shape)


def merge(builder: Builder, kind: str, values: list[Value]) -> Value:
    """Elementwise on several tensors of one rank."""
    values = _alike(builder, values)
    node = values[0].node
    for other in values[1:]:
        node = builder.function(_MERGES[kind], node, other.node)
    if kind == "Average":
        node = builder.function(torch.mul, node, 1.0 / len(values))
    shapes = zip(*(value.shape for value in values), strict=True)
    return replace(values[0], node=node, shape=tuple(max(sizes) for sizes in shapes))


def _concatenate(builder: Builder, layer: Any, values: list[Value]) -> Value:
    axis = int(layer.axis)
    if values[0].order == "chw":
        values = [builder.keras_order(value) for value in values]
    values = _alike(builder, values)
    rank = len(values[0].shape)
    axis = axis - 1 if axis > 0 else axis + rank
    place = axis + 1
    if values[0].order == "channels_first":
        place = 1 if axis == rank - 1 else axis + 2
    node = builder.function(torch.cat, [value.node for value in values], dim=place)
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    return replace(values[0], node=node, shape=tuple(shape))


def _alike(builder: Builder, values: list[Value]) -> list[Value]:
    """All in one order; channels first as soon as one of them is."""
    if len({len(value.shape) for value in values}) > 1:
        raise NotTranslated("merging tensors of different ranks")
    if any(value.order == "channels_first" for value in values):
        return [builder.channels_first(value) for value in values]
    if len({(value.order, value.image) for value in values}) > 1:
        return [builder.keras_order(value) for value in values]
    return values


_ONE_INPUT: dict[str, Callable[[Builder, Any, Value], Value]] = {
    "Conv1D": convolutions.convolution,
    "Conv2D": convolutions.convolution,
    "DepthwiseConv1D": convolutions.depthwise,
    "DepthwiseConv2D": convolutions.depthwise,
    "SeparableConv1D": convolutions.separable,
    "SeparableConv2D": convolutions.separable,
    "Dense": convolutions.dense,
    "MaxPooling1D": convolutions.max_pooling,
    "MaxPooling2D": convolutions.max_pooling,
    "AveragePooling1D": convolutions.average_pooling,
    "AveragePooling2D": convolutions.average_pooling,
    "GlobalAveragePooling1D": convolutions.global_pooling,
    "GlobalAveragePooling2D": convolutions.global_pooling,
    "GlobalMaxPooling1D": convolutions.global_pooling,
    "GlobalMaxPooling2D": convolutions.global_pooling,
    "ZeroPadding1D": convolutions.zero_padding,
    "ZeroPadding2D": convolutions.zero_padding,
    "Cropping1D": convolutions.cropping,
    "Cropping2D": convolutions.cropping,
    "LSTM": recurrences.recurrence,
    "GRU": recurrences.recurrence,
    "Bidirectional": recurrences.bidirectional,
    "TimeDistributed": _time_distributed,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Activation": _activation,
    "ReLU": _rectifier,
    "LeakyReLU": _leaky,
    "ELU": _elu,
    "PReLU": _prelu,
    "Softmax": _softmax,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    **dict.fromkeys(
        (
            "Identity",
            "Dropout",
            "AlphaDropout",
            "GaussianDropout",
            "GaussianNoise",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "ActivityRegularization",
        ),
        _identity,
    ),
}

#: Class names of the layers that have a translation.
LAYERS = frozenset({*_ONE_INPUT, *_MERGES, "Concatenate", "InputLayer"})


def translate(builder: Builder, layer: Any, values: list[Value]) -> Value:
    """One Keras layer.

    Raises:
        NotTranslated: the layer or one of its settings has no translation.
    """
    kind = type(layer).__name__
    if kind in _MERGES:
        return merge(builder, kind, values)
    if kind == "Concatenate":
        return _concatenate(builder, layer, values)
    if kind not in _ONE_INPUT or len(values) != 1:
        raise NotTranslated(f"layer {kind}")
    return _ONE_INPUT[kind](builder, layer, values[0])
