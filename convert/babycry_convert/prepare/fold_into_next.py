"""Batch norm into the linear layer behind it: where it stands first in a head, say.

Alone it would be one int8 tensor with channels of very different sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn

from babycry_convert.hub import Network
from babycry_convert.prepare.fold_batch_norm import factor_and_shift, only_use, trace

_PASSED = (nn.Dropout, nn.Identity)


def fold_into_next(network: Network) -> Network:
    """The network without the batch norms that only a linear layer takes; the same function.

    Layers keep their names. A network that torch.fx cannot trace, or that has none, is left as is.
    """
    traced = trace(network.module)
    pairs = [] if traced is None else list(_pairs(traced))
    if traced is None or not pairs:
        return network
    for node, norm, linear in pairs:
        _fold(norm, linear)
        node.replace_all_uses_with(node.args[0])
        traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    for parameter in traced.parameters():
        parameter.requires_grad_(False)
    return replace(network, module=traced.eval())


def _pairs(traced: fx.GraphModule) -> Iterator[tuple[fx.Node, Any, Any]]:
    modules = dict(traced.named_modules())
    for node in traced.graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], nn.BatchNorm1d):
            continue
        after = _only_user(node)
        while after is not None and isinstance(modules.get(str(after.target)), _PASSED):
            after = _only_user(after)
        linear = None if after is None else modules.get(str(after.target))
        norm = modules[node.target]
        if (
            isinstance(linear, nn.Linear)
            and only_use(traced.graph, after.target)
            and only_use(traced.graph, node.target)
            and norm.running_mean is not None
            and norm.num_features == linear.in_features
        ):
            yield node, norm, linear


def _only_user(node: fx.Node) -> fx.Node | None:
    users = list(node.users)
    return users[0] if len(users) == 1 and users[0].op == "call_module" else None


def _fold(norm: Any, linear: Any) -> None:
    factor, shift = factor_and_shift(norm)
    with torch.no_grad():
        weight = linear.weight.double()
        bias = weight @ shift
        if linear.bias is not None:
            bias = bias + linear.bias.double()
        linear.weight = nn.Parameter((weight * factor).float())
        linear.bias = nn.Parameter(bias.float())
