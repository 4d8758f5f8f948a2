"""Take out of a graph the moves that the file format made necessary and torch does not need.

ONNX's recurrent layers are time-major with an axis for the direction; the moves around them
cancel when torch's own layout is put back. Nothing that a value depends on changes.
"""

from __future__ import annotations

import math
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
        changed = sum(_simplify(module, node) for node in list(module.graph.nodes)) > 0
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
    if _is(node, torch.narrow):
        return _narrow(module, node)
    if _is(node, torch.select):
        return _select(node)
    if _is(node, torch.cat):
        return _cat(module, node)
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
        plain = _insert(module, node, torch.reshape, (source, target(node.meta["shape"])))
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


def _narrow(module: fx.GraphModule, node: fx.Node) -> bool:
    """A cut goes before a permutation, before a split of the last axis, and into a joint."""
    source, axis, start, length = node.args
    shape = source.meta["shape"]
    axis = axis % len(shape)
    if not node.users:
        return False
    if _is(source, torch.cat):
        piece = _piece(source, axis, start, length)
        if piece is not None:
            node.args = (piece[0], axis, piece[1], length)
            return True
    if start == 0 and length == shape[axis]:
        return _replace(node, source)
    if _is(source, torch.permute):
        inner, order = source.args
        order = tuple(a % len(shape) for a in order)
        cut = _insert(module, node, torch.narrow, (inner, order[axis], start, length))
        return _replace(node, _insert(module, node, torch.permute, (cut, order)))
    inner = source.args[0] if _is(source, torch.reshape) else None
    if inner is None or axis != len(shape) - 2 or length != 1:
        return False
    before = inner.meta["shape"]
    width = shape[-1]
    if before[:-1] != shape[:-2] or before[-1] != shape[-2] * width:
        return False
    cut = _insert(module, node, torch.narrow, (inner, len(before) - 1, start * width, width))
    plain = _insert(module, node, torch.reshape, (cut, target(node.meta["shape"])))
    return _replace(node, plain)


def _select(node: fx.Node) -> bool:
    """One row of a joint is a row of one of its pieces."""
    source, axis, index = node.args
    axis = axis % len(source.meta["shape"])
    piece = _piece(source, axis, index, 1) if _is(source, torch.cat) else None
    if piece is None:
        return False
    node.args = (piece[0], axis, piece[1])
    return True


def _piece(joint: fx.Node, axis: int, start: int, length: int) -> tuple[fx.Node, int] | None:
    """The piece of ``joint`` that holds a stretch of ``axis``, and where the stretch begins."""
    pieces, along = joint.args
    if along % len(joint.meta["shape"]) != axis or start < 0:
        return None
    for piece in pieces:
        size = piece.meta["shape"][axis]
        if size is None:
            return None
        if start < size:
            return (piece, start) if start + length <= size else None
        start -= size
    return None


def _cat(module: fx.GraphModule, node: fx.Node) -> bool:
    """Neighbouring cuts of one tensor put together again; one permutation for all pieces."""
    pieces, axis = node.args
    axis = axis % len(node.meta["shape"])
    if not node.users:
        return False
    if len(pieces) == 1:
        return _replace(node, pieces[0])
    if all(_is(p, torch.permute) for p in pieces):
        orders = {tuple(a % len(p.args[1]) for a in p.args[1]) for p in pieces}
        if len(orders) == 1:
            (order,) = orders
            joint = _insert(module, node, torch.cat, ([p.args[0] for p in pieces], order[axis]))
            return _replace(node, _insert(module, node, torch.permute, (joint, order)))
    if not all(_is(p, torch.narrow) and p.args[0] is pieces[0].args[0] for p in pieces):
        return False
    source = pieces[0].args[0]
    place = 0
    for piece in pieces:
        if piece.args[1] % len(node.meta["shape"]) != axis or piece.args[2] != place:
            return False
        place += piece.args[3]
    return place == source.meta["shape"][axis] and _replace(node, source)


def _insert(
    module: fx.GraphModule, before: fx.Node, function: Any, args: tuple[Any, ...]
) -> fx.Node:
    """A new node, with its shape worked out from its arguments'."""
    with module.graph.inserting_before(before):
        node = module.graph.call_function(function, args)
    first = args[0][0] if isinstance(args[0], list) else args[0]
    shape = list(first.meta["shape"])
    if function is torch.narrow:
        shape[args[1]] = args[3]
    elif function is torch.permute:
        shape = [shape[axis] for axis in args[1]]
    elif function is torch.reshape:
        shape = list(before.meta["shape"])
    else:
        shape[args[1]] = sum(p.meta["shape"][args[1]] for p in args[0])
    node.meta["shape"] = tuple(shape)
    return node


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
    if len(before) < 3 or before[0] is not None or None in before[1:]:
        return
    if after != (None, math.prod(before[1:])):
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
