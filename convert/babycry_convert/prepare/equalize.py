"""Cross-layer equalisation (Nagel et al., "Data-Free Quantization Through Weight Equalization and
Bias Correction", 2019), with the ranges of the activations in place of the first layer's weights.

Between two layers with weights, a channel may be scaled down in the first and up in the second
when what lies between passes a positive factor on. int8 has one scale for all channels of an
activation, so channels of equal range lose less. The paper's balance is between the two layers'
weights, which have a scale for each output channel here and do not need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import fx, nn
from torch.nn import functional

from babycry_convert.hub import Network
from babycry_convert.prepare.fold_batch_norm import only_use, trace

#: Layers and functions with f(s x) = s f(x) for each channel and s > 0.
_PASSING_LAYERS = (
    *(nn.ReLU, nn.LeakyReLU, nn.Identity, nn.Dropout, nn.Dropout2d),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.ZeroPad2d),
)
_PASSING_FUNCTIONS = {
    *(torch.relu, functional.relu, functional.leaky_relu, functional.dropout),
    *(functional.max_pool2d, functional.avg_pool2d, functional.adaptive_avg_pool2d),
}
_WEIGHTED = (nn.Conv2d, nn.Linear)

#: A channel is scaled by at most this factor, so that a dead channel does not blow up.
_MOST = 16.0


@dataclass(frozen=True)
class _Pair:
    first: Any
    between: fx.Node
    """The activation that the second layer takes."""
    second: Any


def equalize(network: Network, windows: npt.NDArray[np.float32]) -> Network:
    """A copy of the network with the same function and more equal channels.

    Args:
        network: with batch norm folded.
        windows: float32 ``(n, T, F)``, from which the channels' ranges are taken.

    Returns:
        The network; a plain copy when it cannot be traced or has no such pair.
    """
    traced = trace(network.module)
    if traced is None:
        return network
    pairs = list(_pairs(traced))
    ranges = _channel_ranges(traced, [pair.between for pair in pairs], windows)
    for pair in pairs:
        _scale(pair, _factor(ranges[pair.between], pair.second))
    return replace(network, module=traced)


def _pairs(traced: fx.GraphModule) -> Iterator[_Pair]:
    modules = dict(traced.named_modules())
    for node in traced.graph.nodes:
        if not _is_weighted(traced, node, modules):
            continue
        before = node.args[0]
        while isinstance(before, fx.Node) and len(before.users) == 1:
            if _is_weighted(traced, before, modules):
                first, second = modules[before.target], modules[node.target]
                if _fit(first, second):
                    yield _Pair(first, node.args[0], second)
                break
            if not _passes(before, modules):
                break
            before = before.args[0]


def _is_weighted(traced: fx.GraphModule, node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    return (
        node.op == "call_module"
        and isinstance(modules[str(node.target)], _WEIGHTED)
        and only_use(traced.graph, node.target)
    )


def _passes(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], _PASSING_LAYERS)
    return node.op == "call_function" and node.target in _PASSING_FUNCTIONS


def _fit(first: Any, second: Any) -> bool:
    """Convolution to convolution or linear to linear, with as many channels as the other takes."""
    if isinstance(first, nn.Conv2d) != isinstance(second, nn.Conv2d):
        return False
    if isinstance(second, nn.Conv2d):
        if second.padding_mode != "zeros" or first.out_channels != second.in_channels:
            return False
        depthwise = second.groups == second.in_channels == second.out_channels
        return second.groups == 1 or depthwise
    return bool(first.out_features == second.in_features)


def _channel_ranges(
    traced: fx.GraphModule, nodes: list[fx.Node], windows: npt.NDArray[np.float32]
) -> dict[fx.Node, torch.Tensor]:
    """The greatest magnitude of each channel of what the nodes give, over all windows."""
    found: dict[fx.Node, torch.Tensor] = {}
    wanted = set(nodes)

    class Run(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            result = super().run_node(n)
            if n in wanted:
                axes = [axis for axis in range(result.dim()) if axis != 1]
                peak = result.abs().amax(dim=axes)
                found[n] = torch.maximum(found[n], peak) if n in found else peak
            return result

    run = Run(traced)
    with torch.no_grad():
        for window in windows:
            run.run(torch.from_numpy(np.ascontiguousarray(window))[None, None])
    return found


def _factor(activation: torch.Tensor, second: Any) -> torch.Tensor:
    """What each channel is divided by: the balance of its range and the weights that take it."""
    weight = second.weight
    if isinstance(second, nn.Conv2d) and second.groups > 1:
        alive = activation > 0
        factor = activation  # depthwise weights have a scale for each channel: nothing to balance
    else:
        taken = weight.abs().amax(dim=[axis for axis in range(weight.dim()) if axis != 1])
        alive = (activation > 0) & (taken > 0)
        factor = torch.sqrt(activation / taken.clamp_min(1e-12))
    # Only the ratio between channels matters; the common factor stays out of the weights.
    middle = torch.exp(torch.log(factor[alive]).mean()) if alive.any() else torch.tensor(1.0)
    factor = torch.where(alive, factor / middle, 1.0)
    return factor.clamp(1.0 / _MOST, _MOST)


def _scale(pair: _Pair, factor: torch.Tensor) -> None:
    with torch.no_grad():
        first, second = pair.first, pair.second
        rows = factor.view((-1,) + (1,) * (first.weight.dim() - 1))
        first.weight.div_(rows)
        if first.bias is not None:
            first.bias.div_(factor)
        if isinstance(second, nn.Conv2d) and second.groups > 1:
            second.weight.mul_(factor.view(-1, 1, 1, 1))
        else:
            second.weight.mul_(factor.view((1, -1) + (1,) * (second.weight.dim() - 2)))
