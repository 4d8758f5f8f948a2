"""ONNX operators with weights, and poolings."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from babycry_convert.readers.onnx_graph.build import Value
from babycry_convert.readers.onnx_graph.operation import Operation, rule
from babycry_edge.errors import BabycryError

#: A padding, stride or dilation above this is a damaged file.
_MOST_STEP = 4096


@rule("Conv")
def _conv(op: Operation) -> Value:
    x, weight = op.input(0), _weight(op, 1)
    axes = x.rank - 2
    if axes not in (1, 2) or weight.ndim != x.rank:
        raise BabycryError("only convolutions over one or two axes are read")
    kernel = list(weight.shape[2:])
    strides = _steps(op, "strides", axes)
    dilations = _steps(op, "dilations", axes)
    before, after = _pads(op, x, kernel, strides, dilations)
    if before != after:
        x = _pad(op, x, before, after, 0.0)
        before = [0] * axes
    bias = op.optional(2)
    group = int(op.get("group", 1))
    layer = (nn.Conv1d, nn.Conv2d)[axes - 1](
        weight.shape[1] * group,
        weight.shape[0],
        tuple(kernel),
        stride=tuple(strides),
        padding=tuple(before),
        dilation=tuple(dilations),
        groups=group,
        bias=bias is not None,
        device="meta",
    )
    _set(layer, weight=weight, bias=None if bias is None else _weight(op, 2))
    return op.build.layer(op.layer_name(), layer, x)


@rule("Gemm")
def _gemm(op: Operation) -> Value:
    x, b = op.input(0), op.input(1)
    if x.known or not b.constant or x.rank != 2 or op.get("transA", 0):
        raise BabycryError("it is no layer: its second factor is no weight")
    weight = _weight(op, 1) if op.get("transB", 0) else _weight(op, 1).t()
    bias = op.optional(2)
    width = weight.shape[0]
    layer = nn.Linear(weight.shape[1], width, bias=bias is not None, device="meta")
    scaled = None
    if bias is not None:
        scaled = (bias.tensor.reshape(-1) * op.get("beta", 1.0)).expand(width)
    _set(layer, weight=weight * op.get("alpha", 1.0), bias=scaled)
    return op.build.layer(op.layer_name(), layer, x)


@rule("MatMul")
def _matmul(op: Operation) -> Value:
    x, b = op.input(0), op.input(1)
    if x.known or not b.constant or b.rank != 2:
        return op.build.call(torch.matmul, x, b)
    weight = _weight(op, 1).t()
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    _set(layer, weight=weight)
    return op.build.layer(op.layer_name(), layer, x)


@rule("BatchNormalization")
def _batch_norm(op: Operation) -> Value:
    x = op.input(0)
    if op.get("training_mode", 0):
        raise BabycryError("it is in training mode: export the network in evaluation mode")
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}
    if x.rank not in kinds:
        raise BabycryError(f"an input of {x.rank} axes")
    scale = _weight(op, 1)
    layer = kinds[x.rank](scale.numel(), eps=op.get("epsilon", 1e-5), device="meta")
    _set(
        layer,
        weight=scale,
        bias=_weight(op, 2),
        running_mean=_weight(op, 3),
        running_var=_weight(op, 4),
        num_batches_tracked=torch.tensor(0),
    )
    return op.build.layer(op.layer_name(), layer, x)


@rule("LayerNormalization")
def _layer_norm(op: Operation) -> Value:
    x = op.input(0)
    axis = op.get("axis", -1) % x.rank
    sizes = list(x.samples[0].shape[axis:])
    bias = op.optional(2)
    layer = nn.LayerNorm(sizes, eps=op.get("epsilon", 1e-5), device="meta", bias=bias is not None)
    _set(layer, weight=_weight(op, 1), bias=None if bias is None else _weight(op, 2))
    return op.build.layer(op.layer_name(), layer, x)


@rule("MaxPool")
def _max_pool(op: Operation) -> Value:
    x, kernel, strides, dilations = _pool(op)
    before, after = _pads(op, x, kernel, strides, dilations)
    if before != after or any(2 * p > k for p, k in zip(before, kernel, strict=True)):
        x = _pad(op, x, before, after, -torch.finfo(torch.float32).max)
        before = [0] * len(kernel)
    layer = (nn.MaxPool1d, nn.MaxPool2d)[len(kernel) - 1](
        _plain(kernel),
        _plain(strides),
        _plain(before),
        _plain(dilations),
        ceil_mode=bool(op.get("ceil_mode", 0)),
    )
    return op.build.layer(op.layer_name(), layer, x)


@rule("AveragePool")
def _average_pool(op: Operation) -> Value:
    x, kernel, strides, dilations = _pool(op)
    if any(d != 1 for d in dilations):
        raise BabycryError("an average pooling with gaps")
    before, after = _pads(op, x, kernel, strides, dilations)
    count_pads = bool(op.get("count_include_pad", 0)) or not any(before + after)
    ceil = bool(op.get("ceil_mode", 0))

    def layer(padding: list[int], count: bool) -> nn.Module:
        pool: Any = (nn.AvgPool1d, nn.AvgPool2d)[len(kernel) - 1]
        module: nn.Module = pool(
            _plain(kernel), _plain(strides), _plain(padding), ceil, count_include_pad=count
        )
        return module

    if before == after and all(2 * p <= k for p, k in zip(before, kernel, strict=True)):
        return op.build.layer(op.layer_name(), layer(before, count_pads), x)
    none = [0] * len(kernel)
    shape = (1, 1, *x.samples[0].shape[2:])
    share = layer(none, True)(_padded(torch.ones(shape), before, after, 0.0))
    padded = _pad(op, x, before, after, 0.0)
    pooled = op.build.layer(op.layer_name(), layer(none, True), padded)
    if count_pads:
        return pooled
    return op.build.call(operator.truediv, pooled, op.build.constant(share))


@rule("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(op: Operation) -> Value:
    x = op.input(0)
    kinds: dict[tuple[str, int], Any] = {
        ("GlobalAveragePool", 3): nn.AdaptiveAvgPool1d,
        ("GlobalAveragePool", 4): nn.AdaptiveAvgPool2d,
        ("GlobalMaxPool", 3): nn.AdaptiveMaxPool1d,
        ("GlobalMaxPool", 4): nn.AdaptiveMaxPool2d,
    }
    if (op.kind, x.rank) not in kinds:
        raise BabycryError(f"an input of {x.rank} axes")
    return op.build.layer(op.layer_name(), kinds[op.kind, x.rank](1), x)


@rule("Resize")
def _resize(op: Operation) -> Value:
    x = op.input(0)
    if x.rank != 4:
        raise BabycryError("only images are resized")
    mode = op.get("mode", "nearest")
    place = op.get("coordinate_transformation_mode", "half_pixel")
    known = {
        ("linear", "half_pixel"): ("bilinear", False),
        ("linear", "pytorch_half_pixel"): ("bilinear", False),
        ("linear", "align_corners"): ("bilinear", True),
        ("nearest", "asymmetric"): ("nearest", None),
    }
    if (mode, place) not in known or op.get("antialias", 0):
        raise BabycryError(f"a resize by {mode} with {place}")
    if mode == "nearest" and op.get("nearest_mode", "round_prefer_floor") != "floor":
        raise BabycryError("a nearest resize that does not round down")
    size = _resized(op, x)
    method, corners = known[mode, place]
    if min(size) < 1 or max(size) > _MOST_STEP:
        raise BabycryError(f"a resize to {size}")
    layer = nn.Upsample(size=size, mode=method, align_corners=corners)
    return op.build.layer(op.layer_name(), layer, x)


def _resized(op: Operation, x: Value) -> tuple[int, int]:
    rows, columns = x.samples[0].shape[2:]
    axes = op.get("axes", None)
    if axes is not None and [a % 4 for a in axes] != [2, 3]:
        raise BabycryError("a resize of other axes than the image's")
    sizes = op.optional(3)
    if sizes is not None and sizes.samples[0].numel():
        wanted = {tuple(int(v) for v in s[-2:].tolist()) for s in sizes.samples}
        if len(wanted) != 1:
            raise BabycryError("its size depends on the batch")
        (size,) = wanted
        return (size[0], size[1])
    scales = op.input(2).tensor
    down, across = (float(v) for v in scales[-2:].tolist())
    if not (0 < down < _MOST_STEP and 0 < across < _MOST_STEP):
        raise BabycryError(f"a resize by {down} x {across}")
    return int(rows * down), int(columns * across)


@rule("Pad")
def _pad_rule(op: Operation) -> Value:
    x = op.input(0)
    pads = op.integers("pads", 1)
    mode = op.get("mode", "constant")
    axes = op.optional(3)
    where = list(range(x.rank)) if axes is None else [a % x.rank for a in axes.integers()]
    if pads is None or len(pads) != 2 * len(where):
        raise BabycryError("its pads do not fit its input")
    before, after = [0] * x.rank, [0] * x.rank
    for i, axis in enumerate(where):
        before[axis], after[axis] = pads[i], pads[len(where) + i]
    value = op.optional(2)
    fill = float(op.get("value", 0.0)) if value is None else float(value.tensor.reshape(()))
    if mode == "constant":
        return _pad(op, x, before, after, fill)
    if mode in ("reflect", "edge") and before[:2] == after[:2] == [0, 0]:
        flat = _flat_pads(before[2:], after[2:])
        torch_mode = "reflect" if mode == "reflect" else "replicate"
        return op.build.call(F.pad, x, flat, mode=torch_mode)
    raise BabycryError(f"a padding of mode {mode}")


def _weight(op: Operation, index: int) -> torch.Tensor:
    weight = op.input(index).tensor
    if weight.dtype is not torch.float32:
        raise BabycryError(f"its weights are {weight.dtype}, not float32: give the float model")
    return weight


def _set(module: nn.Module, **tensors: torch.Tensor | None) -> None:
    """Give a module its tensors; their shapes must be those it was made for."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        expected = getattr(module, name)
        if expected is not None and expected.shape != tensor.shape:
            raise BabycryError(
                f"its {name} has shape {tuple(tensor.shape)}, not {tuple(expected.shape)}"
            )
        value = tensor.detach().clone().contiguous()
        if name in module._buffers:
            module._buffers[name] = value
        else:
            setattr(module, name, nn.Parameter(value, requires_grad=False))


def _pool(op: Operation) -> tuple[Value, list[int], list[int], list[int]]:
    x = op.input(0)
    kernel = [int(k) for k in op.get("kernel_shape", [])]
    if x.rank - 2 not in (1, 2) or len(kernel) != x.rank - 2:
        raise BabycryError("only poolings over one or two axes are read")
    if any(not 1 <= k <= _MOST_STEP for k in kernel):
        raise BabycryError(f"a kernel of {kernel}")
    return x, kernel, _steps(op, "strides", len(kernel)), _steps(op, "dilations", len(kernel))


def _steps(op: Operation, name: str, axes: int) -> list[int]:
    values = [int(v) for v in op.get(name, [1] * axes)]
    if len(values) != axes or any(not 1 <= v <= _MOST_STEP for v in values):
        raise BabycryError(f"{name} of {values}")
    return values


def _pads(
    op: Operation, x: Value, kernel: list[int], strides: list[int], dilations: list[int]
) -> tuple[list[int], list[int]]:
    """Padding before and after each axis; ``auto_pad`` worked out for the sizes at hand."""
    axes = len(kernel)
    auto = op.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = [int(p) for p in op.get("pads", [0] * 2 * axes)]
        if len(pads) != 2 * axes or any(not 0 <= p <= _MOST_STEP for p in pads):
            raise BabycryError(f"pads of {pads}")
        return pads[:axes], pads[axes:]
    if auto == "VALID":
        return [0] * axes, [0] * axes
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise BabycryError(f"auto_pad {auto}")
    before, after = [], []
    for size, k, s, d in zip(x.samples[0].shape[2:], kernel, strides, dilations, strict=True):
        total = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        less, more = total // 2, total - total // 2
        before.append(less if auto == "SAME_UPPER" else more)
        after.append(more if auto == "SAME_UPPER" else less)
    return before, after


def _pad(op: Operation, x: Value, before: list[int], after: list[int], value: float) -> Value:
    """Pad the last axes; negative numbers crop."""
    if any(abs(p) > _MOST_STEP for p in before + after):
        raise BabycryError(f"pads of {before} and {after}")
    if not any(before + after):
        return x
    while before and before[0] == after[0] == 0:
        before, after = before[1:], after[1:]
    return op.build.call(F.pad, x, _flat_pads(before, after), value=value)


def _padded(x: torch.Tensor, before: list[int], after: list[int], value: float) -> torch.Tensor:
    return F.pad(x, _flat_pads(before, after), value=value)


def _flat_pads(before: list[int], after: list[int]) -> list[int]:
    """torch's order: last axis first."""
    return [p for pair in zip(reversed(before), reversed(after), strict=True) for p in pair]


def _plain(values: list[int]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)
