"""Functional and Sequential models, models inside models included."""

from __future__ import annotations

import operator
from typing import Any

from torch import fx, nn

from babycry_convert.keras_to_torch.builder import Builder, NotTranslated, Shape, Value
from babycry_convert.keras_to_torch.layers import merge, translate

_OPERATORS = {
    "Add": operator.add,
    "Subtract": operator.sub,
    "Multiply": operator.mul,
    "Divide": operator.truediv,
    "TrueDivide": operator.truediv,
}


def keras_to_torch(model: Any, input_shape: Shape) -> fx.GraphModule:
    """The model as a graph of torch modules.

    Args:
        model: a built Keras model of one input and one output.
        input_shape: of one input in Keras's order, without the batch, every size known. An image
            (H, W, C) is taken as (N, C, H, W); anything else as Keras takes it.

    Raises:
        NotTranslated: a layer or a setting has no translation.
    """
    builder = Builder()
    node = builder.graph.placeholder("x")
    image = len(input_shape) == 3
    value = Value(node, input_shape, "channels_first" if image else "keras")
    outcome = builder.keras_order(_run(builder, model, [value]))
    builder.graph.output(outcome.node)
    root = nn.Module()
    for name, module in builder.modules.items():
        root.add_module(name, module)
    network = fx.GraphModule(root, builder.graph, class_name="KerasNetwork")
    network.graph.lint()
    return network.eval()


def functional(model: Any) -> Any:
    """A Sequential as the functional model that it is."""
    import keras

    if type(model).__name__ == "Functional":
        return model
    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs, model.outputs)
    raise NotTranslated(f"model class {type(model).__name__}")


def _run(builder: Builder, model: Any, inputs: list[Value]) -> Value:
    graph = functional(model)
    values = {id(t): v for t, v in zip(graph.inputs, inputs, strict=True)}
    nodes = graph._nodes_by_depth
    for depth in sorted(nodes, reverse=True):
        for node in nodes[depth]:
            if node.is_input or any(id(t) not in values for t in node.input_tensors):
                continue
            given = [values[id(t)] for t in node.input_tensors]
            if len(node.outputs) != 1:
                raise NotTranslated(f"layer {type(node.operation).__name__} of several outputs")
            values[id(node.outputs[0])] = _call(builder, node, given)
    if len(graph.outputs) != 1 or id(graph.outputs[0]) not in values:
        raise NotTranslated("a model of several outputs")
    return values[id(graph.outputs[0])]


def _call(builder: Builder, node: Any, values: list[Value]) -> Value:
    import keras

    called = node.operation
    if isinstance(called, keras.Model):
        builder.enter(called.name)
        value = _run(builder, called, values)
        builder.leave()
        return value
    if isinstance(called, keras.layers.Layer):
        return translate(builder, called, values)
    kind = type(called).__name__
    arguments = [*node.arguments.args, *node.arguments.kwargs.values()]
    if kind not in _OPERATORS or len(arguments) != 2:
        raise NotTranslated(f"operation {kind}")
    if len(values) == 2:
        if kind not in ("Add", "Subtract", "Multiply"):
            raise NotTranslated(f"operation {kind} of two tensors")
        return merge(builder, kind, values)
    scalar = next((a for a in arguments if isinstance(a, int | float)), None)
    if scalar is None:
        raise NotTranslated(f"operation {kind} with a constant tensor")
    operands = [float(a) if isinstance(a, int | float) else values[0].node for a in arguments]
    result = builder.function(_OPERATORS[kind], *operands)
    return Value(result, values[0].shape, values[0].order, values[0].image)
