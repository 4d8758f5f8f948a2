"""Batch norm into the layer before it, or as a convolution of its own, which has an int8 kernel."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from babycry_convert.hub import Network

if TYPE_CHECKING:
    from collections.abc import Iterator

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Linear)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def fold_batch_norm(network: Network) -> Network:
    """A copy of the network without batch norms over images.

    One that follows a layer with weights becomes part of it; any other (after an activation, say)
    becomes a depthwise 1 x 1 convolution of its name: int8 engines have no batch norm, or one scale
    for all its channels. Layers keep their names. A network that torch.fx cannot trace is copied as
    it is.
    """
    traced = trace(network.module)
    if traced is None:
        return replace(network, module=copy.deepcopy(network.module))
    for node, layer, norm in list(_pairs(traced)):
        _fold(layer, norm)
        before: Any = node.args[0]
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
    for name, norm in list(_left(traced)):
        parent, _, child = name.rpartition(".")
        setattr(traced.get_submodule(parent), child, _as_convolution(norm))
    traced.graph.lint()
    traced.recompile()
    return replace(network, module=traced)


def has_separate_norms(network: Network) -> bool:
    """Whether a batch norm over images follows no layer that it could become part of."""
    traced = trace(network.module)
    if traced is None:
        return False
    folded = {str(node.target) for node, _, _ in _pairs(traced)}
    return any(name not in folded for name, _ in _left(traced))


def trace(module: nn.Module) -> fx.GraphModule | None:
    """A copy of the module as a graph of layers; None when it cannot be traced."""
    try:
        return fx.symbolic_trace(copy.deepcopy(module).eval())
    except Exception:  # whatever the module's own code raises on a proxy
        return None


def only_use(graph: fx.Graph, target: Any) -> bool:
    """Whether one node alone calls the layer named ``target``: weights may then be changed."""
    calls = [node for node in graph.nodes if node.op == "call_module" and node.target == target]
    return len(calls) == 1


def _pairs(traced: fx.GraphModule) -> Iterator[tuple[fx.Node, nn.Module, nn.Module]]:
    modules = dict(traced.named_modules())
    for node in traced.graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], _NORMS):
            continue
        before, norm = node.args[0], modules[node.target]
        if (
            before.op == "call_module"
            and isinstance(modules[before.target], _WEIGHTED)
            and len(before.users) == 1
            and only_use(traced.graph, before.target)
            and norm.running_mean is not None
            and _same_axis(modules[before.target], norm)
        ):
            yield node, modules[before.target], norm


def _left(traced: fx.GraphModule) -> Iterator[tuple[str, Any]]:
    """The batch norms over images that the graph calls."""
    called = {str(node.target) for node in traced.graph.nodes if node.op == "call_module"}
    for name, layer in traced.named_modules():
        if name in called and isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
            yield name, layer


def _as_convolution(norm: Any) -> nn.Conv2d:
    channels = norm.num_features
    layer = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
    nn.init.ones_(layer.weight)
    _fold(layer, norm)
    return layer.eval()


def _same_axis(layer: nn.Module, norm: nn.Module) -> bool:
    """BatchNorm1d after a linear layer norms the same axis only for rows; a shape cannot tell
    here, but a linear layer of another width would fail in the network itself."""
    width = getattr(layer, "out_channels", None) or layer.out_features
    return bool(width == norm.num_features)


def factor_and_shift(norm: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What a batch norm with running statistics does to a channel, float64 ``(channels,)`` each."""
    with torch.no_grad():
        factor = torch.rsqrt(norm.running_var.double() + norm.eps)
        if norm.weight is not None:
            factor = factor * norm.weight.double()
        shift = -norm.running_mean.double() * factor
        if norm.bias is not None:
            shift = shift + norm.bias.double()
    return factor, shift


def _fold(layer: Any, norm: Any) -> None:
    factor, shift = factor_and_shift(norm)
    with torch.no_grad():
        bias = shift if layer.bias is None else layer.bias.double() * factor + shift
        shape = (-1,) + (1,) * (layer.weight.dim() - 1)
        layer.weight = nn.Parameter((layer.weight.double() * factor.view(shape)).float())
        layer.bias = nn.Parameter(bias.float())
