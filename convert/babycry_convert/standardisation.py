"""A standardisation of one row of values, out of the network's graph and into the metadata.

Values of very different sizes (Hz, dB, rates) share no int8 scale.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import fx, nn

from babycry_convert.hub import Network
from babycry_convert.hub_input import attribute
from babycry_convert.prepare.fold_batch_norm import factor_and_shift

#: A smaller factor than this takes a value out of the row and cannot be undone.
_LEAST_SLOPE = 1e-20

#: Calls that leave one row of values in its order.
_RESHAPES = ("flatten", "reshape", "view", "squeeze", "unsqueeze", "transpose", "permute")
_SIZES = ("size", "dim")


def take_out_standardisation(
    network: Network,
) -> tuple[Network, npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """Take what standardises one row of values out of the network.

    That is a batch norm, or constants that are added and multiplied, at the network's very input.

    Returns:
        The network without it, and ``mean`` and ``scale``, float32 ``(F,)``: the network now takes
        ``(x - mean) * scale``. None where a window has several rows, or where nothing of the kind
        comes first.
    """
    frames, values = network.window_shape
    if frames != 1:
        return None
    try:
        traced = fx.symbolic_trace(network.module)
    except Exception:
        return None
    start = next(node for node in traced.graph.nodes if node.op == "placeholder")
    slope, offset = np.ones(values), np.zeros(values)
    taken: list[tuple[fx.Node, fx.Node]] = []
    before, node = start, _only_user(start)
    while node is not None:
        line = _line(traced, node, values)
        if line is not None:
            slope, offset = line[0] * slope, line[0] * offset + line[1]
            taken.append((node, before))
        elif not _keeps_order(traced, node):
            break
        before, node = node, _only_user(node)
    if not taken or not np.isfinite(slope).all() or np.any(np.abs(slope) < _LEAST_SLOPE):
        return None
    for node, before in reversed(taken):
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
    traced.graph.eliminate_dead_code()
    mean, scale = (-offset / slope).astype(np.float32), slope.astype(np.float32)
    rest = replace(network, module=fx.GraphModule(traced, traced.graph).eval())
    return (rest, mean, scale) if _same_answers(network, rest, mean, scale) else None


def _same_answers(
    whole: Network,
    rest: Network,
    mean: npt.NDArray[np.float32],
    scale: npt.NDArray[np.float32],
) -> bool:
    """Whether the rest, behind the standardisation, answers as the whole network does."""
    draw = np.random.default_rng(1).standard_normal((8, 1, 1, len(mean))).astype(np.float32)
    rows = draw / scale + mean
    with torch.no_grad():
        expected = whole.module(torch.from_numpy(rows))
        given = rest.module(torch.from_numpy((rows - mean) * scale))
    return bool(torch.allclose(expected, given, rtol=1e-3, atol=1e-3))


def _only_user(node: fx.Node) -> fx.Node | None:
    """The one operation on a node's values; None where there are several."""
    users = [user for user in node.users if not _asks_size(user)]
    return users[0] if len(users) == 1 and users[0].op != "output" else None


def _asks_size(node: fx.Node) -> bool:
    return (node.op == "call_method" and node.target in _SIZES) or (
        node.target is getattr and node.args[1] == "shape"
    )


def _keeps_order(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        layer = traced.get_submodule(str(node.target))
        return isinstance(layer, nn.Flatten | nn.Unflatten | nn.Identity | nn.Dropout)
    name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
    return name in _RESHAPES


def _line(traced: fx.GraphModule, node: fx.Node, values: int) -> tuple[Any, Any] | None:
    """Slope and offset, float64 ``(F,)``, of a node that maps each value by a line; else None."""
    if node.op == "call_module":
        layer = traced.get_submodule(str(node.target))
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            return _line_of_batch_norm(layer, values)
        return None
    name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
    name = str(name).replace("truediv", "div")
    if name not in ("add", "sub", "mul", "div") or len(node.args) != 2 or node.kwargs:
        return None
    left, right = (_constant(traced, argument, values) for argument in node.args)
    if (left is None) == (right is None):
        return None
    one, zero = np.ones(values), np.zeros(values)
    if right is not None:
        lines = {
            "add": (one, right),
            "sub": (one, -right),
            "mul": (right, zero),
            "div": (one / right, zero),
        }
        return lines[name]
    return {"add": (one, left), "sub": (-one, left), "mul": (left, zero)}.get(name)


def _line_of_batch_norm(
    layer: nn.BatchNorm1d | nn.BatchNorm2d, values: int
) -> tuple[Any, Any] | None:
    if layer.num_features != values or layer.running_mean is None or layer.running_var is None:
        return None
    slope, offset = factor_and_shift(layer)
    return slope.numpy(), offset.numpy()


def _constant(traced: fx.GraphModule, argument: Any, values: int) -> Any:
    """A number, or a stored tensor of one or F values, as float64 ``(F,)``; else None."""
    if isinstance(argument, fx.Node):
        if argument.op != "get_attr":
            return None
        argument = attribute(traced, str(argument.target))
    if isinstance(argument, torch.Tensor) and argument.numel() in (1, values):
        return np.broadcast_to(_numbers(argument).reshape(-1), (values,))
    return np.full(values, float(argument)) if isinstance(argument, int | float) else None


def _numbers(tensor: torch.Tensor) -> npt.NDArray[np.float64]:
    return tensor.detach().double().numpy()
