"""ONNX operators that move, cut and join tensors, and arithmetic on shapes."""

from __future__ import annotations

import math
from typing import Any

import torch

from babycry_convert.readers.onnx_graph.arithmetic import TORCH_TYPES
from babycry_convert.readers.onnx_graph.build import MAX_ELEMENTS, Value
from babycry_convert.readers.onnx_graph.operation import Operation, rule
from babycry_edge.errors import BabycryError


@rule("Identity", "Dropout")
def _identity(op: Operation) -> Value | list[Value | None]:
    return [op.input(0), *[None] * (op.n_outputs - 1)]


@rule("Cast")
def _cast(op: Operation) -> Value:
    kind = TORCH_TYPES.get(op.get("to", 1))
    if kind is None:
        raise BabycryError(f"a cast to type {op.get('to', 1)}")
    x = op.input(0)
    return x if x.samples[0].dtype is kind else op.build.call(_cast_to, x, kind)


def _cast_to(x: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return x.to(kind)


@rule("Constant")
def _constant(op: Operation) -> Value:
    for name, kind in (("value_int", torch.int64), ("value_ints", torch.int64)):
        if name in op.attributes:
            return op.build.constant(torch.tensor(op.attributes[name], dtype=kind))
    for name in ("value_float", "value_floats"):
        if name in op.attributes:
            return op.build.constant(torch.tensor(op.attributes[name], dtype=torch.float32))
    if "value" not in op.attributes:
        raise BabycryError("a constant that is neither a tensor nor numbers")
    return op.build.constant(to_torch(op.attributes["value"]))


def to_torch(tensor: Any) -> torch.Tensor:
    """A TensorProto as a torch tensor.

    Raises:
        BabycryError: its bytes do not fill its shape, or its type is not read.
    """
    from onnx import numpy_helper

    if math.prod(tensor.dims) > MAX_ELEMENTS or any(d < 0 for d in tensor.dims):
        raise BabycryError(f"weight {tensor.name!r} has the shape {list(tensor.dims)}")
    if tensor.data_type not in TORCH_TYPES:
        raise BabycryError(f"weight {tensor.name!r} has data type {tensor.data_type}")
    try:
        return torch.from_numpy(numpy_helper.to_array(tensor).copy())
    except (ValueError, TypeError, RuntimeError) as error:
        raise BabycryError(f"weight {tensor.name!r} is malformed: {error}") from None


@rule("Shape")
def _shape(op: Operation) -> Value:
    start, end = op.get("start", 0), op.get("end", None)
    return op.build.known(
        [torch.tensor(list(s.shape)[start:end], dtype=torch.int64) for s in op.input(0).samples]
    )


@rule("Size")
def _size(op: Operation) -> Value:
    return op.build.known([torch.tensor(s.numel()) for s in op.input(0).samples])


@rule("ConstantOfShape")
def _constant_of_shape(op: Operation) -> Value:
    given = op.attributes.get("value")
    fill = torch.zeros(1) if given is None else to_torch(given).reshape(-1)
    sizes = _shapes(op.input(0))
    return op.build.known([fill[:1].expand(size).clone() for size in sizes])


def _shapes(value: Value) -> list[tuple[int, ...]]:
    """A value that says a shape, at each batch size."""
    if not value.known:
        raise BabycryError("its shape depends on the input's values")
    shapes = [tuple(int(v) for v in s.flatten().tolist()) for s in value.samples]
    for shape in shapes:
        if math.prod(abs(v) for v in shape if v) > MAX_ELEMENTS or len(shape) > 8:
            raise BabycryError(f"a tensor of {shape}")
    return shapes


@rule("Reshape")
def _reshape(op: Operation) -> Value:
    x = op.input(0)
    given = _shapes(op.input(1)) if "shape" not in op.attributes else None
    if given is None:
        given = [tuple(op.attributes["shape"])] * len(x.samples)
    shapes = []
    for sample, wanted in zip(x.samples, given, strict=True):
        if not op.get("allowzero", 0):
            wanted = tuple(
                sample.shape[i] if size == 0 and i < sample.ndim else size
                for i, size in enumerate(wanted)
            )
        if op.opens_batch:
            wanted = _opened(x, sample, wanted)
        shapes.append(wanted)
    return op.build.reshape(x, shapes)


def _opened(x: Value, sample: torch.Tensor, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """A shape for a batch of 1 made into one for the batch of ``sample``.

    The batch goes to the first axis before which there are as many elements as before it now.
    """
    axis = next((i for i, size in enumerate(x.shape) if size is None), None)
    if axis is None:
        return wanted
    batch = sample.shape[axis]
    if -1 in wanted:
        rest = math.prod(w for w in wanted if w != -1)
        if not rest or (sample.numel() // batch) % rest:
            return wanted
        wanted = tuple(sample.numel() // batch // rest if w == -1 else w for w in wanted)
    if math.prod(wanted) == sample.numel():
        return wanted
    before = math.prod(sample.shape[:axis])
    places = [i for i in range(len(wanted)) if math.prod(wanted[:i]) == before]
    place = next((i for i in places if wanted[i] == 1), places[0] if places else 0)
    return (*wanted[:place], wanted[place] * batch, *wanted[place + 1 :])


@rule("Flatten")
def _flatten(op: Operation) -> Value:
    x = op.input(0)
    axis = op.get("axis", 1)
    axis = axis + x.rank if axis < 0 else axis
    shapes = [(math.prod(s.shape[:axis]), math.prod(s.shape[axis:])) for s in x.samples]
    return op.build.reshape(x, shapes)


@rule("Squeeze")
def _squeeze(op: Operation) -> Value:
    x = op.input(0)
    axes = op.integers("axes", 1)
    if axes is None:
        axes = [i for i, size in enumerate(x.shape) if size == 1]
    drop = {axis % x.rank for axis in axes}
    if any(s.shape[i] != 1 for s in x.samples for i in drop):
        raise BabycryError(f"its input has the shape {x.shape}")
    shapes = [[n for i, n in enumerate(s.shape) if i not in drop] for s in x.samples]
    return op.build.reshape(x, shapes)


@rule("Unsqueeze")
def _unsqueeze(op: Operation) -> Value:
    x = op.input(0)
    axes = op.integers("axes", 1)
    if axes is None:
        raise BabycryError("its axes are missing")
    rank = x.rank + len(axes)
    new = {axis % rank for axis in axes}
    if len(new) != len(axes) or rank > 8:
        raise BabycryError(f"axes {axes}")
    shapes = []
    for sample in x.samples:
        sizes = iter(sample.shape)
        shapes.append([1 if i in new else next(sizes) for i in range(rank)])
    return op.build.reshape(x, shapes)


@rule("Transpose")
def _transpose(op: Operation) -> Value:
    x = op.input(0)
    order = op.get("perm", list(reversed(range(x.rank))))
    return op.build.call(torch.permute, x, tuple(int(i) for i in order))


@rule("Concat")
def _concat(op: Operation) -> Value:
    values = [op.input(i) for i in range(len(op.inputs))]
    return op.build.call(torch.cat, values, op.get("axis", 0))


@rule("Split")
def _split(op: Operation) -> list[Value | None]:
    x = op.input(0)
    axis = op.get("axis", 0) % x.rank
    sizes = op.integers("split", 1)
    if sizes is None:
        total = x.shape[axis]
        count = int(op.get("num_outputs", op.n_outputs))
        if total is None or not 1 <= count <= total:
            raise BabycryError("it splits the batch")
        size = -(-total // count)
        sizes = [min(size, total - start) for start in range(0, total, size)]
    results: list[Value | None] = []
    start = 0
    for size in sizes:
        results.append(op.build.call(torch.narrow, x, axis, start, size))
        start += size
    return results


@rule("Slice")
def _slice(op: Operation) -> Value:
    x = op.input(0)
    if "starts" in op.attributes:
        starts = [op.attributes["starts"]] * len(x.samples)
        ends = [op.attributes["ends"]] * len(x.samples)
    else:
        starts = [list(s) for s in _numbers(op.input(1))]
        ends = [list(s) for s in _numbers(op.input(2))]
    axes = op.integers("axes", 3) or list(range(len(starts[0])))
    steps = op.integers("steps", 4) or [1] * len(axes)
    for number, (axis, step) in enumerate(zip(axes, steps, strict=True)):
        axis = axis % x.rank
        cuts = [
            slice(_open_end(s[number]), _open_end(e[number]), step).indices(sample.shape[axis])
            for sample, s, e in zip(x.samples, starts, ends, strict=True)
        ]
        x = _cut(op, x, axis, cuts)
    return x


def _numbers(value: Value) -> list[list[int]]:
    if not value.known:
        raise BabycryError("its bounds depend on the input's values")
    return [[int(v) for v in s.flatten().tolist()] for s in value.samples]


def _open_end(value: int) -> int | None:
    """ONNX marks an open end by the largest or smallest integer."""
    return None if abs(value) >= (1 << 31) - 1 else value


def _cut(op: Operation, x: Value, axis: int, cuts: list[tuple[int, int, int]]) -> Value:
    """x[start:stop:step] on one axis, where a negative step turns the order."""
    if all(
        start == 0 and step == 1 and stop >= s.shape[axis]
        for (start, stop, step), s in zip(cuts, x.samples, strict=True)
    ):
        return x
    if x.known:
        return Value(
            tuple(
                s.index_select(axis, torch.tensor(list(range(*cut)), dtype=torch.int64))
                for s, cut in zip(x.samples, cuts, strict=True)
            )
        )
    if len(set(cuts)) != 1:
        raise BabycryError("its bounds depend on the batch")
    start, stop, step = cuts[0]
    length = len(range(start, stop, step))
    size = x.shape[axis]
    if step == -1 and size is not None and length == size:
        return op.build.call(torch.flip, x, [axis])
    if step < 0:
        order = torch.tensor(list(range(start, stop, step)), dtype=torch.int64)
        return op.build.call(torch.index_select, x, axis, op.build.constant(order))
    if step == 1:
        return op.build.call(torch.narrow, x, axis, start, length)
    # written as an index, so that the exporters see a plain slice
    index = (*[slice(None)] * axis, slice(start, stop, step))
    return op.build.call(_index, x, index)


def _index(x: torch.Tensor, index: tuple[slice, ...]) -> torch.Tensor:
    return x[index]


@rule("Gather")
def _gather(op: Operation) -> Value:
    x, indices = op.input(0), op.input(1)
    axis = op.get("axis", 0) % max(1, x.rank)
    if x.known:
        return op.build.call(_take, x, indices, axis)
    if not indices.constant:
        raise BabycryError("its indices depend on the input")
    size = x.shape[axis]
    if indices.rank == 0:
        index = int(indices.tensor)
        index = index + size if index < 0 and size is not None else index
        if index < 0:
            raise BabycryError("it picks the last of the batch")
        return op.build.call(torch.select, x, axis, index)
    flat = [i + size if i < 0 and size is not None else i for i in indices.integers()]
    if indices.rank != 1:
        raise BabycryError("its indices have more than one axis")
    return op.build.call(torch.index_select, x, axis, op.build.constant(torch.tensor(flat)))


def _take(x: torch.Tensor, indices: torch.Tensor, axis: int) -> torch.Tensor:
    if x.device.type == "meta":
        return x.new_empty((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
    size = x.shape[axis]
    flat = indices.flatten().long()
    flat = torch.where(flat < 0, flat + size, flat)
    taken = x.index_select(axis, flat)
    return taken.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


@rule("Expand")
def _expand(op: Operation) -> Value:
    x = op.input(0)
    shapes = [
        tuple(torch.broadcast_shapes(tuple(s.shape), shape))
        for s, shape in zip(x.samples, _shapes(op.input(1)), strict=True)
    ]
    if x.known:
        return Value(tuple(s.expand(n).clone() for s, n in zip(x.samples, shapes, strict=True)))
    if all(tuple(s.shape) == n for s, n in zip(x.samples, shapes, strict=True)):
        return x
    wanted = [sizes[0] if len(set(sizes)) == 1 else -1 for sizes in zip(*shapes, strict=True)]
    return op.build.call(torch.Tensor.expand, x, wanted)


@rule("Tile")
def _tile(op: Operation) -> Value:
    x = op.input(0)
    repeats = _shapes(op.input(1))
    if x.known:
        return Value(tuple(torch.tile(s, r) for s, r in zip(x.samples, repeats, strict=True)))
    if len(set(repeats)) != 1:
        raise BabycryError("its repeats depend on the batch")
    return op.build.call(torch.tile, x, repeats[0])


@rule("Range")
def _range(op: Operation) -> Value:
    results = []
    for start, stop, step in zip(*(op.input(i).samples for i in range(3)), strict=True):
        if float(step) == 0 or abs(float(stop) - float(start)) > 65536 * abs(float(step)):
            raise BabycryError("a range of too many numbers")
        results.append(torch.arange(start.item(), stop.item(), step.item(), dtype=start.dtype))
    if not all(op.input(i).known for i in range(3)):
        raise BabycryError("a range that depends on the input's values")
    return op.build.known(results)
