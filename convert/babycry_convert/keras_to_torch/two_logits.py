"""A network with one sigmoid output, as one with two logits for a softmax."""

from __future__ import annotations

import torch
from torch import fx, nn


def with_two_logits(network: nn.Module) -> nn.Module:
    """softmax((0, z)) gives sigmoid(z) to the second class, exactly.

    Where the network ends in a linear layer, a row of zeros is added to it; else zeros are put
    beside the output.
    """
    if isinstance(network, fx.GraphModule):
        (end,) = (node for node in network.graph.nodes if node.op == "output")
        last = end.args[0]
        if isinstance(last, fx.Node) and last.op == "call_module":
            module = network.get_submodule(str(last.target))
            if isinstance(module, nn.Linear):
                parent, _, name = str(last.target).rpartition(".")
                setattr(network.get_submodule(parent), name, _widened(module))
                return network
    return TwoLogits(network)


class TwoLogits(nn.Module):
    """(N, 1) to (N, 2): a zero before the output."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.network(x)
        return torch.cat((torch.zeros_like(z), z), dim=-1)


def _widened(linear: nn.Linear) -> nn.Linear:
    wide = nn.Linear(linear.in_features, 2)
    bias = torch.zeros(1) if linear.bias is None else linear.bias.detach()
    weight = linear.weight.detach()
    wide.weight = nn.Parameter(torch.cat((torch.zeros_like(weight), weight)), requires_grad=False)
    wide.bias = nn.Parameter(torch.cat((torch.zeros(1), bias)), requires_grad=False)
    return wide
