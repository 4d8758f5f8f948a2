"""ONNX operators that work element by element, and reductions."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn

from babycry_convert.readers.onnx_graph.build import Build, Value
from babycry_convert.readers.onnx_graph.operation import Operation, only_value, rule
from babycry_edge.errors import BabycryError

# TensorProto.DataType
TORCH_TYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
}


def divide(a: Any, b: Any) -> Any:
    """ONNX's Div: whole numbers are cut towards zero."""
    if isinstance(a, torch.Tensor) and not a.is_floating_point():
        return torch.div(a, b, rounding_mode="trunc")
    return a / b


def power(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """ONNX's Pow keeps the base's type."""
    return torch.pow(a, b).to(a.dtype)


_TWO = {"Add": operator.add, "Sub": operator.sub, "Mul": operator.mul}


@rule("Add", "Sub", "Mul")
def _two(op: Operation) -> Value:
    a, b = op.input(0), op.input(1)
    if op.kind == "Add":
        fused = _add_bias(op, a, b) or _add_bias(op, b, a)
        if fused is not None:
            return fused
    if op.kind == "Mul":
        gate = _gate(op, a, b) or _gate(op, b, a)
        if gate is not None:
            return gate
    a, b = _scalar(a, b), _scalar(b, a)
    return op.build.call(_TWO[op.kind], a, b)


@rule("Div")
def _div(op: Operation) -> Value:
    a, b = op.input(0), op.input(1)
    if a.known and b.known:
        return op.build.call(divide, a, b)
    if not a.samples[0].is_floating_point():
        raise BabycryError("it divides whole numbers that depend on the input's values")
    return op.build.call(operator.truediv, _scalar(a, b), _scalar(b, a))


@rule("Pow")
def _pow(op: Operation) -> Value:
    a, b = op.input(0), op.input(1)
    exponent = only_value(b)
    if a.known or exponent is None:
        return op.build.call(power, a, b)
    return op.build.call(torch.pow, a, int(exponent) if exponent.is_integer() else exponent)


def _scalar(value: Value, other: Value) -> Any:
    """A constant of one element as a number, beside a tensor of the graph."""
    number = only_value(value)
    if number is None or other.known or value.rank > other.rank:
        return value
    return number if value.samples[0].is_floating_point() else int(number)


def _layer_before(op: Operation, value: Value, name_index: int) -> nn.Module | None:
    """The module that made ``value`` if nothing else reads it."""
    node = value.node
    if node is None or node.op != "call_module" or op.uses[op.input_names[name_index]] != 1:
        return None
    return op.build.root.get_submodule(str(node.target))


def _add_bias(op: Operation, value: Value, bias: Value) -> Value | None:
    """MatMul and Add, or Conv and Add, as one layer."""
    if value.node is None or not bias.constant:
        return None
    module = _layer_before(op, value, 0 if op.inputs[0] is value else 1)
    if not isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)) or module.bias is not None:
        return None
    width = module.weight.shape[0]
    axis = -1 if isinstance(module, nn.Linear) else 1
    wanted = [1] * value.rank
    wanted[axis] = width
    given = [1] * (value.rank - bias.rank) + list(bias.tensor.shape)
    if given != wanted:
        return None
    with torch.no_grad():
        module.bias = nn.Parameter(bias.tensor.reshape(width).clone(), requires_grad=False)
    return Value(tuple(s + bias.tensor for s in value.samples), value.node)


def _gate(op: Operation, value: Value, gate: Value) -> Value | None:
    """x * Sigmoid(x) as SiLU, x * HardSigmoid(x) as Hardswish."""
    if value.node is None or gate.node is None or gate.node.op != "call_module":
        return None
    if gate.node.args != (value.node,):
        return None
    module = op.build.root.get_submodule(str(gate.node.target))
    if isinstance(module, nn.Sigmoid):
        return op.build.layer(op.layer_name(), nn.SiLU(), value)
    if isinstance(module, nn.Hardsigmoid):
        return op.build.layer(op.layer_name(), nn.Hardswish(), value)
    return None


_LAYERS: dict[str, type[nn.Module]] = {
    "Relu": nn.ReLU,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "HardSwish": nn.Hardswish,
    "Softplus": nn.Softplus,
    "Softsign": nn.Softsign,
    "Mish": nn.Mish,
}


@rule(*_LAYERS)
def _activation(op: Operation) -> Value:
    return op.build.layer(op.layer_name(), _LAYERS[op.kind](), op.input(0))


@rule("LeakyRelu")
def _leaky_relu(op: Operation) -> Value:
    return op.build.layer(op.layer_name(), nn.LeakyReLU(op.get("alpha", 0.01)), op.input(0))


@rule("Elu")
def _elu(op: Operation) -> Value:
    return op.build.layer(op.layer_name(), nn.ELU(op.get("alpha", 1.0)), op.input(0))


@rule("Gelu")
def _gelu(op: Operation) -> Value:
    module = nn.GELU(approximate=op.get("approximate", "none"))
    return op.build.layer(op.layer_name(), module, op.input(0))


class ScaledHardSigmoid(nn.Module):
    """clip(alpha x + beta, 0, 1): ONNX's HardSigmoid where it is not torch's."""

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.clamp(x * self.alpha + self.beta, 0.0, 1.0)


@rule("HardSigmoid")
def _hard_sigmoid(op: Operation) -> Value:
    alpha, beta = op.get("alpha", 0.2), op.get("beta", 0.5)
    is_torch = abs(alpha - 1 / 6) < 1e-6 and beta == 0.5
    module = nn.Hardsigmoid() if is_torch else ScaledHardSigmoid(alpha, beta)
    return op.build.layer(op.layer_name(), module, op.input(0))


@rule("PRelu")
def _prelu(op: Operation) -> Value:
    slope = op.input(1).tensor.flatten()
    x = op.input(0)
    if slope.numel() not in (1, x.samples[0].shape[1]):
        raise BabycryError("it has neither one slope nor one a channel")
    module = nn.PReLU(slope.numel())
    module.weight = nn.Parameter(slope.clone(), requires_grad=False)
    return op.build.layer(op.layer_name(), module, x)


@rule("Clip")
def _clip(op: Operation) -> Value:
    low = _bound(op, "min", 1, -float("inf"))
    high = _bound(op, "max", 2, float("inf"))
    x = op.input(0)
    if x.known:
        return op.build.call(torch.clamp, x, low, high)
    if low == 0 and high == 6:
        return op.build.layer(op.layer_name(), nn.ReLU6(), x)
    if low == 0 and high > 3e38:
        return op.build.layer(op.layer_name(), nn.ReLU(), x)
    if low > -3e38 and high < 3e38 and low < high:
        return op.build.layer(op.layer_name(), nn.Hardtanh(low, high), x)
    return op.build.call(torch.clamp, x, low, high)


def _bound(op: Operation, name: str, index: int, default: float) -> float:
    if name in op.attributes:
        return float(op.attributes[name])
    value = op.optional(index)
    if value is None:
        return default
    return float(value.tensor.reshape(()))


_ONE = {
    "Sqrt": torch.sqrt,
    "Exp": torch.exp,
    "Log": torch.log,
    "Erf": torch.erf,
    "Abs": torch.abs,
    "Neg": torch.neg,
    "Reciprocal": torch.reciprocal,
    "Floor": torch.floor,
    "Ceil": torch.ceil,
    "Round": torch.round,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Not": torch.logical_not,
    "Sign": torch.sign,
}


@rule(*_ONE)
def _one(op: Operation) -> Value:
    return op.build.call(_ONE[op.kind], op.input(0))


_COMPARE = {
    "Equal": torch.eq,
    "Less": torch.lt,
    "Greater": torch.gt,
    "LessOrEqual": torch.le,
    "GreaterOrEqual": torch.ge,
    "And": torch.logical_and,
    "Or": torch.logical_or,
}


@rule(*_COMPARE)
def _compare(op: Operation) -> Value:
    return op.build.call(_COMPARE[op.kind], op.input(0), op.input(1))


@rule("Where")
def _where(op: Operation) -> Value:
    return op.build.call(torch.where, op.input(0), op.input(1), op.input(2))


@rule("Max", "Min")
def _most(op: Operation) -> Value:
    function = torch.maximum if op.kind == "Max" else torch.minimum
    result = op.input(0)
    for index in range(1, len(op.inputs)):
        other = op.input(index)
        if result.known and not other.known:
            result, other = other, result
        bound = only_value(other)
        if bound is None or result.known or other.rank > result.rank:
            result = op.build.call(function, result, other)
        else:
            limit = "min" if op.kind == "Max" else "max"
            result = op.build.call(torch.clamp, result, **{limit: bound})
    return result


@rule("Sum")
def _sum(op: Operation) -> Value:
    result = op.input(0)
    for index in range(1, len(op.inputs)):
        result = op.build.call(operator.add, result, op.input(index))
    return result


@rule("Softmax", "LogSoftmax")
def _softmax(op: Operation) -> Value:
    x = op.input(0)
    axis = op.get("axis", -1 if op.opset >= 13 else 1)
    axis = axis % x.rank
    if op.opset < 13 and any(s != 1 for s in x.shape[axis + 1 :]):
        raise BabycryError("it takes more than the last axis together (operator set below 13)")
    module = nn.Softmax(axis) if op.kind == "Softmax" else nn.LogSoftmax(axis)
    return op.build.layer(op.layer_name(), module, x)


def _any_mean(x: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    return torch.mean(x, axes, keep)


@rule("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2")
def _reduce(op: Operation) -> Value:
    x, keep = op.input(0), bool(op.get("keepdims", 1))
    axes = op.integers("axes", 1)
    if not axes:
        if op.get("noop_with_empty_axes", 0):
            return x
        axes = list(range(x.rank))
    axes = sorted(axis % x.rank for axis in axes)
    if op.kind == "ReduceProd":
        if not x.known:
            raise BabycryError("a product of values that depend on the input")
        return op.build.call(_product, x, axes, keep)
    if op.kind == "ReduceMean":
        return _mean(op, op.build, x, axes, keep)
    function = {
        "ReduceSum": torch.sum,
        "ReduceMax": torch.amax,
        "ReduceMin": torch.amin,
        "ReduceL2": torch.linalg.vector_norm,
    }[op.kind]
    if op.kind == "ReduceL2":
        return op.build.call(function, x, 2, axes, keep)
    return op.build.call(function, x, axes, keep)


def _mean(op: Operation, build: Build, x: Value, axes: list[int], keep: bool) -> Value:
    """The mean over an image or a sequence is a pooling, which can be quantised."""
    pooled = {(4, (2, 3)): nn.AdaptiveAvgPool2d, (3, (2,)): nn.AdaptiveAvgPool1d}
    layer = pooled.get((x.rank, tuple(axes)))
    if layer is None or x.known:
        return build.call(torch.mean, x, axes, keep)
    result = build.layer(op.layer_name(), layer(1), x)
    if keep:
        return result
    return build.reshape(result, [tuple(s.shape[:2]) for s in result.samples])


def _product(x: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    for axis in reversed(axes):
        x = torch.prod(x, axis, keep)
    return x
