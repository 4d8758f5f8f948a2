"""Bias correction (Nagel et al., 2019): take the mean shift of int8 weights out of the biases."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from babycry_convert.hub import Network

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Linear)
_LEVELS = 127


def correct_bias(network: Network, windows: npt.NDArray[np.float32]) -> Network:
    """A copy whose biases offset what rounding the weights to int8 adds on average.

    Only the network that is quantised gets this: in float it is slightly wrong.

    Args:
        network: with batch norm folded, or the shift would be off by its factor.
        windows: float32 ``(n, T, F)``, from which the mean inputs of layers are taken.
    """
    module = copy.deepcopy(network.module).eval()
    means = _mean_inputs(module, windows)
    with torch.no_grad():
        for layer, mean in means.items():
            shift = _shift(layer, mean)
            if layer.bias is None:
                layer.bias = nn.Parameter(-shift)
            else:
                layer.bias.sub_(shift)
    return replace(network, module=module)


def rounding_error(weight: torch.Tensor) -> torch.Tensor:
    """What rounding to int8, symmetric with a scale for each output channel, adds to weights."""
    scale = weight.abs().amax(dim=list(range(1, weight.dim())), keepdim=True) / _LEVELS
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    rounded: torch.Tensor = (weight / scale).round() * scale
    return rounded - weight


def _mean_inputs(module: nn.Module, windows: npt.NDArray[np.float32]) -> dict[Any, torch.Tensor]:
    """Each layer's input channels averaged over windows and places; shared layers left out."""
    sums: dict[Any, torch.Tensor] = {}
    counts: dict[Any, int] = {}

    def add(layer: Any, inputs: tuple[torch.Tensor, ...], _: torch.Tensor) -> None:
        values = inputs[0].double()
        axis = -1 if isinstance(layer, nn.Linear) else 1
        rows = values.movedim(axis, -1).reshape(-1, values.shape[axis])
        sums[layer] = sums.get(layer, 0.0) + rows.mean(dim=0)
        counts[layer] = counts.get(layer, 0) + 1

    layers = [layer for layer in module.modules() if isinstance(layer, _WEIGHTED)]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    with torch.no_grad():
        for window in windows:
            module(torch.from_numpy(np.ascontiguousarray(window))[None, None])
    for hook in hooks:
        hook.remove()
    return {layer: sums[layer] / counts[layer] for layer in sums if counts[layer] == len(windows)}


def _shift(layer: Any, mean: torch.Tensor) -> torch.Tensor:
    """The mean of each output channel's error, ``(channels,)``; borders of padding are ignored."""
    error = rounding_error(layer.weight.double())
    kernel = error.reshape(*error.shape[:2], -1).sum(dim=2)  # (outputs, inputs of a group)
    groups = getattr(layer, "groups", 1)
    inputs = mean.view(groups, -1)  # (groups, inputs of a group)
    shift = (kernel.view(groups, -1, kernel.shape[1]) * inputs[:, None]).sum(dim=2)
    return shift.reshape(-1).to(layer.weight.dtype)
