"""Multiply-accumulates and parameters of a torch network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Counts:
    """``macs`` of one window, ``parameters`` of the network; of weights only what is trained."""

    macs: int
    parameters: int


def count(module: nn.Module, window_shape: tuple[int, int]) -> Counts:
    """Count what convolutions, linear and recurrent layers multiply for one window.

    Additions, activations, pooling, normalisation and products of two activations are left out:
    they are a small part of these networks' work.

    Args:
        module: maps float32 ``(N, 1, T, F)`` to logits.
        window_shape: ``(T, F)``.
    """
    import torch
    from torch import nn

    total = 0

    def add(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal total
        total += _macs(layer, inputs[0], output)

    kinds = (
        nn.modules.conv._ConvNd,
        nn.Linear,
        nn.RNNBase,
        nn.modules.rnn.RNNCellBase,
    )
    hooks = [m.register_forward_hook(add) for m in module.modules() if isinstance(m, kinds)]
    was_training = module.training
    try:
        module.eval()
        with torch.no_grad():
            module(torch.zeros(1, 1, *window_shape))
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    return Counts(total, sum(p.numel() for p in module.parameters()))


def _macs(layer: Any, given: Any, output: Any) -> int:
    from torch import nn

    if isinstance(layer, nn.modules.conv._ConvTransposeNd):
        per_value = layer.out_channels // layer.groups * int(np.prod(layer.kernel_size))
        return int(given.numel()) * per_value
    if isinstance(layer, nn.modules.conv._ConvNd):
        per_value = layer.in_channels // layer.groups * int(np.prod(layer.kernel_size))
        return int(output.numel()) * per_value
    if isinstance(layer, nn.Linear):
        return int(output.numel()) * layer.in_features
    if isinstance(layer, nn.modules.rnn.RNNCellBase):
        return int(given.shape[0]) * _weights(layer)
    # Every weight of a recurrent layer meets every step once.
    data = getattr(given, "data", given)
    steps = int(np.prod(data.shape[:-1]))
    return steps * _weights(layer)


def _weights(layer: Any) -> int:
    return sum(p.numel() for name, p in layer.named_parameters() if name.startswith("weight"))
