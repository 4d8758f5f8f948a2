"""Take out of a graph the moves that the file format made necessary and torch does not need.

ONNX's recurrent layers are time-major with an axis for the direction; the moves around them
cancel when torch's own layout is put back. Nothing that a value depends on changes.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn

from babycry_convert.readers.onnx_graph.build import target

_SWAP = (1, 0, 2)


def tidy(module: fx.GraphModule) -> None:
    """Simplify ``module`` in place; the nodes carry ``meta["shape"]``."""
    changed = True
    while changed:
        changed = any([_simplify(module, node) for node in list(module.graph.nodes)])
        _sweep(module)
    for node in list(module.graph.nodes):
        _flatten(module, node)
    _sweep(module)
    module.graph.lint()
    module.recompile()


def _sweep(module: fx.GraphModule) -> None:
    """Drop what nothing reads."""
    for node in reversed(list(module.graph.nodes)):
        if not node.users and node.op not in ("output", "placeholder"):
            module.graph.erase_node(node)
    module.delete_all_unused_submodules()
    used = {str(n.target) for n in module.graph.nodes if n.op == "get_attr"}
    for name in [n for n, _ in module.named_buffers(recurse=False) if n not in used]:
        delattr(module, name)


def _simplify(module: fx.GraphModule, node: fx.Node) -> bool:
    if _is(node, torch.permute):
        return _permute(module, node)
    if _is(node, torch.reshape):
        return _reshape(node)
    return _batch_first(module, node)


def _is(node: Any, function: Any) -> bool:
    return isinstance(node, fx.Node) and node.op == "call_function" and node.target is function


def _replace(node: fx.Node, other: fx.Node) -> bool:
    node.replace_all_uses_with(other)
    return bool(node.users) is False


def _permute(module: fx.GraphModule, node: fx.Node) -> bool:
    if not node.users:
        return False
    source, order = node.args
    rank = len(order)
    order = tuple(axis % rank for axis in order)
    if order == tuple(range(rank)):
        return _replace(node, source)
    if _is(source, torch.permute):
        inner = tuple(axis % rank for axis in source.args[1])
        node.args = (source.args[0], tuple(inner[axis] for axis in order))
        return True
    shape = source.meta["shape"]
    moved = [axis for axis in order if shape[axis] != 1]
    if moved == sorted(moved):
        with module.graph.inserting_before(node):
            plain = module.graph.call_function(
                torch.reshape, (source, target(node.meta["shape"]))
            )
        plain.meta["shape"] = node.meta["shape"]
        return _replace(node, plain)
    return False


def _reshape(node: fx.Node) -> bool:
    if not node.users:
        return False
    source = node.args[0]
    if source.meta["shape"] == node.meta["shape"]:
        return _replace(node, source)
    if _is(source, torch.reshape):
        node.args = (source.args[0], node.args[1])
        return True
    return False


def _batch_first(module: fx.GraphModule, node: fx.Node) -> bool:
    """A recurrent layer behind a swap of batch and time takes its input unswapped."""
    if node.op != "call_module":
        return False
    layer = module.get_submodule(str(node.target))
    source = node.args[0]
    if not isinstance(layer, nn.RNNBase) or layer.batch_first or not _is(source, torch.permute):
        return False
    if tuple(axis % 3 for axis in source.args[1]) != _SWAP:
        return False
    layer.batch_first = True
    node.args = (source.args[0], *node.args[1:])
    for outputs in list(_outputs(node)):
        steps, batch, width = outputs.meta["shape"]
        outputs.meta["shape"] = (batch, steps, width)
        with module.graph.inserting_after(outputs):
            swapped = module.graph.call_function(torch.permute, (outputs, _SWAP))
        swapped.meta["shape"] = (steps, batch, width)
        outputs.replace_all_uses_with(swapped, delete_user_cb=lambda user, s=swapped: user is not s)
    return True


def _outputs(node: fx.Node) -> Iterator[fx.Node]:
    for user in node.users:
        if _is(user, operator.getitem) and user.args[1] == 0:
            yield user


def _flatten(module: fx.GraphModule, node: fx.Node) -> None:
    """A reshape to rows as nn.Flatten."""
    if not _is(node, torch.reshape):
        return
    source = node.args[0]
    before, after = source.meta["shape"], node.meta["shape"]
    if len(after) != 2 or len(before) < 3 or before[0] is not None or after[0] is not None:
        return
    name, count = "flatten", 1
    while hasattr(module, name):
        count += 1
        name = f"flatten_{count}"
    module.add_submodule(name, nn.Flatten(1))
    with module.graph.inserting_before(node):
        flat = module.graph.call_module(name, (source,))
    flat.meta["shape"] = after
    node.replace_all_uses_with(flat)
